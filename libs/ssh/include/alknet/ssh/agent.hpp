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
/// Answers, without them. Errors: kProtocol; kLimit (kAgentKeysMax).
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

private:
    task<result<Bytes>> ask(Bytes question);

    std::unique_ptr<BiStream> stream_;
};

/// Those of its keys that we know how to log in with, in its order. Errors: as of `keys`.
task<result<std::vector<std::shared_ptr<Signer>>>> agent_signers(std::shared_ptr<Agent> agent);

}  // namespace alknet::ssh
