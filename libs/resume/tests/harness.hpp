// A node that serves resumable streams, and clients of it, joined by byte streams in memory that
// can be cut behind any octet, fall silent, or not come about.
#pragma once

#include <gtest/gtest.h>

#include <alknet/base/causes.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/resume/client.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alknet::resume {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

inline Bytes noise(std::size_t size, std::uint32_t state = 12345) {
    Bytes bytes(size);
    for (std::byte& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<std::byte>(state >> 24);
    }
    return bytes;
}

inline PeerIdentity key_of(std::uint8_t number) {
    PeerIdentity peer;
    peer.kind = PeerIdentity::Kind::raw_key;
    const Bytes seed(32, static_cast<std::byte>(number));
    peer.key = NodeKey::from_seed(seed).value()->id();
    return peer;
}

/// While it is set, what is written vanishes and nothing arrives.
struct Silence {
    bool on = false;
};

/// A byte stream on a path that can fall silent without breaking.
class SilentStream final : public BiStream {
public:
    SilentStream(std::unique_ptr<ByteStream> stream, std::shared_ptr<Silence> silence)
        : stream_(std::move(stream)), silence_(std::move(silence)) {}

    task<result<std::size_t>> read(MutableBytes into) override {
        for (;;) {
            auto size = co_await stream_->read(into);
            if (!silence_->on) {
                co_return size;
            }
            Event never;
            ALKNET_CO_CHECK(co_await never.wait());
        }
    }
    task<result<void>> write(BytesView data) override {
        if (silence_->on) {
            co_return result<void>{};
        }
        co_return co_await stream_->write(data);
    }
    task<result<void>> finish() override {
        if (silence_->on) {
            co_return result<void>{};
        }
        co_return co_await stream_->finish();
    }
    void reset(std::uint64_t code) noexcept override { stream_->reset(code); }
    void stop(std::uint64_t code) noexcept override { stream_->stop(code); }
    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }

private:
    std::unique_ptr<ByteStream> stream_;
    std::shared_ptr<Silence> silence_;
};

/// Where a connection breaks.
struct Cut {
    std::uint64_t there = net::MemoryStreamOptions::kNever;  // octets from the client
    std::uint64_t back = net::MemoryStreamOptions::kNever;   // octets to it
};

/// Does what the test says, for each connection.
class ScriptHandler final : public ProtocolHandler {
public:
    using Script = std::function<task<result<void>>(std::shared_ptr<Connection>)>;
    ScriptHandler(std::string alpn, Script script)
        : alpn_(std::move(alpn)), script_(std::move(script)) {}

    [[nodiscard]] std::vector<std::string> alpns() const override { return {alpn_}; }
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext) override {
        ++running;
        ++started;
        auto outcome = co_await script_(std::move(connection));
        --running;
        if (!outcome) {
            last_error = outcome.error();
        }
        co_return outcome;
    }

    int running = 0;
    int started = 0;
    std::optional<error> last_error;

private:
    std::string alpn_;
    Script script_;
};

class Harness {
public:
    explicit Harness(Loop& l, ResumeLimits limits = {}) : loop(l), scope_(l) {
        options.registry = registry;
        options.log = Log(sink);
        options.metrics = metrics;
        options.identities = identities;
        options.limits.connections_per_identity_max = 100'000;
        handler = ResumeHandler::create(
            loop, {.serve = [this](std::shared_ptr<Connection> c) { return serve(std::move(c)); },
                   .may_open = [this](std::string_view alpn,
                                      const ConnectionInfo&) { return may_open(alpn); },
                   .limits = limits,
                   .log = Log(sink),
                   .metrics = metrics});
        EXPECT_TRUE(registry->add(handler));
        // Its own patience with silence is not what is tested here.
        EXPECT_TRUE(registry->add(
            std::make_shared<EchoHandler>(EchoOptions{.stream_idle_timeout = hours(24)})));
        endpoint = Endpoint::create(loop, options);
    }
    ~Harness() { EXPECT_EQ(endpoint->connections(), 0U); }
    task<void> end() {
        co_await endpoint->shutdown();
        (void)co_await scope_.join();
        EXPECT_EQ(handler->streams(), 0U);
    }

    std::shared_ptr<ScriptHandler> add(std::string alpn, ScriptHandler::Script script,
                                       AlpnPolicy policy = {}) {
        auto made = std::make_shared<ScriptHandler>(std::move(alpn), std::move(script));
        EXPECT_TRUE(registry->add(made, policy));
        return made;
    }

    task<result<std::shared_ptr<Connection>>> connect(PeerIdentity who) {
        ++attempts;
        if (unreachable) {
            co_return fail(causes::kUnreachable, "the test says so");
        }
        Cut cut;
        if (!cuts.empty()) {
            cut = cuts.front();
            cuts.pop_front();
        }
        auto [near, far] = net::make_memory_streams({.buffer_bytes = 4096,
                                                     .break_after_read_bytes = cut.back,
                                                     .break_after_written_bytes = cut.there},
                                                    {.buffer_bytes = 4096});
        silence = std::make_shared<Silence>();
        silence->on = born_silent > 0;
        born_silent -= silence->on ? 1 : 0;
        ConnectionInfo info;
        info.alpn = kResumeAlpn;
        info.transport = transport;
        info.peer = key_of(0xee);
        client_side = make_stream_connection(
            loop, std::make_unique<SilentStream>(std::move(near), silence), options_of(info));
        info.server_side = true;
        info.peer = who;
        auto server_side = make_stream_connection(
            loop, std::make_unique<SilentStream>(std::move(far), silence), options_of(info));
        scope_.spawn(serve(server_side), "node");
        co_return client_side;
    }
    /// A way that is better than `rung` fails while it is the best.
    task<result<Dialled>> connect_way(PeerIdentity who, std::optional<Rung> better_than) {
        if (better_than) {
            better_asked.push_back(loop.now());
        }
        if (better_than && rung >= *better_than) {
            co_return fail(causes::kUnreachable, "nothing is better");
        }
        const Rung by = rung;
        ALKNET_CO_TRY(auto connection, co_await connect(std::move(who)));
        co_return Dialled{.connection = std::move(connection), .rung = by};
    }
    Reconnect reconnect(PeerIdentity who) {
        return [this, who](std::optional<Rung> better) { return connect_way(who, better); };
    }
    std::unique_ptr<ResumableClient> client(ResumeClientOptions o = {}, std::uint8_t key = 1) {
        o.on_resumed = [this](const Resumption& r) { resumptions.push_back(r); };
        return ResumableClient::create(loop, reconnect(key_of(key)), std::move(o));
    }
    void cut() { client_side->close(0, "cut"); }

    void know(std::string name, std::uint8_t key) {
        peers.push_back({.identity = {.id = std::move(name), .scopes = {}, .resources = {}},
                         .fingerprints = {key_of(key).fingerprint()}});
        EXPECT_TRUE(identities->replace(peers));
    }

    Loop& loop;
    std::shared_ptr<HandlerRegistry> registry = std::make_shared<HandlerRegistry>();
    std::shared_ptr<sim::MemoryLogSink> sink = std::make_shared<sim::MemoryLogSink>();
    std::shared_ptr<Metrics> metrics = std::make_shared<Metrics>();
    std::shared_ptr<StaticIdentityProvider> identities = StaticIdentityProvider::create({}).value();
    std::vector<StaticPeer> peers;
    EndpointOptions options;
    std::shared_ptr<ResumeHandler> handler;
    std::unique_ptr<Endpoint> endpoint;

    std::deque<Cut> cuts;  // of the next connections
    bool unreachable = false;
    std::size_t attempts = 0;
    Transport transport = Transport::tcp;  // as it calls itself
    Rung rung = Rung::quic_v4;             // by which the next connection goes
    std::size_t born_silent = 0;           // so many of the next connections never say a word
    std::vector<TimePoint> better_asked{};
    std::shared_ptr<Silence> silence;  // of the last connection
    std::shared_ptr<Connection> client_side;
    std::vector<Resumption> resumptions;

private:
    task<void> serve(std::shared_ptr<Connection> connection) {
        return endpoint->serve(std::move(connection));
    }
    static StreamConnectionOptions options_of(const ConnectionInfo& info) {
        StreamConnectionOptions made;
        made.info = info;
        return made;
    }
    result<void> may_open(std::string_view alpn) const {
        return registry->find(alpn) == nullptr
                   ? result<void>(fail(causes::kNoHandler, std::string(alpn)))
                   : result<void>{};
    }

    TaskScope scope_;
};

inline task<result<void>> say(SendStream& stream, Bytes data) {
    ALKNET_CO_CHECK(co_await stream.write(data));
    co_return co_await stream.finish();
}

inline task<result<Bytes>> hear(RecvStream& stream) {
    Bytes heard;
    Bytes buffer(777);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
        if (size == 0) {
            co_return heard;
        }
        heard.insert(heard.end(), buffer.begin(), buffer.begin() + std::ptrdiff_t(size));
    }
}

/// Says `data`, ends, and gives all that comes back.
inline task<result<Bytes>> exchange(Loop& loop, BiStream& stream, Bytes data) {
    TaskScope scope(loop);
    scope.spawn(say(stream, std::move(data)), "say");
    auto heard = co_await hear(stream);
    ALKNET_CO_CHECK(co_await scope.join());
    co_return heard;
}

/// The whole of it: open, exchange, let go, until it has been delivered.
inline task<result<Bytes>> echo_once(Loop& loop, ResumableClient& client, Bytes data,
                                     std::string alpn = std::string(kEchoAlpn)) {
    ALKNET_CO_TRY(auto connection, co_await client.open(std::move(alpn)));
    ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
    ALKNET_CO_TRY(auto heard, co_await exchange(loop, *stream, std::move(data)));
    stream.reset();
    ALKNET_CO_CHECK(co_await connection->wait_closed());
    co_return heard;
}

}  // namespace alknet::resume
