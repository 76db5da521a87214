// A watcher of a live feed that tests look at.
#pragma once

#include <alknet/call/operations.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <utility>
#include <vector>

namespace alknet::app {

/// Takes so many, and then waits.
class Taken final : public call::ItemSink {
public:
    explicit Taken(std::size_t most = static_cast<std::size_t>(-1)) : most_(most) {}
    task<result<void>> give(call::Item item) override {
        items.push_back(std::move(item));
        while (items.size() >= most_) {
            ALKNET_CO_CHECK(co_await more_.wait());
        }
        co_return result<void>();
    }
    void take_all() {
        most_ = static_cast<std::size_t>(-1);
        more_.wake_all();
    }
    std::vector<call::Item> items{};

private:
    std::size_t most_;
    WaitList more_;
};

// Until what was posted has run, and what that has made ready.
inline task<void> settle(Loop& loop) {
    Event posted;
    loop.post([&posted] { posted.set(); });
    co_await posted.wait_uncancellable();
    co_await loop.yield();
}

}  // namespace alknet::app
