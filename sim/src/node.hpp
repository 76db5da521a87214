// Node: a real alknet node on a simulated host. It can crash and start again: each start makes a
// new process with the same key, address and secrets. One that crashed is cut off from the network
// and taken down in its own time, since a C++ program cannot forget its memory as a machine can.
#pragma once

#include <alknet/core/dial.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/core/registry.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/resume/client.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/tls/context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ledger.hpp"
#include "traffic.hpp"

namespace alknet::sim {

inline constexpr std::string_view kWorkAlpn = "sim/work";
inline constexpr std::string_view kPrivateAlpn = "sim/private";  // for those who were admitted
inline constexpr std::string_view kLastingAlpn = "sim/lasting";  // by resumable streams
inline constexpr std::uint16_t kNodePort = 4433;

/// More of a node than its work, for a scenario of its own: made anew each time that it starts.
class NodePart {
public:
    virtual ~NodePart() = default;
    [[nodiscard]] virtual std::shared_ptr<ProtocolHandler> handler() = 0;
    /// Goes on until it is cancelled: with the node's other calls, before its dialer ends.
    virtual task<void> run(Dialer& dialer) = 0;
};

struct NodeOptions {
    EndpointLimits limits;
    quic::Congestion congestion = quic::Congestion::bbr;
    quic::TransportOptions transport;  // of what it dials
    std::size_t server_plan = 3;       // operations that it begins on a connection it accepted
    std::uint64_t bytes_max = 50'000;  // of one of those
    std::function<std::unique_ptr<NodePart>(Loop& loop)> part{};  // null: none
};

/// One call to another node, and what is then done.
struct Call {
    NodeAddress to;
    bool quic = true;
    bool tcp = false;
    std::vector<Operation> plan;
    int tries = 3;
    std::string alpn = std::string(kWorkAlpn);
};

/// A call with one request, and how it went.
struct Visit {
    Call call;
    std::uint64_t bytes = 500;  // each way
    Duration rest{};            // after which a second request is made
    bool persistent = false;    // dials again when it fails
    bool reached = false;       // the request was answered
    bool resumed = false;       // the session was
    bool over = false;
    std::optional<error> failure;
};

/// A resumable stream with one exchange on it, and how it went.
struct Lasting {
    NodeAddress to;
    Operation operation;
    Duration pace{};
    bool opened = false;
    bool over = false;
    std::optional<error> failure;
    std::size_t resumptions = 0;
    std::weak_ptr<Connection> carrier{};  // the last connection that was made for it
};

class Node {
public:
    Node(Ledger& ledger, std::string name, NodeOptions options);
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node();

    [[nodiscard]] SimHost& host() noexcept { return host_; }
    [[nodiscard]] const std::string& name() const noexcept { return host_.name(); }
    [[nodiscard]] NodeAddress address(bool v6) const;
    [[nodiscard]] NodeOptions& options() noexcept { return options_; }

    void start();
    /// Gone, without a word to anybody.
    void crash();
    [[nodiscard]] bool running() const noexcept { return present_ != nullptr; }
    /// In order.
    void shut_down();

    void call(Call call);
    /// Calls that have not ended.
    [[nodiscard]] std::size_t calls() const noexcept;
    [[nodiscard]] std::size_t connections() const noexcept;
    [[nodiscard]] std::size_t half_open() const noexcept;

    /// `visit` must live until it is over.
    void visit(Visit& visit);

    /// Opens the stream as soon as that is possible. `lasting` must live until it is over.
    void last(Lasting& lasting);

    /// Who may use the private service, from now on; also for those who are connected.
    void admit(const std::vector<const Node*>& guests);

    /// Frees what has been taken down and looks at what it left behind. True when nothing is left
    /// but the present one.
    bool reap();
    /// What the node is doing, for a message.
    [[nodiscard]] std::string tasks() const;

private:
    class Incarnation;
    Ledger& ledger_;
    NodeOptions options_;
    SimHost& host_;
    std::shared_ptr<const NodeKey> key_;
    std::shared_ptr<tls::TicketKeys> ticket_keys_;
    quic::EndpointSecrets secrets_;
    std::shared_ptr<StaticIdentityProvider> guests_;
    std::unique_ptr<Incarnation> present_;
    std::vector<std::unique_ptr<Incarnation>> past_;
};

}  // namespace alknet::sim
