#include <alknet/base/causes_ssh.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/ssh/public_key.hpp>
#include <alknet/ssh/user_auth.hpp>
#include <alknet/testing/random.hpp>
#include <array>

#include "host_key.hpp"
#include "key_vectors.hpp"
#include "messages.hpp"

namespace alknet::ssh {
namespace {

Bytes from_base64(std::string_view text) {
    return base64_decode(text).value();
}

PublicKey parsed(std::string_view text) {
    return PublicKey::parse(from_base64(text)).value();
}

TEST(SshPublicKey, VerifiesWhatSshKeygenSigns) {
    struct Vector {
        std::string_view key;
        std::string_view signature;
        std::string_view algorithm;
        std::string_view fingerprint;
    };
    const std::array vectors = {
        Vector{.key = kEd25519Key,
               .signature = kEd25519Signature,
               .algorithm = "ssh-ed25519",
               .fingerprint = "ed25519:"},
        Vector{.key = kEcdsaKey,
               .signature = kEcdsaSignature,
               .algorithm = "ecdsa-sha2-nistp256",
               .fingerprint = "SHA256:pfSKT8Ts1x97Xc3Kuxy0kwstrPXaCqA+8bBue4WOChY"},
        Vector{.key = kRsaKey,
               .signature = kRsaSignature,
               .algorithm = "rsa-sha2-512",
               .fingerprint = "SHA256:ZdpUwhiYUOJ3umdp7s2PhDup5trmrBKdVlJQ5syGAf8"},
    };
    Bytes message = from_base64(kSigned);
    for (const Vector& vector : vectors) {
        const PublicKey key = parsed(vector.key);
        EXPECT_TRUE(key.fingerprint().starts_with(vector.fingerprint)) << key.fingerprint();
        Bytes signature = from_base64(vector.signature);
        EXPECT_TRUE(key.verify(vector.algorithm, message, signature)) << vector.algorithm;
        EXPECT_FALSE(key.verify("ssh-rsa", message, signature));
        EXPECT_FALSE(key.verify("rsa-sha2-256", message, signature));
        signature.back() ^= std::byte{1};
        EXPECT_FALSE(key.verify(vector.algorithm, message, signature));
        signature.back() ^= std::byte{1};
        message.back() ^= std::byte{1};
        EXPECT_FALSE(key.verify(vector.algorithm, message, signature));
        message.back() ^= std::byte{1};
        for (std::size_t size = 0; size < signature.size(); ++size) {
            EXPECT_FALSE(key.verify(vector.algorithm, message, BytesView(signature).first(size)));
        }
        const Bytes blob = from_base64(vector.key);
        for (std::size_t size = 0; size < blob.size(); ++size) {
            EXPECT_FALSE(PublicKey::parse(BytesView(blob).first(size)));
        }
    }
}

TEST(SshPublicKey, ASecurityKeySignsDigestsAndThatItWasTouched) {
    const auto key = NodeKey::generate();
    WireWriter blob;
    put_text(blob, "sk-ssh-ed25519@openssh.com");
    put_string(blob, key->id().bytes());
    put_text(blob, "ssh:");
    const auto parsed_key = PublicKey::parse(blob.view());
    ASSERT_TRUE(parsed_key);
    EXPECT_TRUE(parsed_key->fingerprint().starts_with("SHA256:"));
    const auto signature = [&](std::uint8_t flags, std::string_view application) {
        WireWriter inner;
        inner.append(crypto::sha256(as_bytes(application)));
        inner.number(flags);
        inner.number<std::uint32_t>(9);
        inner.append(crypto::sha256(as_bytes("message")));
        WireWriter out;
        put_text(out, "sk-ssh-ed25519@openssh.com");
        put_string(out, key->sign(inner.view()));
        out.number(flags);
        out.number<std::uint32_t>(9);
        return out.take();
    };
    const auto holds = [&](BytesView given) {
        return parsed_key->verify("sk-ssh-ed25519@openssh.com", as_bytes("message"), given);
    };
    EXPECT_TRUE(holds(signature(1, "ssh:")));
    EXPECT_TRUE(holds(signature(5, "ssh:")));
    EXPECT_FALSE(holds(signature(0, "ssh:")));
    EXPECT_FALSE(holds(signature(1, "ssh:other")));
    EXPECT_FALSE(parsed_key->verify("ssh-ed25519", as_bytes("message"), signature(1, "ssh:")));
}

TEST(SshPublicKey, RefusesWhatIsNotSafe) {
    const auto rsa = [](std::size_t octets, std::size_t exponent_octets, std::byte first) {
        WireWriter out;
        put_text(out, "ssh-rsa");
        put_string(out, Bytes(exponent_octets, std::byte{3}));
        Bytes modulus(octets, std::byte{0x55});
        modulus.front() = first;
        put_string(out, modulus);
        return out.take();
    };
    EXPECT_TRUE(PublicKey::parse(rsa(kRsaBitsMin / 8, 1, std::byte{0x55})));
    EXPECT_FALSE(PublicKey::parse(rsa(kRsaBitsMin / 8 - 1, 1, std::byte{0x55})));
    EXPECT_FALSE(PublicKey::parse(rsa(kRsaBitsMax / 8 + 1, 1, std::byte{0x55})));
    EXPECT_FALSE(PublicKey::parse(rsa(kRsaBitsMin / 8, 9, std::byte{0x55})));
    EXPECT_FALSE(PublicKey::parse(rsa(kRsaBitsMin / 8, 0, std::byte{0x55})));
    EXPECT_FALSE(PublicKey::parse(rsa(kRsaBitsMin / 8, 1, std::byte{0x80})));   // below zero
    EXPECT_FALSE(PublicKey::parse(rsa(kRsaBitsMin / 8 + 1, 1, std::byte{0})));  // not shortest
    EXPECT_FALSE(PublicKey::parse(Bytes(kKeyBlobBytesMax + 1)));
    Bytes off_the_curve = from_base64(kEcdsaKey);
    off_the_curve.back() ^= std::byte{1};
    EXPECT_FALSE(PublicKey::parse(off_the_curve));
    WireWriter dss;
    put_text(dss, "ssh-dss");
    EXPECT_FALSE(PublicKey::parse(dss.view()));
}

// One login, by hand.
struct Login {
    Login() : auth(session_id, host->id()) {}

    Bytes request(std::string_view method, BytesView body, std::string_view user = "alknet",
                  std::string_view service = "ssh-connection") const {
        WireWriter out = begin_message(Message::userauth_request);
        put_text(out, user);
        put_text(out, service);
        put_text(out, method);
        out.append(body);
        return out.take();
    }
    Bytes with_key(bool is_signed, bool bound = false, BytesView bound_to = {}) const {
        WireWriter body;
        put_bool(body, is_signed);
        put_text(body, "ssh-ed25519");
        put_string(body, host_key_blob(key->id()));
        if (bound) {
            put_string(body, bound_to);
        }
        Bytes message =
            request(bound ? "publickey-hostbound-v00@openssh.com" : "publickey", body.view());
        if (is_signed) {
            WireWriter signed_octets;
            put_string(signed_octets, session_id);
            signed_octets.append(message);
            WireWriter signature;
            put_string(signature, host_signature(*key, signed_octets.view()));
            message.insert(message.end(), signature.view().begin(), signature.view().end());
        }
        return message;
    }
    void ask_for_service() {
        WireWriter out = begin_message(Message::service_request);
        put_text(out, "ssh-userauth");
        const auto step = auth.take(out.view());
        ASSERT_TRUE(step);
        EXPECT_EQ(message_of(step->reply), Message::service_accept);
    }

    const Bytes session_id = Bytes(32, std::byte{7});
    const std::shared_ptr<const NodeKey> host = NodeKey::generate();
    const std::shared_ptr<const NodeKey> key = NodeKey::generate();
    UserAuth auth;
};

TEST(SshUserAuth, AsksAndThenProves) {
    for (const bool bound : {false, true}) {
        Login login;
        login.ask_for_service();
        const Bytes blob = host_key_blob(login.host->id());
        const auto none = login.auth.take(login.request("none", {}));
        ASSERT_TRUE(none);
        EXPECT_EQ(message_of(none->reply), Message::userauth_failure);
        EXPECT_EQ(login.auth.failures(), 0U);
        const auto query = login.auth.take(login.with_key(false, bound, blob));
        ASSERT_TRUE(query && query->question);
        EXPECT_EQ(query->question->fingerprint, login.key->id().fingerprint());
        const auto pk_ok = login.auth.answer(true);
        ASSERT_TRUE(pk_ok);
        EXPECT_EQ(message_of(*pk_ok), Message::userauth_pk_ok);
        EXPECT_FALSE(login.auth.done());
        const auto proof = login.auth.take(login.with_key(true, bound, blob));
        ASSERT_TRUE(proof && proof->question);
        const auto success = login.auth.answer(true);
        ASSERT_TRUE(success);
        EXPECT_EQ(message_of(*success), Message::userauth_success);
        EXPECT_TRUE(login.auth.done());
        EXPECT_EQ(login.auth.user(), "alknet");
        // What was on its way is dropped.
        const auto late = login.auth.take(login.with_key(false));
        EXPECT_TRUE(late && late->reply.empty() && !late->question);
    }
}

TEST(SshUserAuth, AnUnknownKeyAndAWrongSignatureLookTheSame) {
    Login login;
    login.ask_for_service();
    const auto attempt = [&](const Bytes& message, bool known) {
        const auto step = login.auth.take(message);
        EXPECT_TRUE(step && step->question);
        return login.auth.answer(known).value();
    };
    const Bytes unknown_query = attempt(login.with_key(false), false);
    const Bytes unknown = attempt(login.with_key(true), false);
    Bytes forged = login.with_key(true);
    forged.back() ^= std::byte{1};
    const Bytes wrong = attempt(forged, true);
    EXPECT_EQ(unknown, wrong);
    EXPECT_EQ(unknown, unknown_query);
    EXPECT_EQ(login.auth.failures(), 3U);
    EXPECT_FALSE(login.auth.done());
}

TEST(SshUserAuth, ASignatureForAnotherHostOrSessionIsNone) {
    Login login;
    login.ask_for_service();
    const Bytes other = host_key_blob(NodeKey::generate()->id());
    const auto elsewhere = login.auth.take(login.with_key(true, true, other));
    ASSERT_TRUE(elsewhere);
    EXPECT_EQ(message_of(elsewhere->reply), Message::userauth_failure);
    UserAuth another(Bytes(32, std::byte{8}), login.host->id());
    WireWriter service = begin_message(Message::service_request);
    put_text(service, "ssh-userauth");
    ASSERT_TRUE(another.take(service.view()));
    ASSERT_TRUE(another.take(login.with_key(true)));
    EXPECT_EQ(message_of(another.answer(true).value()), Message::userauth_failure);
}

TEST(SshUserAuth, AttemptsAreCounted) {
    {
        Login login;
        login.ask_for_service();
        for (std::size_t i = 1; i < kAuthFailuresMax; ++i) {
            ASSERT_TRUE(login.auth.take(login.with_key(true)));
            ASSERT_TRUE(login.auth.answer(false));
        }
        ASSERT_TRUE(login.auth.take(login.with_key(true)));
        EXPECT_TRUE(login.auth.answer(false).error().is(causes::kLoginFailed));
    }
    {
        Login login;
        login.ask_for_service();
        result<UserAuth::Step> step;
        std::size_t taken = 0;
        while ((step = login.auth.take(login.request("password", as_bytes(std::string(5, 'x')))))) {
            ++taken;
        }
        EXPECT_EQ(taken + 1, kAuthFailuresMax);
        EXPECT_TRUE(step.error().is(causes::kLoginFailed));
    }
    Login login;
    login.ask_for_service();
    std::size_t queries = 0;
    while (login.auth.take(login.with_key(false))) {
        ASSERT_TRUE(login.auth.answer(true));
        ++queries;
    }
    EXPECT_EQ(queries, kAuthRequestsMax);
}

TEST(SshUserAuth, RefusesWhatIsOutOfItsTurn) {
    const auto fresh = [](const Bytes& message, bool with_service) {
        Login login;
        if (with_service) {
            login.ask_for_service();
        }
        const auto step = login.auth.take(message);
        return !step && step.error().is(causes::kProtocol);
    };
    const Login example;
    EXPECT_TRUE(fresh(example.with_key(false), false));
    for (const Message number :
         {Message::userauth_success, Message::userauth_failure, Message::userauth_pk_ok,
          Message::channel_open, Message::global_request, Message::service_accept}) {
        EXPECT_TRUE(fresh(begin_message(number).take(), true)) << static_cast<int>(number);
    }
    WireWriter service = begin_message(Message::service_request);
    put_text(service, "ssh-connection");
    EXPECT_TRUE(fresh(service.take(), false));
    EXPECT_TRUE(fresh(begin_message(Message::service_request).take(), false));
    EXPECT_TRUE(fresh(example.request("publickey", {}), true));
    EXPECT_TRUE(fresh(example.request("none", {}, "a", "ssh-other"), true));
    EXPECT_TRUE(fresh(example.request("none", {}, std::string(kUserBytesMax + 1, 'u')), true));
    EXPECT_TRUE(fresh(begin_message(Message::userauth_request).take(), true));
}

TEST(SshUserAuth, AnyOrderOfMessagesNeverLetsAStrangerIn) {
    sim::Random random(3);
    for (int i = 0; i < 500; ++i) {
        Login login;
        const std::array messages = {
            login.with_key(false), login.with_key(true), login.request("none", {}),
            begin_message(Message::userauth_success).take(), login.request("password", {})};
        if (random.chance(0.9)) {
            login.ask_for_service();
        }
        for (int n = 0; n < 20; ++n) {
            const auto step = login.auth.take(messages.at(random.below(messages.size())));
            if (!step) {
                break;
            }
            if (step->question && !login.auth.answer(false)) {
                break;
            }
        }
        EXPECT_FALSE(login.auth.done());
    }
}

}  // namespace
}  // namespace alknet::ssh
