// What the operations of a node give and take, besides those of its desk.
#pragma once

#include <alknet/call/described.hpp>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::app {

struct ListenerInfo {
    std::string name;
    std::string address;
    bool quic = false;
    bool tcp = false;
};
struct ProgramInfo {
    std::string name;
    std::string state;
    std::optional<std::int64_t> process{};
    std::uint64_t streams = 0;
    std::uint64_t ends = 0;
    std::optional<std::string> last_end{};
};
struct NodeInfo {
    std::string node_id;
    std::string fingerprint;
    std::optional<std::string> next_key{};  // that it has announced
    std::string version;
    std::int64_t process = 0;
    std::string home;
    std::uint64_t uptime_s = 0;
    std::uint64_t loops = 0;
    std::vector<ListenerInfo> listeners;
    std::vector<std::string> services;
    std::uint64_t connections = 0;
    std::uint64_t half_open = 0;
    std::uint64_t peers = 0;
    std::string revision{};                       // of the configuration that is in force
    std::optional<std::string> config_refused{};  // what the files say, and why it is not
    std::optional<std::uint64_t> undone_in_s{};   // a change that waits to be confirmed
    std::vector<ProgramInfo> programs{};
};

struct ConnectionsInput {
    std::optional<std::uint32_t> limit{};
    static constexpr std::array<std::string_view, 1> kAbout = {
        "how many at most, up to 10000; else 1000"};
};
struct ConnectionSummary {
    std::string id;
    std::string service;
    std::string transport;
    std::string remote;
    std::optional<std::string> fingerprint{};
    std::optional<std::string> peer{};
    std::int64_t age_s = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::optional<std::int64_t> rtt_us{};
    std::uint64_t streams = 0;
};
struct ConnectionList {
    std::uint64_t total = 0;
    std::vector<ConnectionSummary> connections;
};

struct ServiceInput {
    call::Text<255> service;
    static constexpr std::array<std::string_view, 1> kAbout = {"the name of a service (ALPN)"};
};
/// Of the caller, over the transport that it calls by.
struct ServiceAccess {
    std::string service;
    bool allowed = false;
    std::optional<std::string> lacks{};  // the scope
    std::optional<std::string> reason{};
};

struct ConnectionInput {
    call::Text<64> id;
    static constexpr std::array<std::string_view, 1> kAbout = {"of the connection"};
};
struct Closed {
    std::string closed;
};
struct Reloaded {
    bool reloaded = false;
    std::optional<std::uint64_t> undone_in_s{};  // a change that waits to be confirmed
};

}  // namespace alknet::app
