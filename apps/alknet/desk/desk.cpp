#include "desk.hpp"

#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <utility>

#include "peers.hpp"

namespace alknet::app {

result<Desk> open_desk(const config::Home& home, WallTime now, std::string user) {
    ALKNET_TRY(config::Config config, home.load_config());
    return Desk{.home = home, .config = std::move(config), .now = now, .user = std::move(user)};
}

const DeskOperation* find_desk_operation(std::string_view name) noexcept {
    for (const auto& all : {peer_operations(), token_operations()}) {
        const auto found = std::ranges::find(all, name, &DeskOperation::name);
        if (found != all.end()) {
            return &*found;
        }
    }
    return nullptr;
}

result<Json> work_on_files(const config::Home& home, std::string_view operation, Json input,
                           WallTime now) {
    const DeskOperation* found = find_desk_operation(operation);
    if (found == nullptr) {
        return fail(causes::kNoHandler, "there is no operation /" + std::string(operation));
    }
    ALKNET_TRY(const Desk desk, open_desk(home, now, std::to_string(::getuid())));
    if (found->look != nullptr) {
        ALKNET_TRY(const identity::PeerList stored, stored_peers(home));
        return found->look(desk, stored, std::move(input));
    }
    ALKNET_TRY(const auto state, open_state(home));
    return state->transaction(
        [&](store::Database& database) { return found->change(desk, database, std::move(input)); });
}

}  // namespace alknet::app
