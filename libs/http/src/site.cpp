#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/site.hpp>
#include <alknet/http/static_files.hpp>
#include <functional>

#include "proxy_fields.hpp"

namespace alknet::http {

namespace {

constexpr std::string_view kHealthPath = "/healthz";

task<result<Response>> answer_file(std::shared_ptr<const StaticFiles> files,
                                   const Request& request) {
    co_return files->answer(request);
}

task<result<Response>> answer_health() {
    Response response = text_response(200, "ok\n");
    response.fields.add("cache-control", "no-store");
    co_return response;
}

}  // namespace

/// What has a name: its routes first, then what its router knows.
struct Sites::Site {
    struct Route {
        std::string path;
        std::size_t segments;
        Handler handler;
    };
    std::vector<Route> routes;  // the longest path first
    Router router;

    std::vector<std::string> own;  // paths that no route hides

    [[nodiscard]] const Route* find(const RequestHead& head) const {
        if (std::ranges::find(own, head.path) != own.end()) {
            return nullptr;
        }
        const auto found = std::ranges::find_if(
            routes, [&](const Route& route) { return match_prefix(route.path, head.path) > 0; });
        return found == routes.end() ? nullptr : &*found;
    }
    result<void> add(const SiteOptions& options, const Reach& reach);
    [[nodiscard]] task<Response> answer(Request& request) const;
};

result<void> Sites::Site::add(const SiteOptions& options, const Reach& reach) {
    for (const RouteOptions& one : options.routes) {
        if (!is_unambiguous(one.path)) {
            return fail(causes::kConfigInvalid, "no path for a route: " + one.path);
        }
        const auto slashes = static_cast<std::size_t>(std::ranges::count(one.path, '/'));
        routes.push_back({.path = one.path,
                          .segments = one.path == "/" ? 0 : slashes,
                          .handler = make_proxy(one.proxy, reach)});
    }
    std::ranges::sort(routes, std::greater(), &Route::segments);
    std::vector<OwnAnswer> answers = options.own;
    if (options.health) {
        answers.push_back({.path = std::string(kHealthPath),
                           .handler = [](Request&) { return answer_health(); }});
    }
    for (OwnAnswer& one : answers) {
        ALKNET_CHECK(router.add("GET", one.path, std::move(one.handler)));
        own.push_back(std::move(one.path));
    }
    if (!options.root.empty()) {
        ALKNET_TRY(auto files, StaticFiles::open(options.root));
        ALKNET_CHECK(router.add("GET", "/*path", [files](const Request& request) {
            return answer_file(files, request);
        }));
    }
    return {};
}

result<std::shared_ptr<const Sites::Site>> Sites::make_site(const SiteOptions& options,
                                                            const Reach& reach) {
    auto site = std::make_shared<Site>();
    ALKNET_CHECK(site->add(options, reach));
    return site;
}

result<std::shared_ptr<const Sites>> Sites::create(const std::vector<SiteOptions>& options,
                                                   const Limits& limits, const Reach& reach) {
    auto sites = std::make_shared<Sites>();
    sites->limits_ = limits;
    for (const SiteOptions& one : options) {
        const std::string name = one.names.empty() ? "*" : one.names.front();
        auto site = make_site(one, reach);
        if (!site) {
            return unexpected(std::move(site).error().within("http.site " + name));
        }
        if (one.names.empty()) {
            if (sites->other_ != nullptr) {
                return fail(causes::kConfigInvalid, "two http.sites have no names");
            }
            sites->other_ = *site;
        }
        for (const std::string& host : one.names) {
            if (!sites->by_name_.emplace(host, *site).second) {
                return fail(causes::kConfigInvalid, "two http.sites have the name " + host);
            }
        }
    }
    return sites;
}

task<Response> Sites::Site::answer(Request& request) const {
    const Route* const route = find(request.head);
    if (route == nullptr) {
        co_return co_await router.answer(request);
    }
    auto response = co_await route->handler(request);
    co_return response ? *std::move(response) : failure_response(request.head, response.error());
}

task<Response> Sites::answer(Request& request) const {
    const auto found = by_name_.find(request.head.host());
    const Site* const site = found == by_name_.end() ? other_.get() : found->second.get();
    if (site == nullptr) {
        co_return page(request.head, 421, "This node has no site of that name.",
                       "Check the name for a typing error, or ask the owner of the node.");
    }
    Response response = co_await site->answer(request);
    if (!request.head.protocol.empty() && !response.tunnel && response.status < 300) {
        // A success would be the beginning of one.
        co_return page(request.head, 404, "There is no WebSocket at this address.",
                       "Check it for a typing error, or ask without CONNECT.");
    }
    co_return response;
}

}  // namespace alknet::http
