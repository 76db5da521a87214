#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/network_monitor.hpp>
#include <alknet/rt/combine.hpp>

namespace alknet::net {

task<result<void>> NetworkMonitor::changed() {
    ALKNET_CO_CHECK(co_await news_->next());
    const TimePoint latest = loop_.now() + kPatience;
    while (loop_.now() < latest) {
        const Duration wait = std::min(kQuiet, latest - loop_.now());
        const auto more = co_await with_timeout(wait, news_->next());
        if (!more && more.error().is(errc::timeout)) {
            break;
        }
        ALKNET_CO_CHECK(more);
    }
    co_return result<void>{};
}

}  // namespace alknet::net
