// One HTTP/3 connection: each request on a stream of its own, read and answered by a task of its
// own, so that a client that is slow on one is not slow on the others. A request's body is read no
// faster than its handler takes it, and a response is pulled from its source no faster than its
// client takes it.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/http/h3_extension.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "h1_connection.hpp"
#include "h3_session.hpp"

namespace alknet::http {

/// Of the streams of the connection itself, what a client leaves waiting before it is ended.
inline constexpr std::size_t kOwnStreamBytesMax = 64 << 10;
/// How long the last responses may take to arrive before the connection is closed.
inline constexpr Duration kDeliveryTimeout = std::chrono::seconds(5);

/// What has been read of a stream before it is known whose it is.
struct H3Opening {
    std::optional<std::uint64_t> type;  // nullopt: it ended before
    Bytes octets;                       // with the type
    std::size_t type_size = 0;
    bool ended = false;

    [[nodiscard]] Bytes behind_type() const {
        return to_bytes(BytesView(octets).subspan(type_size));
    }
};

class H3Connection final : public Draining, private H3Events, private Http3Link {
public:
    /// The connection, the extension (null: none) and what the options refer to must outlive it.
    H3Connection(Loop& loop, Connection& connection, DriverOptions options,
                 Http3Extension* extension = nullptr);
    H3Connection(const H3Connection&) = delete;
    H3Connection& operator=(const H3Connection&) = delete;
    ~H3Connection() override;

    /// Until the client, a limit or `drain` ends it, and then closes the connection. Errors: those
    /// of the connection, unless it was closed in order.
    task<result<void>> run();
    /// The requests that are being answered are the last ones.
    void drain() noexcept override;

private:
    struct Exchange;
    class Body;
    class Place;
    class TunnelStream;
    struct OwnStream {
        std::unique_ptr<SendStream> stream;
        Bytes out;
    };

    void on_request(std::int64_t stream, RequestHead head, const Refusal* refusal) override;
    void on_data(std::int64_t stream, BytesView data) override;
    void on_trailer(std::int64_t stream, std::string_view name, std::string_view value) override;
    void on_request_end(std::int64_t stream) override;
    void on_ready(std::int64_t stream) override;
    void on_refuse(std::int64_t stream, std::uint64_t code) override;
    std::optional<BytesView> on_send(std::int64_t stream, bool& end) override;
    Fields on_send_end(std::int64_t stream) override;
    void on_output(std::int64_t stream, BytesView octets, bool end) override;

    [[nodiscard]] Connection& connection() noexcept override { return connection_; }
    [[nodiscard]] bool takes_datagrams() const noexcept override;
    result<void> send_datagram(std::uint64_t stream, BytesView payload) override;

    // What is the extension's.
    task<result<void>> read_opening(RecvStream& stream, H3Opening& opening);
    task<result<void>> receive_datagrams();
    task<bool> hand_over_bidi(std::unique_ptr<BiStream>& stream, H3Opening& opening);
    task<bool> hand_over_uni(std::int64_t id, H3Opening& opening);

    // The connection.
    task<result<void>> open();
    task<result<void>> accept_requests();
    task<result<void>> accept_others();
    task<void> read_other(std::int64_t id);
    task<result<void>> write_own();
    task<result<void>> flush_own();
    task<result<void>> end_when_idle();
    task<result<void>> until_failed();
    task<result<void>> finish(const result<void>& ended);
    void pump();
    void note(const result<void>& outcome);
    [[nodiscard]] bool may_be_taken_back() noexcept;

    // One request.
    task<void> serve(std::unique_ptr<BiStream> stream);
    void settle(Exchange& exchange, BiStream& stream, const result<void>* answered);
    task<result<void>> receive(Exchange& exchange);
    result<void> take_in(Exchange& exchange, BytesView octets);
    task<result<void>> until_taken(Exchange& exchange, TimePoint head_until);
    task<result<void>> answer(Exchange& exchange);
    task<result<void>> send(Exchange& exchange, Response response);
    task<result<void>> send_source(Exchange& exchange, BodySource& source,
                                   std::optional<std::uint64_t> length);
    task<result<void>> run_tunnel(Exchange& exchange, Tunnel tunnel);
    task<result<void>> skip_to_end(Exchange& exchange);
    task<result<void>> write_out(Exchange& exchange);
    [[nodiscard]] Exchange* find(std::int64_t stream) const;
    static task<result<void>> wait_list(WaitList& list);

    Loop& loop_;
    Connection& connection_;
    const DriverOptions options_;
    Http3Extension* const extension_;
    std::unique_ptr<H3Session> session_;
    std::array<OwnStream, 3> own_;
    std::map<std::int64_t, Exchange*> exchanges_;
    std::map<std::int64_t, std::unique_ptr<RecvStream>> others_;  // streams that are no requests,
    std::set<std::int64_t> refused_;                              // and those of them to be stopped
    TaskScope* tasks_ = nullptr;                                  // while it runs
    std::size_t running_ = 0;
    std::size_t requests_ = 0;
    std::uint64_t taken_back_ = 0;
    TimePoint taken_back_since_{};
    Event to_write_;
    Event failed_;
    WaitList idle_;  // a request has begun or ended
    bool draining_ = false;
    bool flooded_ = false;       // with requests that were taken back
    bool bad_datagram_ = false;  // one that names no request
};

}  // namespace alknet::http
