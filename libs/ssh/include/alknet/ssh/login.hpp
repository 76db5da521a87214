// The client's side of logging in (RFC 4252), sans-I/O: `publickey` alone, one key after the other.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/ssh/limits.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

/// A key that may be tried.
struct LoginKey {
    Bytes blob;
    std::string algorithm;
    bool ask_first = false;  // whether it is welcome, before anything is signed
};

class Login final {
public:
    /// Signatures are bound to `session_id`.
    Login(std::string user, BytesView session_id, std::vector<LoginKey> keys);

    struct Step {
        Bytes message{};            // for the server; empty: none
        bool sign = false;          // `to_sign` with the key `current`: `signed_with` or `skip`
        std::string_view banner{};  // what the server has to say; as it says it
    };
    /// Asks to log in.
    [[nodiscard]] Bytes begin();
    /// A message of the server, until `done`. Errors: kProtocol for one that has no place there;
    /// kLoginFailed when no key is left.
    result<Step> take(BytesView message);

    [[nodiscard]] std::size_t current() const noexcept { return current_; }
    [[nodiscard]] Bytes to_sign() const;
    /// The request with this signature.
    [[nodiscard]] Bytes signed_with(BytesView signature);
    /// Nothing signs with this key: on to the next one. Errors: kLoginFailed.
    result<Step> skip();

    [[nodiscard]] bool done() const noexcept { return state_ == State::done; }

private:
    enum class State : std::uint8_t { service, asked, signing, sent, done };

    result<Step> next_key();
    result<Step> take_failure(BytesView message);
    result<Step> take_welcome(BytesView message);
    [[nodiscard]] Bytes request(bool is_signed) const;

    std::string user_;
    Bytes session_id_;
    std::vector<LoginKey> keys_;
    std::size_t current_ = 0;
    State state_ = State::service;
    bool begun_ = false;
    std::size_t banners_ = 0;
};

}  // namespace alknet::ssh
