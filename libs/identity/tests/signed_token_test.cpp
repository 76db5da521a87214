#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/number.hpp>
#include <alknet/identity/signed_token.hpp>
#include <alknet/identity/token.hpp>
#include <alknet/testing/random.hpp>
#include <fstream>
#include <sstream>

#include "support.hpp"

namespace alknet::identity {
namespace {

constexpr std::string_view kSeed =
    "603aa5c626317fda4afd87b902e5c9de76c33f40834005245e1c5a675e92d700";

std::shared_ptr<const NodeKey> vector_key() {
    return NodeKey::from_seed(*hex_decode(kSeed)).value();
}

// The lines of the file that begin with this word.
std::vector<std::vector<std::string>> vectors(const std::string& kind) {
    std::ifstream file(ALKNET_TOKEN_VECTORS);
    EXPECT_TRUE(file.is_open());
    std::vector<std::vector<std::string>> all;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (word == kind + ":") {
            all.emplace_back();
            while (words >> word) {
                all.back().push_back(word);
            }
        }
    }
    EXPECT_FALSE(all.empty()) << kind;
    return all;
}

TEST(SignedToken, IsWhatTheVectorsSay) {
    const auto key = vector_key();
    for (const auto& line : vectors("v2")) {
        const NodeId audience = NodeId::parse(line.at(0)).value();
        const auto seconds = parse_number<std::int64_t>(line.at(2)).value();
        const auto counter = parse_number<std::uint8_t>(line.at(3)).value();
        const auto token = sign_token(
            *key,
            {.audience = audience, .purpose = line.at(1), .now = at(seconds), .counter = counter});
        ASSERT_TRUE(token);
        EXPECT_EQ(token->encode(), line.at(4));
        EXPECT_EQ(SignedToken::decode(line.at(4)), *token);
        EXPECT_EQ(token->signer(audience, line.at(1), std::array{key->id()}), key->id());
    }
    for (const auto& line : vectors("v1")) {
        const auto token = sign_token_v1(*key, at(parse_number<std::int64_t>(line.at(0)).value()));
        ASSERT_TRUE(token);
        EXPECT_EQ(token->encode(), line.at(1));
        EXPECT_EQ(SignedToken::decode(line.at(1)), *token);
        EXPECT_EQ(token->signer(NodeId(), "any", std::array{key->id()}), key->id());
    }
    for (const auto& line : vectors("hash")) {
        EXPECT_EQ(hex_encode(token_hash(line.at(0))), line.at(1));
    }
}

TEST(SignedToken, WrongOnesOfTheVectorsDoNotVerify) {
    const std::array keys{vector_key()->id()};
    for (const auto& line : vectors("wrong")) {
        const auto token = SignedToken::decode(line.at(2));
        ASSERT_TRUE(token) << line.at(2);
        EXPECT_FALSE(token->signer(NodeId::parse(line.at(0)).value(), line.at(1), keys))
            << line.at(2);
    }
    for (const auto& line : vectors("form")) {
        EXPECT_FALSE(SignedToken::decode(line.at(0))) << line.at(0);
    }
}

TEST(SignedToken, EachFlippedBitIsNoticed) {
    const auto key = NodeKey::generate();
    const NodeId audience = NodeKey::generate()->id();
    const auto second =
        sign_token(*key, {.audience = audience, .purpose = "p", .now = at(1'000'000)});
    const auto first = sign_token_v1(*key, at(1'000'000));
    ASSERT_TRUE(first && second);
    for (const SignedToken& token : {*first, *second}) {
        const Bytes octets = *base64_decode(token.encode(), Base64::url);
        for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
            Bytes flipped = octets;
            flipped[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
            const auto other = SignedToken::decode(base64_encode(flipped, Base64::url));
            ASSERT_FALSE(other && other->signer(audience, "p", std::array{key->id()})) << bit;
        }
    }
}

// Eight octets do not name a key for certain.
TEST(SignedToken, IsOfTheKeyThatHasSignedItAmongSeveralWithItsId) {
    const auto key = NodeKey::generate();
    const NodeId audience = NodeKey::generate()->id();
    const auto token = sign_token(*key, {.audience = audience, .purpose = "p", .now = at(1)});
    ASSERT_TRUE(token);
    const NodeId other = NodeKey::generate()->id();
    const NodeId another = NodeKey::generate()->id();
    EXPECT_EQ(token->signer(audience, "p", std::array{other, another, key->id()}), key->id());
    EXPECT_FALSE(token->signer(audience, "p", std::array{other, another}));
    EXPECT_FALSE(token->signer(audience, "p", {}));
}

TEST(SignedToken, HasAPurposeAndATimeThatFit) {
    const auto key = NodeKey::generate();
    const auto sign = [&](std::size_t purpose, WallTime now) {
        return sign_token(
            *key, {.audience = key->id(), .purpose = std::string(purpose, '\xff'), .now = now});
    };
    EXPECT_TRUE(sign(kPurposeBytesMax, at(0)));
    EXPECT_TRUE(sign(1, at(2'208'988'800)));  // 2040
    EXPECT_TRUE(sign(1, at(0xffff'ffff)));
    for (const auto& token : {sign(0, at(0)), sign(kPurposeBytesMax + 1, at(0)), sign(1, at(-1)),
                              sign(1, at(0x1'0000'0000)), sign_token_v1(*key, at(-1))}) {
        EXPECT_TRUE(!token && token.error().is(causes::kUsage));
    }
    const auto token = sign(1, at(0));
    EXPECT_FALSE(token->signer(key->id(), "", std::array{key->id()}));
    EXPECT_FALSE(token->signer(key->id(), std::string(256, 'x'), std::array{key->id()}));
    EXPECT_EQ(unix_seconds(at(-5)), 0U);
}

TEST(SignedToken, MayBeAnyOctetsOfAnyLength) {
    sim::Random random(6);
    for (std::size_t size = 0; size <= 300; ++size) {
        std::string text(size, '\0');
        random.fill(std::as_writable_bytes(std::span(text.data(), text.size())));
        EXPECT_FALSE(SignedToken::decode(text));
        EXPECT_FALSE(SignedToken::decode(std::string(size, '\xff')));
    }
}

// An hour from the beginning of time, by a clock that is right.
struct Used {
    UsedTokens tokens{0};
    NodeId key = NodeKey::generate()->id();

    result<void> use(std::uint64_t unix_s, std::uint64_t now_s, std::uint8_t counter = 0,
                     std::uint64_t started_s = 0) {
        return tokens.use({.signer = key,
                           .unix_s = unix_s,
                           .message = {std::byte{counter}, std::byte(unix_s % 256)},
                           .now_s = now_s,
                           .window_s = 300,
                           .started_s = started_s});
    }
    bool refused(std::uint64_t unix_s, std::uint64_t now_s, std::uint8_t counter = 0,
                 std::uint64_t started_s = 0) {
        const auto used = use(unix_s, now_s, counter, started_s);
        return !used && used.error().is(causes::kTokenInvalid);
    }
};

TEST(UsedTokens, AreTakenOnceWithinTheWindow) {
    Used used;
    EXPECT_TRUE(used.use(700, 1000));
    EXPECT_TRUE(used.refused(700, 1000));
    EXPECT_TRUE(used.use(700, 1000, 1));  // another counter
    EXPECT_TRUE(used.use(1300, 1000));
    EXPECT_TRUE(used.refused(699, 1000));
    EXPECT_TRUE(used.refused(1301, 1000));
    EXPECT_TRUE(used.refused(1300, 1600));
    EXPECT_TRUE(used.refused(1300, 1601));
    EXPECT_TRUE(used.refused(std::numeric_limits<std::uint64_t>::max(), 1000));
    EXPECT_EQ(used.tokens.size(), 0U);
    // Another key's token of the same moment is another one.
    EXPECT_TRUE(used.use(1400, 1400));
    used.key = NodeKey::generate()->id();
    EXPECT_TRUE(used.use(1400, 1400));
}

TEST(UsedTokens, StayRefusedWhenTheClockIsSetBack) {
    Used used;
    EXPECT_TRUE(used.use(1000, 1000));
    EXPECT_TRUE(used.use(2000, 2000));
    EXPECT_EQ(used.tokens.size(), 1U);  // the first is forgotten …
    EXPECT_TRUE(used.refused(1000, 1000));
    EXPECT_TRUE(used.refused(999, 1000));
    EXPECT_TRUE(used.use(1001, 1000));  // … and what is younger was not used
}

TEST(UsedTokens, FromBeforeTheStartAreRefused) {
    Used used;
    used.tokens = UsedTokens(1000);
    EXPECT_TRUE(used.refused(1000, 1001));
    EXPECT_TRUE(used.use(1001, 1001));
    used.tokens.refuse_until(used.key, 1100);
    EXPECT_TRUE(used.refused(1100, 1001));
    EXPECT_TRUE(used.use(1101, 1001));
    // The clock stood at 1970 when the node started at 2 040 000 000.
    used.tokens = UsedTokens(10);
    EXPECT_TRUE(used.refused(2'039'999'999, 2'040'000'005, 0, 2'040'000'000));
    EXPECT_TRUE(used.use(2'040'000'001, 2'040'000'005, 0, 2'040'000'000));
    EXPECT_TRUE(used.refused(2'039'999'998, 2'040'000'005));
}

TEST(UsedTokens, AtTheBeginningOfTimeAreCountedToo) {
    Used used;
    EXPECT_TRUE(used.refused(0, 0));
    EXPECT_TRUE(used.use(1, 0));
    EXPECT_TRUE(used.refused(1, 0));
}

TEST(UsedTokens, HaveALimitForEachKeyThatNothingIsForgottenFor) {
    Used used;
    std::uint64_t time = 1000;
    for (std::size_t i = 0; i < UsedTokens::kUsedPerKeyMax; ++i) {
        ASSERT_TRUE(used.use(time + i / 256, 1100, static_cast<std::uint8_t>(i % 256)));
    }
    const auto more = used.use(1200, 1100);
    EXPECT_TRUE(!more && more.error().is(causes::kLimit));
    EXPECT_TRUE(used.refused(1000, 1100));
    used.key = NodeKey::generate()->id();
    EXPECT_TRUE(used.use(1200, 1100));
    used.key = NodeKey::generate()->id();
    EXPECT_TRUE(used.use(1400, 1400));
}

TEST(UsedTokens, HaveALimitInAll) {
    Used used;
    for (std::size_t i = 0; i < UsedTokens::kUsedMax; ++i) {
        if (i % UsedTokens::kUsedPerKeyMax == 0) {
            used.key = NodeKey::generate()->id();
        }
        const std::size_t number = i % UsedTokens::kUsedPerKeyMax;
        ASSERT_TRUE(used.use(1000 + number / 256, 1100, static_cast<std::uint8_t>(number % 256)));
    }
    used.key = NodeKey::generate()->id();
    const auto more = used.use(1100, 1100);
    EXPECT_TRUE(!more && more.error().is(causes::kLimit));
    EXPECT_EQ(used.tokens.size(), UsedTokens::kUsedMax);
    EXPECT_TRUE(used.use(1400, 1400));
    EXPECT_EQ(used.tokens.size(), 1U);
}

TEST(UsedTokens, OfMoreKeysThanItRemembersAreRefusedForAll) {
    Used used;
    std::array<std::byte, NodeId::kSize> octets{};
    for (std::size_t i = 0; i < UsedTokens::kUsedMax; ++i) {
        octets[0] = static_cast<std::byte>(i % 256);
        octets[1] = static_cast<std::byte>(i / 256);
        used.tokens.refuse_until(NodeId(octets), 1000);
    }
    EXPECT_TRUE(used.use(900, 1000));
    octets[2] = std::byte{1};
    used.tokens.refuse_until(NodeId(octets), 1000);
    EXPECT_TRUE(used.refused(950, 1000));
    EXPECT_TRUE(used.use(1001, 1000));
}

}  // namespace
}  // namespace alknet::identity
