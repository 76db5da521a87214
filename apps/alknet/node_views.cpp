#include "node_views.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/log.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/call/typed_operation.hpp>
#include <alknet/identity/audit_file.hpp>
#include <alknet/identity/audit_follower.hpp>
#include <alknet/rt/blocking_pool.hpp>
#include <alknet/rt/file_watch.hpp>
#include <chrono>
#include <utility>

#include "json.hpp"
#include "live_feed.hpp"
#include "log_feed.hpp"
#include "node_operations.hpp"

namespace alknet::app {

namespace {

using call::CallContext;
using call::ItemSink;
using call::Operation;
using Options = std::shared_ptr<const NodeOperationsOptions>;

/// What a burst of records costs once.
constexpr FileWatchOptions kAuditWatching{.quiet = std::chrono::milliseconds(50),
                                          .longest = std::chrono::milliseconds(500)};
constexpr std::size_t kAuditBatch = 256;

/// Counts who is there, for a limit.
class Seat {
public:
    explicit Seat(std::shared_ptr<std::size_t> taken) : taken_(std::move(taken)) { ++*taken_; }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    ~Seat() { --*taken_; }

private:
    std::shared_ptr<std::size_t> taken_;
};

result<std::size_t> last_of(const std::optional<std::uint32_t>& last) {
    if (last.value_or(0) > kTailLastMax) {
        return fail(causes::kUsage, "last is at most 1024");
    }
    return last.value_or(0);
}

MetricEntry entry_of(MetricSummary summary) {
    MetricEntry entry{.name = std::move(summary.name),
                      .type = std::string(summary.type),
                      .about = std::move(summary.help),
                      .labels = std::move(summary.labels),
                      .bounds = std::move(summary.bounds),
                      .series = {}};
    const bool histogram = entry.type == "histogram";
    for (MetricSeries& one : summary.series) {
        MetricValue value{.values = std::move(one.values), .buckets = std::move(one.buckets)};
        if (histogram) {
            value.count = one.count;
            value.sum = one.sum;
        } else {
            value.value = one.value;
        }
        entry.series.push_back(std::move(value));
    }
    return entry;
}

task<result<MetricList>> list_metrics(Options options, MetricsInput input) {
    MetricList list{.time_ms = milliseconds_of(options->loop.wall_now()), .metrics = {}};
    for (MetricSummary& one : options->metrics->list(input.prefix ? input.prefix->value : "")) {
        list.metrics.push_back(entry_of(std::move(one)));
    }
    co_return list;
}

task<result<void>> tail_log(Options options, CallContext context, LogTailInput input,
                            ItemSink& items) {
    LogLevel least = LogLevel::trace;
    if (input.level && !parse_log_level(input.level->value, least)) {
        co_return fail(causes::kUsage, "level is trace, debug, info, warn, error or off");
    }
    ALKNET_CO_TRY(const std::size_t last, last_of(input.last));
    FeedOptions wanted{.after = context.resume_after, .last = last, .wanted = {}};
    wanted.wanted = [least, event = input.event ? input.event->value : ""](const Json& item) {
        LogLevel level = LogLevel::off;
        return parse_log_level(item.text_of("level"), level) && level >= least &&
               item.text_of("event").starts_with(event);
    };
    co_return co_await options->logs->live().watch(std::move(wanted), items);
}

/// One thread reads for all who follow the audit log.
struct AuditTails {
    std::shared_ptr<std::size_t> open = std::make_shared<std::size_t>(0);
    std::unique_ptr<BlockingPool> reader{};  // with the first of them
};
using AuditTailsPtr = std::shared_ptr<AuditTails>;

call::Item item_of(const identity::AuditRecord& record, std::uint64_t before) {
    Json output =
        call::to_json(AuditItem{.seq = record.seq, .time = record.time, .event = record.event});
    for (const auto& [name, value] : record.fields) {
        output.as_object()->emplace_back(name, value);
    }
    const std::uint64_t missed = record.seq - before - 1;
    return {.output = std::move(output),
            .seq = record.seq,
            .missed = missed > 0 ? std::optional(missed) : std::nullopt};
}

task<result<std::uint64_t>> first_of(Options options, AuditTailsPtr tails,
                                     std::optional<std::uint64_t> after, std::size_t last) {
    ALKNET_CO_TRY(const std::uint64_t newest,
                  co_await tails->reader->run([home = options->home.directory()] {
                      return identity::last_audit_record(home);
                  }));
    if (after && *after > newest) {
        co_return fail(causes::kUsage, "resume_after: there is no record of that number yet");
    }
    co_return after.value_or(newest - std::min<std::uint64_t>(newest, last));
}

task<result<void>> tail_audit(Options options, AuditTailsPtr tails, CallContext context,
                              AuditTailInput input, ItemSink& items) {
    if (*tails->open >= kAuditTailsMax) {
        co_return fail(causes::kLimit, "16 subscriptions to the audit log");
    }
    const Seat seat(tails->open);
    if (tails->reader == nullptr) {
        ALKNET_CO_TRY(tails->reader, BlockingPool::create({.name = "audit", .threads = 1}));
    }
    ALKNET_CO_TRY(const std::size_t earlier, last_of(input.last));
    // Before the first look, so that nothing is missed between them.
    ALKNET_CO_TRY(const auto watch,
                  FileWatch::open(options->loop, options->home.directory() / identity::kAuditFile,
                                  kAuditWatching));
    ALKNET_CO_TRY(std::uint64_t last,
                  co_await first_of(options, tails, context.resume_after, earlier));
    const auto follower =
        std::make_shared<identity::AuditFollower>(options->home.directory(), last);
    for (;;) {
        auto look = [follower] { return follower->next(kAuditBatch); };
        ALKNET_CO_TRY(const auto records, co_await tails->reader->run(std::move(look)));
        for (const identity::AuditRecord& record : records) {
            ALKNET_CO_CHECK(co_await items.give(item_of(record, std::exchange(last, record.seq))));
        }
        if (records.empty()) {
            ALKNET_CO_CHECK(co_await watch->changed());
        }
    }
}

task<result<PathsOfPeer>> show_paths(Options options, std::shared_ptr<std::size_t> running,
                                     PathsInput input) {
    if (*running >= kPathsMax) {
        co_return fail(causes::kLimit, "4 examinations of ways");
    }
    const Seat seat(running);
    co_return co_await options->paths(std::move(input.peer.value));
}

result<Operation> made(std::string_view name, std::string_view scope, std::string_view about) {
    Operation operation;
    operation.name = std::string(name);
    ALKNET_TRY(operation.scope, identity::Scope::parse_exact(scope));
    operation.about = std::string(about);
    return operation;
}

template <class Input>
using Tail = std::function<task<result<void>>(CallContext context, Input input, ItemSink& items)>;

template <class Input>
task<result<void>> tail(Tail<Input> function, CallContext context, Json json, ItemSink& items) {
    ALKNET_CO_TRY(Input input, call::from_json<Input>(std::move(json)));
    co_return co_await function(std::move(context), std::move(input), items);
}

template <class Input, class Output>
result<void> add_tail(call::OperationRegistry& registry, Operation operation,
                      Tail<Input> function) {
    operation.kind = Operation::Kind::subscription;
    operation.input = call::compiled_schema<Input>(call::Direction::input);
    operation.output = call::compiled_schema<Output>(call::Direction::output);
    operation.subscribe = [function = std::move(function)](CallContext context, Json input,
                                                           ItemSink& items) {
        return tail<Input>(function, std::move(context), std::move(input), items);
    };
    return registry.add(std::move(operation));
}

}  // namespace

result<void> add_node_views(call::OperationRegistry& registry, const Options& options) {
    ALKNET_TRY(Operation metrics,
               made("metrics/list", "metrics:read", "what the node has counted"));
    call::set_function<MetricsInput, MetricList>(metrics,
                                                 [options](CallContext, MetricsInput input) {
                                                     return list_metrics(options, std::move(input));
                                                 });
    ALKNET_CHECK(registry.add(std::move(metrics)));

    ALKNET_TRY(Operation paths, made("node/paths", "node:paths",
                                     "which ways lead from the node to one of its peers"));
    paths.errors = {&causes::kUnknownPeer};
    call::set_function<PathsInput, PathsOfPeer>(
        paths,
        [options, running = std::make_shared<std::size_t>(0)](CallContext, PathsInput input) {
            return show_paths(options, running, std::move(input));
        });
    ALKNET_CHECK(registry.add(std::move(paths)));

    ALKNET_TRY(Operation logs, made("log/tail", "log:read", "what the node logs, as it happens"));
    ALKNET_CHECK((add_tail<LogTailInput, LogItem>(
        registry, std::move(logs),
        [options](CallContext context, LogTailInput input, ItemSink& items) {
            return tail_log(options, std::move(context), std::move(input), items);
        })));

    ALKNET_TRY(Operation audit,
               made("audit/tail", "audit:read", "the audit log, record by record, as it grows"));
    return add_tail<AuditTailInput, AuditItem>(
        registry, std::move(audit),
        [options, tails = std::make_shared<AuditTails>()](CallContext context, AuditTailInput input,
                                                          ItemSink& items) {
            return tail_audit(options, tails, std::move(context), std::move(input), items);
        });
}

}  // namespace alknet::app
