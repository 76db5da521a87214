// Where a node dials back: to whom has proven to be there, and to nobody else.
#include <gtest/gtest.h>

#include "frame_stream.hpp"
#include "pair_world.hpp"

namespace alknet::doctor {
namespace {

using test::kPort;
using test::PairWorld;

struct Asked {
    SocketAddress observed;
    std::vector<WayReport> ways;
};

task<result<Asked>> ask(BiStream& stream, FrameReader& reader) {
    ALKNET_CO_CHECK(co_await write_frame(stream, encode_frame(FrameType::look, {})));
    ALKNET_CO_TRY(const Frame look, co_await read_expected(reader, stream, FrameType::seen));
    ALKNET_CO_TRY(const Seen seen, decode_seen(look.body));
    Report report;
    report.listens_udp = report.listens_tcp = kPort;
    const Bytes frame = encode_frame(FrameType::report, encode_report(report));
    ALKNET_CO_CHECK(co_await write_frame(stream, frame));
    ALKNET_CO_TRY(const Frame answer, co_await read_expected(reader, stream, FrameType::report));
    ALKNET_CO_TRY(Report theirs, decode_report(answer.body));
    co_return Asked{.observed = seen.observed, .ways = std::move(theirs.ways)};
}

task<result<std::shared_ptr<Connection>>> reach(PairWorld& pair, bool tcp) {
    DialOptions dial;
    dial.alpns = {std::string(kDoctorAlpn)};
    dial.tcp = tcp;
    NodeAddress address{.id = pair.there.tls->key().id(),
                        .host = pair.there.host.v4(kPort).ip_text(),
                        .port = kPort};
    co_return co_await pair.here.dialer->dial(std::move(address), std::move(dial));
}

/// Asks over QUIC, and once more after the NAT has given this machine another address.
task<result<std::vector<Asked>>> ask_twice(PairWorld& pair) {
    ALKNET_CO_TRY(const auto connection, co_await reach(pair, false));
    ALKNET_CO_TRY(const auto stream, co_await connection->open_bi());
    FrameReader reader;
    std::vector<Asked> all;
    ALKNET_CO_TRY(Asked first, co_await ask(*stream, reader));
    all.push_back(std::move(first));
    pair.here.host.rebind_nat(sim::SimHost::NatChange::address);
    ALKNET_CO_TRY(Asked second, co_await ask(*stream, reader));
    all.push_back(std::move(second));
    connection->close(close_code::kOk, {});
    co_return all;
}

task<result<Asked>> ask_once(PairWorld& pair) {
    ALKNET_CO_TRY(const auto connection, co_await reach(pair, true));
    ALKNET_CO_TRY(const auto stream, co_await connection->open_bi());
    FrameReader reader;
    ALKNET_CO_TRY(Asked asked, co_await ask(*stream, reader));
    connection->close(close_code::kOk, {});
    co_return asked;
}

TEST(DialBack, NotToAnAddressThatIsOnlyClaimed) {
    PairWorld pair(3);
    pair.here.host.put_behind_nat();
    pair.there.serve({&pair.here}, std::string(kDoctorAlpn));
    const auto asked = pair.run_on(pair.here, ask_twice(pair), std::chrono::minutes(10));
    ASSERT_TRUE(asked) << asked.error().message();
    const auto& [before, after] = std::pair((*asked)[0], (*asked)[1]);
    ASSERT_EQ(before.ways.size(), 2U);
    for (const WayReport& way : before.ways) {
        EXPECT_EQ(way.remote, before.observed.with_port(kPort));
    }
    EXPECT_NE(after.observed.ip(), before.observed.ip());
    EXPECT_TRUE(after.ways.empty());
}

TEST(DialBack, OnlyByWaysThatThePeerMayBeDialledBy) {
    PairWorld pair(4);
    DoctorHandlerOptions options;
    options.dialer = pair.there.dialer;
    options.may_dial = [&pair](const PeerIdentity& peer, Way way) {
        EXPECT_EQ(peer.key, pair.here.tls->key().id());
        return !is_quic(way);
    };
    pair.there.serve_with({&pair.here}, std::move(options));
    pair.here.serve({&pair.there}, std::string(kDoctorAlpn));
    const auto asked = pair.run_on(pair.here, ask_once(pair), std::chrono::minutes(10));
    ASSERT_TRUE(asked) << asked.error().message();
    ASSERT_EQ(asked->ways.size(), 1U);
    EXPECT_EQ(asked->ways[0].way, Way::tcp_v4);
    EXPECT_EQ(asked->ways[0].outcome, Outcome::connected);
}

}  // namespace
}  // namespace alknet::doctor
