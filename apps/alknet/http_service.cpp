#include "http_service.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/adapter.hpp>
#include <alknet/http/site.hpp>
#include <alknet/rt/snapshot.hpp>
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
                           .requests_max = from.requests_max}};
}

static_assert(limits_of(config::HttpLimits()) == http::Limits(), "one of the two is out of date");

// Whether `path` is `root` or below it.
bool shows(const std::filesystem::path& root, const std::filesystem::path& path) {
    std::error_code failed;
    const auto real_root = std::filesystem::weakly_canonical(root, failed);
    const auto real_path = std::filesystem::weakly_canonical(path, failed);
    return std::ranges::mismatch(real_root, real_path).in1 == real_root.end();
}

class Service final : public HttpService {
public:
    Service(std::vector<std::filesystem::path> own, Log log, std::shared_ptr<Metrics> metrics)
        : own_(std::move(own)), log_(std::move(log)), metrics_(std::move(metrics)) {}

    result<std::function<void()>> prepare(const config::DynamicConfig& config) override {
        std::vector<std::filesystem::path> own = own_;
        for (const tls::CertificateFiles& files : config.certificates) {
            own.push_back(files.key);
        }
        std::vector<http::SiteOptions> options;
        for (const config::HttpSite& site : config.http_sites) {
            const auto is_shown = [&](const auto& path) { return shows(site.root, path); };
            if (!site.root.empty() && std::ranges::any_of(own, is_shown)) {
                return fail(causes::kConfigInvalid,
                            "http.site: the node's own files are in " + site.root.native());
            }
            options.push_back({.names = site.names, .root = site.root, .health = site.health});
        }
        ALKNET_TRY(auto sites, http::Sites::create(options, limits_of(config.http_limits)));
        return [self = sites_, sites] { self->set(sites); };
    }

    result<void> update(HandlerRegistry& registry) const override {
        const bool wanted = !sites_->get()->empty();
        if (wanted == (registry.find(http::kHttp11Alpn) != nullptr)) {
            return {};
        }
        if (wanted) {
            return registry.add(std::make_shared<http::HttpAdapter>(
                http::HttpAdapterOptions{.sites = sites_, .log = log_, .metrics = metrics_}));
        }
        for (const auto name : {http::kHttp2Alpn, http::kHttp11Alpn, http::kAlknetHttpAlpn}) {
            registry.remove(name);
        }
        return {};
    }

private:
    const std::vector<std::filesystem::path> own_;
    const Log log_;
    const std::shared_ptr<Metrics> metrics_;
    const std::shared_ptr<Snapshot<http::Sites>> sites_ =
        std::make_shared<Snapshot<http::Sites>>(std::make_shared<const http::Sites>());
};

}  // namespace

std::shared_ptr<HttpService> make_http_service(std::vector<std::filesystem::path> own, Log log,
                                               std::shared_ptr<Metrics> metrics) {
    return std::make_shared<Service>(std::move(own), std::move(log), std::move(metrics));
}

}  // namespace alknet::app
