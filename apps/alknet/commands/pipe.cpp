#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/goodput_meter.hpp>
#include <alknet/net/network_monitor.hpp>
#include <alknet/net/stdio_stream.hpp>
#include <alknet/resume/client.hpp>
#include <alknet/rt/scope.hpp>
#include <cstdio>
#include <functional>
#include <optional>
#include <vector>

#include "client.hpp"
#include "commands.hpp"

namespace alknet::app {

namespace {

constexpr std::size_t kBufferBytes = 64 << 10;
/// How long what was sent last has to reach the other side before the command gives up on it.
constexpr Duration kDeliveryTimeout = std::chrono::seconds(30);
constexpr Duration kDeliveryStepFirst = std::chrono::milliseconds(1);
constexpr Duration kDeliveryStepMax = std::chrono::milliseconds(50);
/// A silent service is no dead one: QUIC keeps the path open, TCP gets time.
/// Routers forget a UDP exchange after half a minute at the earliest (RFC 9000 section 10.1.2).
constexpr Duration kKeepAlive = std::chrono::seconds(25);
constexpr Duration kIdleTimeout = std::chrono::minutes(10);
/// A shorter interruption is nobody's concern.
constexpr Duration kGapWorthALine = std::chrono::seconds(2);
/// How long the node has to hear that the stream is given up.
constexpr Duration kResumeGoodbyeTimeout = std::chrono::milliseconds(500);

struct Pipe {
    std::shared_ptr<Connection> connection;
    std::unique_ptr<BiStream> stream;
    std::unique_ptr<ByteStream> stdio;
    bool received_all = false;                 // the other side has finished
    Cancel* sending = nullptr;                 // of the copy from standard input, while it runs
    std::function<void(std::size_t)> moved{};  // told of octets that came or went
};

/// Remembers how fast the way is.
struct Measuring {
    Dialer& dialer;
    Loop& loop;
    Dialled way;
    GoodputMeter meter{};
    std::uint64_t bytes = 0;

    void moved(std::size_t more) {
        bytes += more;
        if (const auto measured = meter.look(loop.now(), bytes, false)) {
            dialer.report(way, measured->bytes, measured->time);
        }
    }
};

task<result<void>> send_input(Pipe& pipe) {
    std::vector<std::byte> buffer(kBufferBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await pipe.stdio->read(buffer));
        if (size == 0) {
            co_return co_await pipe.stream->finish();
        }
        ALKNET_CO_CHECK(co_await pipe.stream->write(BytesView(buffer).first(size)));
        if (pipe.moved) {
            pipe.moved(size);
        }
    }
}

task<result<void>> receive_output(Pipe& pipe) {
    std::vector<std::byte> buffer(kBufferBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await pipe.stream->read(buffer));
        if (size == 0) {
            pipe.received_all = true;
            co_return co_await pipe.stdio->finish();
        }
        auto written = co_await pipe.stdio->write(BytesView(buffer).first(size));
        if (!written && written.error().is(causes::kReset)) {
            co_return fail(causes::kOutputClosed);
        }
        ALKNET_CO_CHECK(written);
        if (pipe.moved) {
            pipe.moved(size);
        }
    }
}

// Sending ends early where that is no failure: when the other side wants no more of it, or has said
// all it had to and closed the connection.
task<result<void>> send_until_unwanted(Pipe& pipe) {
    const TaskContext context = co_await current_context();
    Cancel sending(context.cancel);
    pipe.sending = &sending;
    auto sent = co_await send_input(pipe).under(sending);
    pipe.sending = nullptr;
    if (!sent && sent.error().is(causes::kReset) && !pipe.connection->closed().requested()) {
        co_return result<void>();
    }
    if (!sent && pipe.connection->closed().requested()) {
        const auto why = pipe.connection->close_reason();
        const bool in_order = !why || (why->is(causes::kClosed) && why->code() == close_code::kOk);
        if (pipe.received_all && in_order) {
            co_return result<void>();
        }
        if (why && sent.error().is(causes::kCancelled)) {
            co_return unexpected(*why);
        }
    }
    co_return sent;
}

task<result<void>> stop_sending_at_close(Pipe& pipe) {
    ALKNET_CO_CHECK(co_await pipe.connection->wait_closed());
    if (pipe.sending != nullptr) {
        pipe.sending->request();
    }
    co_return result<void>();
}

// Closing throws away what the other side has not yet acknowledged, so this waits for it.
task<result<void>> deliver(Pipe& pipe, Loop& loop) {
    pipe.stream.reset();
    const TimePoint deadline = loop.now() + kDeliveryTimeout;
    for (Duration step = kDeliveryStepFirst; !pipe.connection->closed().requested();
         step = std::min(step * 2, kDeliveryStepMax)) {
        const ConnectionStats stats = pipe.connection->stats();
        if (stats.streams_open == 0 && stats.buffered_bytes == 0) {
            break;
        }
        if (loop.now() >= deadline) {
            co_return fail(causes::kTimeout, "the other side does not take what was sent last");
        }
        ALKNET_CO_CHECK(co_await loop.sleep(step));
    }
    co_return result<void>();
}

task<result<void>> copy_both_ways(Pipe& pipe, Loop& loop) {
    const TaskContext context = co_await current_context();
    TaskScope watching(loop, context.cancel);
    watching.spawn(stop_sending_at_close(pipe), "pipe.close");
    TaskScope copying(loop, context.cancel);
    copying.spawn(send_until_unwanted(pipe), "pipe.send");
    copying.spawn(receive_output(pipe), "pipe.receive");
    auto copied = co_await copying.join();
    watching.cancel();
    (void)co_await watching.join();
    co_return copied;
}

result<DialOptions> pipe_options(const Target& target, const PipeOptions& given, std::string alpn) {
    ALKNET_TRY(DialOptions options, dial_options(given.wishes, target, {std::move(alpn)}));
    options.transport.keep_alive = kKeepAlive;
    options.transport.idle_timeout = kIdleTimeout;
    return options;
}

task<result<void>> join_stdio(Client& client, Target target, const PipeOptions& given) {
    Loop& loop = client.loop();
    Pipe pipe;
    ALKNET_CO_TRY(DialOptions options, pipe_options(target, given, given.alpn));
    ALKNET_CO_TRY(Dialled way,
                  co_await client.dialer().dial_way(target.address, std::move(options)));
    pipe.connection = way.connection;
    Measuring measuring{.dialer = client.dialer(), .loop = loop, .way = std::move(way)};
    pipe.moved = [&measuring](std::size_t bytes) { measuring.moved(bytes); };
    ALKNET_CO_TRY(pipe.stream, co_await pipe.connection->open_bi());
    ALKNET_CO_TRY(pipe.stdio, net::make_stdio_stream(loop));
    ALKNET_CO_CHECK(co_await copy_both_ways(pipe, loop));
    ALKNET_CO_CHECK(co_await deliver(pipe, loop));
    pipe.connection->close(close_code::kOk, "");
    co_return result<void>();
}

// ---- with --resume

void say_resumed(const resume::Resumption& resumption) {
    if (resumption.gap > kGapWorthALine) {
        const auto gap = std::chrono::round<std::chrono::seconds>(resumption.gap).count();
        std::fprintf(stderr, "alknet: went on after %lld s, over %s\n", static_cast<long long>(gap),
                     std::string(to_string(resumption.transport)).c_str());
    }
}

// Whoever is in the way could make another key answer, so the stream waits; but its owner should
// know why. Of a host without a node id the store of trust tells more.
std::function<void(const error&)> say_changed_key(const NodeAddress& address) {
    return [pinned = address.id.has_value(), told = false](const error& why) mutable {
        if (pinned && !told && why.is(causes::kPeerKeyMismatch)) {
            told = true;
            std::fprintf(stderr, "alknet: %s: %s; still trying for the node that has the key\n",
                         std::string(why.cause().id).c_str(),
                         std::string(why.cause().what).c_str());
        }
    };
}

// How the service, or the node for it, ended the stream.
error explain_reset(error failure) {
    if (failure.is(causes::kReset) && failure.code() != close_code::kOk) {
        return error(causes::kClosed, failure.detail(), failure.code());
    }
    return failure;
}

task<result<void>> join_resumable(resume::ResumableClient& streams, Loop& loop, std::string alpn) {
    Pipe pipe;
    ALKNET_CO_TRY(pipe.connection, co_await streams.open(std::move(alpn)));
    ALKNET_CO_TRY(pipe.stream, co_await pipe.connection->open_bi());
    ALKNET_CO_TRY(pipe.stdio, net::make_stdio_stream(loop));
    auto copied = co_await copy_both_ways(pipe, loop);
    if (!copied) {
        co_return unexpected(explain_reset(std::move(copied).error()));
    }
    pipe.stream.reset();
    ALKNET_CO_CHECK(co_await pipe.connection->wait_closed());
    const auto why = pipe.connection->close_reason();
    co_return why->is(causes::kClosed) ? result<void>() : unexpected(*why);
}

task<result<void>> probe_at_changes(Loop& loop, resume::ResumableClient& streams) {
    // Without news a dead path is noticed by its silence.
    ALKNET_CO_TRY(auto news, net::make_system_network_news(loop));
    net::NetworkMonitor network(loop, std::move(news));
    for (;;) {
        ALKNET_CO_CHECK(co_await network.changed());
        streams.probe();
    }
}

task<result<void>> join_stdio_resumable(Client& client, Target target, const PipeOptions& given) {
    const NodeAddress address = target.address;
    ALKNET_CO_TRY(const DialOptions options,
                  pipe_options(target, given, std::string(resume::kResumeAlpn)));
    resume::ResumeClientOptions wishes;
    wishes.system_clock = true;
    wishes.knock = [&client, address, options] {
        DialOptions better = options;
        better.better_than = Rung::tcp_v6;
        return client.dialer().knock(address, std::move(better));
    };
    wishes.on_resumed = say_resumed;
    wishes.on_failed_attempt = say_changed_key(address);
    wishes.report = [&client](const Dialled& way, std::uint64_t bytes, Duration time) {
        client.dialer().report(way, bytes, time);
    };
    wishes.demoted = [&client](const Dialled& way) { return client.dialer().demoted(way); };
    const auto streams = resume::ResumableClient::create(
        client.loop(),
        [&client, address, options](std::optional<Rung> better_than) {
            DialOptions better = options;
            better.better_than = better_than;
            return client.dialer().dial_way(address, std::move(better));
        },
        std::move(wishes));
    TaskScope watching(client.loop());
    watching.spawn(probe_at_changes(client.loop(), *streams), "pipe.network");
    auto joined = co_await join_resumable(*streams, client.loop(), given.alpn);
    watching.cancel();
    (void)co_await watching.join();
    co_await streams->shutdown(kResumeGoodbyeTimeout);
    co_return joined;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const PipeOptions& options) {
    ALKNET_CHECK(tls::check_alpn(options.alpn));
    ALKNET_TRY(auto client, Client::create(line, Client::As::owner, options.wishes.tofu));
    ALKNET_TRY(auto target, resolve_target(options.address, client->peers()));
    Asked asked{.target = target, .wishes = options.wishes, .service = options.alpn};
    auto work = options.resume ? join_stdio_resumable(*client, std::move(target), options)
                               : join_stdio(*client, std::move(target), options);
    if (auto outcome = client->run(std::move(work), std::move(asked)); !outcome) {
        return unexpected(explain_close(std::move(outcome).error()));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
