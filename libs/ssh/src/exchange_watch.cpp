#include "exchange_watch.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/ssh/limits.hpp>

namespace alknet::ssh {

void ExchangeWatch::look() {
    if (transport_.exchanging() && transport_.keyed()) {
        began_.set();
    }
}

task<result<void>> ExchangeWatch::run(std::function<void()> flush) {
    for (;;) {
        began_.clear();
        look();
        const auto began = co_await with_timeout(kRekeyTime, began_.wait());
        if (!began && !began.error().is(errc::timeout)) {
            co_return began;
        }
        if (!began) {
            transport_.rekey();
            flush();
        }
        const std::uint64_t before = transport_.exchanges();
        ALKNET_CO_CHECK(co_await loop_.sleep(kExchangeTime));
        if (transport_.keyed() && transport_.exchanging() && transport_.exchanges() == before) {
            co_return fail(causes::kTimeout, "the exchange of new keys");
        }
    }
}

}  // namespace alknet::ssh
