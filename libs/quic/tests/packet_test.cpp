#include <gtest/gtest.h>
#include <algorithm>
#include <set>
#include <vector>

#include "address_token.hpp"
#include "closing_packet.hpp"
#include "connection_id.hpp"
#include "frame_scan.hpp"
#include "packet_batch.hpp"
#include "routing_table.hpp"
#include "stateless_reset.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

// ---- batches ----

const PacketTarget kHere{SocketAddress::v4({10, 0, 0, 1}, 1), SocketAddress::v4({10, 0, 0, 2}, 2),
                         2};
const PacketTarget kThere{SocketAddress::v4({10, 0, 0, 1}, 1), SocketAddress::v4({10, 0, 0, 3}, 2),
                          2};

class BatchTest : public testing::Test {
protected:
    PacketBatch::Fit add(std::size_t size, char fill = 'x', const PacketTarget& target = kHere) {
        std::fill_n(batch.space().begin(), size, static_cast<std::byte>(fill));
        return batch.add(size, target);
    }
    Bytes buffer = Bytes(80'000);
    PacketBatch batch{buffer, 64};
};

TEST_F(BatchTest, OneDatagramHasNoSegmentSize) {
    EXPECT_TRUE(batch.empty());
    EXPECT_EQ(add(1200), PacketBatch::Fit::open);
    EXPECT_EQ(batch.view().data.size(), 1200U);
    EXPECT_EQ(batch.view().segment_bytes, 0U);
    EXPECT_EQ(batch.view().ecn, 2);
    EXPECT_EQ(batch.view().remote, kHere.remote);
}

TEST_F(BatchTest, EqualOnesAndAShorterLastOne) {
    EXPECT_EQ(add(1200), PacketBatch::Fit::open);
    EXPECT_EQ(add(1200), PacketBatch::Fit::open);
    EXPECT_EQ(add(30), PacketBatch::Fit::full);
    EXPECT_EQ(batch.view().data.size(), 2430U);
    EXPECT_EQ(batch.view().segment_bytes, 1200U);
    EXPECT_EQ(batch.packets(), 3U);
}

TEST_F(BatchTest, ALongerOneBeginsTheNextBatch) {
    EXPECT_EQ(add(1200), PacketBatch::Fit::open);
    EXPECT_EQ(add(1400, 'p'), PacketBatch::Fit::other);
    EXPECT_EQ(batch.view().data.size(), 1200U);
    batch.restart(1400, kHere);
    EXPECT_EQ(batch.view().data.size(), 1400U);
    EXPECT_EQ(as_text(batch.view().data), std::string(1400, 'p'));
}

TEST_F(BatchTest, AnotherTargetOrMarkBeginsTheNextBatch) {
    EXPECT_EQ(add(1200), PacketBatch::Fit::open);
    EXPECT_EQ(add(1200, 'x', kThere), PacketBatch::Fit::other);
    PacketTarget unmarked = kHere;
    unmarked.ecn = 0;
    EXPECT_EQ(add(1200, 'x', unmarked), PacketBatch::Fit::other);
}

TEST_F(BatchTest, HasAtMostSoManySegmentsAndOctets) {
    for (int i = 0; i < 53; ++i) {
        ASSERT_EQ(add(1200), PacketBatch::Fit::open);
    }
    ASSERT_EQ(add(1200), PacketBatch::Fit::open);
    EXPECT_EQ(add(1200), PacketBatch::Fit::other) << "over 65 000 octets";
    batch.clear();
    for (int i = 0; i < 63; ++i) {
        ASSERT_EQ(add(100), PacketBatch::Fit::open);
    }
    EXPECT_EQ(add(100), PacketBatch::Fit::full);
}

TEST_F(BatchTest, AQuantumIsCutToWholeBatches) {
    constexpr std::size_t kFull = std::size_t{44} * 1452;  // of 65 000 octets
    EXPECT_EQ(batch.whole(kFull - 1, 1452), kFull - 1) << "not even one";
    EXPECT_EQ(batch.whole(kFull, 1452), kFull);
    EXPECT_EQ(batch.whole(65'536, 1452), kFull);
    EXPECT_EQ(batch.whole(2 * kFull + 1, 1452), 2 * kFull);
    EXPECT_EQ(batch.whole(13'000, 100), 12'800U) << "64 segments";
    const PacketBatch single(buffer, 1);
    EXPECT_EQ(single.whole(5000, 1200), 4800U);
}

TEST_F(BatchTest, WithoutOffloadEachIsFull) {
    PacketBatch single(buffer, 1);
    EXPECT_EQ(single.add(1200, kHere), PacketBatch::Fit::full);
}

TEST(ClosingPacket, AnswersWithBackOffAndNeverMoreThanCame) {
    ClosingPacket packet;
    EXPECT_FALSE(packet.answers(1200)) << "there is none yet";
    packet.keep(Bytes(50), kHere);
    std::vector<int> answered;
    for (int i = 1; i <= 40; ++i) {
        if (packet.answers(1000)) {
            answered.push_back(i);
        }
    }
    EXPECT_EQ(answered, (std::vector{1, 2, 4, 8, 16, 32}));

    ClosingPacket large;
    large.keep(Bytes(100), kHere);
    EXPECT_FALSE(large.answers(40));
    EXPECT_FALSE(large.answers(40));
    EXPECT_FALSE(large.answers(40));
    EXPECT_TRUE(large.answers(40));
}

// ---- routing ----

TEST(RoutingTable, LeadsByIdAndByToken) {
    RoutingTable<int> table;
    int one = 1;
    int two = 2;
    EXPECT_TRUE(table.add(as_bytes("12345678"), one));
    EXPECT_FALSE(table.add(as_bytes("12345678"), two)) << "taken";
    EXPECT_TRUE(table.add(as_bytes("1234567"), two)) << "a prefix is another id";
    EXPECT_FALSE(table.add({}, one));
    EXPECT_FALSE(table.add(as_bytes("123456789012345678901"), one)) << "over 20 octets";
    EXPECT_EQ(table.find(as_bytes("12345678")), &one);
    EXPECT_EQ(table.find(as_bytes("1234567")), &two);
    EXPECT_EQ(table.find(as_bytes("x")), nullptr);
    EXPECT_EQ(table.find({}), nullptr);
    EXPECT_EQ(table.find(as_bytes("12345678")), &one) << "after others, and once more";
    EXPECT_EQ(table.find(as_bytes("12345678")), &one);
    table.remove(as_bytes("12345678"));
    EXPECT_EQ(table.find(as_bytes("12345678")), nullptr);
    EXPECT_EQ(table.ids(), 1U);

    const std::string token(16, 't');
    table.add_token(as_bytes(token), one);
    EXPECT_EQ(table.find_token(as_bytes(token)), &one);
    table.add_token(as_bytes(token), two);
    table.remove_token(as_bytes(token), one);
    EXPECT_EQ(table.find_token(as_bytes(token)), &two) << "it is another connection's by now";
    table.remove_token(as_bytes(token), two);
    EXPECT_EQ(table.find_token(as_bytes(token)), nullptr);
    EXPECT_EQ(table.tokens(), 0U);
}

TEST(ConnectionId, EndsWithTheLoopsIndex) {
    std::set<std::string> seen;
    for (std::uint32_t index = 0; index < 7; ++index) {
        for (int i = 0; i < 50; ++i) {
            const ngtcp2_cid id = draw_connection_id({index, 7});
            ASSERT_EQ(id.datalen, kConnectionIdBytes);
            ASSERT_EQ(id.data[7] % 7U, index);
            seen.insert(std::string(as_text(view(id))));
        }
    }
    EXPECT_EQ(seen.size(), 350U);
}

// ---- stateless reset ----

TEST(StatelessReset, TokensFollowFromSecretAndId) {
    const std::string secret(32, 's');
    const std::string other(32, 'o');
    const auto token = derive_reset_token(as_bytes(secret), as_bytes("12345678"));
    EXPECT_EQ(token, derive_reset_token(as_bytes(secret), as_bytes("12345678")));
    EXPECT_NE(token, derive_reset_token(as_bytes(secret), as_bytes("12345679")));
    EXPECT_NE(token, derive_reset_token(as_bytes(other), as_bytes("12345678")));
}

TEST(StatelessReset, LooksLikeAShortPacketAndIsShorterThanWhatItAnswers) {
    ResetToken token;
    token.fill(std::byte{7});
    std::array<std::byte, kResetBytesMax> buffer;
    std::set<std::size_t> sizes;
    for (std::size_t trigger = kResetTriggerBytesMin; trigger < 2000; ++trigger) {
        const BytesView packet = write_stateless_reset(buffer, token, trigger);
        ASSERT_GE(packet.size(), kResetBytesMin);
        ASSERT_LT(packet.size(), trigger);
        ASSERT_EQ(std::to_integer<int>(packet.front()) & 0xc0, 0x40);
        ASSERT_TRUE(std::ranges::equal(packet.last(16), token));
        if (trigger <= 43) {
            ASSERT_EQ(packet.size(), trigger - 1);
        }
        sizes.insert(packet.size());
    }
    EXPECT_GT(sizes.size(), 30U) << "the length is random";
}

TEST(RateLimit, AdmitsABurstAndThenARate) {
    RateLimit limit(100, 5);
    TimePoint now(1s);
    const auto admitted = [&](int tries) {
        int count = 0;
        for (int i = 0; i < tries; ++i) {
            count += limit.admit(now) ? 1 : 0;
        }
        return count;
    };
    EXPECT_EQ(admitted(100), 5);
    now += 10ms;
    EXPECT_EQ(admitted(100), 1);
    now += 30ms;
    EXPECT_EQ(admitted(100), 3);
    now += 1h;
    EXPECT_EQ(admitted(100), 5);
}

// ---- address tokens ----

class TokenTest : public testing::Test {
protected:
    TokenTest() {
        const std::string first = "first-destination";
        ngtcp2_cid_init(&header.dcid, octets(as_bytes(first)), first.size());
        header.version = NGTCP2_PROTO_VER_V1;
    }
    AddressTokens::Checked check(const Bytes& token, const SocketAddress& from, WallTime at) {
        header.token = octets(BytesView(token));
        header.tokenlen = token.size();
        return tokens.check(header, from, at);
    }
    /// As the client comes back after a Retry: to the id that the Retry gave.
    Bytes retry() {
        const ngtcp2_cid given = draw_connection_id({});
        Bytes token = tokens.make_retry(header, given, client, now);
        header.dcid = given;
        return token;
    }

    std::string secret = std::string(32, 's');
    AddressTokens tokens{as_bytes(secret)};
    ngtcp2_pkt_hd header{};
    SocketAddress client = SocketAddress::v4({192, 0, 2, 1}, 1000);
    WallTime now{1'700'000'000s};
};

using Verdict = AddressTokens::Verdict;

TEST_F(TokenTest, ARetryTokenProvesTheAddressAndCarriesTheFirstId) {
    const Bytes token = retry();
    ASSERT_FALSE(token.empty());
    const auto checked = check(token, client, now + 1s);
    EXPECT_EQ(checked.verdict, Verdict::proven);
    EXPECT_EQ(checked.type, NGTCP2_TOKEN_TYPE_RETRY);
    EXPECT_EQ(as_text(view(checked.original_dcid)), "first-destination");
}

TEST_F(TokenTest, ARetryTokenThatDoesNotFitIsInvalid) {
    const Bytes token = retry();
    EXPECT_EQ(check(token, client.with_port(1001), now).verdict, Verdict::invalid) << "port";
    EXPECT_EQ(check(token, SocketAddress::v4({192, 0, 2, 2}, 1000), now).verdict, Verdict::invalid);
    EXPECT_EQ(check(token, client, now + AddressTokens::kRetryLifetime).verdict, Verdict::invalid);
    for (std::size_t i = 1; i < token.size(); ++i) {
        Bytes damaged = token;
        damaged[i] ^= std::byte{1};
        ASSERT_EQ(check(damaged, client, now).verdict, Verdict::invalid) << i;
    }
    header.dcid = draw_connection_id({});
    EXPECT_EQ(check(token, client, now).verdict, Verdict::invalid) << "another id";
}

TEST_F(TokenTest, ANewTokenTokenProvesTheAddressButNotThePort) {
    const Bytes token = tokens.make_new_token(client, now);
    const auto checked = check(token, client.with_port(5), now + 24h);
    EXPECT_EQ(checked.verdict, Verdict::proven);
    EXPECT_EQ(checked.type, NGTCP2_TOKEN_TYPE_NEW_TOKEN);
    EXPECT_EQ(check(token, SocketAddress::v4({192, 0, 2, 2}, 1000), now).verdict, Verdict::none);
    EXPECT_EQ(check(token, client, now + AddressTokens::kNewTokenLifetime).verdict, Verdict::none);
    for (std::size_t i = 1; i < token.size(); ++i) {
        Bytes damaged = token;
        damaged[i] ^= std::byte{1};
        ASSERT_EQ(check(damaged, client, now).verdict, Verdict::none) << i;
    }
}

TEST_F(TokenTest, OverIPv6Too) {
    const auto six = SocketAddress::v6({0x20, 1, 0xd, 0xb8}, 7);
    EXPECT_EQ(check(tokens.make_new_token(six, now), six, now).verdict, Verdict::proven);
    client = six;
    EXPECT_EQ(check(retry(), six, now).verdict, Verdict::proven);
}

TEST_F(TokenTest, ForeignTokensAndNonsenseCountAsNone) {
    EXPECT_EQ(check({}, client, now).verdict, Verdict::none);
    for (int first = 0; first < 256; ++first) {
        for (const std::size_t size : {1U, 2U, 16U, 41U, 89U, 91U, 400U}) {
            const Bytes token(size, static_cast<std::byte>(first));
            ASSERT_EQ(check(token, client, now).verdict, Verdict::none) << first << ' ' << size;
        }
    }
}

// ---- frames ----

Bytes octets_of(std::initializer_list<int> values) {
    Bytes bytes;
    for (const int value : values) {
        bytes.push_back(static_cast<std::byte>(value));
    }
    return bytes;
}

std::vector<std::pair<std::int64_t, std::uint64_t>> stops_in(const Bytes& payload) {
    std::vector<std::pair<std::int64_t, std::uint64_t>> found;
    FrameScan scan(payload);
    while (const auto stop = scan.next()) {
        found.emplace_back(stop->stream, stop->code);
    }
    return found;
}

TEST(FrameScan, FindsThemBehindEveryOtherFrame) {
    const std::vector<Bytes> others = {
        octets_of({0x00, 0x00, 0x00}),                             // PADDING
        octets_of({0x01}),                                         // PING
        octets_of({0x02, 0x0a, 0x00, 0x01, 0x02, 0x00, 0x01}),     // ACK with one more range
        octets_of({0x03, 0x0a, 0x00, 0x00, 0x02, 1, 2, 0x40, 3}),  // ACK with ECN counts
        octets_of({0x04, 0x08, 0x40, 0xff, 0x05}),                 // RESET_STREAM
        octets_of({0x06, 0x00, 0x02, 0xaa, 0xbb}),                 // CRYPTO
        octets_of({0x07, 0x02, 0x05, 0x05}),                       // NEW_TOKEN
        octets_of({0x0a, 0x04, 0x02, 0x05, 0x05}),                 // STREAM with length
        octets_of({0x0e, 0x04, 0x40, 0x40, 0x01, 0x05}),           // and with offset
        octets_of({0x0f, 0x04, 0x07, 0x00}),                       // and with FIN
        octets_of({0x10, 0x80, 0, 0, 1}),                          // MAX_DATA
        octets_of({0x11, 0x04, 0x05}),                             // MAX_STREAM_DATA
        octets_of({0x12, 0x05}),                                   // MAX_STREAMS
        octets_of({0x13, 0x05}),
        octets_of({0x14, 0x05}),        // DATA_BLOCKED
        octets_of({0x15, 0x04, 0x05}),  // STREAM_DATA_BLOCKED
        octets_of({0x16, 0x05}),        // STREAMS_BLOCKED
        octets_of({0x17, 0x05}),
        octets_of({0x18, 2, 0, 1, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}),
        octets_of({0x19, 0x05}),                    // RETIRE_CONNECTION_ID
        octets_of({0x1a, 5, 5, 5, 5, 5, 5, 5, 5}),  // PATH_CHALLENGE
        octets_of({0x1b, 5, 5, 5, 5, 5, 5, 5, 5}),  // PATH_RESPONSE
        octets_of({0x1e}),                          // HANDSHAKE_DONE
        octets_of({0x31, 0x02, 0x05, 0x05}),        // DATAGRAM with length
        octets_of({0x40, 0x01}),                    // PING in two octets
    };
    const Bytes stop = octets_of({0x05, 0x08, 0x40, 0x4e});
    for (const Bytes& frame : others) {
        Bytes payload = frame;
        payload.insert(payload.end(), stop.begin(), stop.end());
        payload.insert(payload.end(), frame.begin(), frame.end());
        payload.insert(payload.end(), stop.begin(), stop.end());
        const auto found = stops_in(payload);
        ASSERT_EQ(found.size(), 2U)
            << "behind a frame of type " << std::to_integer<int>(frame.front());
        EXPECT_EQ(found[0], (std::pair<std::int64_t, std::uint64_t>(8, 78)));
        // Cut short anywhere, it is found or not, and nothing else happens.
        for (std::size_t size = 0; size < payload.size(); ++size) {
            const Bytes part(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
            ASSERT_LE(stops_in(part).size(), 2U);
        }
    }
}

TEST(FrameScan, EndsWhereNothingMayFollow) {
    const Bytes stop = octets_of({0x05, 0x08, 0x00});
    for (const Bytes& last :
         {octets_of({0x08, 0x04}), octets_of({0x30}), octets_of({0x1c, 0, 0, 0}),
          octets_of({0x1d, 0, 0}), octets_of({0x42, 0x00}), octets_of({0x06, 0x00, 0x3f})}) {
        Bytes payload = last;
        payload.insert(payload.end(), stop.begin(), stop.end());
        EXPECT_TRUE(stops_in(payload).empty()) << std::to_integer<int>(last.front());
    }
    EXPECT_TRUE(stops_in({}).empty());
}

}  // namespace
}  // namespace alknet::quic
