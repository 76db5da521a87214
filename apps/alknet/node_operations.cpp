#include "node_operations.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/call/members.hpp>
#include <alknet/identity/state.hpp>
#include <optional>
#include <string>
#include <utility>

#include "control_server.hpp"
#include "desk.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

using Options = std::shared_ptr<const NodeOperationsOptions>;
using Run = task<result<Json>> (*)(Options options, Json input);
using Fields = std::vector<call::Field>;

constexpr std::uint64_t kConnectionsListed = 1'000;
constexpr std::uint64_t kConnectionsListedMax = 10'000;
constexpr std::size_t kIdBytesMax = 64;

task<result<Json>> node_info(Options options, Json input) {
    ALKNET_CO_CHECK(call::Members(std::move(input)).done());
    co_return options->info();
}

Json as_json(const ConnectionReport& one) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(one.age).count();
    const auto rtt =
        std::chrono::duration_cast<std::chrono::microseconds>(one.stats.smoothed_rtt).count();
    return Json::object({{"id", one.id},
                         {"service", one.alpn},
                         {"transport", to_string(one.transport)},
                         {"remote", one.remote.to_string()},
                         {"fingerprint", one.fingerprint.empty() ? Json() : Json(one.fingerprint)},
                         {"peer", one.identity ? Json(*one.identity) : Json()},
                         {"age_s", static_cast<std::int64_t>(seconds)},
                         {"bytes_sent", std::uint64_t{one.stats.bytes_sent}},
                         {"bytes_received", std::uint64_t{one.stats.bytes_received}},
                         {"rtt_us", rtt == 0 ? Json() : Json(static_cast<std::int64_t>(rtt))},
                         {"streams", std::uint64_t{one.stats.streams_open}}});
}

task<result<Json>> node_connections(Options options, Json input) {
    call::Members members(std::move(input));
    const std::uint64_t limit = members.number("limit").value_or(kConnectionsListed);
    ALKNET_CO_CHECK(members.done());
    if (limit > kConnectionsListedMax) {
        co_return fail(causes::kUsage, "limit is at most 10000");
    }
    const auto all = options->connections();
    Json::Array listed;
    for (const ConnectionReport& one : all) {
        if (listed.size() < limit) {
            listed.push_back(as_json(one));
        }
    }
    co_return Json::object(
        {{"total", std::uint64_t{all.size()}}, {"connections", std::move(listed)}});
}

task<result<Json>> node_close(Options options, Json input) {
    call::Members members(std::move(input));
    const std::string id = members.text("id", kIdBytesMax).value_or("");
    ALKNET_CO_CHECK(members.done());
    if (!options->close(id)) {
        co_return fail(causes::kUsage, "there is no connection '" + printable(id) +
                                           "'; alknet status shows their ids");
    }
    co_return Json::object({{"closed", id}});
}

task<result<Json>> config_reload(Options options, Json input) {
    ALKNET_CO_CHECK(call::Members(std::move(input)).done());
    ALKNET_CO_CHECK(co_await options->reload(true));
    co_return Json::object({{"reloaded", true}});
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

// On the thread of state.db: the desk reads files, and the disk may be slow. A change is in force
// when the answer goes out.
task<result<Json>> at_the_desk(Options options, const DeskOperation& operation, DeskCaller caller,
                               Json input) {
    DeskRequest request{.home = options->home,
                        .now = options->loop.wall_now(),
                        .caller = std::move(caller),
                        .listening = options->listening()};
    auto work = [&operation, request = std::move(request),
                 input = std::move(input)](store::Database& state) mutable {
        return work_at_desk(operation, request, state, std::move(input));
    };
    ALKNET_CO_TRY(Json output, co_await options->state->transact(std::move(work)));
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

result<void> add_desk(call::OperationRegistry& registry, const Options& options) {
    const auto last = std::make_shared<LastChange>();
    for (const DeskOperation* each : desk_operations()) {
        ALKNET_TRY(call::Operation operation,
                   described(each->name, each->scope, each->about, each->changes()));
        if (each->fields.data() != nullptr) {
            operation.fields = Fields(each->fields.begin(), each->fields.end());
        }
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

}  // namespace

result<void> add_node_operations(call::OperationRegistry& registry, NodeOperationsOptions options) {
    const auto shared = std::make_shared<const NodeOperationsOptions>(std::move(options));
    const auto add = [&](std::string_view name, std::string_view scope, std::string_view about,
                         bool changes, Run run, std::optional<Fields> fields = {}) -> result<void> {
        ALKNET_TRY(call::Operation operation, described(name, scope, about, changes));
        operation.fields = std::move(fields);
        operation.run = [shared, run](call::CallContext /*context*/, Json input) {
            return run(shared, std::move(input));
        };
        return registry.add(std::move(operation));
    };
    ALKNET_CHECK(
        add("node/info", "node:read", "what the node is and has", false, node_info, Fields()));
    ALKNET_CHECK(add("node/connections", "node:read", "who is connected: limit", false,
                     node_connections,
                     Fields{{.name = "limit",
                             .type = call::Field::Type::number,
                             .about = "how many at most, up to 10000; else 1000"}}));
    ALKNET_CHECK(add("node/close", "node:manage", "end a connection: id", true, node_close,
                     Fields{{.name = "id", .required = true, .about = "of the connection"}}));
    ALKNET_CHECK(add("config/reload", "config:reload",
                     "read alknet.toml and state.db again, and apply them", true, config_reload,
                     Fields()));
    return add_desk(registry, shared);
}

}  // namespace alknet::app
