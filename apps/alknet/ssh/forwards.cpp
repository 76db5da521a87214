#include "forwards.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <utility>

namespace alknet::app {

namespace {

using ssh::ForwardSpec;
using Kind = ForwardSpec::Kind;

constexpr Duration kAgainDelay = std::chrono::seconds(1);

/// What another attempt cannot mend.
bool is_decisive(const error& why) noexcept {
    return why.is(errc::forbidden) || why.is(errc::auth_required) || why.is(errc::invalid) ||
           why.is(errc::not_found) || why.is(errc::cancelled);
}

socks::SocksOutcome outcome_of(const error& why) noexcept {
    if (why.is(errc::forbidden)) {
        return socks::SocksOutcome::forbidden;
    }
    return why.is(errc::unavailable) ? socks::SocksOutcome::unreachable
                                     : socks::SocksOutcome::failed;
}

ssh::TcpRoute route_to(const ssh::ForwardEnd& target, const SocketAddress& from) {
    const bool known = from.family() != SocketAddress::Family::none;
    return {.host = target.host,
            .port = target.port,
            .from_host = known ? from.ip_text() : "127.0.0.1",
            .from_port = from.port()};
}

}  // namespace

/// One of the places where a forward listens here.
struct Forwards::Listener {
    const ForwardSpec& forward;
    std::unique_ptr<net::TcpListener> tcp{};
    std::unique_ptr<net::UnixListener> socket{};
};

Forwards::Forwards(Loop& loop, net::Network& network, ForwardsOptions options)
    : loop_(loop), network_(network), options_(std::move(options)) {}

Forwards::~Forwards() = default;

void Forwards::failed(const ForwardSpec& forward, const error& why, std::optional<Duration> again) {
    options_.tell(
        {.state = ForwardNews::State::failed, .forward = &forward, .why = &why, .again = again});
}

task<result<void>> Forwards::run() {
    const TaskContext context = co_await current_context();
    TaskScope tasks(loop_, context.cancel);
    tasks_ = &tasks;
    result<void> ended = co_await listen_here();
    if (ended) {
        ended = co_await keep_session();
    }
    tasks.cancel();
    (void)co_await tasks.join();
    tasks_ = nullptr;
    co_return ended;
}

// Here first: what cannot be had is known before anybody is asked.
task<result<void>> Forwards::listen_here() {
    for (const ForwardSpec& forward : options_.forwards) {
        if (forward.kind == Kind::remote) {
            continue;
        }
        const auto listening = co_await listen_at(forward);
        if (!listening) {
            failed(forward, listening.error());
        }
        if (!listening && (options_.fail_fast || listening.error().is(errc::cancelled))) {
            co_return listening;
        }
    }
    co_return result<void>();
}

task<result<void>> Forwards::listen_at(const ForwardSpec& forward) {
    const auto begin = [this, &forward](std::shared_ptr<Listener> listener, std::string at) {
        options_.tell(
            {.state = ForwardNews::State::listening, .forward = &forward, .at = std::move(at)});
        tasks_->spawn(accept_from(std::move(listener)), "forward.accept");
    };
    if (forward.listen.is_socket()) {
        ALKNET_CO_TRY(auto socket, net::listen_unix(loop_, forward.listen.path));
        begin(std::make_shared<Listener>(Listener{.forward = forward, .socket = std::move(socket)}),
              forward.listen.path);
        co_return result<void>();
    }
    const std::string host = forward.listen.host.empty() ? "::" : forward.listen.host;
    ALKNET_CO_TRY(const auto addresses,
                  co_await network_.resolve(loop_, host, forward.listen.port));
    std::optional<error> first;
    bool listening = false;
    for (const SocketAddress& address : addresses) {
        if (listening && forward.listen.port == 0) {
            break;  // one port, and not another one for each family
        }
        auto tcp = network_.listen_tcp(loop_, address);
        if (!tcp) {
            first = first ? *first : tcp.error();
            continue;
        }
        listening = true;
        const std::string at = (*tcp)->local_address().to_string();
        begin(std::make_shared<Listener>(Listener{.forward = forward, .tcp = *std::move(tcp)}), at);
    }
    if (listening) {
        co_return result<void>();
    }
    co_return first ? unexpected(*first) : fail(causes::kResolve, host);
}

task<void> Forwards::accept_from(std::shared_ptr<Listener> listener) {
    for (;;) {
        std::unique_ptr<ByteStream> stream;
        SocketAddress from;
        std::optional<error> failure;
        if (listener->tcp != nullptr) {
            auto accepted = co_await listener->tcp->accept();
            if (accepted) {
                stream = std::move(accepted->stream);
                from = accepted->remote;
            } else {
                failure = std::move(accepted).error();
            }
        } else {
            auto accepted = co_await listener->socket->accept();
            if (accepted) {
                stream = std::move(accepted->stream);
            } else {
                failure = std::move(accepted).error();
            }
        }
        if (failure && failure->is(errc::cancelled)) {
            co_return;
        }
        if (failure && !co_await loop_.sleep(kAgainDelay)) {
            co_return;
        }
        if (!failure && connections_ < kConnectionsMax) {
            ++connections_;
            tasks_->spawn(serve(listener, std::move(stream), from), "forward.serve");
        }
    }
}

// What fails is the other program's to notice: its connection ends.
task<void> Forwards::serve(std::shared_ptr<Listener> listener, std::unique_ptr<ByteStream> stream,
                           SocketAddress from) {
    if (listener->forward.kind == Kind::dynamic) {
        (void)co_await serve_socks(*stream, from);
        co_return;
    }
    auto channel = co_await open(listener->forward.target, from);
    --connections_;
    if (!channel) {
        stream->reset(0);
        co_return;
    }
    (void)co_await (*channel)->join(*stream);
}

namespace {

struct SocksTalk {
    socks::SocksServer server;
    Bytes rest{};  // what follows the request
};

task<result<void>> hear_socks(SocksTalk& talk, ByteStream& stream) {
    Bytes buffer(4096);
    while (!talk.server.request()) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
        if (size == 0) {
            co_return fail(causes::kClosed);
        }
        const BytesView got = BytesView(buffer).first(size);
        const auto taken = talk.server.take(got);
        const Bytes output = talk.server.take_output();
        if (!output.empty()) {
            ALKNET_CO_CHECK(co_await stream.write(output));
        }
        if (!taken) {
            (void)co_await stream.finish();
            co_return unexpected(taken.error());
        }
        talk.rest = to_bytes(got.subspan(*taken));
    }
    co_return result<void>();
}

}  // namespace

task<result<void>> Forwards::serve_socks(ByteStream& stream, SocketAddress from) {
    SocksTalk talk{.server = socks::SocksServer(options_.socks)};
    auto heard = co_await with_timeout(kSocksTime, hear_socks(talk, stream));
    result<std::unique_ptr<ssh::SshChannel>> channel = fail(causes::kClosed);
    if (heard) {
        const ssh::ForwardEnd target{
            .path = {}, .host = talk.server.request()->host, .port = talk.server.request()->port};
        channel = co_await open(target, from);
    }
    --connections_;
    ALKNET_CO_CHECK(heard);
    const auto outcome = channel ? socks::SocksOutcome::granted : outcome_of(channel.error());
    ALKNET_CO_CHECK(co_await stream.write(talk.server.answer(outcome)));
    if (!channel) {
        co_return co_await stream.finish();
    }
    if (!talk.rest.empty()) {
        ALKNET_CO_CHECK(co_await (*channel)->write(talk.rest));
    }
    co_return co_await (*channel)->join(stream);
}

task<result<std::unique_ptr<ssh::SshChannel>>> Forwards::open(const ssh::ForwardEnd& target,
                                                              SocketAddress from) {
    ALKNET_CO_TRY(const auto way, co_await with_timeout(kSessionWait, session()));
    ssh::SshClient& client = way->client();
    if (target.is_socket()) {
        co_return co_await client.open_socket(target.path);
    }
    co_return co_await client.open_tcp(route_to(target, from));
}

task<result<std::shared_ptr<SshWay>>> Forwards::session() {
    while (way_ == nullptr) {
        ALKNET_CO_CHECK(co_await connected_.wait());
    }
    co_return way_;
}

// One session after the other. The first that cannot be had for a reason that stays ends it all;
// what is lost later may come back, whatever the reason is.
task<result<void>> Forwards::keep_session() {
    Duration delay = kFirstDelay;
    bool had_one = false;
    for (;;) {
        auto way = co_await options_.connect();
        result<void> ended = way ? result<void>() : unexpected(way.error());
        if (way) {
            delay = kFirstDelay;
            had_one = true;
            ended = co_await use_session(*std::move(way));
        }
        if (options_.fail_fast || ended.error().is(errc::cancelled) ||
            (!had_one && is_decisive(ended.error()))) {
            co_return ended;
        }
        options_.tell({.state = ForwardNews::State::lost, .why = &ended.error(), .again = delay});
        ALKNET_CO_CHECK(co_await loop_.sleep(delay));
        delay = std::min(delay * 2, kLastDelay);
    }
}

// Until it ends, and why.
task<result<void>> Forwards::use_session(std::shared_ptr<SshWay> way) {
    const TaskContext context = co_await current_context();
    TaskScope regaining(loop_, context.cancel);
    way_ = way;
    options_.tell({.state = ForwardNews::State::connected});
    connected_.wake_all();
    result<void> ended;
    for (const ForwardSpec& forward : options_.forwards) {
        if (forward.kind != Kind::remote || !ended) {
            continue;
        }
        const auto listening = co_await listen_there(way->client(), forward);
        if (listening) {
            continue;
        }
        const bool decides = options_.fail_fast || listening.error().is(errc::cancelled);
        if (!decides && had_.contains(&forward)) {
            regaining.spawn(regain(way, forward, listening.error()), "forward.regain");
        } else {
            failed(forward, listening.error());
        }
        ended = decides ? listening : result<void>();
    }
    if (ended) {
        ended = co_await way->client().wait_closed();
    }
    way_ = nullptr;
    regaining.cancel();
    (void)co_await regaining.join();
    co_await way->close();
    co_return ended;
}

// A server that has not noticed yet that the session before is lost listens for that still.
task<void> Forwards::regain(std::shared_ptr<SshWay> way, const ForwardSpec& forward, error why) {
    for (Duration delay = kFirstDelay;; delay = std::min(delay * 2, kLastDelay)) {
        failed(forward, why, delay);
        if (!co_await loop_.sleep(delay)) {
            co_return;
        }
        const auto listening = co_await listen_there(way->client(), forward);
        if (listening || !listening.error().is(errc::forbidden)) {
            co_return;  // it is there again, or the session is lost
        }
        why = listening.error();
    }
}

task<result<void>> Forwards::listen_there(ssh::SshClient& client, const ForwardSpec& forward) {
    const auto arrivals = [this, &forward](std::unique_ptr<ssh::SshArrival> arrival) {
        if (connections_ < kConnectionsMax) {
            ++connections_;
            tasks_->spawn(serve_arrival(forward, std::move(arrival)), "forward.arrival");
        }
    };
    std::string at = forward.listen.path;
    if (forward.listen.is_socket()) {
        ALKNET_CO_CHECK(co_await client.listen_socket(forward.listen.path, arrivals));
    } else {
        ALKNET_CO_TRY(
            const std::uint16_t port,
            co_await client.listen_tcp(forward.listen.host, forward.listen.port, arrivals));
        ssh::ForwardEnd end = forward.listen;
        end.port = port;
        at = end.to_string();
    }
    had_.insert(&forward);
    options_.tell(
        {.state = ForwardNews::State::listening, .forward = &forward, .at = std::move(at)});
    co_return result<void>();
}

task<void> Forwards::serve_arrival(const ForwardSpec& forward,
                                   std::unique_ptr<ssh::SshArrival> arrival) {
    auto stream = co_await connect_here(forward.target);
    --connections_;
    if (!stream) {
        arrival->refuse(stream.error().cause().what);
        co_return;
    }
    auto channel = arrival->accept();
    if (channel) {
        (void)co_await (*channel)->join(**stream);
    }
}

task<result<std::unique_ptr<ByteStream>>> Forwards::connect_here(const ssh::ForwardEnd& target) {
    if (target.is_socket()) {
        ALKNET_CO_TRY(auto connected, net::connect_unix(loop_, target.path));
        co_return std::move(connected.stream);
    }
    auto resolving = network_.resolve(loop_, target.host, target.port);
    ALKNET_CO_TRY(const auto addresses,
                  co_await with_timeout(ssh::kConnectTime, std::move(resolving)));
    std::vector<task<result<net::TcpStream>>> attempts;
    for (const SocketAddress& address : addresses) {
        attempts.push_back(network_.connect_tcp(loop_, address));
    }
    if (attempts.empty()) {
        co_return fail(causes::kResolve, target.host);
    }
    auto trying = first_success(std::move(attempts));
    ALKNET_CO_TRY(auto connected, co_await with_timeout(ssh::kConnectTime, std::move(trying)));
    co_return std::move(connected.stream);
}

}  // namespace alknet::app
