// A running node: what is made once, and what a reload replaces.
#pragma once

#include <alknet/base/log_sink.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/net/network.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alknet::app {

/// An address that is open.
struct Listening {
    ListenerOptions options;
    SocketAddress bound;
    std::string key;  // the endpoint's name for it, which stays when the configured one changes
};

struct NodeOptions {
    std::shared_ptr<LineLogSink> log_sink;
    std::shared_ptr<net::Network> network;
    /// Where to listen instead of where the configuration says; empty: there.
    std::vector<config::Listener> listeners;
    /// On which connections are served; null: on the node's own loop. Outlives the node.
    LoopGroup* loops = nullptr;
};

class Node {
public:
    /// Nothing is open yet. Errors: those of an unusable key, certificate or secrets.
    static result<std::unique_ptr<Node>> create(Loop& loop, config::Home home,
                                                config::Config config, NodeOptions options);

    /// Opens what is configured. Errors: those of Endpoint::listen, with the listener's name.
    result<std::vector<Listening>> listen();

    enum class Reload : std::uint8_t {
        always,     // somebody asked for it; certificates may be new
        if_edited,  // the file was touched; not when it says what it said before
    };
    /// Reads the configuration again. What is wrong with it is logged, and then nothing changes;
    /// a listener that cannot be opened is logged, and the others stand.
    task<void> reload(Reload when);

    /// Tries listeners that a reload could not open again and again: what has the address, another
    /// program or old connections of our own, may go. Runs until it is cancelled.
    task<result<void>> retry_listeners();

    /// Ends in order; see Endpoint::shutdown.
    task<void> stop();

    [[nodiscard]] const NodeId& id() const noexcept { return key_->id(); }
    [[nodiscard]] const Log& log() const noexcept { return log_; }
    [[nodiscard]] const std::shared_ptr<Metrics>& metrics() const noexcept { return metrics_; }

private:
    Node(Loop& loop, config::Home home, config::Config config, NodeOptions options);
    result<void> build();
    result<void> register_handlers(HandlerRegistry& registry, Loop& loop) const;
    result<bool> read_and_apply(Reload when);
    result<void> apply(config::Config config);
    void apply_listeners(const std::vector<config::Listener>& listeners);
    void apply_rules(const config::DynamicConfig& config);
    /// Whether a resumable stream that comes through `through` may reach a service: as a connection
    /// of that service could have come there.
    [[nodiscard]] result<void> may_open(std::string_view alpn, const ConnectionInfo& through) const;
    result<void> add_resume();
    result<std::shared_ptr<const tls::TlsContext>> make_tls(const config::DynamicConfig& config,
                                                            const tls::TlsContext* before) const;
    result<Listening> open(ListenerOptions options, std::string key);
    void open_or_retry(ListenerOptions options);
    void change(Listening& listening, ListenerOptions options);
    [[nodiscard]] std::string next_key() { return std::to_string(++keys_drawn_); }

    Loop& loop_;
    config::Home home_;
    config::Config config_;
    NodeOptions options_;
    Log log_;
    std::shared_ptr<const NodeKey> key_;
    std::shared_ptr<const tls::TlsContext> tls_;
    std::shared_ptr<HandlerRegistry> registry_ = std::make_shared<HandlerRegistry>();
    std::shared_ptr<StaticIdentityProvider> identities_;
    std::shared_ptr<Metrics> metrics_ = std::make_shared<Metrics>();
    std::shared_ptr<resume::ResumeHandler> resume_;  // null: not offered
    std::unique_ptr<Endpoint> endpoint_;
    std::vector<Listening> listening_;
    std::vector<ListenerOptions> missing_;  // wanted, and not open yet
    Event listeners_missing_;
    std::uint64_t keys_drawn_ = 0;
    std::string config_text_;  // the last that was read, good or bad
};

/// One for each address; those after the first are named NAME/2, NAME/3, ….
[[nodiscard]] std::vector<ListenerOptions> listener_options(
    const std::vector<config::Listener>& listeners);

}  // namespace alknet::app
