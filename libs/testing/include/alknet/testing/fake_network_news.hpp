// FakeNetworkNews: a network that changes when the test says so.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/net/network_monitor.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet::sim {

class FakeNetworkNews final : public net::NetworkNews {
public:
    void tell() noexcept { told_.set(); }
    void fail() noexcept {
        failed_ = true;
        told_.set();
    }
    task<result<void>> next() override {
        ALKNET_CO_CHECK(co_await told_.wait());
        if (failed_) {
            co_return alknet::fail(causes::kIo, "the test says so");
        }
        told_.clear();
        co_return result<void>{};
    }

private:
    Event told_;
    bool failed_ = false;
};

}  // namespace alknet::sim
