// One HTTP/2 connection: its requests are answered side by side, each by a task of its own, all of
// them under one reader and one writer. Credit goes back to the client when a handler has read, and
// a response is pulled from its source no faster than its client takes it.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <cstdint>
#include <map>
#include <memory>

#include "h1_connection.hpp"
#include "h2_session.hpp"

namespace alknet::http {

/// Requests that are answered at a time; further ones are refused, as HTTP/2 lets the client know.
inline constexpr std::uint32_t kStreamsMax = 256;

class H2Connection final : public Draining, private H2Events {
public:
    /// The stream and what the options refer to must outlive it.
    H2Connection(Loop& loop, BiStream& stream, DriverOptions options);
    H2Connection(const H2Connection&) = delete;
    H2Connection& operator=(const H2Connection&) = delete;
    ~H2Connection() override;

    /// What has been read of the stream before, of static lifetime. Before `run`.
    void begin_with(BytesView octets) noexcept { begun_ = octets; }
    /// Until the client, a limit or `drain` ends it. Errors: those of the stream.
    task<result<void>> run();
    /// The requests that are being answered are the last ones.
    void drain() noexcept override;

private:
    struct Exchange;
    class Body;
    class TunnelStream;

    void on_request(std::int32_t stream, RequestHead head, const Refusal* refusal) override;
    void on_data(std::int32_t stream, BytesView data) override;
    void on_request_end(std::int32_t stream) override;
    void on_close(std::int32_t stream) override;
    std::optional<std::size_t> on_send(std::int32_t stream, MutableBytes into, bool& end) override;

    task<result<void>> read_all_frames();
    task<result<void>> write_all_frames();
    task<result<void>> flush();
    task<result<void>> end_when_idle();
    task<result<void>> finish_write();
    task<void> serve(std::shared_ptr<Exchange> exchange);
    task<result<void>> answer(Exchange& exchange);
    task<result<void>> wait_taken(Exchange& exchange);
    static task<result<void>> wait_list(WaitList& list);
    task<result<void>> send(Exchange& exchange, Response response);
    task<result<void>> run_tunnel(Exchange& exchange, Tunnel tunnel);
    task<result<void>> wait_request_end(Exchange& exchange);
    task<result<void>> send_source(Exchange& exchange, BodySource& source,
                                   std::optional<std::uint64_t> length);
    [[nodiscard]] std::shared_ptr<Exchange> find(std::int32_t stream) const;
    void wake_writer() noexcept { to_write_.set(); }

    Loop& loop_;
    BiStream& stream_;
    const DriverOptions options_;
    BytesView begun_;
    std::unique_ptr<H2Session> session_;
    std::map<std::int32_t, std::shared_ptr<Exchange>> exchanges_;
    TaskScope* answers_ = nullptr;  // while it runs
    std::size_t running_ = 0;
    std::size_t requests_ = 0;
    Event to_write_;
    WaitList idle_;         // a request has begun or ended, or a write has
    bool writing_ = false;  // and still so after a write that has failed or was cancelled
    bool ending_ = false;   // no further write begins until the two directions have ended
    bool draining_ = false;
};

}  // namespace alknet::http
