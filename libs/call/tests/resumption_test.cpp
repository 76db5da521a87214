// A long subscription through another node, of which every connection is cut again and again.
// ALKNET_EVENTS and ALKNET_CUTS make it longer: ./dev soak --events.
#include <gmock/gmock.h>
#include <alknet/call/peer_import.hpp>
#include <alknet/rt/combine.hpp>
#include <charconv>
#include <cstdlib>
#include <random>

#include "call_world.hpp"

namespace alknet::call {
namespace {

constexpr std::uint64_t kKept = 1000;
constexpr std::uint64_t kPerSecond = 2000;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    if (text == nullptr) {
        return otherwise;
    }
    std::uint64_t value = otherwise;
    const std::string_view all(text);
    std::from_chars(all.data(), all.data() + all.size(), value);
    return value;
}

/// Numbered events, of which the last ones are kept.
class Ticks {
public:
    Ticks(Loop& loop, std::uint64_t total) : loop_(loop), total_(total) {}

    task<result<void>> watch(std::uint64_t last, ItemSink& items) {
        while (last < total_) {
            const std::uint64_t oldest = newest() > kKept ? newest() - kKept + 1 : 1;
            const std::uint64_t seq = std::max(last + 1, oldest);
            while (newest() < seq) {
                ALKNET_CO_CHECK(co_await loop_.sleep(std::chrono::milliseconds(50)));
            }
            Item item{.output = seq, .seq = seq};
            if (seq - last > 1) {
                item.missed = seq - last - 1;
            }
            ALKNET_CO_CHECK(co_await items.give(std::move(item)));
            last = seq;
        }
        co_return result<void>();
    }

private:
    [[nodiscard]] std::uint64_t newest() const {
        const auto passed =
            std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now() - begun_).count();
        return std::min(total_, static_cast<std::uint64_t>(passed) * kPerSecond / 1000);
    }
    Loop& loop_;
    const std::uint64_t total_;
    const TimePoint begun_ = loop_.now();
};

/// The node with the events, the one that imports them, and who subscribes there.
class Chain {
public:
    Chain(Loop& loop, std::uint64_t total) : loop_(loop), ticks_(loop, total), scope_(loop) {
        Operation watch = make("ticks/watch", {});
        watch.kind = Operation::Kind::subscription;
        watch.subscribe = [this](CallContext context, Json, ItemSink& items) {
            return ticks_.watch(context.resume_after.value_or(0), items);
        };
        EXPECT_TRUE(far_->add(std::move(watch)));
        PeerImportOptions options;
        options.prefix = "far";
        options.peers = {"office"};
        options.dial = [this](std::string) { return dial(); };
        options.still = [](const std::string&, const Connection&) { return true; };
        options.wanted = [](std::string_view) { return true; };
        options.admit = [](std::string, std::vector<RemoteOperation> found) {
            return admit(std::move(found));
        };
        options.scope = [](std::string_view) { return identity::Scope::parse_exact("far:call"); };
        import_ = PeerImport::create(loop, std::move(options));
        hub_->add(import_->operations());
        scope_.spawn(import_->run(), "import");
    }
    std::shared_ptr<Connection> connect(const std::shared_ptr<OperationRegistry>& to,
                                        std::shared_ptr<Connection>& server) {
        MemoryConnectionOptions memory;
        memory.alpn = std::string(kCallAlpn);
        auto pair = make_memory_connection_pair(memory);
        server = pair.server;
        CallAdapterOptions serving;
        serving.registry = to;
        scope_.spawn(serve(std::make_shared<CallAdapter>(serving), pair.server), "serve");
        return pair.client;
    }
    std::shared_ptr<Connection> visit() { return connect(hub_, visitor_); }
    void cut_visitor() { visitor_->close(close_code::kOk, ""); }
    void cut_office() { office_->close(close_code::kOk, ""); }
    task<void> wait_until_offered() {
        while (!import_->status().front().connected) {
            (void)co_await loop_.sleep(std::chrono::milliseconds(100));
        }
    }
    task<void> end() {
        scope_.cancel();
        (void)co_await scope_.join();
    }

private:
    task<result<std::shared_ptr<Connection>>> dial() { co_return connect(far_, office_); }
    static task<result<std::vector<RemoteOperation>>> admit(std::vector<RemoteOperation> found) {
        co_return found;
    }
    static task<void> serve(std::shared_ptr<CallAdapter> by,
                            std::shared_ptr<Connection> connection) {
        AuthContext auth;
        auth.identity = known();
        (void)co_await by->handle(connection, std::move(auth));
        connection->close(0, "");
    }

    Loop& loop_;
    Ticks ticks_;
    std::shared_ptr<OperationRegistry> far_ = std::make_shared<OperationRegistry>();
    std::shared_ptr<OperationRegistry> hub_ = std::make_shared<OperationRegistry>();
    std::unique_ptr<PeerImport> import_;
    std::shared_ptr<Connection> office_;
    std::shared_ptr<Connection> visitor_;
    TaskScope scope_;
};

struct Taken {
    std::uint64_t last = 0;
    std::uint64_t count = 0;
    std::uint64_t missed = 0;
    std::uint64_t wrong = 0;

    void take(const Item& item) {
        const std::uint64_t seq = item.seq.value_or(0);
        const std::uint64_t gap = item.missed.value_or(0);
        wrong += seq != last + 1 + gap || item.output != Json(seq) ? 1 : 0;
        last = seq;
        missed += gap;
        ++count;
    }
};

/// So many at most. Whether the subscription has come to its end.
task<bool> take_some(Subscription& subscription, std::uint64_t most, Taken& taken) {
    for (std::uint64_t i = 0; i < most; ++i) {
        const auto item = co_await subscription.next();
        if (!item || !*item) {
            co_return item.has_value();
        }
        taken.take(**item);
    }
    co_return false;
}

/// One connection of whoever subscribes, until it is cut at one end or the other.
task<bool> visit(Loop& loop, Chain& chain, std::mt19937_64& draw, std::uint64_t most,
                 Taken& taken) {
    co_await chain.wait_until_offered();
    const auto client = CallClient::create(loop, chain.visit());
    SubscribeOptions options;
    options.resume_after = taken.last;
    bool ended = false;
    {
        auto subscription = co_await client->subscribe("far-ticks/watch", {}, std::move(options));
        if (subscription) {
            ended = co_await take_some(**subscription, draw() % most, taken);
            if (!ended && draw() % 2 == 0) {
                chain.cut_visitor();
            } else if (!ended) {
                chain.cut_office();
            }
            // What was on its way counts too.
            ended = ended || co_await take_some(**subscription, UINT64_MAX, taken);
        }
    }
    co_await client->close();
    co_return ended;
}

ALKNET_CO_TEST(Resumption, GivesEachEventOnceOrSaysHowManyAreMissing) {
    const std::uint64_t events = number_from("ALKNET_EVENTS", 20'000);
    const std::uint64_t cuts = number_from("ALKNET_CUTS", 20);
    std::mt19937_64 draw(events + cuts);
    Chain chain(loop, events);
    Taken taken;
    std::uint64_t done = 0;
    bool ended = false;
    while (!ended && done < cuts) {
        ended = co_await visit(loop, chain, draw, events / cuts, taken);
        ++done;
    }
    while (!ended) {
        co_await chain.wait_until_offered();
        ended = co_await visit(loop, chain, draw, UINT64_MAX, taken);
    }
    EXPECT_GE(done, cuts / 2);
    EXPECT_EQ(taken.wrong, 0U);
    EXPECT_EQ(taken.last, events);
    EXPECT_EQ(taken.count + taken.missed, events);
    EXPECT_GT(taken.count, events / 8);
    co_await chain.end();
}

}  // namespace
}  // namespace alknet::call
