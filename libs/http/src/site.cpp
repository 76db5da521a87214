#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/access.hpp>
#include <alknet/http/coding.hpp>
#include <alknet/http/path.hpp>
#include <alknet/http/site.hpp>
#include <alknet/http/static_files.hpp>
#include <alknet/rt/loop.hpp>
#include <functional>
#include <utility>

#include "cross_origin.hpp"
#include "proxy_fields.hpp"
#include "rate_buckets.hpp"
#include "upstream_exchange.hpp"

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

/// What coding makes smaller.
constexpr std::size_t kCodedTextMin = 512;

class TextSource final : public BodySource {
public:
    explicit TextSource(std::string text) : text_(std::move(text)) {}
    task<result<std::size_t>> read(MutableBytes into) override {
        const BytesView left = as_bytes(text_).subspan(taken_);
        const std::size_t count = std::min(left.size(), into.size());
        std::copy_n(left.begin(), count, into.begin());
        taken_ += count;
        co_return count;
    }

private:
    const std::string text_;
    std::size_t taken_ = 0;
};

// What routes pass on is coded by their servers, which know what is secret in it.
void code_text(const RequestHead& head, Response& response) {
    const bool text = response.fields.find("content-type").value_or("").starts_with("text/");
    if (!text || response.tunnel || response.content.size() < kCodedTextMin) {
        return;
    }
    response.fields.add("vary", "accept-encoding");
    const Coding coding = choose_coding(head.fields);
    if (coding == Coding::identity) {
        return;
    }
    response.source_size = response.content.size();
    response.source = std::make_unique<TextSource>(std::exchange(response.content, {}));
    if (auto coded = encoded(response.source, coding)) {
        response.source = std::move(coded);
        response.source_size.reset();
        response.fields.add("content-encoding", coding_name(coding));
    }
}

/// What has a name: its routes first, then what its router knows.
struct Sites::Site {
    struct Route {
        std::string path;
        std::size_t segments;
        Handler handler;
        std::optional<Access> access;
    };
    std::vector<Route> routes;  // the longest path first
    Router router;

    std::vector<OwnAnswer> own;  // which no route hides
    std::optional<Access> access;
    std::vector<std::string> origins;

    [[nodiscard]] const OwnAnswer* find_own(const RequestHead& head) const {
        // As the router reads it, so that no spelling gets past what is asked before.
        const auto parsed = own.empty() ? std::nullopt : parse_file_path(head.path);
        const std::string path = parsed ? "/" + parsed->relative() : head.path;
        const auto found = std::ranges::find(own, path, &OwnAnswer::path);
        return found == own.end() ? nullptr : &*found;
    }
    [[nodiscard]] const Route* find(const RequestHead& head) const {
        if (find_own(head) != nullptr) {
            return nullptr;
        }
        const auto found = std::ranges::find_if(
            routes, [&](const Route& route) { return match_prefix(route.path, head.path) > 0; });
        return found == routes.end() ? nullptr : &*found;
    }
    /// What is asked for before it is answered; null: nothing.
    [[nodiscard]] const Access* access_for(const RequestHead& head) const {
        const OwnAnswer* const answer = find_own(head);
        const Route* const route = find(head);
        const std::optional<Access>& asked = answer != nullptr && answer->access ? answer->access
                                             : route != nullptr && route->access ? route->access
                                                                                 : access;
        return (answer != nullptr && answer->admits) || !asked ? nullptr : &*asked;
    }
    result<void> add(const SiteOptions& options, const Reach& reach);
    [[nodiscard]] task<Response> answer(Request& request) const;
};

result<void> Sites::Site::add(const SiteOptions& options, const Reach& reach) {
    access = options.access;
    origins = options.origins;
    for (const RouteOptions& one : options.routes) {
        if (!is_unambiguous(one.path)) {
            return fail(causes::kConfigInvalid, "no path for a route: " + one.path);
        }
        const auto slashes = static_cast<std::size_t>(std::ranges::count(one.path, '/'));
        routes.push_back({.path = one.path,
                          .segments = one.path == "/" ? 0 : slashes,
                          .handler = make_proxy(one.proxy, reach),
                          .access = one.access});
    }
    std::ranges::sort(routes, std::greater(), &Route::segments);
    own = options.own;
    if (options.health) {
        own.push_back({.path = std::string(kHealthPath),
                       .handler = [](Request&) { return answer_health(); }});
    }
    for (const OwnAnswer& one : own) {
        ALKNET_CHECK(router.add("GET", one.path, one.handler));
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
    if (limits.rate.requests_per_second > 0) {
        sites->rate_ = std::make_shared<RateBuckets>(limits.rate);
    }
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
        Response response = co_await router.answer(request);
        code_text(request.head, response);
        co_return response;
    }
    auto response = co_await route->handler(request);
    co_return response ? *std::move(response) : failure_response(request.head, response.error());
}

namespace {

// What lasts does so for as long as the token. What is read at once has been admitted; and whoever
// shows the token in earnest himself looks after it.
void end_with_token(const Access& access, const Request& request, Response& response) {
    const bool lasts = response.source != nullptr && !access.preview &&
                       (!response.source_size || *response.source_size > kPieceBytes);
    if (!lasts && !response.tunnel) {
        return;
    }
    const std::string token = bearer_of(request.head).value_or("");
    if (response.tunnel) {
        response.tunnel =
            while_accepted(access, token, *request.by_token, std::move(response.tunnel));
    } else {
        response.source =
            while_accepted(access, token, *request.by_token, std::move(response.source));
    }
}

Response too_many(const RequestHead& head, Duration wait) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
    Response response = page(head, 429, "That is more than http.limits.requests_per_second.",
                             "Wait, then try again.");
    response.fields.add("retry-after", std::to_string(seconds.count()));
    return response;
}

}  // namespace

std::optional<Response> Sites::over_rate(const Request& request, std::string_view whose,
                                         TimePoint now, bool taken) const {
    if (rate_ == nullptr) {
        return std::nullopt;
    }
    const auto wait = taken ? rate_->take(whose, now) : rate_->look(whose, now);
    return wait ? std::optional(too_many(request.head, *wait)) : std::nullopt;
}

// A request with a token counts for whom the token names; one whose token is not accepted, for
// where it comes from, so that nobody goes on guessing.
task<std::optional<Response>> Sites::refuse(const Site& site, Request& request) const {
    const TaskContext context = co_await current_context();
    const TimePoint now = context.loop->now();
    const Access* const access = site.access_for(request.head);
    const std::string whose = rate_ == nullptr ? std::string() : client_of(request);
    const bool with_token = access != nullptr && has_credentials(request.head);
    if (auto refused = over_rate(request, whose, now, !with_token)) {
        co_return refused;
    }
    if (access == nullptr) {
        co_return std::nullopt;
    }
    auto refused = co_await access->refuse(request, site.origins);
    if (with_token) {
        auto over = over_rate(request, request.by_token ? client_of(request) : whose, now, true);
        if (!refused) {
            refused = std::move(over);
        }
    }
    co_return refused;
}

task<Response> Sites::answer(Request& request) const {
    const auto found = by_name_.find(request.head.host());
    const Site* const site = found == by_name_.end() ? other_.get() : found->second.get();
    if (site == nullptr) {
        co_return page(request.head, 421, "This node has no site of that name.",
                       "Check the name for a typing error, or ask the owner of the node.");
    }
    if (auto preflight = answer_preflight(request.head, site->origins)) {
        co_return *std::move(preflight);
    }
    auto refused = co_await refuse(*site, request);
    Response response = refused ? *std::move(refused) : co_await site->answer(request);
    response.by_token = request.by_token ? request.by_token->id : std::string();
    if (const Access* const access = site->access_for(request.head);
        access != nullptr && request.by_token) {
        end_with_token(*access, request, response);
    }
    allow_origin(request.head, site->origins, response.fields);
    if (!request.head.protocol.empty() && !response.tunnel && response.status < 300) {
        // A success would be the beginning of one.
        co_return page(request.head, 404, "There is no WebSocket at this address.",
                       "Check it for a typing error, or ask without CONNECT.");
    }
    co_return response;
}

}  // namespace alknet::http
