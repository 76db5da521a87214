// PeerLink: one connection to a peer, kept by whoever calls over it; PeerCalls: calls over the one
// that there is.
#pragma once

#include <alknet/call/client.hpp>
#include <alknet/call/imported.hpp>
#include <alknet/rt/wait.hpp>
#include <memory>
#include <string>

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

class PeerCalls final : public RemoteCalls {
public:
    PeerCalls(Loop& loop, std::string peer) : loop_(loop), peer_(std::move(peer)) {}

    task<result<Json>> call(std::string operation, CallContext context, Json input) override;
    task<result<void>> subscribe(std::string operation, CallContext context, Json input,
                                 ItemSink& items) override;

    /// Null: the peer is away.
    void set_link(std::shared_ptr<PeerLink> link) { link_ = std::move(link); }
    [[nodiscard]] std::shared_ptr<PeerLink> link() const { return link_; }
    /// Set when somebody calls while it is away.
    [[nodiscard]] Event& missed() noexcept { return missed_; }

private:
    result<std::shared_ptr<PeerLink>> link_for(const CallContext& context);
    [[nodiscard]] error explain(const PeerLink& link, error why) const;

    Loop& loop_;
    const std::string peer_;
    std::shared_ptr<PeerLink> link_;
    Event missed_;
};

}  // namespace alknet::call
