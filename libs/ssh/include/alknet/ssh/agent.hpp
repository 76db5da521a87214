// ssh-agent (draft-ietf-sshm-ssh-agent): a program of the user that keeps keys and signs with them.
// The codec is sans-I/O; Agent talks to one.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/ssh/signer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace alknet::ssh {

inline constexpr std::size_t kAgentMessageBytesMax = 256 << 10;
inline constexpr std::size_t kAgentKeysMax = 256;
/// How long an agent may take to list its keys; a signature may wait for its user.
inline constexpr Duration kAgentTime = std::chrono::seconds(10);

struct AgentKey {
    Bytes blob;
    std::string comment;  // as its owner wrote it: not fit to be printed as it is
    bool operator==(const AgentKey&) const = default;
};

namespace agent {

/// Messages with their sizes in front.
[[nodiscard]] Bytes list_request();
[[nodiscard]] Bytes sign_request(BytesView blob, BytesView message, std::uint32_t flags);
/// That what is asked from now on comes from programs at the other end of an SSH connection
/// (OpenSSH's PROTOCOL.agent): the server's key, and its signature over the session id.
[[nodiscard]] Bytes bind_request(BytesView host_key, BytesView session_id, BytesView signature);

/// What a program asks, without the size; `other` is what it may not, and what is malformed.
struct Question {
    enum class Kind : std::uint8_t { list, sign, bind, other };
    Kind kind = Kind::other;
    BytesView key{};  // to sign with
};
[[nodiscard]] Question read_question(BytesView message) noexcept;
[[nodiscard]] Bytes keys_answer(const std::vector<AgentKey>& keys);
[[nodiscard]] Bytes failure_answer();

/// Answers, without their sizes. Errors: kProtocol; kLimit (kAgentKeysMax).
result<std::vector<AgentKey>> parse_keys(BytesView answer);
/// Errors: kProtocol; kForbidden when the agent does not want to.
result<Bytes> parse_signature(BytesView answer);

}  // namespace agent

/// Lives on one loop; one question at a time.
class Agent final {
public:
    explicit Agent(std::unique_ptr<BiStream> stream) noexcept : stream_(std::move(stream)) {}

    /// Errors: kProtocol, kLimit, kTimeout; those of the stream.
    task<result<std::vector<AgentKey>>> keys();
    /// Errors: likewise; kForbidden.
    task<result<Bytes>> sign(Bytes blob, Bytes message, std::uint32_t flags);
    /// Any question with its size in front; gives the answer without. Errors: kProtocol; those of
    /// the stream.
    task<result<Bytes>> ask(Bytes question);

private:
    std::unique_ptr<BiStream> stream_;
};

/// Those of its keys that we know how to log in with, in its order. Errors: as of `keys`.
task<result<std::vector<std::shared_ptr<Signer>>>> agent_signers(std::shared_ptr<Agent> agent);

/// What programs elsewhere may have of an agent.
struct AgentShare {
    std::vector<std::string> keys{};  // as `ssh-keygen -l` names them: SHA256:…
    Bytes binding{};                  // SshClient::agent_binding; asked first, if it is not empty
};

/// Answers one of them from `agent`, with those of its keys alone: they are listed, sign, and may
/// be bound to further connections. Everything else is refused: to add keys, to remove or lock
/// them. Ends with either of both. Errors: kProtocol, kLimit, kTimeout; those of the streams.
task<result<void>> share_agent(BiStream& program, Agent& agent, const AgentShare& share);

}  // namespace alknet::ssh
