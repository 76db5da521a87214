// One request on its way to an upstream server, and the answer on its way back.
#pragma once

#include <alknet/http/exchange.hpp>
#include <alknet/http/proxy.hpp>
#include <alknet/http/response_parser.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace alknet::http {

/// Of a tunnel: whoever is there pings now and then.
inline constexpr Duration kTunnelIdleTimeout = std::chrono::hours(1);

/// Who counts as one client: whoever is known, or where strangers come from.
[[nodiscard]] std::string client_of(const Request& request);

/// What one route of proxies has; shared by all loops.
struct ProxyRoute {
    ProxyRoute(ProxyOptions its_options, Reach its_reach)
        : options(std::move(its_options)), reach(std::move(its_reach)) {}

    /// False: there is no place for another request of this client.
    [[nodiscard]] bool enter(const std::string& client);
    void leave(const std::string& client);

    const ProxyOptions options;
    const Reach reach;

private:
    std::mutex mutex_;
    std::size_t running_ = 0;
    std::map<std::string, std::size_t> clients_;
};

/// The content of the answer, once `begin` has given its head. The request outlives it.
class UpstreamExchange final : public BodySource {
public:
    /// `cancel`: of whoever asks.
    UpstreamExchange(std::shared_ptr<ProxyRoute> route, Request& request, Loop& loop,
                     Cancel* cancel);
    UpstreamExchange(const UpstreamExchange&) = delete;
    UpstreamExchange& operator=(const UpstreamExchange&) = delete;
    ~UpstreamExchange() override;

    /// Errors: those of connecting; kForbidden; kLimit.
    task<result<void>> connect();
    /// Sends the request, whose content goes on being sent until this is destroyed, and waits for
    /// the head of the final answer. Errors: kTimeout, kProtocol, kClosed; those of the request's
    /// body.
    task<result<ResponseHead>> begin(std::string head);
    task<result<std::size_t>> read(MutableBytes into) override;
    /// After 101: octets both ways, until both ends have finished or nothing has passed for
    /// kTunnelIdleTimeout.
    task<result<void>> relay(BiStream& client);
    /// Why the request could not be had as a whole, which is not the upstream's fault.
    [[nodiscard]] const std::optional<error>& request_failure() const noexcept { return failure_; }

private:
    task<result<void>> relay_up(BiStream& client);
    task<result<void>> relay_down(BiStream& client);
    task<result<void>> relay_both(BiStream& client);
    task<result<void>> wait_idle();
    task<void> send(std::string head);
    task<result<void>> send_all(std::string head);
    task<result<void>> write(BytesView octets);
    task<result<void>> wait_failed();
    task<result<std::unique_ptr<ByteStream>>> connect_host();
    task<result<void>> send_proxy_header();
    task<result<std::size_t>> receive(Duration limit);
    task<result<void>> receive_or_fail(Duration limit);

    const std::shared_ptr<ProxyRoute> route_;
    const std::string client_;
    const bool placed_;
    Request& request_;
    Loop& loop_;
    std::unique_ptr<ByteStream> stream_;
    ResponseParser parser_;
    Bytes buffer_;
    BytesView input_;      // of the buffer, not yet parsed
    BytesView rest_;       // of the buffer, content that was not yet read
    TimePoint sent_at_{};  // the latest octets of the request
    bool sent_ = false;
    bool relayed_ = false;          // something, since it was last looked at
    bool ended_ = false;            // the upstream has finished
    std::optional<error> failure_;  // of the request's body
    Event failed_;
    TaskScope scope_;
};

}  // namespace alknet::http
