#include <alknet/base/causes.hpp>
#include <alknet/http/site.hpp>
#include <alknet/http/static_files.hpp>

namespace alknet::http {

namespace {

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

result<std::shared_ptr<const Router>> Sites::make_router(const SiteOptions& options) {
    auto router = std::make_shared<Router>();
    if (options.health) {
        ALKNET_CHECK(router->add("GET", "/healthz", [](Request&) { return answer_health(); }));
    }
    if (!options.root.empty()) {
        ALKNET_TRY(auto files, StaticFiles::open(options.root));
        ALKNET_CHECK(router->add("GET", "/*path", [files](const Request& request) {
            return answer_file(files, request);
        }));
    }
    return router;
}

result<std::shared_ptr<const Sites>> Sites::create(const std::vector<SiteOptions>& options,
                                                   const Limits& limits) {
    auto sites = std::make_shared<Sites>();
    sites->limits_ = limits;
    for (const SiteOptions& one : options) {
        const std::string name = one.names.empty() ? "*" : one.names.front();
        auto router = make_router(one);
        if (!router) {
            return unexpected(std::move(router).error().within("http.site " + name));
        }
        sites->routers_.push_back(*router);
        if (one.names.empty()) {
            if (sites->other_ != nullptr) {
                return fail(causes::kConfigInvalid, "two http.sites have no names");
            }
            sites->other_ = *router;
        }
        for (const std::string& host : one.names) {
            if (!sites->by_name_.emplace(host, *router).second) {
                return fail(causes::kConfigInvalid, "two http.sites have the name " + host);
            }
        }
    }
    return sites;
}

task<Response> Sites::answer(Request& request) const {
    const auto found = by_name_.find(request.head.host());
    const Router* const router = found == by_name_.end() ? other_.get() : found->second.get();
    if (router == nullptr) {
        co_return page(request.head, 421, "This node has no site of that name.",
                       "Check the name for a typing error, or ask the owner of the node.");
    }
    co_return co_await router->answer(request);
}

}  // namespace alknet::http
