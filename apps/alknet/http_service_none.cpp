#include <alknet/base/causes.hpp>

#include "http_service.hpp"

namespace alknet::app {

namespace {

class NoService final : public HttpService {
public:
    result<std::function<void()>> prepare(const config::DynamicConfig& config) override {
        if (!config.http_sites.empty()) {
            return fail(causes::kConfigInvalid, "http.site: this program was built without HTTP");
        }
        if (!config.http_status.listen.empty()) {
            return fail(causes::kConfigInvalid, "http.status: this program was built without HTTP");
        }
        return [] {};
    }
    result<void> update(HandlerRegistry&) const override { return {}; }
    task<void> serve_status(std::shared_ptr<Connection>) override { co_return; }
};

}  // namespace

std::shared_ptr<HttpService> make_http_service(HttpServiceOptions) {
    return std::make_shared<NoService>();
}

}  // namespace alknet::app
