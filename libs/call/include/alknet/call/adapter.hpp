// CallAdapter: serves an OperationRegistry on alknet/call, over any Connection. A reader never
// waits for a handler: an abort reaches it at once, and so does the next request.
#pragma once

#include <alknet/base/metrics.hpp>
#include <alknet/call/limits.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/core/handler.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <memory>

namespace alknet::call {

struct CallAdapterOptions {
    std::shared_ptr<const OperationRegistry> registry;
    /// For tokens that come with a first request; null: none is accepted.
    std::shared_ptr<IdentityProvider> identities{};
    CallLimits limits{};
    std::shared_ptr<Metrics> metrics{};  // null: nobody looks
};

class CallAdapter final : public ProtocolHandler {
public:
    explicit CallAdapter(CallAdapterOptions options);

    [[nodiscard]] std::vector<std::string> alpns() const override;
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override;
    task<result<void>> tell_refused(std::shared_ptr<Connection> connection, error why) override;
    /// New requests are refused with UNAVAILABLE, and subscriptions end with it; returns when those
    /// that run have been answered.
    task<void> shutdown() override;
    /// Ends the streams whose token has gone or gives less than before.
    task<void> recheck_identities() override;

    [[nodiscard]] std::size_t in_flight() const noexcept;

private:
    struct Shared;
    CallAdapterOptions options_;
    std::shared_ptr<Shared> shared_;
};

}  // namespace alknet::call
