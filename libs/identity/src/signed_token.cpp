#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/signed_token.hpp>
#include <limits>
#include <utility>

namespace alknet::identity {

namespace {

// The zero at its end is part of it.
constexpr std::string_view kContext("alknet-token-v2\0", 16);
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kKeyIdV1Bytes = 32;
constexpr std::uint8_t kVersion2 = 2;

void read_key_id(WireReader& in, SignedToken& token) {
    const BytesView octets = in.take(token.key.size());
    std::ranges::copy(octets, token.key.begin());
}

SignedToken decode_v2(WireReader in) {
    SignedToken token;
    token.version = in.number<std::uint8_t>();
    read_key_id(in, token);
    token.unix_s = in.number<std::uint32_t>();
    return token;
}

SignedToken decode_v1(WireReader in) {
    SignedToken token;
    token.version = 1;
    read_key_id(in, token);
    (void)in.take(kKeyIdV1Bytes - token.key.size());
    token.unix_s = in.number<std::uint64_t>();
    return token;
}

result<void> check_time(WallTime now) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    if (seconds < 0 || seconds > std::numeric_limits<std::uint32_t>::max()) {
        return fail(causes::kUsage, "the clock is not between 1970 and 2106");
    }
    return {};
}

void sign(SignedToken& token, const NodeKey& key, const SigningOptions& options) {
    token.signature = key.sign(token.message(options.audience, options.purpose));
}

}  // namespace

std::uint64_t unix_seconds(WallTime time) noexcept {
    const auto count = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
    return count < 0 ? 0 : static_cast<std::uint64_t>(count);
}

std::optional<SignedToken> SignedToken::decode(std::string_view text) {
    constexpr auto chars = [](std::size_t octets) { return (octets * 4 + 2) / 3; };
    const bool second = text.size() == chars(kSignedTokenBytes);
    if (!second && text.size() != chars(kSignedTokenV1Bytes)) {
        return std::nullopt;
    }
    const auto octets = base64_decode(text, Base64::url);
    if (!octets) {
        return std::nullopt;
    }
    const BytesView view = *octets;
    SignedToken token = second ? decode_v2(WireReader(view)) : decode_v1(WireReader(view));
    if (second && token.version != kVersion2) {
        return std::nullopt;
    }
    token.signed_part = to_bytes(view.first(view.size() - kSignatureBytes));
    std::ranges::copy(view.last(kSignatureBytes), token.signature.begin());
    return token;
}

std::string SignedToken::encode() const {
    WireWriter out;
    out.append(signed_part);
    out.append(signature);
    return base64_encode(out.view(), Base64::url);
}

Bytes SignedToken::message(const NodeId& audience, std::string_view purpose) const {
    if (version == 1) {
        return signed_part;
    }
    WireWriter out;
    out.append(as_bytes(kContext));
    out.append(audience.bytes());
    out.text<std::uint8_t>(purpose);
    out.append(signed_part);
    return out.take();
}

std::optional<NodeId> SignedToken::signer(const NodeId& audience, std::string_view purpose,
                                          std::span<const NodeId> keys) const {
    if (purpose.empty() || purpose.size() > kPurposeBytesMax) {
        return std::nullopt;
    }
    const Bytes signed_octets = message(audience, purpose);
    const auto found = std::ranges::find_if(
        keys, [&](const NodeId& one) { return crypto::verify(one, signed_octets, signature); });
    return found == keys.end() ? std::nullopt : std::optional(*found);
}

result<SignedToken> sign_token(const NodeKey& key, const SigningOptions& options) {
    if (options.purpose.empty() || options.purpose.size() > kPurposeBytesMax) {
        return fail(causes::kUsage, "a token's purpose has 1 to 255 octets");
    }
    ALKNET_CHECK(check_time(options.now));
    SignedToken token;
    token.version = kVersion2;
    token.key = key_id(key.id());
    token.unix_s = unix_seconds(options.now);
    WireWriter out;
    out.number(kVersion2);
    out.append(token.key);
    out.number(static_cast<std::uint32_t>(token.unix_s));
    out.number(options.counter);
    token.signed_part = out.take();
    sign(token, key, options);
    return token;
}

result<SignedToken> sign_token_v1(const NodeKey& key, WallTime now) {
    ALKNET_CHECK(check_time(now));
    SignedToken token;
    token.version = 1;
    token.key = key_id(key.id());
    token.unix_s = unix_seconds(now);
    WireWriter out;
    out.append(crypto::sha256(key.id().bytes()));
    out.number(token.unix_s);
    token.signed_part = out.take();
    sign(token, key, {});
    return token;
}

void UsedTokens::forget_before(std::uint64_t unix_s) {
    while (!used_.empty() && used_.begin()->unix_s < unix_s) {
        const Used& oldest = *used_.begin();
        forgotten_s_ = std::max(forgotten_s_, oldest.unix_s);
        const auto count = used_by_key_.find(oldest.signer);
        if (--count->second == 0) {
            used_by_key_.erase(count);
        }
        used_.erase(used_.begin());
    }
}

void UsedTokens::refuse_until(const NodeId& signer, std::uint64_t unix_s) {
    if (refused_until_.size() >= kUsedMax && !refused_until_.contains(signer)) {
        forgotten_s_ = std::max(forgotten_s_, unix_s);
        return;
    }
    std::uint64_t& until = refused_until_[signer];
    until = std::max(until, unix_s);
}

result<void> UsedTokens::check_time(const Use& use) const {
    if (use.unix_s > use.now_s && use.unix_s - use.now_s > use.window_s) {
        return fail(causes::kTokenInvalid,
                    "the signed token is from the future: compare the clocks");
    }
    if (use.unix_s < use.now_s && use.now_s - use.unix_s > use.window_s) {
        return fail(causes::kTokenInvalid, "the signed token is too old: compare the clocks");
    }
    const auto until = refused_until_.find(use.signer);
    if (use.unix_s <= std::max(started_s_, use.started_s) || use.unix_s <= forgotten_s_ ||
        (until != refused_until_.end() && use.unix_s <= until->second)) {
        return fail(causes::kTokenInvalid,
                    "the signed token is from before the node's start, or before its clock was "
                    "set: it may have been used");
    }
    return {};
}

result<void> UsedTokens::use(const Use& use) {
    forget_before(use.now_s - std::min(use.window_s, use.now_s));
    ALKNET_CHECK(check_time(use));
    Used used{.unix_s = use.unix_s, .signer = use.signer, .digest = crypto::sha256(use.message)};
    if (used_.contains(used)) {
        return fail(causes::kTokenInvalid, "the signed token was used before");
    }
    const auto count = used_by_key_.find(use.signer);
    if (used_.size() >= kUsedMax ||
        (count != used_by_key_.end() && count->second >= kUsedPerKeyMax)) {
        return fail(causes::kLimit, "too many signed tokens within their window");
    }
    started_s_ = std::max(started_s_, use.started_s);
    ++used_by_key_[use.signer];
    used_.insert(used);
    return {};
}

}  // namespace alknet::identity
