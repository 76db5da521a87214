#include <alknet/call/adapter.hpp>
#include <utility>

#include "peer.hpp"

namespace alknet::call {

struct CallAdapter::Shared : CallCounts {
    using CallCounts::CallCounts;
};

CallAdapter::CallAdapter(CallAdapterOptions options)
    : options_(std::move(options)), shared_(std::make_shared<Shared>(options_.metrics.get())) {}

std::vector<std::string> CallAdapter::alpns() const {
    return {std::string(kCallAlpn)};
}

task<result<void>> CallAdapter::handle(std::shared_ptr<Connection> connection, AuthContext auth) {
    const TaskContext context = co_await current_context();
    CallPeer peer(*context.loop, std::move(connection),
                  {.registry = options_.registry,
                   .identities = options_.identities,
                   .limits = options_.limits,
                   .identity = std::move(auth.identity),
                   .transport = auth.transport,
                   .counts = shared_},
                  context.cancel);
    co_return co_await peer.run();
}

task<void> CallAdapter::shutdown() {
    shared_->draining = true;
    const auto subscriptions = shared_->subscriptions;
    for (Cancel* one : subscriptions) {
        one->request();  // only marks them and makes them ready
    }
    while (shared_->in_flight > 0) {
        if (!co_await shared_->ended.wait()) {
            co_return;
        }
    }
}

std::size_t CallAdapter::in_flight() const noexcept {
    return shared_->in_flight;
}

}  // namespace alknet::call
