// PeerLink: one connection to a peer, kept by whoever calls over it; PeerCalls: calls over the one
// that there is; PeerRoutes: calls to the first of several peers that is there.
#pragma once

#include <alknet/call/client.hpp>
#include <alknet/call/imported.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace alknet::call {

class PeerLink {
public:
    /// Over it the peer can call nothing here.
    PeerLink(Loop& loop, std::shared_ptr<Connection> connection)
        : connection_(std::move(connection)), client_(CallClient::create(loop, connection_)) {}
    PeerLink(const PeerLink&) = delete;
    PeerLink& operator=(const PeerLink&) = delete;
    ~PeerLink() = default;

    [[nodiscard]] CallClient& client() noexcept { return *client_; }
    [[nodiscard]] Connection& connection() noexcept { return *connection_; }
    [[nodiscard]] bool ended() const noexcept { return connection_->closed().requested(); }
    /// Why it has; `waited` is how the wait for that went.
    [[nodiscard]] result<void> reason(const result<void>& waited) const;
    /// Before the last of its owners lets go. Nobody cancels this.
    task<void> close();

private:
    std::shared_ptr<Connection> connection_;
    std::unique_ptr<CallClient> client_;
};

/// Errors: kImportAway: the peer is not there, and nothing was done; kImportLost: it was lost
/// meanwhile; kImportRefused; what it answers.
class PeerCalls final : public RemoteCalls {
public:
    PeerCalls(Loop& loop, std::string peer) : loop_(loop), peer_(std::move(peer)) {}

    task<result<Json>> call(std::string operation, CallContext context, Json input) override;
    task<result<void>> subscribe(std::string operation, CallContext context, Json input,
                                 ItemSink& items) override;

    /// Null: the peer is away.
    void set_link(std::shared_ptr<PeerLink> link) { link_ = std::move(link); }
    [[nodiscard]] std::shared_ptr<PeerLink> link() const { return link_; }
    /// Whether a call can begin. Somebody wants it: if not, it is dialled sooner.
    [[nodiscard]] bool is_there();
    /// Set when somebody calls while it is away.
    [[nodiscard]] Event& missed() noexcept { return missed_; }
    [[nodiscard]] const std::string& peer() const noexcept { return peer_; }

private:
    result<std::shared_ptr<PeerLink>> link_for(const CallContext& context);
    [[nodiscard]] error explain(const PeerLink& link, error why) const;

    Loop& loop_;
    const std::string peer_;
    std::shared_ptr<PeerLink> link_;
    Event missed_;
};

/// A query goes to the next peer when the one that had it is lost. A mutation does not: it may have
/// been done. Nor does a subscription, whose numbers mean nothing to another peer.
class PeerRoutes final : public RemoteCalls {
public:
    /// In the order in which they are tried.
    explicit PeerRoutes(std::vector<std::shared_ptr<PeerCalls>> peers);

    /// Errors: kImportAway: none of them is there, and nothing was done; kImportLost: a mutation
    /// may have been done.
    task<result<Json>> call(std::string operation, CallContext context, Json input) override;
    /// Errors: kImportAway; kUsage for one that is resumed where several peers offer it.
    task<result<void>> subscribe(std::string operation, CallContext context, Json input,
                                 ItemSink& items) override;

    /// What this one of the peers offers, and nothing else. What differs from what an earlier peer
    /// offers under the same name is not that: it gives the names of those.
    std::vector<std::string> offer(std::size_t peer, std::vector<RemoteOperation> operations);
    /// What all of them offer, each once.
    [[nodiscard]] std::vector<RemoteOperation> all() const;

private:
    struct Route {
        RemoteOperation operation;
        std::vector<std::shared_ptr<PeerCalls>> peers{};
    };
    /// Null: nobody offers it any more.
    [[nodiscard]] std::shared_ptr<const Route> route_of(const std::string& operation) const;

    const std::vector<std::shared_ptr<PeerCalls>> peers_;
    std::vector<std::vector<RemoteOperation>> offers_;  // of each
    std::map<std::string, std::shared_ptr<Route>> routes_;
};

}  // namespace alknet::call
