#include <alknet/base/assert.hpp>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/ssh/login.hpp>
#include <utility>

#include "algorithms.hpp"
#include "messages.hpp"

namespace alknet::ssh {

namespace {

constexpr std::string_view kUserAuthService = "ssh-userauth";
constexpr std::string_view kPublicKey = "publickey";

std::unexpected<error> malformed() {
    return fail(causes::kProtocol, "a malformed message of the login");
}

}  // namespace

Login::Login(std::string user, BytesView session_id, std::vector<LoginKey> keys)
    : user_(std::move(user)), session_id_(to_bytes(session_id)), keys_(std::move(keys)) {}

Bytes Login::begin() {
    begun_ = true;
    WireWriter out = begin_message(Message::service_request);
    put_text(out, kUserAuthService);
    return out.take();
}

Bytes Login::request(bool is_signed) const {
    const LoginKey& key = keys_[current_];
    WireWriter out = begin_message(Message::userauth_request);
    put_text(out, user_);
    put_text(out, "ssh-connection");
    put_text(out, kPublicKey);
    put_bool(out, is_signed);
    put_text(out, key.algorithm);
    put_string(out, key.blob);
    return out.take();
}

Bytes Login::to_sign() const {
    ALKNET_ASSERT(state_ == State::signing);
    WireWriter out;
    put_string(out, session_id_);
    out.append(request(true));
    return out.take();
}

Bytes Login::signed_with(BytesView signature) {
    ALKNET_ASSERT(state_ == State::signing);
    state_ = State::sent;
    WireWriter out;
    out.append(request(true));
    put_string(out, signature);
    return out.take();
}

result<Login::Step> Login::skip() {
    ALKNET_ASSERT(state_ == State::signing);
    ++current_;
    return next_key();
}

result<Login::Step> Login::next_key() {
    if (current_ >= keys_.size()) {
        return fail(causes::kLoginFailed,
                    keys_.empty() ? "there is no key to log in with"
                                  : "the server takes none of the keys that were offered");
    }
    if (keys_[current_].ask_first) {
        state_ = State::asked;
        return Step{.message = request(false)};
    }
    state_ = State::signing;
    return Step{.sign = true};
}

result<Login::Step> Login::take(BytesView message) {
    const bool waits = state_ == State::asked || state_ == State::sent;
    switch (message_of(message)) {
        case Message::service_accept: {
            WireReader in(message.subspan(1));
            if (!begun_ || state_ != State::service || take_text(in) != kUserAuthService) {
                break;
            }
            return next_key();
        }
        case Message::userauth_banner: {
            WireReader in(message.subspan(1));
            const std::string_view text = take_text(in);
            (void)take_text(in);
            if (!in.complete() || state_ == State::service || ++banners_ > kBannersMax) {
                break;
            }
            return Step{.banner = text};
        }
        case Message::userauth_failure:
            if (waits) {
                return take_failure(message);
            }
            break;
        case Message::userauth_pk_ok:
            if (state_ == State::asked) {
                return take_welcome(message);
            }
            break;
        case Message::userauth_success:
            // What was only asked about is not proven, and no server may take it for that.
            if (state_ == State::sent && message.size() == 1) {
                state_ = State::done;
                return Step();
            }
            break;
        default:
            break;
    }
    return fail(causes::kProtocol, "a message out of its turn in the login");
}

result<Login::Step> Login::take_failure(BytesView message) {
    WireReader in(message.subspan(1));
    const std::string_view methods = take_text(in);
    const bool partial = take_bool(in);
    if (!in.complete()) {
        return malformed();
    }
    if (!lists_name(methods, kPublicKey)) {
        return fail(causes::kLoginFailed, partial
                                              ? "the server wants more than a key"
                                              : "the server takes no keys, or none for this user");
    }
    ++current_;
    return next_key();
}

result<Login::Step> Login::take_welcome(BytesView message) {
    WireReader in(message.subspan(1));
    const std::string_view algorithm = take_text(in);
    const BytesView blob = take_string(in);
    const LoginKey& key = keys_[current_];
    if (!in.complete() || algorithm != key.algorithm || as_text(blob) != as_text(key.blob)) {
        return malformed();
    }
    state_ = State::signing;
    return Step{.sign = true};
}

}  // namespace alknet::ssh
