// The server's side of logging in (RFC 4252), sans-I/O: `publickey` alone, in its plain form and in
// OpenSSH's that also names the host. What it cannot decide, whether a key is anybody's here, it
// asks; everything about a request is checked before that, and whoever offers an unknown key is
// told as much, and as late, as whoever gives a wrong signature.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/ssh/certificate.hpp>
#include <alknet/ssh/limits.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::ssh {

class UserAuth final {
public:
    /// What signatures are bound to.
    UserAuth(BytesView session_id, const NodeId& host_key);

    /// A question for an IdentityProvider; `answer` follows before anything else is taken.
    struct Question {
        /// Of the key; of a certificate `cert:USER:` and its authority's, where USER is one of its
        /// principals, and what it is bound to.
        std::string fingerprint;
        std::optional<CertificateRules> certificate{};
    };
    struct Step {
        Bytes reply;  // a message; empty: none
        std::optional<Question> question{};
    };
    /// A message of the peer, before it has logged in. Errors: kProtocol for one that has no place
    /// there; kLoginFailed after kAuthFailuresMax failures.
    result<Step> take(BytesView message);
    /// Whether the key of the question is somebody's, who may log in with it. Errors: kLoginFailed,
    /// likewise.
    result<Bytes> answer(bool known);

    [[nodiscard]] bool done() const noexcept { return state_ == State::done; }
    /// As the client has said it; no part of who somebody is.
    [[nodiscard]] const std::string& user() const noexcept { return user_; }
    [[nodiscard]] std::size_t failures() const noexcept { return failures_; }

private:
    enum class State : std::uint8_t { service, requests, asking, done };

    result<Step> take_service(BytesView message);
    result<Step> take_request(BytesView message);
    result<Step> take_public_key(BytesView message, std::size_t before, bool bound, BytesView rest);
    result<Bytes> failure(bool counts);

    Bytes session_id_;
    Bytes host_key_blob_;
    State state_ = State::service;
    std::string user_;
    std::size_t failures_ = 0;
    std::size_t requests_ = 0;
    bool signature_holds_ = false;
    Bytes pk_ok_;  // what a query gets whose key is known; empty: it was signed
};

}  // namespace alknet::ssh
