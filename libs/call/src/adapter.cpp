#include <alknet/base/causes.hpp>
#include <alknet/call/adapter.hpp>
#include <alknet/call/failure.hpp>
#include <utility>

#include "peer.hpp"

namespace alknet::call {

namespace {

constexpr std::size_t kDiscardBytes = 4096;

}  // namespace

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

// An error of the stream, before anything was asked. Who reads it to its end has it: what is on its
// way would else make the system throw it away.
task<result<void>> CallAdapter::tell_refused(std::shared_ptr<Connection> connection, error why) {
    ALKNET_CO_TRY(const auto stream, co_await connection->accept_bi());
    const error told(why.cause(), why.is(causes::kScopeMissing) ? why.detail() : std::string());
    ALKNET_CO_TRY(const Bytes frame, encode_frame({.id = {}, .event = to_failed(told)}));
    ALKNET_CO_CHECK(co_await stream->write(frame));
    ALKNET_CO_CHECK(co_await stream->finish());
    Bytes rest(kDiscardBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream->read(rest));
        if (size == 0) {
            co_return result<void>();
        }
    }
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

task<void> CallAdapter::recheck_identities() {
    ++shared_->rechecks;
    std::vector<std::shared_ptr<CallStream>> streams;
    while (CallStream* one = shared_->by_token.pop_front()) {
        streams.push_back(one->shared_from_this());
    }
    for (const auto& stream : streams) {
        shared_->by_token.push_back(*stream);
    }
    for (const auto& stream : streams) {
        const auto now = co_await stream->still();
        if (has_ended(*stream->identity, now)) {
            stream->cut(error(causes::kTokenInvalid, "it has gone, or gives less than before"));
        }
    }
    if (options_.registry != nullptr) {
        co_await options_.registry->recheck_identities();
    }
}

std::size_t CallAdapter::in_flight() const noexcept {
    return shared_->in_flight;
}

}  // namespace alknet::call
