// SshClient: logs in to an SSH server over any stream, an alknet node or any other, and opens
// channels there: connections that the server makes, commands and shells, and connections that
// arrive at the server for us. It lives on one loop.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/ssh/channels.hpp>
#include <alknet/ssh/limits.hpp>
#include <alknet/ssh/signer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

struct SshClientOptions {
    std::string user = "alknet";
    /// Whether this is the host that is meant, asked before anything else is sent; a failure ends
    /// the connection. Empty: none is.
    std::function<result<void>(const NodeId& host_key)> trust{};
    std::vector<std::shared_ptr<Signer>> keys{};  // tried in this order
    /// What the server shows whoever logs in: any octets. Empty: it is dropped.
    std::function<void(std::string_view)> banner{};
    std::uint64_t rekey_bytes = kRekeyBytes;
    /// That of the stream, where it comes right from the server: if both agree, the data of
    /// forwarded channels has streams of its own there. Null: SSH carries it.
    std::shared_ptr<Connection> connection{};
};

/// How a command ended.
struct SshExit {
    std::uint32_t status = 0;
    std::string signal{};  // "TERM"; empty: it ended by itself
    bool operator==(const SshExit&) const = default;
};

/// A channel; its stream is the data. Destroying it closes it. It may outlive its client, and then
/// ends with kClosed or what the connection ended with.
class SshChannel : public ByteStream {
public:
    /// Gives what comes to `stream`, and what that has to the channel, until both directions have
    /// ended, the server has closed the channel, or something broke. Data is not copied on the way,
    /// but for what `stream` does not take at once. Nothing else reads or writes meanwhile.
    virtual task<result<void>> join(ByteStream& stream) = 0;
    /// The second stream, which is standard error; as `read` otherwise.
    virtual task<result<std::size_t>> read_errors(MutableBytes into) = 0;
    /// A request that the server grants. Errors: kForbidden when it does not; as of `read`.
    virtual task<result<void>> request(std::string type, Bytes body) = 0;
    /// One without an answer.
    virtual result<void> tell(std::string_view type, BytesView body) = 0;
    /// Until the server has closed the channel. Errors: kCancelled; why the connection ended.
    virtual task<result<void>> wait_closed() = 0;
    /// nullopt: nothing has been said.
    [[nodiscard]] virtual const std::optional<SshExit>& exit() const noexcept = 0;
};

/// A channel that the server wants. Destroying it undecided refuses it.
class SshArrival {
public:
    virtual ~SshArrival() = default;
    /// Who has connected there, as the server says: any octets, at most kHostBytesMax.
    [[nodiscard]] virtual const std::string& from_host() const noexcept = 0;
    [[nodiscard]] virtual std::uint16_t from_port() const noexcept = 0;
    /// Once. Errors: why the connection ended.
    virtual result<std::unique_ptr<SshChannel>> accept() = 0;
    virtual void refuse(std::string_view why) = 0;
};
using SshArrivals = std::function<void(std::unique_ptr<SshArrival>)>;

class SshClient {
public:
    /// Says hello, verifies the host and logs in, within kLoginTime. Errors: those of `trust`;
    /// kLoginFailed, kNoAlgorithm, kProtocol, kLimit, kTimeout; those of the stream.
    static task<result<std::unique_ptr<SshClient>>> connect(Loop& loop,
                                                            std::unique_ptr<BiStream> stream,
                                                            SshClientOptions options);
    virtual ~SshClient() = default;

    /// A connection that the server makes. Errors of all that open: kForbidden and kUnreachable
    /// with the server's words, kLimit, why the connection ended.
    virtual task<result<std::unique_ptr<SshChannel>>> open_tcp(TcpRoute route) = 0;
    /// The same to a unix socket there.
    virtual task<result<std::unique_ptr<SshChannel>>> open_socket(std::string path) = 0;
    /// For a command, a shell or a subsystem, which `request` then asks for.
    virtual task<result<std::unique_ptr<SshChannel>>> open_session() = 0;

    /// Has the server listen; what connects there goes to `arrivals`, on this loop. Port 0 is any:
    /// gives the port. Errors: kForbidden when the server does not; kLimit; as above.
    virtual task<result<std::uint16_t>> listen_tcp(std::string host, std::uint16_t port,
                                                   SshArrivals arrivals) = 0;
    virtual task<result<void>> listen_socket(std::string path, SshArrivals arrivals) = 0;
    /// Takes agent channels, which a session must have asked for.
    virtual void take_agent(SshArrivals arrivals) = 0;

    /// Until the connection has ended; why. Errors: kCancelled; and that.
    virtual task<result<void>> wait_closed() = 0;
    /// Says goodbye, and ends everything. To be awaited before this goes.
    virtual task<void> close() = 0;

    [[nodiscard]] virtual const NodeId& host_key() const noexcept = 0;
    /// What an agent needs to know of this connection before it signs for programs at its other
    /// end: session-bind@openssh.com, with its size in front.
    [[nodiscard]] virtual Bytes agent_binding() const = 0;
    /// `SSH-2.0-…`, in any octets but NUL.
    [[nodiscard]] virtual const std::string& server() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t key_exchanges() const noexcept = 0;
};

}  // namespace alknet::ssh
