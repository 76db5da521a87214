#include <alknet/base/assert.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet {

task<result<void>> SendStream::wait_stopped() {
    Event never;
    co_return co_await never.wait();
}

task<result<std::size_t>> ByteStream::read(MutableBytes into) {
    ALKNET_ASSERT(!into.empty());
    for (;;) {
        ALKNET_CO_TRY(const std::optional<std::size_t> count, try_read(into));
        if (count) {
            co_return *count;
        }
        ALKNET_CO_CHECK(co_await readable());
    }
}

task<result<void>> ByteStream::write(BytesView data) {
    while (!data.empty()) {
        ALKNET_CO_TRY(const std::size_t taken, try_write(data));
        data = data.subspan(taken);
        if (taken == 0) {
            ALKNET_CO_CHECK(co_await writable());
        }
    }
    co_return result<void>{};
}

}  // namespace alknet
