// What ~/.ssh/config and the system's file say of an SSH server on TCP.
#pragma once

#include <alknet/base/result.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "place.hpp"

namespace alknet::app {

struct SshHost {
    std::string user;
    std::string host;
    std::uint16_t port = SshPlace::kPort;
    std::string known_as;  // in known_hosts, with the port that goes with it
    std::uint16_t known_port = SshPlace::kPort;
    std::vector<std::filesystem::path> identity_files;
    std::string agent;  // its socket; empty: the environment's
    std::vector<SshPlace> jumps;
};

/// What the place says itself counts before the files. Errors: kConfigInvalid, kLimit, kHomeInvalid
/// for a file that others may write, kIo.
result<SshHost> ssh_host(const SshPlace& place);

}  // namespace alknet::app
