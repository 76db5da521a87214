#include "desk.hpp"

#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/identity/config_revision.hpp>
#include <alknet/identity/state.hpp>
#include <utility>

#include "peers.hpp"

namespace alknet::app {

namespace {

result<Desk> open_desk(const DeskRequest& request, const identity::PeerList& stored) {
    ALKNET_TRY(const std::string text, config::read_config_text(request.home.config_file()));
    ALKNET_TRY(config::Config config, request.home.parse_config(text));
    std::vector<SocketAddress> listening = request.listening;
    if (listening.empty()) {
        for (const config::Listener& listener : config.dynamic.listeners) {
            listening.insert(listening.end(), listener.addresses.begin(), listener.addresses.end());
        }
    }
    return Desk{.home = request.home,
                .config = std::move(config),
                .now = request.now,
                .caller = request.caller,
                .listening = std::move(listening),
                .revision = identity::config_revision(text, stored),
                .records = request.records};
}

}  // namespace

std::vector<const DeskOperation*> desk_operations() {
    std::vector<const DeskOperation*> all;
    for (const auto& some :
         {peer_operations(), token_operations(), config_operations(), invitation_operations(),
          key_operations(), import_operations(), renewal_operations()}) {
        for (const DeskOperation& one : some) {
            all.push_back(&one);
        }
    }
    return all;
}

const DeskOperation* find_desk_operation(std::string_view name) {
    const auto all = desk_operations();
    const auto found = std::ranges::find(all, name, &DeskOperation::name);
    return found == all.end() ? nullptr : *found;
}

result<Json> work_at_desk(const DeskOperation& operation, const DeskRequest& request,
                          store::Database& state, Json input) {
    ALKNET_TRY(const identity::PeerList stored, identity::load_peers(state));
    if (operation.configure != nullptr) {
        return operation.configure(request, stored, std::move(input));
    }
    ALKNET_TRY(const Desk desk, open_desk(request, stored));
    if (operation.change != nullptr) {
        ALKNET_TRY(Json output, operation.change(desk, state, std::move(input)));
        ALKNET_CHECK(state.flush());
        ALKNET_CHECK(request.records->write_kept());
        return output;
    }
    return operation.read != nullptr ? operation.read(desk, state, std::move(input))
                                     : operation.look(desk, stored, std::move(input));
}

result<Json> work_on_files(const config::Home& home, std::string_view operation, Json input,
                           WallTime now) {
    const DeskOperation* found = find_desk_operation(operation);
    if (found == nullptr) {
        return fail(causes::kNoOperation, "/" + std::string(operation));
    }
    ALKNET_TRY(const auto schema, call::Schema::compile(found->input(call::Direction::input)));
    ALKNET_TRY(input, call::checked_input(schema, std::move(input)));
    const DeskRequest request{
        .home = home, .now = now, .caller = {.user = std::to_string(::getuid()), .peer = {}}};
    if (found->change != nullptr || found->read != nullptr) {
        ALKNET_TRY(const auto state, open_state(home));
        auto output = state->transaction([&](store::Database& database) {
            return work_at_desk(*found, request, database, std::move(input));
        });
        if (!output) {
            request.records->failed(output.error());
        }
        return output;
    }
    // Who only looks makes no file.
    ALKNET_TRY(const identity::PeerList stored, stored_peers(home));
    if (found->configure != nullptr) {
        auto output = found->configure(request, stored, std::move(input));
        if (!output) {
            request.records->failed(output.error());
        }
        return output;
    }
    ALKNET_TRY(const Desk desk, open_desk(request, stored));
    return found->look(desk, stored, std::move(input));
}

}  // namespace alknet::app
