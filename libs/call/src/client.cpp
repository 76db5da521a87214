#include <algorithm>
#include <alknet/call/client.hpp>
#include <utility>

#include "peer.hpp"

namespace alknet::call {

namespace {

class Client final : public CallClient {
public:
    Client(Loop& loop, std::shared_ptr<Connection> connection, CallClientOptions options)
        : connection_(std::move(connection)),
          scope_(loop),
          peer_(loop, connection_,
                {.registry = std::move(options.registry),
                 .identities = nullptr,
                 .limits = options.limits,
                 .identity = std::nullopt,
                 .transport = connection_->info().transport,
                 .counts = std::make_shared<CallCounts>(nullptr)},
                &scope_.token()) {
        scope_.spawn(peer_.run(), "call.client");
    }

    task<result<Json>> call(std::string operation, Json input, CallOptions options) override {
        return peer_.call(std::move(operation), std::move(input), std::move(options));
    }
    task<result<std::unique_ptr<Subscription>>> subscribe(std::string operation, Json input,
                                                          SubscribeOptions options) override {
        return peer_.subscribe(std::move(operation), std::move(input), std::move(options));
    }
    [[nodiscard]] std::size_t pending() const noexcept override { return peer_.pending(); }

    task<void> close() override {
        co_await peer_.finish();
        connection_->close(close_code::kOk, {});
        (void)co_await scope_.join();
    }

private:
    std::shared_ptr<Connection> connection_;
    TaskScope scope_;
    CallPeer peer_;
};

}  // namespace

CallOptions options_within(const CallContext& context, TimePoint now) {
    CallOptions options;
    options.timeout = std::min(options.timeout, time_left(context.deadline, now));
    options.traceparent = context.traceparent;
    options.depth = context.depth + 1;
    return options;
}

std::unique_ptr<CallClient> CallClient::create(Loop& loop, std::shared_ptr<Connection> connection,
                                               CallClientOptions options) {
    return std::make_unique<Client>(loop, std::move(connection), std::move(options));
}

}  // namespace alknet::call
