// The way to an SSH server: over alknet or bare TCP, perhaps through others, and who logs in there.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/ssh/client.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"
#include "place.hpp"

namespace alknet::app {

struct SshWishes {
    SshPlace place;
    std::vector<SshPlace> jumps{};  // in their order
    DialWishes dial{};
    std::filesystem::path identity{};  // the only key; empty: those that there are
    std::string user{};                // empty: as the place says
};

/// To go there with: it shows the key of --identity where nodes are on the way, who need to see
/// one. Errors: those of Client::create.
result<std::unique_ptr<Client>> ssh_client(const CommandLine& line, const SshWishes& wishes);

/// Logged in everywhere. What is below outlives what is above.
struct SshWay {
    std::vector<std::shared_ptr<Connection>> connections;
    std::vector<std::unique_ptr<ssh::SshClient>> hops;  // the nearest first

    [[nodiscard]] ssh::SshClient& client() const { return *hops.back(); }
    /// To be awaited before this goes.
    task<void> close();
};

/// Errors: those of Dialer::dial, SshClient::connect and of what there is of keys; kPeerUnverified
/// for a host that known_hosts does not know, kPeerKeyMismatch for one that it knows otherwise.
/// `wishes` outlives it.
task<result<SshWay>> dial_ssh(Client& client, const SshWishes& wishes);

}  // namespace alknet::app
