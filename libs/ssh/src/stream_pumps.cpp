#include "stream_pumps.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/ssh/limits.hpp>
#include <memory>

namespace alknet::ssh {

namespace {

// So much at once as comes at once.
std::size_t next_size(std::size_t size, std::size_t got) noexcept {
    if (got == size) {
        return std::min(size * 4, kStreamReadBytesMax);
    }
    return got < size / 8 ? kStreamReadBytesMin : size;
}

}  // namespace

task<result<PumpEnd>> pump_into(BiStream& to, ByteStream& from) {
    std::unique_ptr<std::byte[]> buffer;
    std::size_t size = kStreamReadBytesMin;
    for (;;) {
        ALKNET_CO_CHECK(co_await from.readable());
        if (buffer == nullptr) {
            buffer = std::make_unique_for_overwrite<std::byte[]>(size);
        }
        const MutableBytes room(buffer.get(), size);
        ALKNET_CO_TRY(const std::optional<std::size_t> got, from.try_read(room));
        if (!got) {
            buffer = nullptr;
            continue;
        }
        const bool last = *got == 0;
        const result<void> told = last ? co_await to.finish() : co_await to.write(room.first(*got));
        if (!told && told.error().is(causes::kReset)) {
            co_return PumpEnd::unwanted;
        }
        ALKNET_CO_CHECK(told);
        if (last) {
            co_return PumpEnd::finished;
        }
        if (*got < size || size < kStreamReadBytesMax) {
            buffer = nullptr;  // there may be nothing more for long
        }
        size = next_size(size, *got);
    }
}

task<result<void>> pump_from(BiStream& from, ByteStream& to) {
    Bytes buffer;
    std::size_t size = kStreamReadBytesMin;
    for (;;) {
        if (buffer.size() != size) {
            buffer = Bytes(size);
        }
        ALKNET_CO_TRY(const std::size_t got, co_await from.read(buffer));
        if (got == 0) {
            co_return co_await to.finish();
        }
        ALKNET_CO_CHECK(co_await to.write(BytesView(buffer).first(got)));
        size = next_size(size, got);
    }
}

}  // namespace alknet::ssh
