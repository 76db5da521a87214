#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <utility>

#include "peer_link.hpp"

namespace alknet::call {

namespace {

using Peers = std::vector<std::shared_ptr<PeerCalls>>;

error away(const Peers& peers) {
    std::vector<std::string_view> names;
    for (const auto& one : peers) {
        names.push_back(one->peer());
    }
    return error(causes::kImportAway, fmt::format("{}", fmt::join(names, ", ")));
}

bool is_gone(const error& why) noexcept {
    return why.is(causes::kImportLost) || why.is(causes::kImportAway);
}

}  // namespace

PeerRoutes::PeerRoutes(Peers peers) : peers_(std::move(peers)), offers_(peers_.size()) {}

std::vector<std::string> PeerRoutes::offer(std::size_t peer,
                                           std::vector<RemoteOperation> operations) {
    offers_[peer] = std::move(operations);
    std::map<std::string, std::shared_ptr<Route>> routes;
    std::vector<std::string> different;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
        for (const RemoteOperation& one : offers_[i]) {
            std::shared_ptr<Route>& route = routes[one.name];
            if (route == nullptr) {
                route = std::make_shared<Route>(Route{.operation = one});
            } else if (route->operation.digest() != one.digest()) {
                if (i == peer) {
                    different.push_back(one.name);
                }
                continue;
            }
            route->operation.hops = std::max(route->operation.hops, one.hops);
            route->peers.push_back(peers_[i]);
        }
    }
    routes_ = std::move(routes);
    return different;
}

std::vector<RemoteOperation> PeerRoutes::all() const {
    std::vector<RemoteOperation> all;
    for (const auto& [name, route] : routes_) {
        all.push_back(route->operation);
    }
    return all;
}

std::shared_ptr<const PeerRoutes::Route> PeerRoutes::route_of(const std::string& operation) const {
    const auto found = routes_.find(operation);
    return found == routes_.end() ? nullptr : found->second;
}

task<result<Json>> PeerRoutes::call(std::string operation, CallContext context, Json input) {
    const auto route = route_of(operation);
    if (route == nullptr) {
        co_return unexpected(away(peers_));  // it was withdrawn just now
    }
    const Peers& peers = route->peers;
    const bool query = route->operation.kind == Operation::Kind::query;
    result<Json> outcome = unexpected(away(peers));
    for (std::size_t i = 0; i < peers.size(); ++i) {
        if (!peers[i]->is_there()) {
            continue;
        }
        const bool last = i + 1 == peers.size();
        Json given = last ? std::exchange(input, Json()) : input;
        outcome = co_await peers[i]->call(operation, context, std::move(given));
        // What comes from there, in whatever words, tells nobody that a mutation was not done.
        if (outcome || !query ||
            !(is_gone(outcome.error()) || outcome.error().is(causes::kShuttingDown))) {
            break;
        }
    }
    if (!outcome && query && is_gone(outcome.error())) {
        co_return unexpected(away(peers));
    }
    co_return outcome;
}

task<result<void>> PeerRoutes::subscribe(std::string operation, CallContext context, Json input,
                                         ItemSink& items) {
    const auto route = route_of(operation);
    if (route == nullptr) {
        co_return unexpected(away(peers_));
    }
    const Peers& peers = route->peers;
    if (peers_.size() > 1 && context.resume_after.value_or(0) != 0) {
        co_return fail(causes::kUsage,
                       "resume_after: several nodes offer this, and a number of one says nothing "
                       "to another");
    }
    for (const auto& one : peers) {
        if (!one->is_there()) {
            continue;
        }
        auto outcome = co_await one->subscribe(std::move(operation), std::move(context),
                                               std::move(input), items);
        if (!outcome && outcome.error().is(causes::kImportLost)) {
            co_return fail(causes::kImportAway, one->peer());
        }
        co_return outcome;
    }
    co_return unexpected(away(peers));
}

}  // namespace alknet::call
