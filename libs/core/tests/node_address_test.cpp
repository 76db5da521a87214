#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/node_address.hpp>

namespace alknet {
namespace {

// RFC 8032 section 7.1, test 1.
constexpr std::string_view kHex =
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

NodeId id() {
    return NodeId::parse(kHex).value();
}

void expect(std::string_view text, const NodeAddress& wanted) {
    const auto got = NodeAddress::parse(text);
    ASSERT_TRUE(got) << text << ": " << got.error().message();
    EXPECT_EQ(*got, wanted) << text;
    const auto again = NodeAddress::parse(got->to_string());
    ASSERT_TRUE(again) << got->to_string();
    EXPECT_EQ(*again, wanted) << got->to_string();
}

NodeAddress address(std::optional<NodeId> node, std::string host,
                    std::optional<std::uint16_t> port) {
    return {.id = node, .host = std::move(host), .port = port};
}

TEST(NodeAddress, TakesEveryWayToWriteOne) {
    const std::string hex(kHex);
    expect("alknet://" + hex + "@example.org:4433", address(id(), "example.org", 4433));
    expect("ALKNET://" + hex + "@example.org", address(id(), "example.org", std::nullopt));
    expect(hex + "@10.0.0.1:1", address(id(), "10.0.0.1", 1));
    expect("ed25519:" + hex + "@h", address(id(), "h", std::nullopt));
    expect(id().z_base_32() + "@[::1]:65535", address(id(), "::1", 65535));
    expect(hex, address(id(), "", std::nullopt));
    expect("  ed25519:" + hex + "\n", address(id(), "", std::nullopt));
    expect("alknet://" + hex, address(id(), "", std::nullopt));
    expect(id().z_base_32(), address(id(), "", std::nullopt));
    expect(id().base32(), address(id(), "", std::nullopt));
    expect(id().openssh(), address(id(), "", std::nullopt));
    expect(id().openssh() + " me@laptop", address(id(), "", std::nullopt));
    expect("laptop", address(std::nullopt, "laptop", std::nullopt));
    expect("my_laptop-2:80", address(std::nullopt, "my_laptop-2", 80));
    expect("example.org.", address(std::nullopt, "example.org.", std::nullopt));
    expect("[fe80::1]", address(std::nullopt, "fe80::1", std::nullopt));
    expect("[2001:db8::2]:443", address(std::nullopt, "2001:db8::2", 443));
    expect("alknet://example.org:1", address(std::nullopt, "example.org", 1));
}

TEST(NodeAddress, WritesOneCanonicalForm) {
    const std::string hex(kHex);
    EXPECT_EQ(NodeAddress::parse(id().z_base_32() + "@[::1]:7")->to_string(),
              "alknet://" + hex + "@[::1]:7");
    EXPECT_EQ(NodeAddress::parse("ed25519:" + hex)->to_string(), hex);
    EXPECT_EQ(NodeAddress::parse("alknet://host")->to_string(), "host");
}

TEST(NodeAddress, RefusesWhatIsNone) {
    const std::string label(64, 'a');
    std::string name;
    while (name.size() <= NodeAddress::kHostBytesMax) {
        name += "abcdefgh.";
    }
    const std::string too_long(NodeAddress::kTextBytesMax + 1, 'a');
    for (const std::string& text : {std::string(),
                                    std::string(" \t\n"),
                                    std::string("host:"),
                                    std::string("host:0"),
                                    std::string("host:65536"),
                                    std::string("host:12x"),
                                    std::string("host:-1"),
                                    std::string("host:+1"),
                                    std::string(":443"),
                                    std::string("::1"),
                                    std::string("a:b:c"),
                                    std::string("[::1"),
                                    std::string("[]"),
                                    std::string("[::1]x"),
                                    std::string("[::1]:"),
                                    std::string("[127.0.0.1]:1"),
                                    std::string("[host]:1"),
                                    std::string("a..b"),
                                    std::string(".a"),
                                    std::string("."),
                                    std::string("ho st"),
                                    std::string("h\xc3\xb6st"),
                                    std::string("host/path"),
                                    std::string("https://host"),
                                    std::string("alknet://"),
                                    std::string("alknet://host/"),
                                    "x." + label,
                                    name,
                                    too_long,
                                    std::string(kHex) + "@",
                                    std::string(kHex) + "@:1",
                                    std::string("a\0b", 3)}) {
        const auto got = NodeAddress::parse(text);
        ASSERT_FALSE(got) << text;
        EXPECT_TRUE(got.error().is(causes::kAddressInvalid)) << text << got.error().message();
        EXPECT_FALSE(got.error().detail().empty()) << text;
    }
}

TEST(NodeAddress, AMistypedKeyIsNotTakenForAHost) {
    std::string hex(kHex);
    hex[0] = 'z';
    std::string base32 = id().base32();
    base32[0] = '0';
    for (const std::string& text :
         {hex, base32, "ed25519:" + hex, std::string("ed25519:"), std::string("me@host"),
          std::string("@host"), std::string("ssh-ed25519 AAAA")}) {
        const auto got = NodeAddress::parse(text);
        ASSERT_FALSE(got) << text;
        EXPECT_TRUE(got.error().is(causes::kKeyInvalid)) << text << got.error().message();
    }
}

}  // namespace
}  // namespace alknet
