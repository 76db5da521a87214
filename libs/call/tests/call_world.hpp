// A server and a client of alknet/call in memory, on virtual time.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/call/adapter.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/core/memory_connection.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <stdexcept>

namespace alknet::call {

enum class Carrier : std::uint8_t { streams, one_stream };

inline Identity known(std::vector<std::string> scopes = {"*:*:*"}) {
    Identity made;
    made.id = "peer-1";
    made.scopes = std::move(scopes);
    return made;
}

/// What the operations of the server leave behind.
struct Seen {
    int running = 0;
    int cancelled = 0;
    std::vector<CallContext> contexts{};
};

inline task<result<Json>> echo(Seen& seen, CallContext context, Json input) {
    seen.contexts.push_back(std::move(context));
    co_return input;
}

inline task<result<Json>> wait_for(Seen& seen, Duration how_long) {
    ++seen.running;
    const TaskContext context = co_await current_context();
    const auto slept = co_await context.loop->sleep(how_long);
    --seen.running;
    if (!slept) {
        ++seen.cancelled;
        co_return unexpected(slept.error());
    }
    co_return "slept";
}

inline task<result<Json>> fail_so(bool with_exception) {
    if (with_exception) {
        throw std::runtime_error("as told");
    }
    co_return fail(causes::kUnknownPeer, "bob");
}

inline task<result<Json>> large(Json input) {
    co_return std::string(input.as_unsigned().value_or(0), 'x');
}

inline Operation make(std::string name, CallFunction run) {
    Operation made;
    made.name = std::move(name);
    made.run = std::move(run);
    return made;
}

inline std::shared_ptr<OperationRegistry> make_registry(Seen& seen) {
    auto registry = std::make_shared<OperationRegistry>();
    const auto add = [&](std::string name, CallFunction run) {
        EXPECT_TRUE(registry->add(make(std::move(name), std::move(run))));
    };
    add("test/echo", [&seen](CallContext context, Json input) {
        return echo(seen, std::move(context), std::move(input));
    });
    add("test/wait", [&seen](CallContext, Json) { return wait_for(seen, Duration::max()); });
    add("test/sleep",
        [&seen](CallContext, Json) { return wait_for(seen, std::chrono::seconds(10)); });
    add("test/fail", [](CallContext, Json) { return fail_so(false); });
    add("test/throw", [](CallContext, Json) { return fail_so(true); });
    add("test/large", [](CallContext, Json input) { return large(std::move(input)); });
    Operation scoped = make("test/scoped", [&seen](CallContext context, Json input) {
        return echo(seen, std::move(context), std::move(input));
    });
    scoped.scope = identity::Scope::parse_exact("test:scoped").value();
    EXPECT_TRUE(registry->add(std::move(scoped)));
    return registry;
}

struct World {
    explicit World(Loop& on, Carrier carrier = Carrier::streams,
                   std::optional<Identity> identity = known(), CallLimits limits = {},
                   std::shared_ptr<IdentityProvider> identities = nullptr,
                   std::shared_ptr<OperationRegistry> offers = nullptr)
        : loop(on), scope(on) {
        if (offers != nullptr) {
            registry = std::move(offers);
        }
        options.registry = registry;
        options.identities = std::move(identities);
        options.limits = limits;
        options.metrics = metrics;
        adapter = std::make_shared<CallAdapter>(options);
        if (carrier == Carrier::streams) {
            MemoryConnectionOptions memory;
            memory.alpn = std::string(kCallAlpn);
            auto pair = make_memory_connection_pair(memory);
            client = pair.client;
            server = pair.server;
        } else {
            auto [near, far] = net::make_memory_streams();
            StreamConnectionOptions made;
            client = make_stream_connection(loop, std::move(near), made);
            made.info.server_side = true;
            server = make_stream_connection(loop, std::move(far), made);
        }
        scope.spawn(serve(std::move(identity)), "serve");
    }

    task<void> serve(std::optional<Identity> identity) {
        AuthContext auth;
        auth.identity = std::move(identity);
        outcome = co_await adapter->handle(server, std::move(auth));
        server->close(0, "");
    }

    /// Everything that was given ends.
    task<void> end() {
        client->close(0, "");
        (void)co_await scope.join();
        EXPECT_EQ(adapter->in_flight(), 0U);
        EXPECT_EQ(seen.running, 0);
    }

    [[nodiscard]] std::string counted() const { return metrics->text(); }

    Loop& loop;
    Seen seen;
    std::shared_ptr<OperationRegistry> registry = make_registry(seen);
    CallAdapterOptions options;
    std::shared_ptr<Metrics> metrics = std::make_shared<Metrics>();
    std::shared_ptr<CallAdapter> adapter;
    std::shared_ptr<Connection> client;
    std::shared_ptr<Connection> server;
    std::optional<result<void>> outcome;
    TaskScope scope;
};

/// The client's end by hand: frames out and in.
class Wire {
public:
    explicit Wire(std::unique_ptr<BiStream> stream) : stream_(std::move(stream)) {}

    task<result<void>> send(Bytes octets) { co_return co_await stream_->write(octets); }
    task<result<void>> send(EventEnvelope envelope) {
        ALKNET_CO_TRY(Bytes frame, encode_frame(envelope));
        co_return co_await stream_->write(frame);
    }
    task<result<void>> send_text(std::string text) {
        WireWriter writer;
        writer.text<std::uint32_t>(text);
        co_return co_await send(writer.take());
    }
    task<result<void>> ask(std::string id, std::string operation, Json input = {}) {
        EventEnvelope envelope{
            .id = std::move(id),
            .event = Requested{.operation = std::move(operation), .input = std::move(input)}};
        return send(std::move(envelope));
    }
    /// Errors: kClosed at the end of the stream.
    task<result<EventEnvelope>> next() {
        Bytes chunk(1000);
        for (;;) {
            ALKNET_CO_TRY(const auto text, decoder_.next());
            if (text) {
                co_return decode_event(*text);
            }
            ALKNET_CO_TRY(const std::size_t size, co_await stream_->read(chunk));
            if (size == 0) {
                co_return fail(causes::kClosed);
            }
            decoder_.push(BytesView(chunk).first(size));
        }
    }
    /// The code of the failure that comes next; empty: something else did.
    task<std::string> failure(std::string id) {
        const auto event = co_await next();
        const Failed* failed = event ? std::get_if<Failed>(&event->event) : nullptr;
        co_return failed != nullptr && event->id == id ? failed->code : std::string();
    }
    task<bool> ended() {
        const auto event = co_await next();
        co_return !event;
    }
    BiStream& stream() noexcept { return *stream_; }

private:
    std::unique_ptr<BiStream> stream_;
    FrameDecoder decoder_{kFrameBytesMax};
};

}  // namespace alknet::call
