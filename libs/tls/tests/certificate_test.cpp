#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <alknet/tls/certificate.hpp>
#include <alknet/tls/context.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace alknet::tls {
namespace {

using testing::ElementsAre;

// The octets between the BEGIN and END lines.
Bytes der_of(const std::filesystem::path& pem) {
    std::ifstream stream(pem);
    std::string base64;
    for (std::string line; std::getline(stream, line);) {
        base64 += line.starts_with('-') ? "" : line;
    }
    return base64_decode(base64).value_or(Bytes());
}

TEST(CertificateSummary, SaysWhatTheCertificateSays) {
    const sim::TempDir directory;
    const std::filesystem::path pem = directory / "cert.pem";
    ASSERT_TRUE(
        make_self_signed({.chain = pem, .key = directory / "key"}, {"node.example", "localhost"}));
    const auto summary = summarize_certificate(der_of(pem));
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->subject, "CN=alknet");
    EXPECT_EQ(summary->issuer, "CN=alknet");
    EXPECT_THAT(summary->names, ElementsAre("node.example", "localhost"));
    EXPECT_GT(summary->not_after, summary->not_before);
    EXPECT_TRUE(summary->self_issued);
}

TEST(CertificateSummary, RefusesWhatIsNoCertificate) {
    for (const std::string_view text : {"", "no certificate", "\x30\x03\x02\x01"}) {
        const auto summary = summarize_certificate(as_bytes(text));
        ASSERT_FALSE(summary);
        EXPECT_TRUE(summary.error().is(causes::kCertificateInvalid));
    }
}

}  // namespace
}  // namespace alknet::tls
