// TlsStream: bytes, ends, cuts, and whatever else arrives on a port.

#include <alknet/tls/alert.hpp>
#include "certificates.hpp"
#include "plain_http.hpp"

#include "tls_fixture.hpp"

#include <alknet/tls/alert.hpp>
#include <random>

namespace alknet::tls {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Bytes noise(std::size_t size) {
    std::mt19937 random(11);
    Bytes bytes(size);
    for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>(random());
    }
    return bytes;
}

task<result<void>> send_all(SendStream& stream, Bytes data) {
    ALKNET_CO_CHECK(co_await stream.write(data));
    co_return co_await stream.finish();
}

task<result<void>> receive_all(RecvStream& stream, Bytes& into) {
    Bytes buffer(20'000);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return result<void>{};
        }
        into.insert(into.end(), buffer.begin(), buffer.begin() + std::ptrdiff_t(count));
    }
}

/// A ByteStream whose incoming octets a test can change, add to, or cut.
class Tap final : public ByteStream {
public:
    explicit Tap(std::unique_ptr<ByteStream> lower) : lower_(std::move(lower)) {}

    result<std::optional<std::size_t>> try_read(MutableBytes into) override {
        if (!injected.empty()) {
            const std::size_t count = std::min(into.size(), injected.size());
            std::ranges::copy(BytesView(injected).first(count), into.begin());
            injected.erase(injected.begin(), injected.begin() + std::ptrdiff_t(count));
            return count;
        }
        if (cut) {
            return std::size_t{0};
        }
        auto count = lower_->try_read(into);
        if (flip && count && *count && **count > 5) {  // the headers are read by themselves
            into[**count - 1] ^= std::byte{1};
        }
        return count;
    }
    result<std::size_t> try_write(BytesView data) override {
        return deaf ? fail(causes::kReset) : lower_->try_write(data);
    }
    task<result<void>> readable() override {
        if (!injected.empty() || cut) {
            co_return result<void>();
        }
        co_return co_await lower_->readable();
    }
    task<result<void>> writable() override { return lower_->writable(); }
    task<result<void>> finish() override { return lower_->finish(); }
    void stop(std::uint64_t code) noexcept override { lower_->stop(code); }
    void reset(std::uint64_t code) noexcept override { lower_->reset(code); }

    Bytes injected;
    bool cut = false;
    bool flip = false;
    bool deaf = false;  // it takes nothing any more

private:
    std::unique_ptr<ByteStream> lower_;
};

class StreamTest : public TlsTest {
public:
    /// Connects through `pipe`; the server's end is tapped.
    void connect(const net::MemoryStreamOptions& pipe = {},
                 const std::vector<std::string>& alpns = {"alknet/echo"}) {
        services.names = alpns;
        Handshake outcome;
        run(tapped(pipe, dial(alpns), outcome));
        ASSERT_TRUE(outcome.both()) << outcome.why();
        server = std::move(*outcome.server);
        client = std::move(*outcome.client);
    }
    task<void> tapped(net::MemoryStreamOptions pipe, ClientOptions options, Handshake& outcome) {
        auto [a, b] = net::make_memory_streams(pipe, pipe);
        auto owned = std::make_unique<Tap>(std::move(a));
        tap = owned.get();
        TaskScope scope(loop);
        scope.spawn(accept_into(loop, std::move(owned), server_context, services, outcome.server),
                    "a");
        scope.spawn(connect_into(loop, std::move(b), std::move(options), outcome.client), "b");
        (void)co_await scope.join();
    }

    result<std::string> read(RecvStream& stream, std::size_t most = 100) {
        result<std::string> text = fail(causes::kInternal, "did not end");
        run([](RecvStream& from, std::size_t size, result<std::string>& into) -> task<void> {
            Bytes buffer(size);
            const result<std::size_t> count = co_await from.read(buffer);
            if (count) {
                into = std::string(as_text(BytesView(buffer).first(*count)));
            } else {
                into = std::unexpected(count.error());
            }
        }(stream, most, text));
        return text;
    }
    result<void> write(SendStream& stream, std::string_view text) {
        result<void> outcome = fail(causes::kInternal, "did not end");
        run([](SendStream& to, std::string_view data, result<void>& into) -> task<void> {
            into = co_await to.write(as_bytes(data));
        }(stream, text, outcome));
        return outcome;
    }
    result<void> finish(SendStream& stream) {
        result<void> outcome = fail(causes::kInternal, "did not end");
        run([](SendStream& to, result<void>& into) -> task<void> { into = co_await to.finish(); }(
                                                       stream, outcome));
        return outcome;
    }

    /// What a server makes of a client that sends these octets and then reads until the end.
    struct Meeting {
        result<Tls> server = fail(causes::kInternal, "did not end");
        std::string answer;
    };
    Meeting meet(std::string_view octets, bool hang_up = false) {
        Meeting meeting;
        run([](StreamTest& test, std::string_view data, bool ends, Meeting& into) -> task<void> {
            auto [a, b] = net::make_memory_streams();
            TaskScope scope(test.loop);
            scope.spawn(accept_into(test.loop, std::move(a), test.server_context, test.services,
                                    into.server),
                        "server");
            EXPECT_TRUE(co_await b->write(as_bytes(data)));
            if (ends) {
                EXPECT_TRUE(co_await b->finish());
            }
            Bytes answer;
            (void)co_await receive_all(*b, answer);
            into.answer = as_text(answer);
            b.reset();
            (void)co_await scope.join();
        }(*this, octets, hang_up, meeting));
        return meeting;
    }

    Tap* tap = nullptr;
    Tls server;
    Tls client;
};

// --- bytes

TEST_F(StreamTest, CarriesBytesBothWaysAtOnceThroughAnyPipe) {
    const Bytes data = noise(300'000);
    const std::vector<net::MemoryStreamOptions> pipes = {
        {},
        {.buffer_bytes = 1000},
        {.buffer_bytes = 7},
        {.chunk_bytes_max = 3},
        {.buffer_bytes = 1 << 20, .chunk_bytes_max = 100'000}};
    for (const net::MemoryStreamOptions& pipe : pipes) {
        connect(pipe);
        Bytes at_server;
        Bytes at_client;
        run([](StreamTest& t, const Bytes& sent, Bytes& one, Bytes& two) -> task<void> {
            TaskScope scope(t.loop);
            scope.spawn(send_all(*t.client, sent), "client sends");
            scope.spawn(send_all(*t.server, sent), "server sends");
            scope.spawn(receive_all(*t.client, one), "client receives");
            scope.spawn(receive_all(*t.server, two), "server receives");
            EXPECT_TRUE(co_await scope.join());
        }(*this, data, at_client, at_server));
        EXPECT_EQ(at_server, data);
        EXPECT_EQ(at_client, data);
        EXPECT_EQ(server->bytes_sent(), data.size());
        EXPECT_EQ(server->bytes_received(), data.size());
    }
}

TEST_F(StreamTest, AReadTakesWhatItHasRoomFor) {
    connect();
    ASSERT_TRUE(write(*client, "hello"));
    EXPECT_EQ(read(*server, 2).value(), "he");
    EXPECT_EQ(read(*server, 2).value(), "ll");
    EXPECT_EQ(read(*server).value(), "o");
}

TEST_F(StreamTest, AWriteOfNothingDoesNothing) {
    connect();
    EXPECT_TRUE(write(*client, ""));
    ASSERT_TRUE(write(*client, "x"));
    EXPECT_EQ(read(*server).value(), "x");
}

TEST_F(StreamTest, AWriterWaitsForTheReader) {
    connect({.buffer_bytes = 4096});
    bool written = false;
    run([](StreamTest& t, bool& done) -> task<void> {
        const Bytes data = noise(100'000);
        const result<void> outcome =
            co_await with_timeout(std::chrono::seconds(1), t.client->write(data));
        EXPECT_FALSE(outcome);
        EXPECT_TRUE(outcome.error().is(errc::timeout));
        done = t.client->bytes_sent() == data.size();
    }(*this, written));
    EXPECT_FALSE(written);
    EXPECT_LT(client->bytes_sent(), 40'000U);
}

// --- ends

TEST_F(StreamTest, SomebodyKnownIsToldThatItMayNot) {
    connect();
    run(server->deny());  // which does not wait for the client for ever
    for (int i = 0; i < 2; ++i) {
        const auto told = read(*client);
        ASSERT_FALSE(told);
        EXPECT_TRUE(told.error().is(causes::kForbidden));
        EXPECT_EQ(told.error().code(), kAlertAccessDenied);
    }
    EXPECT_TRUE(read(*server).error().is(causes::kForbidden));
    EXPECT_TRUE(write(*server, "x").error().is(causes::kForbidden));
    run(server->deny());
}

TEST_F(StreamTest, AHalfCloseLeavesTheOtherDirectionOpen) {
    connect();
    ASSERT_TRUE(write(*client, "question"));
    ASSERT_TRUE(finish(*client));
    EXPECT_EQ(read(*server).value(), "question");
    EXPECT_EQ(read(*server).value(), "");
    EXPECT_EQ(read(*server).value(), "");
    ASSERT_TRUE(write(*server, "answer"));
    ASSERT_TRUE(finish(*server));
    EXPECT_EQ(read(*client).value(), "answer");
    EXPECT_EQ(read(*client).value(), "");
}

TEST_F(StreamTest, NothingIsWrittenAfterTheEnd) {
    connect();
    ASSERT_TRUE(finish(*client));
    EXPECT_TRUE(finish(*client));
    EXPECT_TRUE(write(*client, "x").error().is(causes::kClosed));
}

TEST_F(StreamTest, NothingIsReadAfterAStop) {
    connect();
    client->stop(7);
    EXPECT_TRUE(read(*client).error().is(causes::kClosed));
    EXPECT_TRUE(write(*client, "still writing"));
    EXPECT_EQ(read(*server).value(), "still writing");
}

TEST_F(StreamTest, ACutWithoutCloseNotifyIsNoEnd) {
    connect();
    ASSERT_TRUE(write(*client, "part"));
    EXPECT_EQ(read(*server).value(), "part");
    tap->cut = true;
    const auto after = read(*server);
    ASSERT_FALSE(after);
    EXPECT_TRUE(after.error().is(causes::kReset));
    EXPECT_THAT(after.error().detail(), HasSubstr("close_notify"));
    EXPECT_FALSE(read(*server));
    EXPECT_TRUE(write(*server, "the other direction may live"));
    EXPECT_EQ(read(*client).value(), "the other direction may live");
}

TEST_F(StreamTest, ACutIsAnEndOnTheWeb) {
    connect({}, {"http/1.1"});
    tap->cut = true;
    EXPECT_EQ(read(*server).value(), "");
    EXPECT_TRUE(write(*server, "answer"));
    EXPECT_EQ(read(*client).value(), "answer");
}

TEST_F(StreamTest, WhatHadComeBeforeAWriteFailedCanBeRead) {
    connect();
    ASSERT_TRUE(write(*client, "last words"));
    tap->deaf = true;
    EXPECT_FALSE(write(*server, "too late"));
    EXPECT_FALSE(write(*server, "too late"));
    EXPECT_FALSE(finish(*server));
    EXPECT_EQ(read(*server).value(), "last words");
    tap->cut = true;
    const auto end = read(*server);
    ASSERT_FALSE(end);
    EXPECT_TRUE(end.error().is(causes::kReset));
}

TEST_F(StreamTest, AResetReachesThePeer) {
    connect();
    client->reset(5);
    EXPECT_TRUE(write(*client, "x").error().is(causes::kClosed));
    EXPECT_TRUE(read(*server).error().is(causes::kReset));
    EXPECT_TRUE(write(*server, "x").error().is(causes::kReset));
}

TEST_F(StreamTest, ADestroyedStreamResets) {
    connect();
    client.reset();
    EXPECT_TRUE(read(*server).error().is(causes::kReset));
}

TEST_F(StreamTest, AFinishedStreamMayBeDestroyed) {
    connect();
    ASSERT_TRUE(write(*client, "last words"));
    ASSERT_TRUE(finish(*client));
    client.reset();
    EXPECT_EQ(read(*server).value(), "last words");
    EXPECT_EQ(read(*server).value(), "");
}

TEST_F(StreamTest, ACancelledReadLosesNothing) {
    connect();
    run([](StreamTest& t) -> task<void> {
        Bytes buffer(10);
        const auto none = co_await with_timeout(std::chrono::seconds(1), t.server->read(buffer));
        EXPECT_TRUE(none.error().is(errc::timeout));
    }(*this));
    ASSERT_TRUE(write(*client, "later"));
    EXPECT_EQ(read(*server).value(), "later");
}

TEST_F(StreamTest, AChangedBitIsNoticedAndSaid) {
    connect();
    tap->flip = true;
    ASSERT_TRUE(write(*client, "hello"));
    const auto broken = read(*server);
    ASSERT_FALSE(broken);
    EXPECT_TRUE(broken.error().is(causes::kTls));
    EXPECT_THAT(broken.error().detail(), HasSubstr("bad_record_mac"));
    const auto told = read(*client);
    ASSERT_FALSE(told);
    EXPECT_THAT(told.error().detail(), HasSubstr("the peer sent alert 20"));
}

TEST_F(StreamTest, GarbageAfterTheHandshakeIsRefused) {
    for (const std::string_view junk :
         {std::string_view("GET / HTTP/1.1\r\n\r\n"), std::string_view("\x17\x03\x03\xff\xff", 5),
          std::string_view("\x17\x03\x03\0\0", 5), std::string_view("\x16\x03\x03\0\1\1", 6)}) {
        connect();
        tap->injected = to_bytes(as_bytes(junk));
        tap->cut = true;
        const auto broken = read(*server);
        ASSERT_FALSE(broken);
        EXPECT_TRUE(broken.error().is(causes::kTls)) << broken.error().message();
        EXPECT_FALSE(write(*server, "x"));
    }
}

// --- what arrives on a port

TEST_F(StreamTest, PlainHttpIsAnsweredInItsOwnLanguage) {
    for (const char* request :
         {"GET / HTTP/1.1\r\nHost: node.example\r\n\r\n", "POST /form HTTP/1.1\r\n\r\n",
          "HEAD / HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
        const Meeting meeting = meet(request);
        ASSERT_FALSE(meeting.server);
        EXPECT_TRUE(meeting.server.error().is(causes::kTls));
        EXPECT_THAT(meeting.server.error().detail(), HasSubstr("plain HTTP"));
        EXPECT_THAT(meeting.answer, StartsWith("HTTP/1.1 400 "));
        EXPECT_THAT(meeting.answer, HasSubstr("https://"));
    }
}

TEST_F(StreamTest, TheAnswerToPlainHttpHasTheLengthThatItSays) {
    const std::string_view answer = kPlainHttpAnswer;
    const std::string_view body = answer.substr(answer.find("\r\n\r\n") + 4);
    EXPECT_THAT(answer, HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
}

TEST_F(StreamTest, ALongPlainRequestIsReadOnlySoFar) {
    const Meeting meeting = meet("POST / HTTP/1.1\r\n\r\n" + std::string(60'000, 'x'));
    EXPECT_THAT(meeting.answer, StartsWith("HTTP/1.1 400 "));
}

TEST_F(StreamTest, OtherProtocolsAreToldByAnAlert) {
    for (const std::string_view hello :
         {std::string_view("SSH-2.0-OpenSSH_9.2\r\n"), std::string_view("\0\0\0\0\0\0\0\0", 8),
          std::string_view("\x80\x2e\x01\0\x02\0\x15\0\0\0\x10", 11),
          std::string_view("EHLO node.example\r\n")}) {
        const Meeting meeting = meet(hello);
        ASSERT_FALSE(meeting.server);
        EXPECT_TRUE(meeting.server.error().is(causes::kTls));
        EXPECT_THAT(meeting.server.error().detail(), HasSubstr("does not speak TLS"));
        EXPECT_EQ(meeting.answer.substr(0, 2), "\x15\x03") << "no alert";
    }
}

TEST_F(StreamTest, BrokenRecordsAndHandshakesAreErrors) {
    const std::vector<std::string> broken = {
        {"\x16\x03\x01\0\0", 5},                            // a record of nothing
        {"\x16\x03\x01\xff\xff", 5},                        // a record too large
        {"\x16\x03\x01\0\4\2\0\0\0", 9},                    // a ServerHello
        {"\x16\x03\x01\0\4\1\0\0\0", 9},                    // an empty ClientHello
        {"\x16\x03\x01\0\5\1\0\0\1x", 10},                  // a short one
        std::string("\x16\x03\x01\0\4\1\xff\xff\xff", 9) +  // one of 16 MB
            std::string("\x16\x03\x01\x40\0", 5) + std::string(1 << 14, 'x') +
            std::string("\x16\x03\x01\x40\0", 5) + std::string(1 << 14, 'x'),
        {"\x17\x03\x03\0\1x", 6},       // data before a handshake
        {"\x15\x03\x03\0\2\2\x28", 7},  // an alert
        {"\x14\x03\x03\0\1\1", 6},      // change_cipher_spec
    };
    for (const std::string& octets : broken) {
        const Meeting meeting = meet(octets, true);
        ASSERT_FALSE(meeting.server);
        EXPECT_TRUE(meeting.server.error().is(causes::kTls) ||
                    meeting.server.error().is(causes::kProtocol) ||
                    meeting.server.error().is(causes::kReset))
            << meeting.server.error().message();
        EXPECT_FALSE(meeting.server.error().detail().empty());
    }
    EXPECT_EQ(services.asked, 0);
}

TEST_F(StreamTest, AClientThatHangsUpIsACut) {
    for (const std::string_view start :
         {std::string_view(), std::string_view("\x16\x03\x01\0\xff\1", 6)}) {
        const Meeting meeting = meet(start, true);
        ASSERT_FALSE(meeting.server);
        EXPECT_TRUE(meeting.server.error().is(causes::kReset));
    }
}

TEST_F(StreamTest, ASlowClientIsCutOffByTheCallersDeadline) {
    run([](StreamTest& t) -> task<void> {
        auto [a, b] = net::make_memory_streams();
        EXPECT_TRUE(co_await b->write(as_bytes("\x16\x03\x01")));
        auto accepting = accept_tls(t.loop, std::move(a), t.server_context, t.services);
        const auto outcome = co_await with_timeout(std::chrono::seconds(10), std::move(accepting));
        EXPECT_FALSE(outcome);
        EXPECT_TRUE(outcome.error().is(errc::timeout));
        Bytes buffer(10);
        EXPECT_FALSE(co_await b->read(buffer));
    }(*this));
}

TEST_F(StreamTest, ARefusedClientThatStaysIsWaitedForOnlyBriefly) {
    const TimePoint before = loop.now();
    run([](StreamTest& t) -> task<void> {
        auto [a, b] = net::make_memory_streams();
        EXPECT_TRUE(co_await b->write(as_bytes("GET / HTTP/1.1\r\n\r\n")));
        EXPECT_FALSE(co_await accept_tls(t.loop, std::move(a), t.server_context, t.services));
    }(*this));
    EXPECT_EQ(loop.now() - before, std::chrono::seconds(1));
}

TEST_F(StreamTest, ARefusedClientThatKeepsSendingIsReadOnlySoFar) {
    const TimePoint before = loop.now();
    run([](StreamTest& t) -> task<void> {
        auto [a, b] = net::make_memory_streams({}, {.buffer_bytes = 1 << 20});
        Bytes flood = to_bytes(as_bytes("GET / HTTP/1.1\r\n\r\n"));
        flood.resize(200'000);
        EXPECT_TRUE(co_await b->write(flood));
        EXPECT_FALSE(co_await accept_tls(t.loop, std::move(a), t.server_context, t.services));
    }(*this));
    EXPECT_EQ(loop.now(), before);
}

TEST_F(StreamTest, AServerThatSpeaksNoTlsIsAnErrorForTheClient) {
    for (const std::string_view answer : {std::string_view("HTTP/1.1 400 Bad Request\r\n\r\n"),
                                          std::string_view("SSH-2.0-x\r\n")}) {
        result<Tls> outcome = fail(causes::kInternal);
        run([](StreamTest& t, std::string_view text, result<Tls>& into) -> task<void> {
            auto [a, b] = net::make_memory_streams();
            EXPECT_TRUE(co_await a->write(as_bytes(text)));
            into = co_await connect_tls(t.loop, std::move(b), t.dial());
        }(*this, answer, outcome));
        ASSERT_FALSE(outcome);
        EXPECT_TRUE(outcome.error().is(causes::kTls));
    }
}

TEST_F(StreamTest, ALowerStreamThatBreaksIsPassedOn) {
    Handshake outcome = handshake(dial(), {.break_after_written_bytes = 100});
    EXPECT_TRUE(outcome.client.error().is(causes::kReset)) << outcome.why();
    EXPECT_TRUE(outcome.server.error().is(causes::kReset)) << outcome.why();
}

TEST_F(StreamTest, EveryCutOfAHandshakeEndsBothSides) {
    // Until the handshake's own size both ends fail; beyond it both have it.
    std::uint64_t at = 0;
    for (bool whole = false; !whole && at < 5000; at += 37) {
        const Handshake outcome = handshake(dial(), {.break_after_written_bytes = at});
        whole = outcome.both();
        EXPECT_FALSE(!outcome.server && outcome.server.error().is(causes::kInternal));
        EXPECT_FALSE(!outcome.client && outcome.client.error().is(causes::kInternal));
    }
    EXPECT_LT(at, 5000U);
}

}  // namespace
}  // namespace alknet::tls
