#include "node_operations.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/call/members.hpp>
#include <alknet/identity/state.hpp>
#include <string>
#include <utility>

#include "desk.hpp"

namespace alknet::app {

namespace {

using Options = std::shared_ptr<const NodeOperationsOptions>;

task<result<Json>> node_info(Options options, Json input) {
    ALKNET_CO_CHECK(call::Members(std::move(input)).done());
    co_return options->info();
}

task<result<Json>> config_reload(Options options, Json input) {
    ALKNET_CO_CHECK(call::Members(std::move(input)).done());
    ALKNET_CO_CHECK(co_await options->reload(true));
    co_return Json::object({{"reloaded", true}});
}

// On the thread of state.db: the desk reads files, and the disk may be slow. A change is in force
// when the answer goes out.
task<result<Json>> at_the_desk(Options options, const DeskOperation& operation, Json input) {
    auto work = [&operation, home = options->home, now = options->loop.wall_now(),
                 input = std::move(input)](store::Database& state) mutable -> result<Json> {
        ALKNET_TRY(const Desk desk, open_desk(home, now));
        if (operation.change != nullptr) {
            return operation.change(desk, state, std::move(input));
        }
        ALKNET_TRY(const identity::PeerList stored, identity::load_peers(state));
        return operation.look(desk, stored, std::move(input));
    };
    ALKNET_CO_TRY(Json output, co_await options->state->transact(std::move(work)));
    if (operation.change != nullptr) {
        ALKNET_CO_CHECK(co_await options->reload(false));
    }
    co_return output;
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
    for (const auto& all : {peer_operations(), token_operations()}) {
        for (const DeskOperation& one : all) {
            ALKNET_TRY(call::Operation operation,
                       described(one.name, one.scope, one.about, one.change != nullptr));
            operation.run = [options, &one](call::CallContext /*context*/, Json input) {
                return at_the_desk(options, one, std::move(input));
            };
            ALKNET_CHECK(registry.add(std::move(operation)));
        }
    }
    return {};
}

}  // namespace

result<std::shared_ptr<call::OperationRegistry>> make_node_operations(
    NodeOperationsOptions options) {
    const auto shared = std::make_shared<const NodeOperationsOptions>(std::move(options));
    auto registry = std::make_shared<call::OperationRegistry>();
    ALKNET_TRY(call::Operation info,
               described("node/info", "node:read", "what the node is and has", false));
    info.run = [shared](call::CallContext /*context*/, Json input) {
        return node_info(shared, std::move(input));
    };
    ALKNET_CHECK(registry->add(std::move(info)));
    ALKNET_TRY(call::Operation reload,
               described("config/reload", "config:reload",
                         "read alknet.toml and state.db again, and apply them", true));
    reload.run = [shared](call::CallContext /*context*/, Json input) {
        return config_reload(shared, std::move(input));
    };
    ALKNET_CHECK(registry->add(std::move(reload)));
    ALKNET_CHECK(add_desk(*registry, shared));
    return registry;
}

}  // namespace alknet::app
