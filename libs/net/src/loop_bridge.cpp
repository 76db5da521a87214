#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/loop_bridge.hpp>
#include <alknet/rt/wait.hpp>
#include <array>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>

namespace alknet::net {

namespace {

/// The octets on their way to one end. Under the bridge's mutex.
struct Direction {
    Bytes octets;
    std::size_t begin = 0;  // before it, they were read
    bool finished = false;
    std::optional<std::uint64_t> reset{};
    std::optional<std::uint64_t> stopped{};

    [[nodiscard]] std::size_t size() const noexcept { return octets.size() - begin; }
};

/// Who waits at an end; of that end's loop.
struct Waiter {
    Event readable;
    Event writable;
};

struct Side {
    Loop* loop = nullptr;  // null: the end is gone
    std::weak_ptr<Waiter> waiter{};
    bool told = false;  // a function that wakes the waiter is on its way
    Direction towards{};
};

struct Shared {
    std::mutex mutex;
    std::array<Side, 2> sides{};
};

/// Wakes who waits at `side`. The mutex is held.
void tell(const std::shared_ptr<Shared>& shared, std::size_t index) {
    Side& side = shared->sides[index];
    if (side.loop == nullptr || std::exchange(side.told, true)) {
        return;
    }
    side.loop->post([shared, index] {
        std::shared_ptr<Waiter> waiter;
        {
            const std::lock_guard lock(shared->mutex);
            shared->sides[index].told = false;
            waiter = shared->sides[index].waiter.lock();
        }
        if (waiter != nullptr) {
            waiter->readable.set();
            waiter->writable.set();
        }
    });
}

class End final : public BiStream {
public:
    End(std::shared_ptr<Shared> shared, std::size_t index)
        : shared_(std::move(shared)), index_(index) {
        shared_->sides[index_].waiter = waiter_;
    }
    ~End() override {
        const std::lock_guard lock(shared_->mutex);
        here().loop = nullptr;
        here().towards.octets = Bytes();
        here().towards.begin = 0;
        tell(shared_, 1 - index_);
    }

    task<result<std::size_t>> read(MutableBytes into) override {
        for (;;) {
            ALKNET_CO_TRY(const auto size, try_read(into));
            if (size) {
                co_return *size;
            }
            ALKNET_CO_CHECK(co_await waiter_->readable.wait());
        }
    }

    task<result<void>> write(BytesView data) override {
        while (!data.empty()) {
            ALKNET_CO_TRY(const std::size_t taken, try_write(data));
            data = data.subspan(taken);
            if (taken == 0) {
                ALKNET_CO_CHECK(co_await waiter_->writable.wait());
            }
        }
        co_return result<void>{};
    }

    task<result<void>> finish() override {
        const std::lock_guard lock(shared_->mutex);
        there().towards.finished = true;
        tell(shared_, 1 - index_);
        co_return result<void>{};
    }

    void reset(std::uint64_t code) noexcept override {
        const std::lock_guard lock(shared_->mutex);
        Direction& out = there().towards;
        if (!out.finished && !out.reset) {
            out.reset = code;
            out.octets.clear();
            out.begin = 0;
            tell(shared_, 1 - index_);
        }
    }

    void stop(std::uint64_t code) noexcept override {
        const std::lock_guard lock(shared_->mutex);
        Direction& in = here().towards;
        if (!in.stopped) {
            in.stopped = code;
            in.octets.clear();
            in.begin = 0;
            tell(shared_, 1 - index_);
            waiter_->readable.set();
        }
    }

    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }

private:
    [[nodiscard]] Side& here() const noexcept { return shared_->sides[index_]; }
    [[nodiscard]] Side& there() const noexcept { return shared_->sides[1 - index_]; }

    // nullopt: nothing there; then the waiter is clear.
    result<std::optional<std::size_t>> try_read(MutableBytes into) {
        const std::lock_guard lock(shared_->mutex);
        Direction& in = here().towards;
        if (in.stopped) {
            return fail(causes::kClosed, "reading was stopped");
        }
        if (in.reset) {
            return fail(causes::kReset, "by the other side", *in.reset);
        }
        if (const std::size_t size = std::min(in.size(), into.size()); size > 0) {
            std::memcpy(into.data(), in.octets.data() + in.begin, size);
            in.begin += size;
            if (in.size() == 0) {
                in.octets = Bytes();  // an idle stream needs none
                in.begin = 0;
            }
            tell(shared_, 1 - index_);
            return size;
        }
        if (in.finished) {
            return 0;
        }
        if (there().loop == nullptr) {
            return fail(causes::kClosed, "the other end is gone");
        }
        waiter_->readable.clear();
        return std::nullopt;
    }

    // 0: no room; then the waiter is clear.
    result<std::size_t> try_write(BytesView data) {
        const std::lock_guard lock(shared_->mutex);
        Direction& out = there().towards;
        if (out.stopped) {
            return fail(causes::kReset, "the other side wants no more", *out.stopped);
        }
        if (out.finished || out.reset || there().loop == nullptr) {
            return fail(causes::kClosed, "the stream has ended");
        }
        const std::size_t taken = std::min(LoopBridge::kBufferBytes - out.size(), data.size());
        if (taken == 0) {
            waiter_->writable.clear();
            return 0;
        }
        out.octets.erase(out.octets.begin(), out.octets.begin() + static_cast<std::ptrdiff_t>(
                                                                      std::exchange(out.begin, 0)));
        const BytesView part = data.first(taken);
        out.octets.insert(out.octets.end(), part.begin(), part.end());
        tell(shared_, 1 - index_);
        return taken;
    }

    std::shared_ptr<Shared> shared_;
    std::size_t index_;
    std::shared_ptr<Waiter> waiter_ = std::make_shared<Waiter>();
};

}  // namespace

LoopBridge make_loop_bridge(Loop& near, Loop& far) {
    const auto shared = std::make_shared<Shared>();
    shared->sides[0].loop = &near;
    shared->sides[1].loop = &far;
    return {.near = std::make_unique<End>(shared, 0), .far = std::make_unique<End>(shared, 1)};
}

}  // namespace alknet::net
