#include <gtest/gtest.h>
#include <alknet/base/encoding.hpp>
#include <alknet/net/connection.hpp>
#include <set>

namespace alknet {
namespace {

TEST(Transport, HasDistinctNames) {
    std::set<std::string_view> names;
    for (const Transport transport :
         {Transport::quic, Transport::tcp, Transport::iroh, Transport::local, Transport::memory}) {
        names.insert(to_string(transport));
    }
    EXPECT_EQ(names, (std::set<std::string_view>{"quic", "tcp", "iroh", "local", "memory"}));
    EXPECT_EQ(to_string(static_cast<Transport>(99)), "unknown");
}

TEST(CloseCode, FollowsFromTheCondition) {
    EXPECT_EQ(default_close_code(errc::closed), 0U);
    EXPECT_EQ(default_close_code(errc::reset), 0U);
    EXPECT_EQ(default_close_code(errc::auth_required), 2U);
    EXPECT_EQ(default_close_code(errc::forbidden), 3U);
    EXPECT_EQ(default_close_code(errc::limit), 4U);
    EXPECT_EQ(default_close_code(errc::protocol), 5U);
    EXPECT_EQ(default_close_code(errc::cancelled), 7U);
    EXPECT_EQ(default_close_code(errc::timeout), 8U);
    for (const errc ours : {errc::unavailable, errc::not_found, errc::exists, errc::invalid,
                            errc::io, errc::internal}) {
        EXPECT_EQ(default_close_code(ours), 6U);
    }
}

TEST(PeerIdentity, HasOneCanonicalFingerprint) {
    PeerIdentity peer;
    EXPECT_EQ(peer.fingerprint(), "");
    peer.kind = PeerIdentity::Kind::raw_key;
    const std::string hex = "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc";
    peer.key = NodeId::parse(hex).value();
    EXPECT_EQ(peer.fingerprint(), "ed25519:" + hex);
    peer.kind = PeerIdentity::Kind::x509;
    peer.certificate_sha256.fill(std::byte{0xab});
    std::string digest;
    for (int i = 0; i < 32; ++i) {
        digest += "ab";
    }
    EXPECT_EQ(peer.fingerprint(), "x509-sha256:" + digest);
}

}  // namespace
}  // namespace alknet
