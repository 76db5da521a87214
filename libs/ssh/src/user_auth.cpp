#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/ssh/public_key.hpp>
#include <alknet/ssh/user_auth.hpp>
#include <utility>

#include "host_key.hpp"
#include "messages.hpp"

namespace alknet::ssh {

namespace {

constexpr std::string_view kUserAuthService = "ssh-userauth";
constexpr std::string_view kConnectionService = "ssh-connection";
constexpr std::string_view kPublicKey = "publickey";
constexpr std::string_view kHostBound = "publickey-hostbound-v00@openssh.com";

std::unexpected<error> malformed() {
    return fail(causes::kProtocol, "a malformed message of the login");
}

/// A key that was shown, perhaps in a certificate.
struct Shown {
    PublicKey key;
    std::string_view algorithm;  // that it signs with itself
    UserAuth::Question question;
};

// Nothing that could be taken for another part of what is asked for.
bool is_principal(std::string_view user) noexcept {
    return !user.empty() &&
           std::ranges::all_of(user, [](char c) { return c > ' ' && c <= '~' && c != ':'; });
}

result<Shown> read_key(std::string_view algorithm, BytesView blob, const std::string& user) {
    if (!Certificate::is_one(algorithm)) {
        ALKNET_TRY(PublicKey key, PublicKey::parse(blob));
        std::string fingerprint = key.fingerprint();
        return Shown{.key = std::move(key),
                     .algorithm = algorithm,
                     .question = {.fingerprint = std::move(fingerprint)}};
    }
    ALKNET_TRY(Certificate certificate, Certificate::parse(blob));
    if (!is_principal(user) ||
        std::ranges::find(certificate.principals, user) == certificate.principals.end()) {
        return fail(causes::kKeyInvalid, "a certificate of somebody else");
    }
    return Shown{.key = std::move(certificate.key),
                 .algorithm = Certificate::plain_algorithm(algorithm),
                 .question = {.fingerprint = "cert:" + user + ":" + certificate.authority,
                              .certificate = std::move(certificate.rules)}};
}

}  // namespace

UserAuth::UserAuth(BytesView session_id, const NodeId& host_key)
    : session_id_(to_bytes(session_id)), host_key_blob_(ssh::host_key_blob(host_key)) {}

result<UserAuth::Step> UserAuth::take(BytesView message) {
    const Message number = message_of(message);
    if (number == Message::service_request && state_ != State::asking) {
        return take_service(message);
    }
    if (number == Message::userauth_request && state_ == State::requests) {
        return take_request(message);
    }
    if (number == Message::userauth_request && state_ == State::done) {
        return Step();  // sent before the client knew (RFC 4252 section 5.1)
    }
    return fail(causes::kProtocol, "a message out of its turn in the login");
}

result<UserAuth::Step> UserAuth::take_service(BytesView message) {
    WireReader in(message.subspan(1));
    const std::string_view name = take_text(in);
    if (!in.complete()) {
        return malformed();
    }
    if (name != kUserAuthService || state_ == State::done) {
        return fail(causes::kProtocol, "a service that is not served");
    }
    state_ = State::requests;
    WireWriter out = begin_message(Message::service_accept);
    put_text(out, name);
    return Step{.reply = out.take()};
}

result<UserAuth::Step> UserAuth::take_request(BytesView message) {
    WireReader in(message.subspan(1));
    const std::string_view user = take_text(in);
    const std::string_view service = take_text(in);
    const std::string_view method = take_text(in);
    if (!in.ok() || user.size() > kUserBytesMax || service != kConnectionService) {
        return malformed();
    }
    if (++requests_ > kAuthRequestsMax) {
        return fail(causes::kLoginFailed, "too many requests");
    }
    user_ = user;
    const bool bound = method == kHostBound;
    if (method == kPublicKey || bound) {
        const std::size_t before = 1 + 4 + user.size() + 4 + service.size() + 4 + method.size();
        return take_public_key(message, before, bound, message.subspan(before));
    }
    // The first `none` asks for the methods, and is no attempt.
    ALKNET_TRY(Bytes reply, failure(method != "none" || requests_ > 1));
    return Step{.reply = std::move(reply)};
}

// Every way through this costs the same that a stranger could tell apart: the key is read and the
// signature checked before anybody is asked who it is.
result<UserAuth::Step> UserAuth::take_public_key(BytesView message, std::size_t before, bool bound,
                                                 BytesView rest) {
    WireReader in(rest);
    const bool is_signed = take_bool(in);
    const std::string_view algorithm = take_text(in);
    const BytesView blob = take_string(in);
    const BytesView host_key = bound ? take_string(in) : BytesView();
    const std::size_t covered =
        before + 1 + 4 + algorithm.size() + 4 + blob.size() + (bound ? 4 + host_key.size() : 0);
    const BytesView signature = is_signed ? take_string(in) : BytesView();
    if (!in.complete()) {
        return malformed();
    }
    auto shown = read_key(algorithm, blob, user_);
    const bool host_is_ours = !bound || as_text(host_key) == as_text(host_key_blob_);
    if (!shown || !shown->key.signs_with(shown->algorithm) || !host_is_ours) {
        ALKNET_TRY(Bytes reply, failure(true));
        return Step{.reply = std::move(reply)};
    }
    pk_ok_.clear();
    signature_holds_ = false;
    if (is_signed) {
        WireWriter signed_octets;
        put_string(signed_octets, session_id_);
        signed_octets.append(message.first(covered));
        signature_holds_ = shown->key.verify(shown->algorithm, signed_octets.view(), signature);
    } else {
        WireWriter out = begin_message(Message::userauth_pk_ok);
        put_text(out, algorithm);
        put_string(out, blob);
        pk_ok_ = out.take();
    }
    state_ = State::asking;
    return Step{.reply = {}, .question = std::move(shown->question)};
}

result<Bytes> UserAuth::answer(bool known) {
    ALKNET_ASSERT(state_ == State::asking);
    state_ = State::requests;
    Bytes pk_ok = std::exchange(pk_ok_, {});
    if (known && !pk_ok.empty()) {
        return pk_ok;
    }
    if (known && std::exchange(signature_holds_, false)) {
        state_ = State::done;
        return begin_message(Message::userauth_success).take();
    }
    return failure(true);
}

result<Bytes> UserAuth::failure(bool counts) {
    failures_ += counts ? 1 : 0;
    if (failures_ >= kAuthFailuresMax) {
        return fail(causes::kLoginFailed, "too many attempts");
    }
    WireWriter out = begin_message(Message::userauth_failure);
    put_text(out, kPublicKey);
    put_bool(out, false);
    return out.take();
}

}  // namespace alknet::ssh
