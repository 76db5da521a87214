// What the tests of this room share.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::test {

/// Octets that differ from their neighbours, the same in each run.
[[nodiscard]] inline Bytes noise(std::size_t size) {
    Bytes bytes(size);
    std::uint32_t state = 12345;
    for (std::byte& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<std::byte>(state >> 24);
    }
    return bytes;
}

inline task<result<void>> send_all(SendStream& stream, Bytes data) {
    ALKNET_CO_CHECK(co_await stream.write(data));
    co_return co_await stream.finish();
}

/// Without an end, and with bytes that live as long as the write.
inline task<result<void>> send_some(SendStream& stream, Bytes data) {
    co_return co_await stream.write(data);
}

inline task<result<Bytes>> receive_all(RecvStream& stream) {
    Bytes received;
    Bytes buffer(4096);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return received;
        }
        received.insert(received.end(), buffer.begin(), buffer.begin() + std::ptrdiff_t(count));
    }
}

/// Sends `data` and gives all that comes back.
inline task<result<Bytes>> exchange(Loop& loop, BiStream& stream, Bytes data) {
    TaskScope scope(loop);
    scope.spawn(send_all(stream, std::move(data)), "send");
    auto received = co_await receive_all(stream);
    ALKNET_CO_CHECK(co_await scope.join());
    co_return received;
}

/// A task whose result can be looked at while it runs and after.
template <class T>
class Started {
public:
    Started(Loop& loop, task<T> work, Cancel* parent = nullptr) : scope_(loop, parent) {
        scope_.spawn(run(std::move(work), value_), "started");
    }

    [[nodiscard]] bool done() const noexcept { return value_.has_value(); }
    [[nodiscard]] const T& value() const { return value_.value(); }
    /// Once it is done.
    T take() { return std::move(value_.value()); }
    void cancel() noexcept { scope_.cancel(); }
    task<T> join() {
        (void)co_await scope_.join();
        co_return std::move(value_.value());
    }

private:
    static task<void> run(task<T> work, std::optional<T>& value) {
        value.emplace(co_await std::move(work));
    }

    std::optional<T> value_;
    TaskScope scope_;
};

/// Lets everything run that is ready, without time passing.
inline task<void> settle(Loop& loop) {
    for (int turn = 0; turn < 64; ++turn) {
        co_await loop.yield();
    }
}

}  // namespace alknet::test
