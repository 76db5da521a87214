// The lines of version 1 are those of the protocol's text, section 2.1.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/proxy_protocol.hpp>
#include <string>

namespace alknet::net {
namespace {

/// Gives the reader all of `text` that it asks for, `step` octets at a time at most.
result<ProxyHeader> read(std::string_view text, std::string_view* rest = nullptr,
                         std::size_t step = 1000) {
    ProxyHeaderReader reader;
    while (reader.wanted() > 0) {
        const std::size_t count = std::min({reader.wanted(), text.size(), step});
        if (count == 0) {
            return fail(causes::kClosed);
        }
        ALKNET_CHECK(reader.add(as_bytes(text.substr(0, count))));
        text.remove_prefix(count);
    }
    if (rest != nullptr) {
        *rest = text;
    }
    return reader.header();
}

bool refused(std::string_view text) {
    const auto header = read(text);
    return !header && header.error().is(causes::kProxyHeader);
}

std::string v2(std::uint8_t version_and_command, std::uint8_t kind, const std::string& body) {
    std::string text("\r\n\r\n\0\r\nQUIT\n", 12);
    text += static_cast<char>(version_and_command);
    text += static_cast<char>(kind);
    text += static_cast<char>(body.size() >> 8U);
    text += static_cast<char>(body.size() & 0xffU);
    return text + body;
}

const std::string kTcp4("\xc0\x00\x02\x07\xc6\x33\x64\x01\x13\x88\x01\xbb", 12);

TEST(ProxyProtocol, ReadsTheExamplesOfVersion1) {
    const auto v4 = read("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
    ASSERT_TRUE(v4) << v4.error().message();
    EXPECT_EQ(v4->source.to_string(), "192.168.0.1:56324");
    EXPECT_EQ(v4->destination.to_string(), "192.168.0.11:443");
    const auto worst4 = read("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
    ASSERT_TRUE(worst4);
    EXPECT_EQ(worst4->source.to_string(), "255.255.255.255:65535");
    const std::string full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    const auto worst6 = read("PROXY TCP6 " + full + " " + full + " 65535 65535\r\n");
    ASSERT_TRUE(worst6);
    EXPECT_EQ(worst6->source.to_string(), "[" + full + "]:65535");
    const std::string unknown_worst = "PROXY UNKNOWN " + full + " " + full + " 65535 65535\r\n";
    for (const std::string& unknown : {std::string("PROXY UNKNOWN\r\n"), unknown_worst}) {
        const auto header = read(unknown);
        ASSERT_TRUE(header) << unknown;
        EXPECT_EQ(*header, ProxyHeader());
    }
}

TEST(ProxyProtocol, LeavesWhatFollows) {
    for (const std::string& header :
         {std::string("PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"),
          std::string("PROXY UNKNOWN\r\n"), v2(0x21, 0x11, kTcp4), v2(0x20, 0x00, "")}) {
        for (const std::size_t step : {1, 2, 3, 7, 1000}) {
            std::string_view rest;
            const std::string whole = header + "the client's";
            ASSERT_TRUE(read(whole, &rest, step));
            EXPECT_EQ(rest, "the client's");
        }
        for (std::size_t size = 0; size < header.size(); ++size) {
            const auto cut = read(header.substr(0, size));
            ASSERT_FALSE(cut);
            EXPECT_TRUE(cut.error().is(causes::kClosed)) << size;
        }
    }
}

TEST(ProxyProtocol, RefusesOtherLines) {
    for (const std::string_view text :
         {"GET / HTTP/1.1\r\n\r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
          "PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3 1 1\r\n",
          "PROXY TCP4 ::1 ::1 1 1\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n",
          "PROXY TCP6 ::1%1 ::1 1 1\r\n", "PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n#"}) {
        EXPECT_TRUE(refused(text)) << text;
    }
    const std::string longest =
        "PROXY UNKNOWN " + std::string(ProxyHeaderReader::kV1BytesMax - 16, 'x') + "\r\n";
    ASSERT_EQ(longest.size(), ProxyHeaderReader::kV1BytesMax);
    EXPECT_TRUE(read(longest));
    EXPECT_TRUE(refused("PROXY UNKNOWN " + std::string(200, 'x') + "\r\n"));
}

TEST(ProxyProtocol, ReadsVersion2) {
    const auto v4 = read(v2(0x21, 0x11, kTcp4));
    ASSERT_TRUE(v4) << v4.error().message();
    EXPECT_EQ(v4->source.to_string(), "192.0.2.7:5000");
    EXPECT_EQ(v4->destination.to_string(), "198.51.100.1:443");
    std::string six(36, '\0');
    six[15] = 1;
    six[31] = 2;
    six[33] = 9;
    const auto v6 = read(v2(0x21, 0x21, six));
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->source.to_string(), "[::1]:9");
    EXPECT_EQ(v6->destination.ip_text(), "::2");
    for (const std::string& without : {v2(0x20, 0x11, kTcp4), v2(0x20, 0x00, "noise"),
                                       v2(0x21, 0x00, ""), v2(0x21, 0x31, std::string(216, 'x'))}) {
        const auto header = read(without);
        ASSERT_TRUE(header);
        EXPECT_EQ(*header, ProxyHeader());
    }
}

TEST(ProxyProtocol, KeepsTheValuesOfVersion2) {
    const std::string host(
        "\x02\x00\x0b"
        "example.org",
        14);
    const std::string nothing("\x04\x00\x02xx", 5);
    const auto header = read(v2(0x21, 0x11, kTcp4 + host + nothing));
    ASSERT_TRUE(header);
    ASSERT_EQ(header->tlvs.size(), 1U);
    EXPECT_EQ(header->tlvs[0].type, 2);
    EXPECT_EQ(as_text(BytesView(header->tlvs[0].value)), "example.org");
    std::string many;
    for (std::size_t i = 0; i < ProxyHeaderReader::kTlvsMax; ++i) {
        many += std::string("\x05\x00\x01u", 4);
    }
    EXPECT_TRUE(read(v2(0x21, 0x11, kTcp4 + many)));
    EXPECT_TRUE(refused(v2(0x21, 0x11, kTcp4 + many + host)));
    EXPECT_TRUE(refused(v2(0x21, 0x11, kTcp4 + host.substr(0, 2))));
    EXPECT_TRUE(refused(v2(0x21, 0x11, kTcp4 + host.substr(0, 13))));
}

TEST(ProxyProtocol, ChecksTheChecksum) {
    // Of the whole header with the four octets as zero; computed with another implementation.
    const std::string head("\x03\x00\x04", 3);
    EXPECT_TRUE(refused(v2(0x21, 0x11, kTcp4 + head + std::string(4, '\0'))));
    EXPECT_TRUE(refused(v2(0x21, 0x11, kTcp4 + std::string("\x03\x00\x03xxx", 6))));
    EXPECT_TRUE(read(v2(0x21, 0x11, kTcp4 + head + std::string("\x99\x8a\x61\x35", 4))));
}

TEST(ProxyProtocol, RefusesOtherHeadersOfVersion2) {
    EXPECT_TRUE(refused(v2(0x11, 0x11, kTcp4)));
    EXPECT_TRUE(refused(v2(0x22, 0x11, kTcp4)));
    EXPECT_TRUE(refused(v2(0x21, 0x12, kTcp4)));
    EXPECT_TRUE(refused(v2(0x21, 0x11, kTcp4.substr(1))));
    EXPECT_TRUE(refused(v2(0x21, 0x21, kTcp4)));
    EXPECT_TRUE(read(v2(0x20, 0x00, std::string(ProxyHeaderReader::kV2BytesMax - 16, 'x'))));
    EXPECT_TRUE(refused(v2(0x20, 0x00, std::string(ProxyHeaderReader::kV2BytesMax - 15, 'x'))));
}

TEST(ProxyProtocol, IsRecognisedByItsFirstOctets) {
    EXPECT_TRUE(looks_like_proxy_header(as_bytes(std::string_view("PROXY "))));
    EXPECT_TRUE(looks_like_proxy_header(as_bytes(v2(0x21, 0x11, kTcp4))));
    EXPECT_FALSE(looks_like_proxy_header(as_bytes(std::string_view("\x16\x03\x01\x02\x00\x01"))));
    EXPECT_FALSE(looks_like_proxy_header(as_bytes(std::string_view("PROXY"))));
}

TEST(ProxyProtocol, ReadsWhatItWrites) {
    const auto address = [](std::string_view text) { return SocketAddress::parse(text).value(); };
    ProxyHeader header;
    header.tlvs = {{1, to_bytes(as_bytes("example/x"))}, {0xe0, {}}};
    const auto again = [](const ProxyHeader& one) {
        const Bytes octets = encode_proxy_header(one).value();
        return read(as_text(BytesView(octets))).value();
    };
    EXPECT_EQ(again(header), header);
    header.source = address("192.0.2.7:5000");
    EXPECT_EQ(again(header).source, SocketAddress()) << "one address alone says nothing";
    header.destination = address("198.51.100.1:443");
    EXPECT_EQ(again(header), header);
    const Bytes octets = encode_proxy_header(header).value();
    EXPECT_TRUE(as_text(BytesView(octets)).starts_with(v2(0x21, 0x11, kTcp4).substr(0, 14)));
    header.destination = address("[2001:db8::1]:443");
    const ProxyHeader mapped = again(header);
    EXPECT_EQ(mapped.destination, header.destination);
    EXPECT_EQ(mapped.source, header.source);
    header.source = address("[2001:db8::2]:5000");
    EXPECT_EQ(again(header), header);
}

TEST(ProxyProtocol, WritesNoHeaderThatItWouldNotRead) {
    ProxyHeader header;
    constexpr std::size_t kRoom = ProxyHeaderReader::kV2BytesMax - 16 - 3;
    header.tlvs = {{0xe0, Bytes(kRoom)}};
    EXPECT_TRUE(encode_proxy_header(header));
    for (const std::size_t size : {kRoom + 1, std::size_t{1} << 20U}) {
        header.tlvs = {{0xe0, Bytes(size)}};
        EXPECT_TRUE(encode_proxy_header(header).error().is(causes::kLimit)) << size;
    }
}

}  // namespace
}  // namespace alknet::net
