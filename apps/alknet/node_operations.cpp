#include "node_operations.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/call/typed_operation.hpp>
#include <alknet/identity/state.hpp>
#include <optional>
#include <string>
#include <utility>

#include "control_server.hpp"
#include "desk.hpp"
#include "node_info.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

using Options = std::shared_ptr<const NodeOperationsOptions>;
constexpr std::uint64_t kConnectionsListed = 1'000;
constexpr std::uint64_t kConnectionsListedMax = 10'000;

task<result<NodeInfo>> node_info(Options options, Nothing /*input*/) {
    co_return options->info();
}

ConnectionSummary summary_of(const ConnectionReport& one) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(one.age).count();
    const std::int64_t rtt =
        std::chrono::duration_cast<std::chrono::microseconds>(one.stats.smoothed_rtt).count();
    return {.id = one.id,
            .service = one.alpn,
            .transport = std::string(to_string(one.transport)),
            .remote = one.remote.to_string(),
            .fingerprint = one.fingerprint.empty() ? std::nullopt : std::optional(one.fingerprint),
            .peer = one.identity,
            .age_s = seconds,
            .bytes_sent = one.stats.bytes_sent,
            .bytes_received = one.stats.bytes_received,
            .rtt_us = rtt == 0 ? std::nullopt : std::optional(rtt),
            .streams = one.stats.streams_open};
}

task<result<ConnectionList>> node_connections(Options options, ConnectionsInput input) {
    const std::uint64_t limit = input.limit.value_or(kConnectionsListed);
    if (limit > kConnectionsListedMax) {
        co_return fail(causes::kUsage, "limit is at most 10000");
    }
    const auto all = options->connections();
    ConnectionList list{.total = all.size(), .connections = {}};
    for (const ConnectionReport& one : all) {
        if (list.connections.size() < limit) {
            list.connections.push_back(summary_of(one));
        }
    }
    co_return list;
}

task<result<Closed>> node_close(Options options, ConnectionInput input) {
    const std::string& id = input.id;
    if (!options->close(id)) {
        co_return fail(causes::kUsage, "there is no connection '" + printable(id) +
                                           "'; alknet status shows their ids");
    }
    co_return Closed{.closed = id};
}

// What a peer that was refused over TCP could not be told there.
task<result<ServiceAccess>> service_access(Options options, call::CallContext context,
                                           ServiceInput input) {
    const std::string service = input.service;
    const auto may = options->may_use(service, context.transport, context.identity);
    ServiceAccess access{.service = service, .allowed = may.has_value()};
    if (!may && may.error().is(causes::kScopeMissing)) {
        access.lacks = may.error().detail();
    }
    if (!may) {
        access.reason = may.error().message();
    }
    co_return access;
}

task<result<Reloaded>> config_reload(Options options, Nothing /*input*/) {
    ALKNET_CO_CHECK(co_await options->reload(true));
    co_return Reloaded{.reloaded = true, .undone_in_s = options->info().undone_in_s};
}

// Of a local admin, who the kernel says has connected. Whoever comes another way is remote,
// whatever its identity is called.
DeskCaller caller_of(const call::CallContext& context) {
    const std::string id = context.identity ? context.identity->id : "";
    if (context.transport != Transport::local || id != kLocalAdmin) {
        return {.user = {}, .peer = id.empty() ? "nobody" : id};
    }
    const auto found = context.identity->resources.find(std::string(kUserResource));
    return {.user = found == context.identity->resources.end() || found->second.empty()
                        ? std::string()
                        : found->second.front(),
            .peer = {}};
}

// To the new key, with all that the files say, or to nothing.
task<result<Json>> go_over(Options options, Json output, ChangeRecords& records) {
    const result<void> reloaded = co_await options->reload(true);
    if (!reloaded && reloaded.error().is(errc::cancelled)) {
        co_return unexpected(reloaded.error());
    }
    if (reloaded && options->info().fingerprint == output.text_of("to")) {
        co_return output;
    }
    std::string why = reloaded ? "the node could not go over to it"
                               : "the node refuses its files: " + reloaded.error().message();
    if (const auto back = options->take_key_back(); !back) {
        co_return fail(causes::kHomeInvalid, "the key file has the new key, and " + std::move(why) +
                                                 "; it could not be "
                                                 "put back: " +
                                                 back.error().message());
    }
    error failure(causes::kHomeInvalid, "the key is the old one: " + std::move(why));
    records.failed(failure);
    co_return unexpected(std::move(failure));
}

// On the thread of state.db: the desk reads files, and the disk may be slow. A change is in force
// when the answer goes out.
task<result<Json>> at_the_desk(Options options, const DeskOperation& operation, DeskCaller caller,
                               Json input) {
    DeskRequest request{.home = options->home,
                        .now = options->loop.wall_now(),
                        .caller = std::move(caller),
                        .listening = options->listening()};
    const auto records = request.records;
    auto work = [&operation, request = std::move(request),
                 input = std::move(input)](store::Database& state) mutable {
        return work_at_desk(operation, request, state, std::move(input));
    };
    auto output = co_await options->state->transact(std::move(work));
    if (!output) {
        if (!output.error().is(errc::cancelled)) {  // then it may yet happen
            records->failed(output.error());
        }
        co_return output;
    }
    if (operation.name == kKeySwitch) {
        co_return co_await go_over(options, *std::move(output), *records);
    }
    if (operation.changes()) {
        ALKNET_CO_CHECK(co_await options->reload(false));
    }
    co_return output;
}

// Since when a connection proves that the node can still be reached: a change that waits to be
// confirmed was made then. Nothing waits at the beginning that could have cut somebody since.
struct LastChange {
    std::optional<TimePoint> made{};
};
using LastChangePtr = std::shared_ptr<LastChange>;

task<result<Json>> apply_config(Options options, const DeskOperation& operation, LastChangePtr last,
                                call::CallContext context, Json input) {
    auto output = co_await at_the_desk(options, operation, caller_of(context), std::move(input));
    if (output && !output->text_of("confirm_within").empty()) {
        last->made = options->loop.now();
    }
    co_return output;
}

task<result<Json>> confirm_config(Options options, const DeskOperation& operation,
                                  LastChangePtr last, call::CallContext context, Json input) {
    if (last->made && context.connected < *last->made) {
        co_return fail(causes::kForbidden,
                       "confirm it over a connection that is made after the "
                       "change, which shows that one can be made");
    }
    co_return co_await at_the_desk(options, operation, caller_of(context), std::move(input));
}

result<call::Operation> described(std::string_view name, std::string_view scope,
                                  std::string_view about, bool changes) {
    call::Operation operation;
    operation.name = std::string(name);
    operation.kind = changes ? call::Operation::Kind::mutation : call::Operation::Kind::query;
    ALKNET_TRY(operation.scope, identity::Scope::parse_exact(scope));
    operation.about = std::string(about);
    return operation;
}

/// Adds what is a function of the node and of a struct.
struct Adder {
    template <class Input, class Output>
    using Function = task<result<Output>> (*)(Options options, Input input);

    template <class Input, class Output>
    result<void> query(std::string_view name, std::string_view scope, std::string_view about,
                       Function<Input, Output> function) const {
        return add(name, scope, about, false, function);
    }
    template <class Input, class Output>
    result<void> mutation(std::string_view name, std::string_view scope, std::string_view about,
                          Function<Input, Output> function) const {
        return add(name, scope, about, true, function);
    }
    template <class Input, class Output>
    result<void> add(std::string_view name, std::string_view scope, std::string_view about,
                     bool changes, Function<Input, Output> function) const {
        ALKNET_TRY(call::Operation operation, described(name, scope, about, changes));
        call::set_function<Input, Output>(
            operation, [options = options, function](call::CallContext /*context*/, Input input) {
                return function(options, std::move(input));
            });
        return registry.add(std::move(operation));
    }

    call::OperationRegistry& registry;
    const Options& options;
};

result<void> add_desk(call::OperationRegistry& registry, const Options& options) {
    const auto last = std::make_shared<LastChange>();
    for (const DeskOperation* each : desk_operations()) {
        ALKNET_TRY(call::Operation operation,
                   described(each->name, each->scope, each->about, each->changes()));
        ALKNET_TRY(operation.input, call::Schema::compile(each->input(call::Direction::input)));
        ALKNET_TRY(operation.output, call::Schema::compile(each->output(call::Direction::output)));
        operation.errors.assign(each->errors.begin(), each->errors.end());
        operation.run = [options, last, each](call::CallContext context, Json input) {
            const DeskOperation& one = *each;
            if (one.name == kConfigApply) {
                return apply_config(options, one, last, std::move(context), std::move(input));
            }
            if (one.name == kConfigConfirm) {
                return confirm_config(options, one, last, std::move(context), std::move(input));
            }
            return at_the_desk(options, one, caller_of(context), std::move(input));
        };
        ALKNET_CHECK(registry.add(std::move(operation)));
    }
    return {};
}

result<void> add_access(call::OperationRegistry& registry, const Options& options) {
    call::Operation operation;
    operation.name = "services/access";
    operation.known_only = true;
    operation.about = "whether the caller may use a service of the node, and what it lacks";
    call::set_function<ServiceInput, ServiceAccess>(
        operation, [options](call::CallContext context, ServiceInput input) {
            return service_access(options, std::move(context), std::move(input));
        });
    return registry.add(std::move(operation));
}

result<void> add_events(call::OperationRegistry& registry, const Options& options) {
    ALKNET_TRY(call::Operation operation, described("events/watch", "events:read",
                                                    "what the node decides, as it happens", false));
    operation.kind = call::Operation::Kind::subscription;
    operation.input = call::compiled_schema<Nothing>(call::Direction::input);
    operation.output = call::compiled_schema<EventItem>(call::Direction::output);
    operation.subscribe = [options](call::CallContext context, Json /*input*/,
                                    call::ItemSink& items) {
        return options->events->live().watch({.after = context.resume_after}, items);
    };
    return registry.add(std::move(operation));
}

}  // namespace

result<void> add_node_operations(call::OperationRegistry& registry, NodeOperationsOptions options) {
    const auto shared = std::make_shared<const NodeOperationsOptions>(std::move(options));
    const Adder add{.registry = registry, .options = shared};
    ALKNET_CHECK(add.query("node/info", "node:read", "what the node is and has", node_info));
    ALKNET_CHECK(add.query("node/connections", "node:read", "who is connected", node_connections));
    ALKNET_CHECK(add.mutation("node/close", "node:manage", "end a connection", node_close));
    ALKNET_CHECK(add.mutation("config/reload", "config:reload",
                              "read alknet.toml and state.db again, and apply them",
                              config_reload));
    ALKNET_CHECK(add_access(registry, shared));
    ALKNET_CHECK(add_events(registry, shared));
    ALKNET_CHECK(add_node_views(registry, shared));
    return add_desk(registry, shared);
}

}  // namespace alknet::app
