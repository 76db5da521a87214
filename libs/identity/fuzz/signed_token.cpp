// Any octets as tokens, and as a history of signed tokens that are used while the clock jumps: what
// is accepted is written back the same, and no token is accepted twice, whatever the clock says.
#include <alknet/base/assert.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/identity/signed_token.hpp>
#include <alknet/identity/token.hpp>
#include <array>
#include <set>
#include <tuple>

namespace {

using namespace alknet;
using namespace alknet::identity;

WallTime at(std::uint32_t seconds) {
    return WallTime(std::chrono::seconds(seconds));
}

void check_text(std::string_view text) {
    if (const auto token = SignedToken::decode(text)) {
        ALKNET_ASSERT(token->encode() == text);
        ALKNET_ASSERT(!token->signer(NodeId(), "p", std::array{NodeId()}));
    }
    const std::array<std::string_view, 4> known = {"key", "peer", "gone", "disabled"};
    PeerList list;
    for (const std::string_view name : {"peer", "disabled"}) {
        PeerRecord peer;
        peer.id = name;
        peer.name = name;
        peer.enabled = name == "peer";
        list.peers.push_back(std::move(peer));
    }
    for (const std::string_view name : known) {
        TokenRecord token;
        token.id = name;
        token.hash = token_hash(name);
        token.peer = name == "key" ? "" : name;
        token.expires = at(10);
        token.grants.push_back({.scope = *Scope::parse("a:b"), .origin = {}, .role = {}});
        list.tokens.push_back(std::move(token));
    }
    const auto peers = PeerDirectory::create(std::move(list));
    ALKNET_ASSERT(peers);
    const auto resolved = resolve_stored_token(**peers, text, at(0));
    const bool good = text == "key" || text == "peer";
    ALKNET_ASSERT((resolved && *resolved) == good);
    ALKNET_ASSERT(resolved.has_value() == (good || (text != "gone" && text != "disabled")));
    const auto late = resolve_stored_token(**peers, text, at(10));
    ALKNET_ASSERT(!late || !*late);
}

void check_signing(WireReader in) {
    const auto octets = in.take(32);
    const auto key = NodeKey::from_seed(octets);
    if (!key) {
        return;
    }
    const auto seconds = in.number<std::uint32_t>();
    const auto counter = in.number<std::uint8_t>();
    const auto purpose = in.text<std::uint8_t>();
    const NodeId node = (*key)->id();
    const auto token = sign_token(
        **key, {.audience = node, .purpose = purpose, .now = at(seconds), .counter = counter});
    ALKNET_ASSERT(token.has_value() == !purpose.empty());
    if (token) {
        const auto again = SignedToken::decode(token->encode());
        ALKNET_ASSERT(again && *again == *token && again->unix_s == seconds);
        ALKNET_ASSERT(token->signer(node, purpose, std::array{node}) == node);
        ALKNET_ASSERT(!token->signer(node, purpose + "x", std::array{node}));
    }
    const auto first = sign_token_v1(**key, at(seconds));
    ALKNET_ASSERT(first && SignedToken::decode(first->encode()) == *first);
    ALKNET_ASSERT(first->signer(NodeId(), "p", std::array{node}) == node);
    ALKNET_ASSERT(!sign_token_v1(**key, at(seconds) - std::chrono::hours(24 * 365 * 200)));
}

void check_history(WireReader in) {
    UsedTokens used(in.number<std::uint16_t>());
    std::set<std::tuple<NodeId, std::uint64_t, std::uint8_t>> accepted;
    while (!in.empty()) {
        const auto what = in.number<std::uint8_t>();
        std::array<std::byte, NodeId::kSize> octets{};
        octets[0] = static_cast<std::byte>(what % 4);
        UsedTokens::Use use;
        use.signer = NodeId(octets);
        use.unix_s = in.number<std::uint16_t>();
        use.now_s = in.number<std::uint16_t>();
        use.window_s = in.number<std::uint8_t>();
        if ((what & 0x80U) != 0) {
            used.refuse_until(use.signer, use.unix_s);
            continue;
        }
        const auto counter = static_cast<std::uint8_t>(what >> 2U & 3U);
        use.message = {static_cast<std::byte>(counter), static_cast<std::byte>(use.unix_s >> 8U),
                       static_cast<std::byte>(use.unix_s)};
        if (used.use(use)) {
            ALKNET_ASSERT(accepted.emplace(use.signer, use.unix_s, counter).second);
        }
        ALKNET_ASSERT(used.size() <= accepted.size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes = view_octets(data, size);
    check_text(as_text(bytes));
    check_signing(WireReader(bytes));
    check_history(WireReader(bytes));
    ALKNET_ASSERT(unix_seconds(at(0) - std::chrono::seconds(1)) == 0);
    ALKNET_ASSERT(make_token().text.view().size() == 56);
    return 0;
}
