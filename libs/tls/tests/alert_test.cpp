#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/tls/alert.hpp>

namespace alknet::tls {
namespace {

TEST(AlertTest, NoCommonAlpnHasItsOwnCause) {
    EXPECT_TRUE(alert_error(120, AlertFrom::peer).is(causes::kNoCommonAlpn));
    EXPECT_TRUE(alert_error(40, AlertFrom::peer).is(causes::kTls));
}

TEST(AlertTest, SoHasARefusalOfSomebodyKnown) {
    EXPECT_TRUE(alert_error(kAlertAccessDenied, AlertFrom::peer).is(causes::kForbidden));
    EXPECT_TRUE(crypto_error(0x131, AlertFrom::peer)->is(causes::kForbidden));
}

TEST(AlertTest, TheDetailSaysWhoSentWhat) {
    EXPECT_EQ(alert_error(40, AlertFrom::peer).detail(),
              "the peer sent alert 40 (handshake_failure)");
    EXPECT_EQ(alert_error(120, AlertFrom::us).detail(),
              "this side sent alert 120 (no_application_protocol)");
    EXPECT_EQ(alert_error(40, AlertFrom::us).code(), 40U);
}

TEST(AlertTest, CryptoErrorsOfQuicAreAlerts) {
    EXPECT_TRUE(crypto_error(0x178, AlertFrom::peer)->is(causes::kNoCommonAlpn));
    EXPECT_EQ(crypto_error(0x12a, AlertFrom::peer)->code(), 42U);
    EXPECT_EQ(crypto_error(0xff, AlertFrom::peer), std::nullopt);
    EXPECT_EQ(crypto_error(0x200, AlertFrom::peer), std::nullopt);
}

TEST(AlertTest, NumbersThatNobodyRegisteredHaveNoName) {
    int known = 0;
    for (unsigned alert = 0; alert < 256; ++alert) {
        known += alert_name(static_cast<std::uint8_t>(alert)) == "unknown" ? 0 : 1;
    }
    EXPECT_EQ(known, 28);
    EXPECT_EQ(alert_name(255), "unknown");
}

}  // namespace
}  // namespace alknet::tls
