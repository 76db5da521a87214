#include <alknet/base/causes.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/signed_provider.hpp>
#include <utility>

namespace alknet::identity {

namespace {

// What no setting of the wall clock changes.
Duration steady(const Clock& clock) noexcept {
    return clock.now().time_since_epoch() + clock.suspended();
}

result<NodeId> signer_of(const SignedToken& token, const NodeId& audience, std::string_view purpose,
                         const PeerDirectory& peers) {
    const std::vector<NodeId> candidates = peers.find_keys(token.key);
    const auto signer = token.signer(audience, purpose, candidates);
    if (!signer) {
        return fail(causes::kTokenInvalid,
                    "no known key has signed this token for this node and purpose");
    }
    return *signer;
}

result<Identity> identity_of_signer(const PeerDirectory& peers, const NodeId& signer,
                                    WallTime now) {
    const PeerRecord* peer = peers.find_fingerprint(signer.fingerprint());
    if (peer != nullptr && !key_holds(*peer, signer.fingerprint(), now)) {
        return fail(causes::kTokenInvalid, "signed token: its peer has another key now");
    }
    auto identity = peer == nullptr ? std::nullopt : identity_of(*peer, now);
    if (!identity) {
        return fail(causes::kTokenInvalid,
                    "signed token: its peer is " +
                        std::string(peer == nullptr ? "gone" : to_string(standing_of(*peer, now))));
    }
    return *std::move(identity);
}

}  // namespace

SignedTokenProvider::SignedTokenProvider(const Clock& clock, SignedTokenOptions options)
    : clock_(clock),
      options_(std::move(options)),
      started_(steady(clock)),
      rules_(options_.rules),
      audience_(options_.audience),
      used_(unix_seconds(clock.wall_now())) {
    for (const NewestToken& token : options_.newest) {
        used_.refuse_until(token.signer, token.unix_s);
    }
}

void SignedTokenProvider::set_rules(const SignedTokenRules& rules) {
    const std::scoped_lock lock(mutex_);
    rules_ = rules;
}

void SignedTokenProvider::set_audience(const NodeId& audience) {
    const std::scoped_lock lock(mutex_);
    audience_ = audience;
}

NodeId SignedTokenProvider::audience() const {
    const std::scoped_lock lock(mutex_);
    return audience_;
}

SignedTokenRules SignedTokenProvider::rules() const {
    const std::scoped_lock lock(mutex_);
    return rules_;
}

// A machine without a battery starts in 1970, and is told the time later.
std::uint64_t SignedTokenProvider::started_s(WallTime wall_now) const {
    const Duration up = steady(clock_) - started_;
    return wall_now.time_since_epoch() < up ? 0 : unix_seconds(wall_now - up);
}

result<void> SignedTokenProvider::use(const SignedToken& token, const NodeId& signer, Bytes message,
                                      WallTime now) {
    const std::uint64_t started = started_s(now);
    const std::scoped_lock lock(mutex_);
    const auto window = std::chrono::floor<std::chrono::seconds>(rules_.window).count();
    return used_.use({.signer = signer,
                      .unix_s = token.unix_s,
                      .message = std::move(message),
                      .now_s = unix_seconds(now),
                      .window_s = static_cast<std::uint64_t>(window),
                      .started_s = started});
}

task<result<std::optional<Identity>>> SignedTokenProvider::resolve_from_fingerprint(
    std::string /*fingerprint*/) {
    co_return std::optional<Identity>();
}

/// A token, whose key has signed it, and who that is now.
struct SignedTokenProvider::Shown {
    SignedToken token;
    NodeId audience;
    NodeId signer;
    Identity identity;
};

result<std::optional<SignedTokenProvider::Shown>> SignedTokenProvider::look_at(
    std::string_view token, std::string_view purpose) const {
    const auto parsed = SignedToken::decode(token);
    if (!parsed) {
        return std::nullopt;
    }
    if (parsed->version == 1 && !rules().v1) {
        return fail(causes::kTokenInvalid, "signed tokens of the first form are switched off");
    }
    const auto peers = options_.peers->peers();
    const NodeId own = audience();
    ALKNET_TRY(const NodeId signer, signer_of(*parsed, own, purpose, *peers));
    ALKNET_TRY(Identity identity, identity_of_signer(*peers, signer, clock_.wall_now()));
    return Shown{
        .token = *parsed, .audience = own, .signer = signer, .identity = std::move(identity)};
}

task<result<std::optional<Identity>>> SignedTokenProvider::resolve_from_token(std::string token,
                                                                              std::string purpose) {
    ALKNET_CO_TRY(auto shown, look_at(token, purpose));
    if (!shown) {
        co_return std::optional<Identity>();
    }
    const WallTime now = clock_.wall_now();
    const NodeId& signer = shown->signer;
    ALKNET_CO_CHECK(use(shown->token, signer, shown->token.message(shown->audience, purpose), now));
    // A restart forgets what was used, and refuses what is older than itself. This one may not be.
    const std::uint64_t now_s = unix_seconds(now);
    if (shown->token.unix_s > now_s && options_.state != nullptr) {
        const NewestToken newest{.signer = signer, .unix_s = shown->token.unix_s};
        ALKNET_CO_CHECK(co_await options_.state->transact([newest, now_s](store::Database& state) {
            return save_newest_token(state, newest, now_s);
        }));
    }
    co_return std::optional<Identity>(std::move(shown->identity));
}

task<result<std::optional<Identity>>> SignedTokenProvider::recheck_token(std::string token,
                                                                         std::string purpose) {
    ALKNET_CO_TRY(auto shown, look_at(token, purpose));
    co_return shown ? std::optional<Identity>(std::move(shown->identity)) : std::nullopt;
}

}  // namespace alknet::identity
