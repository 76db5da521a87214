#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <alknet/base/encoding.hpp>
#include <array>
#include <functional>
#include <random>

namespace alknet {
namespace {

std::string text_of(const std::optional<Bytes>& bytes) {
    return bytes ? std::string(as_text(*bytes)) : "(refused)";
}

// RFC 4648 section 10, without the padding of base32.
TEST(Encoding, HasTheVectorsOfTheRfc) {
    struct Vector {
        std::string_view plain, hex, base32, base32hex, base64;
    };
    constexpr std::array kVectors = {
        Vector{"", "", "", "", ""},
        Vector{"f", "66", "my", "co", "Zg=="},
        Vector{"fo", "666f", "mzxq", "cpng", "Zm8="},
        Vector{"foo", "666f6f", "mzxw6", "cpnmu", "Zm9v"},
        Vector{"foob", "666f6f62", "mzxw6yq", "cpnmuog", "Zm9vYg=="},
        Vector{"fooba", "666f6f6261", "mzxw6ytb", "cpnmuoj1", "Zm9vYmE="},
        Vector{"foobar", "666f6f626172", "mzxw6ytboi", "cpnmuoj1e8", "Zm9vYmFy"},
    };
    for (const Vector& v : kVectors) {
        EXPECT_EQ(hex_encode(as_bytes(v.plain)), v.hex);
        EXPECT_EQ(base32_encode(as_bytes(v.plain)), v.base32);
        EXPECT_EQ(base32_encode(as_bytes(v.plain), Base32::dnssec), v.base32hex);
        EXPECT_EQ(base64_encode(as_bytes(v.plain)), v.base64);
        EXPECT_EQ(text_of(hex_decode(v.hex)), v.plain);
        EXPECT_EQ(text_of(base32_decode(v.base32)), v.plain);
        EXPECT_EQ(text_of(base32_decode(v.base32hex, Base32::dnssec)), v.plain);
        EXPECT_EQ(text_of(base64_decode(v.base64)), v.plain);
    }
}

TEST(Encoding, RoundTripsEverySizeInEveryForm) {
    std::mt19937 random(4648);
    for (std::size_t size = 0; size < 70; ++size) {
        Bytes bytes(size);
        for (std::byte& byte : bytes) {
            byte = static_cast<std::byte>(random());
        }
        EXPECT_EQ(hex_decode(hex_encode(bytes)), bytes);
        for (const Base32 form : {Base32::rfc4648, Base32::dnssec, Base32::z}) {
            EXPECT_EQ(base32_decode(base32_encode(bytes, form), form), bytes);
        }
        for (const Base64 form : {Base64::standard, Base64::unpadded, Base64::url}) {
            EXPECT_EQ(base64_decode(base64_encode(bytes, form), form), bytes);
        }
    }
}

TEST(Encoding, ReadsEitherCaseWhereCaseMeansNothing) {
    EXPECT_EQ(text_of(hex_decode("4F4b")), "OK");
    EXPECT_EQ(text_of(base32_decode("MZxw6")), "foo");
    EXPECT_EQ(text_of(base32_decode("CPNMU", Base32::dnssec)), "foo");
}

TEST(Encoding, RefusesWhatIsNotTheOneTextOfAValue) {
    for (const std::string_view text : {"0", "0g", "00 ", "0x00", "-1"}) {
        EXPECT_FALSE(hex_decode(text)) << text;
    }
    for (const std::string_view text : {"m", "mz", "my======", "mzxw6y1", "mzx w6", "mzxw6ytbo"}) {
        EXPECT_FALSE(base32_decode(text)) << text;
    }
    for (const std::string_view text :
         {"Zg", "Zg=", "Zg===", "Zh==", "Z===", "====", "Zm9v\n", "Zg==Zg==", "Zm9v====", "Zm9-"}) {
        EXPECT_FALSE(base64_decode(text)) << text;
    }
    for (const std::string_view text : {"Zg==", "Z", "Zh", "Zm9v+"}) {
        EXPECT_FALSE(base64_decode(text, Base64::url)) << text;
    }
    EXPECT_FALSE(base64_decode("Zm9v-A", Base64::unpadded));
    EXPECT_TRUE(base64_decode("Zm9v-A", Base64::url));
}

// From the description of z-base-32, those of its examples that are whole octets.
TEST(Encoding, HasTheVectorsOfZBase32) {
    const std::array<std::pair<std::string_view, std::string_view>, 3> vectors = {{
        {"f0bfc7", "6n9hq"},
        {"d47a04", "4t7ye"},
        {"ff", "9h"},
    }};
    for (const auto& [hex, coded] : vectors) {
        EXPECT_EQ(base32_encode(*hex_decode(hex), Base32::z), coded);
        EXPECT_EQ(base32_decode(coded, Base32::z), hex_decode(hex));
    }
}

using Encoder = std::function<std::string(BytesView)>;
using Decoder = std::function<std::optional<Bytes>(std::string_view)>;

// One byte string has one text: what decodes is, letter case aside, what the encoder writes.
TEST(Encoding, WhatDecodesIsWhatTheEncoderWrites) {
    std::vector<std::pair<Encoder, Decoder>> forms = {{hex_encode, hex_decode}};
    for (const Base32 form : {Base32::rfc4648, Base32::dnssec, Base32::z}) {
        forms.emplace_back([form](BytesView bytes) { return base32_encode(bytes, form); },
                           [form](std::string_view text) { return base32_decode(text, form); });
    }
    for (const Base64 form : {Base64::standard, Base64::unpadded, Base64::url}) {
        forms.emplace_back([form](BytesView bytes) { return base64_encode(bytes, form); },
                           [form](std::string_view text) { return base64_decode(text, form); });
    }
    EXPECT_TRUE(rc::check([&forms](const std::string& any) {
        for (const auto& [encode, decode] : forms) {
            std::string text = encode(as_bytes(any));
            RC_ASSERT(decode(text) == to_bytes(as_bytes(any)));
            if (!text.empty()) {
                text[any.size() % text.size()] = *rc::gen::arbitrary<char>();
                text.resize(*rc::gen::inRange<std::size_t>(0, text.size() + 1));
            }
            if (const auto bytes = decode(text)) {
                RC_ASSERT(encode(*bytes).size() == text.size());
                RC_ASSERT(decode(encode(*bytes)) == bytes);
            }
        }
    }));
}

}  // namespace
}  // namespace alknet
