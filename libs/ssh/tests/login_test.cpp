#include <gtest/gtest.h>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/ssh/login.hpp>
#include <alknet/testing/random.hpp>
#include <string>

#include "messages.hpp"

namespace alknet::ssh {
namespace {

Bytes message(Message number, std::string_view text = {}) {
    WireWriter out = begin_message(number);
    if (!text.empty()) {
        put_text(out, text);
    }
    return out.take();
}
Bytes failure(std::string_view methods, bool partial = false) {
    WireWriter out = begin_message(Message::userauth_failure);
    put_text(out, methods);
    put_bool(out, partial);
    return out.take();
}
Bytes welcome(const LoginKey& key) {
    WireWriter out = begin_message(Message::userauth_pk_ok);
    put_text(out, key.algorithm);
    put_string(out, key.blob);
    return out.take();
}
LoginKey key(char name, bool ask_first = false) {
    return {.blob = Bytes(8, static_cast<std::byte>(name)),
            .algorithm = "ssh-ed25519",
            .ask_first = ask_first};
}
Login begun(std::vector<LoginKey> keys) {
    Login login("bob", Bytes(32, std::byte{7}), std::move(keys));
    EXPECT_EQ(message_of(login.begin()), Message::service_request);
    return login;
}
Bytes accepted() {
    return message(Message::service_accept, "ssh-userauth");
}

TEST(SshLogin, SignsAndIsIn) {
    Login login = begun({key('a')});
    EXPECT_TRUE(login.take(accepted()).value().sign);
    const Bytes to_sign = login.to_sign();
    WireReader in(to_sign);
    EXPECT_EQ(take_string(in).size(), 32U);
    const Bytes request = login.signed_with(as_bytes("signature"));
    // What is signed is the request up to the signature.
    EXPECT_TRUE(as_text(request).starts_with(as_text(BytesView(to_sign).subspan(36))));
    EXPECT_FALSE(login.done());
    ASSERT_TRUE(login.take(message(Message::userauth_success)));
    EXPECT_TRUE(login.done());
}

TEST(SshLogin, AsksFirstForKeysThatAreDear) {
    Login login = begun({key('a', true), key('b', true)});
    const auto asked = login.take(accepted());
    ASSERT_TRUE(asked);
    EXPECT_FALSE(asked->sign);
    EXPECT_EQ(message_of(asked->message), Message::userauth_request);
    const auto next = login.take(failure("publickey,password"));
    ASSERT_TRUE(next);
    EXPECT_EQ(login.current(), 1U);
    EXPECT_FALSE(login.take(welcome(key('a'))));  // not what was asked for
    EXPECT_TRUE(login.take(welcome(key('b'))).value().sign);
}

TEST(SshLogin, AKeyThatNobodySignsWithIsPassedOver) {
    Login login = begun({key('a'), key('b')});
    EXPECT_TRUE(login.take(accepted()).value().sign);
    EXPECT_TRUE(login.skip().value().sign);
    const auto none = login.skip();
    EXPECT_TRUE(!none && none.error().is(causes::kLoginFailed));
}

TEST(SshLogin, EndsWhenNothingIsLeft) {
    Login login = begun({key('a')});
    ASSERT_TRUE(login.take(accepted()));
    (void)login.signed_with({});
    const auto ended = login.take(failure("publickey"));
    EXPECT_TRUE(!ended && ended.error().is(causes::kLoginFailed));
    Login without = begun({});
    EXPECT_FALSE(without.take(accepted()));
    for (const bool partial : {false, true}) {
        Login other = begun({key('a'), key('b')});
        ASSERT_TRUE(other.take(accepted()));
        (void)other.signed_with({});
        const auto refused = other.take(failure("password", partial));
        EXPECT_TRUE(!refused && refused.error().is(causes::kLoginFailed));
    }
}

TEST(SshLogin, BannersAreCounted) {
    Login login = begun({key('a')});
    ASSERT_TRUE(login.take(accepted()));
    WireWriter out = begin_message(Message::userauth_banner);
    put_text(out, "hello");
    put_text(out, "");
    for (std::size_t i = 0; i < kBannersMax; ++i) {
        EXPECT_EQ(login.take(out.view()).value().banner, "hello");
    }
    EXPECT_FALSE(login.take(out.view()));
}

TEST(SshLogin, NobodyIsInBeforeASignatureWasSent) {
    const Bytes success = message(Message::userauth_success);
    Login early("bob", {}, {key('a')});
    EXPECT_FALSE(early.take(accepted()));
    Login login = begun({key('a', true)});
    EXPECT_FALSE(login.take(success));
    ASSERT_TRUE(login.take(accepted()));
    EXPECT_FALSE(login.take(success));
    EXPECT_FALSE(login.take(accepted()));
    ASSERT_TRUE(login.take(welcome(key('a', true))));
    EXPECT_FALSE(login.take(success));
    EXPECT_FALSE(login.take(failure("publickey")));
    EXPECT_FALSE(login.done());
    (void)login.signed_with({});
    EXPECT_FALSE(login.take(message(Message::userauth_success, "x")));
    EXPECT_FALSE(login.take(message(Message::userauth_failure)));
    EXPECT_FALSE(login.take(message(Message::userauth_banner)));
    EXPECT_FALSE(login.take(message(Message::global_request)));
    EXPECT_TRUE(login.take(success));
}

}  // namespace
}  // namespace alknet::ssh
