#include "http_service.hpp"

#include "call_events.hpp"
#include "call_socket.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/http/adapter.hpp>
#include <alknet/http/site.hpp>
#include <alknet/identity/forwarding.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/rt/snapshot.hpp>
#include <array>
#include <iterator>
#include <system_error>
#include <utility>

namespace alknet::app {

namespace {

constexpr http::Limits limits_of(const config::HttpLimits& from) {
    return {.message = {.header_bytes_max = from.header_bytes_max,
                        .fields_max = from.fields_max,
                        .target_bytes_max = from.target_bytes_max,
                        .body_bytes_max = from.body_bytes_max},
            .connection = {.header_timeout = from.header_timeout,
                           .body_timeout = from.body_timeout,
                           .send_timeout = from.send_timeout,
                           .keep_alive_timeout = from.keep_alive_timeout,
                           .body_rate_min = from.body_rate_min,
                           .requests_max = from.requests_max},
            .rate = {.requests_per_second = from.requests_per_second,
                     .requests_burst = from.requests_burst}};
}

static_assert(limits_of(config::HttpLimits()) == http::Limits(), "one of the two is out of date");

std::filesystem::path real_path(const std::filesystem::path& path) {
    std::error_code failed;
    return std::filesystem::weakly_canonical(path, failed);
}

// Whether `path` is `root` or below it; both as `real_path` gives them.
bool is_within(const std::filesystem::path& root, const std::filesystem::path& path) {
    return std::ranges::mismatch(root, path).in1 == root.end();
}

bool shows(const std::filesystem::path& root, const std::filesystem::path& path) {
    return is_within(real_path(root), real_path(path));
}

// Whether a socket is one of the node's own, wherever links lead by now.
bool is_own(const std::vector<std::filesystem::path>& own, const std::filesystem::path& socket) {
    const std::filesystem::path led_to = real_path(socket);
    return std::ranges::any_of(own, [&](const auto& path) { return is_within(path, led_to); });
}

http::RouteOptions route_of(const config::HttpRoute& from, std::optional<http::Access> access) {
    return {.path = from.path,
            .proxy = {.upstream = {.host = from.proxy.host,
                                   .port = from.proxy.port,
                                   .socket = from.proxy.socket},
                      .strip_prefix = from.strip ? from.path : "",
                      .proxy_header = from.proxy_header,
                      .connect_timeout = from.connect_timeout,
                      .answer_timeout = from.answer_timeout,
                      .idle_timeout = from.idle_timeout},
            .access = std::move(access)};
}

// `scope` is exact; empty: nothing is asked for.
std::optional<http::Access> access_of(const std::string& scope,
                                      const std::shared_ptr<IdentityProvider>& identities) {
    if (scope.empty()) {
        return std::nullopt;
    }
    return http::Access{
        .scope = scope,
        .demand = [wanted = *identity::Scope::parse_exact(scope)](
                      const Identity& one) { return identity::require(one, wanted); },
        .identities = identities};
}

// A route is the rule that allows what it names, and that alone: as of a peer's forwarding, no name
// leads to an address of this machine or its link.
result<void> may_connect(std::string_view host, const SocketAddress& resolved) {
    const std::string text(host);
    ALKNET_TRY(auto target, identity::ForwardTarget::parse(host.find(':') == std::string_view::npos
                                                               ? text
                                                               : "[" + text + "]"));
    std::array<identity::ForwardRule, 1> rules;
    rules[0].target = std::move(target);
    identity::ForwardQuestion question;
    question.host = host;
    question.resolved = resolved;
    const auto decision = identity::decide_forward(rules, question);
    return decision.allowed() ? result<void>()
                              : fail(causes::kForbidden, "no name may lead to this address");
}

constexpr std::string_view kMetricsPath = "/metrics";
constexpr std::string_view kMetricsScope = "metrics:read";

task<result<http::Response>> give_metrics(std::shared_ptr<const Metrics> metrics) {
    http::Response response;
    response.fields.add("content-type", Metrics::kContentType);
    response.fields.add("cache-control", "no-store");
    response.fields.add("x-content-type-options", "nosniff");
    response.content = metrics->text();
    co_return response;
}

class Service final : public HttpService {
public:
    explicit Service(HttpServiceOptions options) : options_(std::move(options)) {}

    result<std::function<void()>> prepare(const config::DynamicConfig& config) override {
        std::vector<std::filesystem::path> own = options_.own;
        for (const tls::CertificateFiles& files : config.certificates) {
            own.push_back(files.key);
        }
        std::vector<std::filesystem::path> real_own;
        std::ranges::transform(own, std::back_inserter(real_own), real_path);
        std::vector<http::SiteOptions> options;
        for (const config::HttpSite& site : config.http_sites) {
            const auto is_shown = [&](const auto& path) { return shows(site.root, path); };
            if (!site.root.empty() && std::ranges::any_of(own, is_shown)) {
                return fail(causes::kConfigInvalid,
                            "http.site: the node's own files are in " + site.root.native());
            }
            options.push_back({.names = site.names,
                               .root = site.root,
                               .health = site.health,
                               .access = access_of(site.require, options_.identities),
                               .origins = site.origins});
            if (site.call) {
                options.back().own.push_back(
                    {.path = std::string(kCallPath),
                     .handler = make_call_socket({.identities = options_.identities,
                                                  .serve = options_.serve,
                                                  .origins = site.origins}),
                     .admits = true});
            }
            if (site.events) {
                options.back().own.push_back(
                    {.path = std::string(kEventsPath),
                     .handler = make_call_events({.serve = options_.serve}),
                     .access = events_access()});
            }
            if (site.metrics && options_.metrics != nullptr) {
                options.back().own.push_back(
                    {.path = std::string(kMetricsPath),
                     .handler = [metrics = options_.metrics](
                                    http::Request&) { return give_metrics(metrics); },
                     .access = access_of(std::string(kMetricsScope), options_.identities)});
            }
            for (const config::HttpRoute& route : site.routes) {
                const auto& socket = route.proxy.socket;
                if (!socket.empty() && is_own(real_own, socket)) {
                    return fail(causes::kConfigInvalid,
                                "http.site.route: the node itself is at " + socket.native());
                }
                options.back().routes.push_back(
                    route_of(route, access_of(route.require, options_.identities)));
            }
        }
        ALKNET_TRY(auto sites, http::Sites::create(options, limits_of(config.http_limits),
                                                   reach(std::move(real_own))));
        return [self = sites_, sites] { self->set(sites); };
    }

    result<void> update(HandlerRegistry& registry) const override {
        const bool wanted = !sites_->get()->empty();
        if (wanted == (registry.find(http::kHttp11Alpn) != nullptr)) {
            return {};
        }
        if (wanted) {
            return registry.add(std::make_shared<http::HttpAdapter>(http::HttpAdapterOptions{
                .sites = sites_, .log = options_.log, .metrics = options_.metrics}));
        }
        for (const auto name :
             {http::kHttp3Alpn, http::kHttp2Alpn, http::kHttp11Alpn, http::kAlknetHttpAlpn}) {
            registry.remove(name);
        }
        return {};
    }

private:
    // The call shows the token in earnest.
    [[nodiscard]] std::optional<http::Access> events_access() const {
        auto access = access_of(std::string(kEventsScope), options_.identities);
        access->purpose = call::kCallAlpn;
        access->preview = true;
        return access;
    }
    [[nodiscard]] http::Reach reach(std::vector<std::filesystem::path> own) const {
        return {.network = options_.network,
                .may_connect = [listens_on = options_.listens_on](
                                   std::string_view host,
                                   const SocketAddress& resolved) -> result<void> {
                    if (listens_on(resolved)) {
                        return fail(causes::kForbidden, "the node itself is no target");
                    }
                    return may_connect(host, resolved);
                },
                .may_connect_socket =
                    [own = std::move(own)](const std::filesystem::path& socket) -> result<void> {
                    return is_own(own, socket)
                               ? fail(causes::kForbidden, "the node itself is there")
                               : result<void>();
                },
                .log = options_.log};
    }

    const HttpServiceOptions options_;
    const std::shared_ptr<Snapshot<http::Sites>> sites_ =
        std::make_shared<Snapshot<http::Sites>>(std::make_shared<const http::Sites>());
};

}  // namespace

std::shared_ptr<HttpService> make_http_service(HttpServiceOptions options) {
    return std::make_shared<Service>(std::move(options));
}

}  // namespace alknet::app
