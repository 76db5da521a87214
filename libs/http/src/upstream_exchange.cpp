#include "upstream_exchange.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/response_writer.hpp>
#include <alknet/net/proxy_protocol.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>

#include "rate_buckets.hpp"

namespace alknet::http {

namespace {

// Of an answer's head: servers say more than clients.
constexpr MessageLimits kAnswerLimits{.header_bytes_max = 64 << 10, .fields_max = 200};

}  // namespace

std::string client_of(const Request& request) {
    return request.caller() ? std::string(kIdentity) + request.caller()->id
                            : "ip " + request.auth.remote.limit_group().ip_text();
}

bool ProxyRoute::enter(const std::string& client) {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(client);
    if (running_ >= kUpstreamExchangesMax ||
        (found != clients_.end() && found->second >= kUpstreamExchangesEachMax)) {
        return false;
    }
    ++clients_[client];
    ++running_;
    return true;
}

void ProxyRoute::leave(const std::string& client) {
    const std::lock_guard lock(mutex_);
    --running_;
    const auto found = clients_.find(client);
    if (--found->second == 0) {
        clients_.erase(found);
    }
}

UpstreamExchange::UpstreamExchange(std::shared_ptr<ProxyRoute> route, Request& request, Loop& loop,
                                   Cancel* cancel)
    : route_(std::move(route)),
      client_(client_of(request)),
      placed_(route_->enter(client_)),
      request_(request),
      loop_(loop),
      parser_(kAnswerLimits, request.head.method == "HEAD"),
      scope_(loop, cancel) {}

UpstreamExchange::~UpstreamExchange() {
    if (placed_) {
        route_->leave(client_);
    }
}

task<result<void>> UpstreamExchange::connect() {
    if (!placed_) {
        co_return fail(causes::kLimit, "too many requests are at this upstream");
    }
    const ProxyOptions& options = route_->options;
    if (!options.upstream.socket.empty()) {
        if (route_->reach.may_connect_socket) {
            ALKNET_CO_CHECK(route_->reach.may_connect_socket(options.upstream.socket));
        }
        ALKNET_CO_TRY(net::UnixStream connected, net::connect_unix(loop_, options.upstream.socket));
        stream_ = std::move(connected.stream);
    } else {
        ALKNET_CO_TRY(stream_, co_await with_timeout(options.connect_timeout, connect_host()));
    }
    buffer_.resize(kPieceBytes);
    if (options.proxy_header) {
        co_return co_await send_proxy_header();
    }
    co_return result<void>();
}

// A name leads to several addresses: each is asked for by itself, and those that are allowed are
// tried.
task<result<std::unique_ptr<ByteStream>>> UpstreamExchange::connect_host() {
    const Reach& reach = route_->reach;
    const Upstream& upstream = route_->options.upstream;
    if (reach.network == nullptr || !reach.may_connect) {
        co_return fail(causes::kForbidden, "nothing may be connected to");
    }
    ALKNET_CO_TRY(const auto addresses,
                  co_await reach.network->resolve(loop_, upstream.host, upstream.port));
    std::vector<task<result<net::TcpStream>>> attempts;
    error denied(causes::kResolve);
    for (const SocketAddress& address : addresses) {
        if (auto may = reach.may_connect(upstream.host, address)) {
            attempts.push_back(reach.network->connect_tcp(loop_, address));
        } else {
            denied = std::move(may).error();
        }
    }
    if (attempts.empty()) {
        co_return unexpected(std::move(denied));
    }
    ALKNET_CO_TRY(net::TcpStream connected, co_await first_success(std::move(attempts)));
    co_return std::move(connected.stream);
}

task<result<void>> UpstreamExchange::send_proxy_header() {
    ALKNET_CO_TRY(const Bytes header,
                  net::encode_proxy_header(
                      {.source = request_.auth.remote, .destination = request_.local, .tlvs = {}}));
    co_return co_await write(header);
}

task<result<void>> UpstreamExchange::write(BytesView octets) {
    while (!octets.empty()) {
        const BytesView piece = octets.first(std::min(octets.size(), kPieceBytes));
        octets = octets.subspan(piece.size());
        ALKNET_CO_CHECK(co_await with_timeout(route_->options.idle_timeout, stream_->write(piece)));
        sent_at_ = loop_.now();
    }
    co_return result<void>();
}

task<void> UpstreamExchange::send(std::string head) {
    // An upstream that takes no more may have answered already.
    (void)co_await send_all(std::move(head));
    sent_ = true;
}

task<result<void>> UpstreamExchange::send_all(std::string head) {
    ALKNET_CO_CHECK(co_await write(as_bytes(head)));
    const bool chunked = request_.head.chunked;
    Bytes piece(request_.head.has_body() ? kPieceBytes : 0);
    while (request_.head.has_body()) {
        const auto count = co_await request_.body.read(piece);
        if (!count) {
            failure_ = count.error();
            failed_.set();
            co_return unexpected(count.error());
        }
        const BytesView read = BytesView(piece).first(*count);
        if (*count == 0) {
            break;
        }
        if (chunked) {
            std::string chunk = chunk_begin(*count);
            chunk.append(as_text(read)).append(kChunkEnd);
            ALKNET_CO_CHECK(co_await write(as_bytes(chunk)));
        } else {
            ALKNET_CO_CHECK(co_await write(read));
        }
    }
    co_return chunked ? co_await write(as_bytes(kLastChunk)) : result<void>();
}

task<result<void>> UpstreamExchange::wait_failed() {
    ALKNET_CO_CHECK(co_await failed_.wait());
    co_return failure_ ? unexpected(*failure_) : result<void>();
}

task<result<std::size_t>> UpstreamExchange::receive(Duration limit) {
    const auto count = co_await with_timeout(limit, stream_->read(buffer_));
    if (count) {
        input_ = BytesView(buffer_).first(*count);
        ended_ = *count == 0;
    }
    co_return count;
}

// A request that breaks off is the end of its answer.
task<result<void>> UpstreamExchange::receive_or_fail(Duration limit) {
    if (sent_ && !failure_) {
        ALKNET_CO_CHECK(co_await receive(limit));
        co_return result<void>();
    }
    const auto outcome = co_await race(receive(limit), wait_failed());
    if (outcome.index() == 1) {
        co_return std::get<1>(outcome);
    }
    const auto& received = std::get<0>(outcome);
    co_return received ? result<void>() : unexpected(received.error());
}

task<result<ResponseHead>> UpstreamExchange::begin(std::string head) {
    scope_.spawn(send(std::move(head)), "http.upstream");
    for (;;) {
        const MessageStep step = parser_.next(input_);
        if (step.event == MessageEvent::refused) {
            co_return fail(causes::kProtocol, std::string(parser_.refusal().reason));
        }
        if (step.event == MessageEvent::head && !parser_.head().interim()) {
            co_return std::move(parser_.head());
        }
        if (step.event == MessageEvent::head) {
            continue;
        }
        if (ended_) {
            co_return fail(causes::kClosed, "the upstream ended before its answer");
        }
        const Duration limit = route_->options.answer_timeout;
        const TimePoint until = time_after(sent_ ? sent_at_ : loop_.now(), limit);
        const auto received = co_await receive_or_fail(until - loop_.now());
        // A long request is not yet answered.
        const bool goes_on = !sent_ || loop_.now() < time_after(sent_at_, limit);
        if (!received && !(received.error().is(errc::timeout) && goes_on && !failure_)) {
            co_return unexpected(received.error());
        }
    }
}

task<result<std::size_t>> UpstreamExchange::read(MutableBytes into) {
    while (rest_.empty()) {
        const MessageStep step = parser_.next(input_);
        if (step.event == MessageEvent::data) {
            rest_ = step.data;
        } else if (step.event == MessageEvent::end || (ended_ && parser_.ends_with_connection())) {
            co_return 0U;
        } else if (step.event == MessageEvent::refused) {
            co_return fail(causes::kProtocol, std::string(parser_.refusal().reason));
        } else if (ended_) {
            co_return fail(causes::kClosed, "the upstream ended within its answer");
        } else {
            ALKNET_CO_CHECK(co_await receive_or_fail(route_->options.idle_timeout));
        }
    }
    const std::size_t count = std::min(rest_.size(), into.size());
    std::copy_n(rest_.begin(), count, into.begin());
    rest_ = rest_.subspan(count);
    co_return count;
}

task<result<void>> UpstreamExchange::relay(BiStream& client) {
    const auto outcome = co_await race(relay_both(client), wait_idle());
    co_return std::visit([](const result<void>& one) { return one; }, outcome);
}

task<result<void>> UpstreamExchange::relay_both(BiStream& client) {
    const TaskContext context = co_await current_context();
    TaskScope both(loop_, context.cancel);
    both.spawn(relay_up(client), "http.tunnel_up");
    both.spawn(relay_down(client), "http.tunnel_down");
    co_return co_await both.join();
}

task<result<void>> UpstreamExchange::wait_idle() {
    do {
        relayed_ = false;
        ALKNET_CO_CHECK(co_await loop_.sleep(kTunnelIdleTimeout));
    } while (relayed_);
    co_return fail(causes::kIdleTimeout);
}

task<result<void>> UpstreamExchange::relay_up(BiStream& client) {
    Bytes piece(kPieceBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await client.read(piece));
        if (count == 0) {
            co_return co_await stream_->finish();
        }
        relayed_ = true;
        ALKNET_CO_CHECK(co_await write(BytesView(piece).first(count)));
    }
}

// Begins with what came after the head.
task<result<void>> UpstreamExchange::relay_down(BiStream& client) {
    while (!ended_) {
        relayed_ = true;
        ALKNET_CO_CHECK(co_await with_timeout(route_->options.idle_timeout, client.write(input_)));
        ALKNET_CO_CHECK(co_await receive(Duration::max()));
    }
    co_return co_await client.finish();
}

}  // namespace alknet::http
