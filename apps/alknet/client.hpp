// What a command needs to reach other nodes: a loop, the network, this side's key, and the peers
// that alknet.toml knows by name.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/config.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/signals.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli.hpp"

namespace alknet::app {

/// The address as a person gave it, with what alknet.toml adds. Errors: kAddressInvalid,
/// kKeyInvalid; kUnknownPeer for a node id, or a peer, of which nothing says where it is.
[[nodiscard]] result<NodeAddress> resolve_address(std::string_view text,
                                                  const std::vector<config::Peer>& peers);

/// The same, and what else alknet.toml says about the way there.
struct Target {
    NodeAddress address;
    std::optional<tls::Verify> verify{};  // where the address alone does not say it
    config::Ways ways{};                  // by which alone it may be reached
    std::optional<quic::Congestion> congestion{};
};
[[nodiscard]] result<Target> resolve_target(std::string_view text,
                                            const std::vector<config::Peer>& peers);

/// What a command wants of a node, for the case that it is refused.
struct Asked {
    Target target;
    DialWishes wishes{};
    std::string service;
};

class Client {
public:
    enum class As : std::uint8_t {
        owner,     // with --identity, or the home's key; without either, with one made for this run
        stranger,  // with a key made for this run
    };
    /// Knows the home's peers, if there is a home. Errors: those of an unusable home, kIo.
    static result<std::unique_ptr<Client>> create(const CommandLine& line, As as = As::owner,
                                                  bool tofu = false);

    [[nodiscard]] Loop& loop() noexcept { return *loop_; }
    [[nodiscard]] Dialer& dialer() noexcept { return *dialer_; }
    [[nodiscard]] net::Network& network() noexcept { return *network_; }
    [[nodiscard]] const std::vector<config::Peer>& peers() const noexcept { return peers_; }
    /// Whom it speaks for, and with which key; the second is null if that was made for this run.
    [[nodiscard]] const std::shared_ptr<const NodeKey>& key() const noexcept { return key_; }
    [[nodiscard]] std::shared_ptr<const NodeKey> own_key() const noexcept {
        return key_lasts_ ? key_ : nullptr;
    }
    /// Who a bare host is known to be: for those who look at the ways to it one by one. A node id
    /// goes into the address. Errors: those of KnownNodesFile::load.
    result<void> add_known(Target& target) const;

    /// How long a command stays to see that the other side has heard of its end. A close that is
    /// lost costs the other side an idle timeout; a person who waits costs more.
    static constexpr Duration kGoodbyeTimeout = std::chrono::milliseconds(250);

    /// Runs `work` to its end, or until a signal (SIGINT, SIGTERM, SIGHUP; kCancelled), then closes
    /// what it has dialled.
    result<void> run(task<result<void>> work);
    /// The same; of a refusal that TCP could not explain it asks why, over alknet/call.
    result<void> run(task<result<void>> work, Asked asked);

private:
    Client() = default;
    task<result<void>> finish(task<result<void>> work);
    task<result<void>> explain(task<result<void>> work, Asked asked);
    task<error> why_refused(error refusal, Asked asked);
    task<void> say_goodbye(Event& said);
    task<result<void>> stop_at_signal(Cancel& work);

    SystemClock clock_;
    std::unique_ptr<Loop> loop_;
    std::unique_ptr<Signals> signals_;
    std::shared_ptr<net::Network> network_;
    std::vector<config::Peer> peers_;
    std::shared_ptr<const NodeKey> key_;
    bool key_lasts_ = false;
    std::filesystem::path known_file_;  // empty: nothing is known
    std::filesystem::path paths_file_;  // empty: nothing is remembered
    std::shared_ptr<PathMemory> paths_;
    std::unique_ptr<Dialer> dialer_;
};

/// What a person wants, within what alknet.toml allows. Errors: kUsage where nothing is left.
[[nodiscard]] result<DialOptions> dial_options(const DialWishes& wishes, const Target& target,
                                               std::vector<std::string> alpns);

/// An application close code of the default table, as the error that it stands for; other errors
/// as they are.
[[nodiscard]] error explain_close(error failure);

}  // namespace alknet::app
