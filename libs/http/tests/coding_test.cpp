// Which coding a client gets, and that what it gets is the same content.
#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <alknet/base/causes.hpp>
#include <alknet/http/coding.hpp>
#include <alknet/testing/co_test.hpp>
#include <string>
#include <vector>

namespace alknet::http {
namespace {

Coding chosen(std::string_view value) {
    Fields fields;
    fields.add("accept-encoding", value);
    return choose_coding(fields);
}

TEST(Coding, IsTheOneThatTheClientPrefers) {
    EXPECT_EQ(choose_coding(Fields()), Coding::identity);
    EXPECT_EQ(chosen(""), Coding::identity);
    EXPECT_EQ(chosen("gzip"), Coding::gzip);
    EXPECT_EQ(chosen("x-gzip"), Coding::gzip);
    EXPECT_EQ(chosen("GZIP, deflate"), Coding::gzip);
    EXPECT_EQ(chosen("gzip, deflate, br, zstd"), Coding::br);
    EXPECT_EQ(chosen("gzip;q=1.0, br;q=0.9"), Coding::gzip);
    EXPECT_EQ(chosen("br ; q=0.001"), Coding::br);
    EXPECT_EQ(chosen("gzip;q=0, br;q=0"), Coding::identity);
    EXPECT_EQ(chosen("identity, gzip;q=0.5"), Coding::identity);
    EXPECT_EQ(chosen("identity;q=0.5, gzip;q=0.5"), Coding::gzip);
    EXPECT_EQ(chosen("*"), Coding::br);
    EXPECT_EQ(chosen("br;q=0, *;q=0.1"), Coding::gzip);
    EXPECT_EQ(chosen("deflate, compress"), Coding::identity);
}

TEST(Coding, WhatIsMalformedIsAsIfItWereNotThere) {
    for (const char* const value :
         {"gzip;q=2", "gzip;q=1.001", "gzip;q=0.1234", "gzip;q=", "gzip;q=-1", "gzip;q=0,1x;",
          "gzip;x=1", "gzip;q=.5", "gzip;q=1x", "gzi p", ";q=1"}) {
        EXPECT_EQ(chosen(value), Coding::identity) << value;
    }
    EXPECT_EQ(chosen("gzip;q=2, br"), Coding::br);
}

/// Gives the text in reads of so many octets.
class Pieces final : public BodySource {
public:
    Pieces(std::string text, std::size_t size) : text_(std::move(text)), size_(size) {}
    task<result<std::size_t>> read(MutableBytes into) override {
        const std::size_t size = std::min({into.size(), size_, text_.size() - begin_});
        std::copy_n(as_bytes(text_).begin() + static_cast<std::ptrdiff_t>(begin_), size,
                    into.begin());
        begin_ += size;
        co_return size;
    }

private:
    std::string text_;
    std::size_t size_;
    std::size_t begin_ = 0;
};

std::string decoded(const std::string& coded, Coding coding, std::size_t size) {
    std::string text(size + 1, '\0');
    auto* const to = reinterpret_cast<std::uint8_t*>(text.data());
    const auto* const from = reinterpret_cast<const std::uint8_t*>(coded.data());
    std::size_t got = text.size();
    if (coding == Coding::br) {
        EXPECT_EQ(BrotliDecoderDecompress(coded.size(), from, &got, to),
                  BROTLI_DECODER_RESULT_SUCCESS);
    } else {
        z_stream stream{};
        EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
        stream.next_in = const_cast<Bytef*>(from);
        stream.avail_in = static_cast<uInt>(coded.size());
        stream.next_out = to;
        stream.avail_out = static_cast<uInt>(text.size());
        EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
        got = stream.total_out;
        inflateEnd(&stream);
    }
    text.resize(got);
    return text;
}

ALKNET_CO_TEST(Encoded, IsTheSameContent) {
    std::string long_text;
    while (long_text.size() < 300'000) {
        long_text += std::to_string(long_text.size() * 7919) + " lines of text\n";
    }
    for (const Coding coding : {Coding::gzip, Coding::br}) {
        for (const std::string& text : {std::string(), std::string("a"), long_text}) {
            for (const std::size_t size : {std::size_t{1000}, std::size_t{1} << 20}) {
                std::unique_ptr<BodySource> source = std::make_unique<Pieces>(text, size);
                auto coded = encoded(source, coding);
                ALKNET_CO_ASSERT(coded != nullptr && source == nullptr);
                const auto all = co_await read_all(*coded, 1 << 20);
                ALKNET_CO_ASSERT(all);
                EXPECT_EQ(decoded(*all, coding, text.size()), text);
                EXPECT_LT(all->size(), text.size() / 3 + 100);
            }
        }
    }
}

class Broken final : public BodySource {
public:
    task<result<std::size_t>> read(MutableBytes) override {
        co_return fail(causes::kIo, "the disk");
    }
};

ALKNET_CO_TEST(Encoded, FailsAsItsSourceDoes) {
    std::unique_ptr<BodySource> source = std::make_unique<Broken>();
    const auto coded = encoded(source, Coding::gzip);
    const auto all = co_await read_all(*coded, 1 << 20);
    EXPECT_TRUE(!all && all.error().is(causes::kIo));
}

ALKNET_CO_TEST(Encoded, OnlySoManyAtATime) {
    std::vector<std::unique_ptr<BodySource>> all;
    for (unsigned i = 0; i < kEncodersMax; ++i) {
        std::unique_ptr<BodySource> source = std::make_unique<Pieces>("a", 1);
        all.push_back(encoded(source, i % 2 == 0 ? Coding::br : Coding::gzip));
        EXPECT_NE(all.back(), nullptr);
    }
    std::unique_ptr<BodySource> source = std::make_unique<Pieces>("a", 1);
    EXPECT_EQ(encoded(source, Coding::gzip), nullptr);
    EXPECT_NE(source, nullptr);
    all.pop_back();
    EXPECT_NE(encoded(source, Coding::gzip), nullptr);
    co_return;
}

}  // namespace
}  // namespace alknet::http
