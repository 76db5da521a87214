// What can be asked of the SSH sessions of a node: ssh/sessions, ssh/forwards, ssh/close, and
// ssh/watch, which tells of both as they come and go.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/rt/loop.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {
class SessionTable;
}

namespace alknet::app {

struct SshSessionInfo {
    std::uint64_t id = 0;
    std::string peer;
    std::string fingerprint;
    std::string remote;
    std::uint64_t forwards = 0;
    std::uint64_t programs = 0;
    std::int64_t age_s = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    static constexpr std::array<std::string_view, 9> kAbout = {
        "for ssh/close",
        "the name of the peer",
        "of the key that it has logged in with",
        "from where",
        "connections and listeners that there are for it",
        "commands, shells and operations that it runs",
        "since it has logged in",
        "in packets of SSH; what channels have streams for is not",
        "likewise"};
};
struct SshSessionList {
    std::vector<SshSessionInfo> sessions;
};
struct SshForwardInfo {
    std::uint64_t id = 0;
    std::uint64_t session = 0;
    std::string peer;
    std::string kind;
    std::string place;
    std::int64_t age_s = 0;
    static constexpr std::array<std::string_view, 6> kAbout = {
        "for ssh/close",
        "the id of its session",
        "the name of the peer",
        "connect: a connection that the node has made; listen: where it listens; arrival: a "
        "connection that has come there",
        "where, as the peer has said it",
        "since it is there"};
};
struct SshForwardList {
    std::vector<SshForwardInfo> forwards;
};
struct SshCloseInput {
    std::uint64_t id = 0;
    static constexpr std::array<std::string_view, 1> kAbout = {"of a session or a forward"};
};
struct SshClosed {
    std::uint64_t closed = 0;
};
struct SshNews {
    std::string event;
    std::uint64_t id = 0;
    std::uint64_t session = 0;
    std::string kind;
    std::string peer;
    std::string place;
    static constexpr std::array<std::string_view, 6> kAbout = {
        "began or ended",
        "as in the lists",
        "the id of its session, which may be the same",
        "session, connect, listen, arrival or program",
        "the name of the peer",
        "where; of a session: from where"};
};

/// On `loop`, the home of the operations. Both outlive them.
result<void> add_ssh_operations(call::OperationRegistry& registry, Loop& loop,
                                const std::shared_ptr<ssh::SessionTable>& table);

}  // namespace alknet::app
