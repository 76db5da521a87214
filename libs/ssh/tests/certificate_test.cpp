#include <fmt/format.h>
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/ssh/certificate.hpp>
#include <alknet/ssh/user_auth.hpp>

#include "certificate_made.hpp"
#include "certificate_vectors.hpp"

namespace alknet::ssh {
namespace {

using testing::ElementsAre;

WallTime at(std::uint64_t seconds) {
    return WallTime(std::chrono::seconds(seconds));
}

TEST(SshCertificate, SaysWhoItIsFor) {
    const MadeCertificate made;
    const auto certificate = Certificate::parse(made.blob());
    ASSERT_TRUE(certificate) << certificate.error().message();
    EXPECT_EQ(certificate->key.fingerprint(), made.user->id().fingerprint());
    EXPECT_EQ(certificate->authority, made.authority->id().fingerprint());
    EXPECT_THAT(certificate->principals, ElementsAre("bob"));
    const CertificateRules& rules = certificate->rules;
    EXPECT_FALSE(rules.holds_at(at(99)));
    EXPECT_TRUE(rules.holds_at(at(100)));
    EXPECT_TRUE(rules.holds_at(at(199)));
    EXPECT_FALSE(rules.holds_at(at(200)));
    EXPECT_TRUE(rules.holds_from(SocketAddress::v4({192, 0, 2, 1}, 1)));
    EXPECT_FALSE(rules.force_command);
    EXPECT_FALSE(rules.may_have_terminal);
    EXPECT_FALSE(rules.may_forward);
    EXPECT_FALSE(rules.may_forward_agent);
    EXPECT_EQ(rules.serial, 7U);
    EXPECT_EQ(rules.key_id, "the words");
    EXPECT_EQ(rules.key, made.user->id().fingerprint());
}

TEST(SshCertificate, OfSshKeygenInAllTypes) {
    const auto parsed = [](std::string_view text) {
        return Certificate::parse(base64_decode(text).value());
    };
    const auto rsa = parsed(kRsaByRsa);
    ASSERT_TRUE(rsa) << rsa.error().message();
    EXPECT_EQ(rsa->rules.key, "SHA256:EEyc+okPopxswXmDeOGJqZ9+DpvkorQmzNvWBulhlUs");
    EXPECT_EQ(rsa->authority, "SHA256:rOPJ4YclSs7nkFOBzDqT3VpUJE4tVP3PcEZr5T5BvZg");
    EXPECT_EQ(rsa->rules.serial, 7U);
    EXPECT_EQ(rsa->rules.key_id, "id");
    EXPECT_TRUE(rsa->rules.may_forward_agent && rsa->rules.may_have_terminal);
    EXPECT_TRUE(rsa->rules.holds_at(at(1'780'000'000)));
    EXPECT_FALSE(rsa->rules.holds_at(at(1'810'000'000)));
    const auto ecdsa = parsed(kEcdsaByEcdsa);
    ASSERT_TRUE(ecdsa) << ecdsa.error().message();
    EXPECT_EQ(ecdsa->rules.key, "SHA256:Bott2iJMsuxSCMFmMPDE/Egh7lKeW/8X63IOOiv/JNY");
    EXPECT_EQ(ecdsa->authority, "SHA256:zegXc80zaC0dMQLzSUXMB0NvY8CWx28q3VCw6EjS0A8");
    EXPECT_TRUE(parsed(kEd25519BySha256));
    EXPECT_FALSE(parsed(kEd25519BySha1)) << "signed with SHA-1";
}

TEST(SshCertificate, NamesWhatItsKeySignsWith) {
    const std::string suffix = "-cert-v01@openssh.com";
    for (const std::string plain :
         {"ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"}) {
        EXPECT_EQ(Certificate::plain_algorithm(plain + suffix), plain);
    }
    EXPECT_EQ(Certificate::plain_algorithm("sk-ssh-ed25519" + suffix),
              "sk-ssh-ed25519@openssh.com");
    for (const std::string none :
         {"ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp384", "", "sk-ssh-ed25519@openssh.com",
          "ssh-ed25519-cert-v01@openssh.com"}) {
        EXPECT_EQ(Certificate::plain_algorithm(none + suffix), "") << none;
    }
    EXPECT_EQ(Certificate::plain_algorithm("ssh-ed25519"), "") << "no certificate";
}

TEST(SshCertificate, BindsWhoeverHasIt) {
    MadeCertificate made;
    made.option("force-command", "uptime");
    made.option("source-address", "192.0.2.0/24,2001:db8::1");
    made.extension("permit-pty");
    made.extension("permit-port-forwarding");
    made.extension("permit-agent-forwarding");
    made.extension("unheard@example.com");
    const auto certificate = Certificate::parse(made.blob());
    ASSERT_TRUE(certificate);
    const CertificateRules& rules = certificate->rules;
    EXPECT_EQ(rules.force_command, "uptime");
    EXPECT_TRUE(rules.holds_from(SocketAddress::v4({192, 0, 2, 1}, 1)));
    EXPECT_FALSE(rules.holds_from(SocketAddress::v4({192, 0, 3, 1}, 1)));
    EXPECT_FALSE(rules.holds_from(SocketAddress()));
    EXPECT_TRUE(rules.may_have_terminal);
    EXPECT_TRUE(rules.may_forward);
    EXPECT_TRUE(rules.may_forward_agent);
}

TEST(SshCertificate, WhatIsNoneIsWorthNothing) {
    const auto refused = [](MadeCertificate made) {
        const auto parsed = Certificate::parse(made.blob());
        return !parsed && parsed.error().is(causes::kKeyInvalid);
    };
    MadeCertificate made;
    made.option("unheard@example.com", "");
    EXPECT_TRUE(refused(made)) << "what cannot be heeded";
    made = {};
    made.option("force-command", "a");
    made.option("force-command", "b");
    EXPECT_TRUE(refused(made));
    made = {};
    made.option("source-address", "");
    EXPECT_TRUE(refused(made));
    made = {};
    made.option("source-address", "192.0.2.1/24");
    EXPECT_TRUE(refused(made)) << "something else was meant";
    made = {};
    made.principals = {};
    EXPECT_TRUE(refused(made)) << "everybody's";
    made.principals.assign(kPrincipalsMax, "bob");
    EXPECT_FALSE(refused(made));
    made.principals.emplace_back("bob");
    EXPECT_TRUE(refused(made));
    made = {};
    made.type = 2;
    EXPECT_TRUE(refused(made)) << "a host's";
    made = {};
    std::string many = "192.0.2.1";
    for (std::size_t i = 1; i < kSourcesMax; ++i) {
        many += ",192.0.2.1";
    }
    made.option("source-address", many);
    EXPECT_FALSE(refused(made));
    made = {};
    made.option("source-address", many + ",192.0.2.1");
    EXPECT_TRUE(refused(made));
    Bytes blob = MadeCertificate().blob();
    for (const std::size_t flipped : {std::size_t{60}, blob.size() / 2, blob.size() - 1}) {
        blob[flipped] ^= std::byte{1};
        EXPECT_FALSE(Certificate::parse(blob));
        blob[flipped] ^= std::byte{1};
    }
    blob.push_back(std::byte{0});
    EXPECT_FALSE(Certificate::parse(blob));
}

/// A login of `user` with the certificate; what is asked about it.
std::optional<UserAuth::Question> asked(const MadeCertificate& made, std::string_view user,
                                        bool wrong = false) {
    const auto host_key = NodeKey::generate();
    const Bytes session(32);
    UserAuth auth(session, host_key->id());
    WireWriter service = begin_message(Message::service_request);
    put_text(service, "ssh-userauth");
    EXPECT_TRUE(auth.take(service.view()));
    WireWriter request = begin_message(Message::userauth_request);
    put_text(request, user);
    put_text(request, "ssh-connection");
    put_text(request, "publickey");
    put_bool(request, true);
    put_text(request, MadeCertificate::kType);
    put_string(request, made.blob());
    WireWriter covered;
    put_string(covered, session);
    covered.append(request.view());
    put_string(request, host_signature(wrong ? *made.authority : *made.user, covered.view()));
    auto step = auth.take(request.view());
    EXPECT_TRUE(step);
    if (!step || !step->question) {
        return std::nullopt;
    }
    const auto answer = auth.answer(true);
    EXPECT_EQ(auth.done(), !wrong);
    return answer ? step->question : std::nullopt;
}

TEST(SshCertificate, LogsInAsOneOfItsPrincipals) {
    MadeCertificate made;
    made.principals = {"alice", "bob"};
    const std::string key = ":" + made.authority->id().fingerprint();
    for (const std::string user : {"alice", "bob"}) {
        const auto question = asked(made, user);
        ASSERT_TRUE(question);
        EXPECT_EQ(question->fingerprint, fmt::format("cert:{}{}", user, key));
        EXPECT_TRUE(question->certificate);
    }
    EXPECT_FALSE(asked(made, "eve"));
    EXPECT_FALSE(asked(made, ""));
    made.principals = {"a:b", "a b", "", "b\x80"};
    for (const std::string& user : made.principals) {
        EXPECT_FALSE(asked(made, user)) << user;
    }
    made.principals = {"bob"};
    EXPECT_TRUE(asked(made, "bob", true)) << "asked about all the same";
}

}  // namespace
}  // namespace alknet::ssh
