// The keys of a person for SSH, and the hosts that they know.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/ssh/known_hosts.hpp>
#include <alknet/ssh/signer.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"

namespace alknet::app {

/// ~/.ssh. Errors: kHomeInvalid without $HOME.
result<std::filesystem::path> ssh_directory();

struct SshKeyWishes {
    std::vector<std::filesystem::path> files{};  // only these, and the agent's that are the same
    std::vector<std::filesystem::path> more{};   // in the place of ~/.ssh/id_ed25519, as far as
                                                 // they can be used
    std::string agent{};                         // its socket; empty: $SSH_AUTH_SOCK
};

/// What a server on bare TCP is offered: of `files` alone if there are any; else the agent's,
/// ~/.ssh/id_ed25519 and the home's. Errors: kKeyInvalid for a file that was named and cannot be
/// used; an agent that does not answer has no keys.
task<result<std::vector<std::shared_ptr<ssh::Signer>>>> ssh_signers(Client& client,
                                                                    SshKeyWishes wishes);

/// How a key is told from others, by its file (FILE.pub, or FILE), or as `ssh-keygen -l` prints it.
/// Errors: kKeyInvalid; kLimit.
result<std::string> ssh_key_named(const std::string& name);

/// ~/.ssh/known_hosts and the system's. Errors: kIo, kLimit.
result<ssh::KnownHosts> load_known_hosts();
/// Adds a line to the former. Errors: kIo.
result<void> remember_host(std::string_view host, std::uint16_t port, const NodeId& key);

}  // namespace alknet::app
