// Http3Extension: settings, streams of further types and datagrams beside requests.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>

#include "h3_world.hpp"

namespace alknet::http {
namespace {

using namespace test;
using testing::ElementsAre;

constexpr std::uint64_t kBidiType = 0x41;
constexpr std::uint64_t kUniType = 0x54;

task<std::string> read_to_end(RecvStream& stream, BytesView begun) {
    std::string text(as_text(begun));
    std::array<std::byte, 100> piece{};
    for (;;) {
        const auto count = co_await stream.read(piece);
        if (!count || *count == 0) {
            co_return text;
        }
        text += as_text(BytesView(piece).first(*count));
    }
}

class Extension final : public Http3Extension {
public:
    [[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> settings() const override {
        return {{0x2b603742, 1}, {0xc671706a, 16}};
    }
    [[nodiscard]] bool wants_datagrams() const override { return true; }
    [[nodiscard]] bool takes_bidi(std::uint64_t type) const override { return type == kBidiType; }
    [[nodiscard]] bool takes_uni(std::uint64_t type) const override { return type == kUniType; }

    /// Gives back what it gets.
    task<result<void>> serve_bidi(Http3Link&, std::uint64_t, std::unique_ptr<BiStream> stream,
                                  Bytes begun) override {
        const std::string text = co_await read_to_end(*stream, begun);
        ALKNET_CO_CHECK(co_await stream->write(as_bytes(text)));
        co_return co_await stream->finish();
    }
    task<result<void>> serve_uni(Http3Link&, std::uint64_t, std::unique_ptr<RecvStream> stream,
                                 Bytes begun) override {
        got.push_back(co_await read_to_end(*stream, begun));
        co_return result<void>();
    }
    void on_datagram(Http3Link& link, std::uint64_t stream, BytesView payload) override {
        got.push_back(std::to_string(stream) + " " + std::string(as_text(payload)));
        sent = link.send_datagram(stream, payload);
    }

    std::vector<std::string> got;
    result<void> sent;
};

const std::string kDatagramsSetting("\x33\x01", 2);

ALKNET_CO_TEST(H3Extension, ItsSettingsAreToldBesideTheOthers) {
    Extension extension;
    H3World world(loop, {}, {}, &extension);
    const std::vector<H3Frame> frames = co_await world.control();
    ALKNET_CO_ASSERT(frames.size() == 1 && frames[0].type == kSettingsFrame);
    std::map<std::uint64_t, std::uint64_t> settings;
    for (BytesView rest = as_bytes(frames[0].payload); !rest.empty();) {
        const auto id = take_varint(rest);
        settings[id.value_or(0)] = take_varint(rest).value_or(0);
    }
    EXPECT_EQ(settings[0x2b603742], 1U);
    EXPECT_EQ(settings[0xc671706a], 16U);
    EXPECT_EQ(settings[0x08], 1U) << "SETTINGS_ENABLE_CONNECT_PROTOCOL";
    EXPECT_EQ(settings[0x33], 1U) << "SETTINGS_H3_DATAGRAM";
    EXPECT_EQ(settings[6], MessageLimits{}.header_bytes_max);
    co_await world.finish();
}

ALKNET_CO_TEST(H3Extension, HasItsStreamsAndLeavesTheOthers) {
    Extension extension;
    H3World world(loop, {}, {}, &extension);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    co_await world.greet();
    const auto stream = co_await world.open("\x40");
    co_await loop.sleep(std::chrono::seconds(1));
    EXPECT_TRUE(co_await stream->write(as_bytes("\x41 and more")));
    EXPECT_TRUE(co_await stream->finish());
    EXPECT_EQ(co_await read_to_end(*stream, {}), " and more");
    co_await world.send_other("\x40\x54 alone");
    EXPECT_TRUE(co_await world.others.back()->finish());
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).content, "hello");
    EXPECT_THAT(extension.got, ElementsAre(" alone"));
    co_await world.send_other("\x21 unknown to all");
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).content, "hello");
    co_await world.finish();
    EXPECT_TRUE(world.outcome);
}

ALKNET_CO_TEST(H3Extension, AStreamThatNeverSaysWhoseItIsIsGivenUp) {
    Extension extension;
    H3World world(loop, {}, {}, &extension);
    co_await world.greet();
    const auto stream = co_await world.open("\x40");
    EXPECT_EQ((co_await H3World::answer(*stream)).reset_code, h3_code::kRequestCancelled);
    co_await world.finish();
}

ALKNET_CO_TEST(H3Extension, Datagrams) {
    Extension extension;
    H3World world(loop, {}, {}, &extension);
    co_await world.greet(kDatagramsSetting);
    co_await loop.sleep(std::chrono::seconds(1));
    EXPECT_TRUE(world.pair.client->send_datagram(as_bytes("\x02ping")));
    const auto back = co_await world.pair.client->recv_datagram();
    ALKNET_CO_ASSERT_OK(back);
    EXPECT_EQ(as_text(*back), "\x02ping");
    EXPECT_THAT(extension.got, ElementsAre("8 ping"));
    EXPECT_TRUE(world.pair.client->send_datagram(as_bytes("\xff")));
    EXPECT_EQ(co_await world.goodbye(), h3_code::kDatagramError);
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H3Extension, DatagramsOnlyToWhoTakesThem) {
    Extension extension;
    H3World world(loop, {}, {}, &extension);
    co_await world.greet();
    EXPECT_TRUE(world.pair.client->send_datagram(as_bytes("\x02ping")));
    co_await loop.sleep(std::chrono::seconds(1));
    EXPECT_THAT(extension.got, ElementsAre("8 ping"));
    EXPECT_TRUE(!extension.sent && extension.sent.error().is(causes::kNotSupported));
    co_await world.finish();
}

}  // namespace
}  // namespace alknet::http
