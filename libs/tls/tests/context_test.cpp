// What a context is made from, and what it says when that cannot be used.

#include "certificates.hpp"
#include "context_impl.hpp"
#include "tls_fixture.hpp"

#include <sys/stat.h>

namespace alknet::tls {
namespace {

using testing::HasSubstr;

class ContextTest : public TlsTest {
protected:
    static result<std::shared_ptr<const TlsContext>> make(CertificateFiles files) {
        return TlsContext::create({.key = NodeKey::generate(),
                                   .certificates = {std::move(files)},
                                   .authorities = {},
                                   .ticket_keys = {}});
    }
    static void expect_refused(const result<std::shared_ptr<const TlsContext>>& context,
                               const std::string& file) {
        ASSERT_FALSE(context);
        EXPECT_TRUE(context.error().is(causes::kCertificateInvalid));
        EXPECT_THAT(context.error().detail(), HasSubstr(file));
    }
    static mode_t mode_of(const std::filesystem::path& file) {
        struct stat status{};
        EXPECT_EQ(stat(file.c_str(), &status), 0);
        return status.st_mode & 0777U;
    }

    TempDir dir;
    Authority authority{"test authority"};
};

TEST_F(ContextTest, NamesAreOneTo31Octets) {
    EXPECT_TRUE(check_alpn("h2"));
    EXPECT_TRUE(check_alpn(std::string(kAlpnBytesMax, 'x')));
    EXPECT_TRUE(check_alpn(std::string(kAlpnBytesMax + 1, 'x')).error().is(causes::kAlpnInvalid));
    EXPECT_TRUE(check_alpn("").error().is(causes::kAlpnInvalid));
}

TEST_F(ContextTest, NeedsAKey) {
    const auto none = TlsContext::create({});
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().is(causes::kKeyInvalid));
}

TEST_F(ContextTest, SaysWhichFileIsOfNoUse) {
    const CertificateFiles good = authority.issue(dir, "good");
    const CertificateFiles other = authority.issue(dir, "other");
    const std::filesystem::path junk = dir.write("junk", "-----BEGIN CERTIFICATE-----\njunk\n");
    const std::filesystem::path nothing = dir.write("nothing", "");
    EXPECT_TRUE(make(good));
    expect_refused(make({.chain = dir / "absent", .key = good.key}), "absent");
    expect_refused(make({.chain = good.chain, .key = dir / "absent"}), "absent");
    expect_refused(make({.chain = junk, .key = good.key}), "junk");
    expect_refused(make({.chain = nothing, .key = good.key}), "nothing");
    expect_refused(make({.chain = good.chain, .key = junk}), "junk");
    expect_refused(make({.chain = good.chain, .key = other.key}), "other.key");
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    expect_refused(make({.chain = dir / "pipe", .key = good.key}), "pipe");
    expect_refused(make({.chain = dir.path(), .key = good.key}), "not a regular file");
}

TEST_F(ContextTest, RefusesFilesOfAbsurdSize) {
    const CertificateFiles good = authority.issue(dir, "good");
    std::filesystem::resize_file(good.chain, kFileBytesMax + 1);
    expect_refused(make(good), "good.pem");
}

TEST_F(ContextTest, KnowsWhenTheFirstCertificateExpires) {
    EXPECT_EQ(server_context->earliest_expiry(), std::nullopt);
    const std::time_t now = std::time(nullptr);
    const auto several =
        context(server_key, {authority.issue(dir, "late", {.until = now + 7200}),
                             authority.issue(dir, "early", {.until = now + 600}),
                             authority.issue(dir, "later", {.until = now + 9000})});
    EXPECT_EQ(several->earliest_expiry(), now + 600);
}

TEST_F(ContextTest, AnIntermediateThatExpiresFirstCounts) {
    const std::time_t now = std::time(nullptr);
    const auto one =
        context(server_key, {authority.issue(dir, "leaf", {.until = now + 100 * 86400})});
    EXPECT_LT(*one->earliest_expiry(), now + 2 * 86400);
}

TEST_F(ContextTest, ASelfSignedCertificateServesItsNamesForTenYears) {
    const CertificateFiles files{.chain = dir / "cert.pem", .key = dir / "cert.key"};
    ASSERT_TRUE(make_self_signed(files, {"node.example", "localhost"}));
    EXPECT_EQ(mode_of(files.chain), 0600U);
    EXPECT_EQ(mode_of(files.key), 0600U);
    const auto own = make(files);
    ASSERT_TRUE(own) << own.error().message();
    constexpr std::int64_t kDay = 86400;
    EXPECT_GT(*(*own)->earliest_expiry(), std::time(nullptr) + 3649 * kDay);
    EXPECT_LT(*(*own)->earliest_expiry(), std::time(nullptr) + 3651 * kDay);

    server_context = *own;
    // Trusted by itself alone.
    client_context = context(client_key, {}, {files.chain});
    for (const char* name : {"node.example", "localhost"}) {
        const Handshake both = handshake(dial(VerifyCa{name}, {"alknet/echo"}, name));
        EXPECT_TRUE(both.both()) << both.why();
    }
    EXPECT_FALSE(handshake(dial(VerifyCa{"other.example"})).both());
}

TEST_F(ContextTest, ASelfSignedCertificateIsNeverWrittenOverAnotherFile) {
    const CertificateFiles files{.chain = dir / "cert.pem", .key = dir.write("cert.key", "mine")};
    const auto second = make_self_signed(files, {"node.example"});
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kHomeExists));
    EXPECT_FALSE(std::filesystem::exists(files.chain));
}

TEST_F(ContextTest, ASelfSignedCertificateIsMadeForAKeyThatIsThere) {
    const CertificateFiles files{.chain = dir / "cert.pem", .key = dir / "cert.key"};
    ASSERT_TRUE(make_self_signed(files, {"node.example"}));
    std::filesystem::remove(files.chain);  // as if the first attempt had ended here
    ASSERT_TRUE(make_self_signed(files, {"node.example"}));
    EXPECT_TRUE(make(files));
}

TEST_F(ContextTest, ASelfSignedCertificateTakesAddressesForNames) {
    const CertificateFiles files{.chain = dir / "cert.pem", .key = dir / "cert.key"};
    ASSERT_TRUE(make_self_signed(files, {"192.0.2.7", "2001:db8::7"}));
    server_context = *make(files);
    client_context = context(client_key, {}, {files.chain});
    for (const char* name : {"192.0.2.7", "2001:db8::7"}) {
        const Handshake both = handshake(dial(VerifyCa{name}));
        EXPECT_TRUE(both.both()) << both.why();
    }
    EXPECT_FALSE(handshake(dial(VerifyCa{"192.0.2.8"})).both());
}

TEST_F(ContextTest, AReloadChangesTheCertificateAndLeavesConnectionsAlone) {
    const std::weak_ptr<const TlsContext> old = server_context;
    Handshake before = handshake(dial());
    ASSERT_TRUE(before.both()) << before.why();

    server_context = context(server_key, {authority.issue(dir, "new")});
    client_context = context(client_key, {}, {dir.write("ca.pem", authority.pem())});
    EXPECT_FALSE(old.expired()) << "the connection must keep its context";
    const Handshake after =
        handshake(dial(VerifyCa{"node.example"}, {"alknet/echo"}, "node.example"));
    EXPECT_TRUE(after.both()) << after.why();

    run([](TlsStream& from, TlsStream& to) -> task<void> {
        EXPECT_TRUE(co_await from.write(as_bytes("still here")));
        std::array<std::byte, 32> buffer{};
        const auto count = co_await to.read(buffer);
        EXPECT_EQ(count.value(), 10U);
    }(**before.server, **before.client));
    before = Handshake{};
    EXPECT_TRUE(old.expired());
}

TEST_F(ContextTest, ContextsAreSharedAmongManyHandshakesAtOnce) {
    constexpr std::size_t kPairs = 50;
    std::vector<Handshake> all(kPairs);
    run([](ContextTest& test, std::vector<Handshake>& outcomes) -> task<void> {
        TaskScope scope(test.loop);
        for (Handshake& outcome : outcomes) {
            scope.spawn(test.shake(test.dial(), {}, outcome), "pair");
        }
        (void)co_await scope.join();
    }(*this, all));
    for (const Handshake& outcome : all) {
        EXPECT_TRUE(outcome.both()) << outcome.why();
    }
}

}  // namespace
}  // namespace alknet::tls
