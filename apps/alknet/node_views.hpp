// What a node shows of itself while it runs: metrics/list, log/tail, audit/tail, node/paths.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/described.hpp>
#include <alknet/call/operations.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::app {

struct NodeOperationsOptions;

struct MetricsInput {
    std::optional<call::Text<128>> prefix{};
    static constexpr std::array<std::string_view, 1> kAbout = {
        "with which names begin; else all of them"};
};
struct MetricValue {
    std::vector<std::string> values;
    std::optional<std::int64_t> value{};
    std::optional<std::uint64_t> count{};
    std::optional<double> sum{};
    std::vector<std::uint64_t> buckets;
    static constexpr std::array<std::string_view, 5> kAbout = {
        "of the labels, in their order", "of a counter or a gauge",
        "of a histogram: how many were observed", "of a histogram: of all of them",
        "of a histogram: how many are above the bound before and not above the bound itself; the "
        "last has no bound"};
};
struct MetricEntry {
    std::string name;
    std::string type;
    std::string about;
    std::vector<std::string> labels;
    std::vector<double> bounds;
    std::vector<MetricValue> series;
    static constexpr std::array<std::string_view, 6> kAbout = {
        "as in docs/metrics.md",   "counter, gauge or histogram", "what it counts",
        "names of what they tell", "of a histogram's buckets",    "one for each set of labels"};
};
struct MetricList {
    std::uint64_t time_ms = 0;
    std::vector<MetricEntry> metrics;
    static constexpr std::array<std::string_view, 2> kAbout = {"since 1970", "by name"};
};

struct LogTailInput {
    std::optional<call::Text<8>> level{};
    std::optional<call::Text<64>> event{};
    std::optional<std::uint32_t> last{};
    static constexpr std::array<std::string_view, 3> kAbout = {
        "the least: debug, info, warn or error; else all that is logged",
        "with which the event's name begins", "how many earlier ones come first; else none"};
};

struct AuditTailInput {
    std::optional<std::uint32_t> last{};
    static constexpr std::array<std::string_view, 1> kAbout = {
        "how many earlier records come first; else none"};
};
/// Of each record there may be more members: docs/audit.md.
struct AuditItem {
    std::uint64_t seq = 0;
    std::string time;
    std::string event;
    static constexpr std::array<std::string_view, 3> kAbout = {
        "its number in the log", "UTC, as the clock had it", "what happened"};
};

struct PathsInput {
    call::Text<64> peer;
    static constexpr std::array<std::string_view, 1> kAbout = {
        "the name of one whose address the node knows"};
};
struct PathReport {
    std::string way;
    std::string outcome;
    std::optional<std::string> remote{};
    std::optional<std::string> local{};
    std::optional<double> handshake_ms{};
    std::optional<double> rtt_ms{};
    std::uint32_t packets_sent = 0;
    std::uint32_t packets_back = 0;
    std::optional<std::string> detail{};
    static constexpr std::array<std::string_view, 9> kAbout = {
        "QUIC or TCP, IPv4 or IPv6, or the proxy",
        "what came of it",
        "where it was dialled",
        "from where, as this machine sees it",
        "until it was there",
        "there and back",
        "datagrams, one by one",
        "of those",
        "why it does not work"};
};
struct PathsOfPeer {
    std::string peer;
    std::vector<PathReport> ways;
    std::optional<std::string> not_resolved{};
    std::optional<std::string> chosen{};
    static constexpr std::array<std::string_view, 4> kAbout = {
        "that was asked for", "each that there is", "why its name leads nowhere",
        "which of them a connection takes now"};
};

/// Subscriptions to the audit log at a time, each of which watches its file.
inline constexpr std::size_t kAuditTailsMax = 16;
/// What `last` may ask for: as much as a feed keeps.
inline constexpr std::uint32_t kTailLastMax = 1024;
/// Examinations at a time: each dials in every way that there is.
inline constexpr std::size_t kPathsMax = 4;

/// They refer to what `options` does.
result<void> add_node_views(call::OperationRegistry& registry,
                            const std::shared_ptr<const NodeOperationsOptions>& options);

}  // namespace alknet::app
