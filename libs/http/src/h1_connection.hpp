// One HTTP/1.1 connection: requests one after the other on one stream, each answered before the
// next is looked at. While a request is answered one more read is made, so that the end of the
// client is noticed; what it brings waits in the buffer, and so no more than kPieceBytes of
// pipelined requests are ever held.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/log.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/request_parser.hpp>
#include <alknet/http/response_writer.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <functional>
#include <string>

#include "write_turns.hpp"

namespace alknet::http {

/// How long a client may take to end a tunnel that this end has ended.
inline constexpr Duration kTunnelEndTimeout = std::chrono::seconds(5);

/// What has become of a request, for the access log.
struct Served {
    const RequestHead& head;
    int status = 0;
    std::uint64_t bytes = 0;  // of content
    Duration duration{};
    std::string_view by_token{};  // the id of whom a token has named
};

struct DriverOptions {
    Limits limits;
    const AuthContext& auth;
    std::string_view trace_id;
    SocketAddress local{};
    /// The field Alt-Svc of each response (RFC 7838); empty: none.
    std::string alt_svc{};
    /// Never fails. Below a Cancel that is requested when the client has gone.
    std::function<task<Response>(Request&)> answer;
    std::function<void(const Served&)> served;
};

/// What the adapter tells to end when it shuts down.
class Draining {
public:
    virtual ~Draining() = default;
    /// The requests that are being answered are the last ones.
    virtual void drain() noexcept = 0;
};

class H1Connection final : public Draining {
public:
    /// The stream and what the options refer to must outlive it.
    H1Connection(Loop& loop, BiStream& stream, DriverOptions options);
    H1Connection(const H1Connection&) = delete;
    H1Connection& operator=(const H1Connection&) = delete;

    /// What has been read of the stream before, of at most kPieceBytes. Before `run`.
    void begin_with(BytesView octets, bool ended);
    /// Until the client, a limit or `drain` ends it. Errors: those of the stream.
    task<result<void>> run();
    void drain() noexcept override;

private:
    class Body;
    class TunnelStream;
    enum class Next : std::uint8_t { head, refused, ended };

    task<result<Next>> next_head();
    task<result<std::size_t>> receive(Duration limit);
    task<result<void>> refuse();
    task<result<bool>> serve();
    task<result<void>> exchange(Request& request, Body& body);
    task<result<void>> watch(Body& body);
    task<result<void>> send(const RequestHead& head, Response response, Body& body);
    task<result<void>> run_tunnel(Tunnel tunnel);
    task<result<void>> send_source(BodySource& source, Framing framing, std::uint64_t left);
    task<result<void>> write(BytesView octets);
    task<result<void>> write_whole(std::string octets, std::string_view content);
    /// Octets that nobody reads would make the kernel take back the answer from a client that has
    /// not read it yet: so they are read, for a while (RFC 9112 section 9.6).
    task<result<void>> end();

    Loop& loop_;
    BiStream& stream_;
    const DriverOptions options_;
    RequestParser parser_;
    Bytes buffer_;
    BytesView input_;                // of the buffer, not yet parsed
    Cancel* idle_cancel_ = nullptr;  // of the wait for the next request
    std::size_t requests_ = 0;
    std::uint64_t sent_bytes_ = 0;  // of the content of this response
    int status_ = 0;
    std::string by_token_;  // of this response
    WriteTurns turns_;
    WaitList watched_;       // whoever waits for what `watch` reads
    bool watching_ = false;  // `watch` reads
    bool tunnelling_ = false;
    bool finished_ = false;  // this end
    bool ended_ = false;     // the client has finished
    bool draining_ = false;
    bool timed_out_ = false;  // while a head arrived
    bool keep_alive_ = true;
    bool linger_ = false;  // the client may still be sending what was answered early
};

}  // namespace alknet::http
