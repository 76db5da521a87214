#include <algorithm>
#include <alknet/base/encoding.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/config_revision.hpp>
#include <cstdint>

namespace alknet::identity {

namespace {

constexpr std::string_view kLabel = "alknet-revision-v1";
constexpr std::size_t kDigestOctets = 16;

void put(WireWriter& out, std::string_view text) {
    out.text<std::uint32_t>(text);
}

void put(WireWriter& out, const std::optional<WallTime>& time) {
    out.number(static_cast<std::uint64_t>(
        time ? std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count() : 0));
}

void put(WireWriter& out, std::vector<std::string> texts) {
    std::ranges::sort(texts);
    out.number(static_cast<std::uint32_t>(texts.size()));
    for (const std::string& text : texts) {
        put(out, text);
    }
}

void put(WireWriter& out, const std::vector<Grant>& grants) {
    std::vector<std::string> texts;
    for (const Grant& grant : grants) {
        texts.push_back(grant.scope.text());
    }
    put(out, std::move(texts));
}

void put(WireWriter& out, const PeerRecord& peer) {
    put(out, peer.id);
    put(out, peer.name);
    put(out, peer.fingerprints);
    put(out, peer.grants);
    put(out, peer.roles);
    out.number(static_cast<std::uint32_t>(peer.resources.size()));
    for (const auto& [kind, names] : peer.resources) {
        put(out, kind);
        put(out, names);
    }
    out.number(static_cast<std::uint8_t>(peer.enabled ? 1 : 0));
    put(out, peer.expires);
    put(out, peer.address);
    out.number(
        static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(peer.renew).count()));
}

}  // namespace

std::string config_revision(std::string_view text, const PeerList& stored) {
    WireWriter out;
    put(out, kLabel);
    put(out, text);
    out.number(static_cast<std::uint32_t>(stored.peers.size()));
    for (const PeerRecord& peer : stored.peers) {
        put(out, peer);
    }
    out.number(static_cast<std::uint32_t>(stored.tokens.size()));
    for (const TokenRecord& token : stored.tokens) {
        put(out, token.id);
        out.append(token.hash);
        put(out, token.peer);
        put(out, token.grants);
        put(out, token.expires);
    }
    for (const KeyChange& change : stored.changes) {
        put(out, change.from.fingerprint());
        put(out, change.to.fingerprint());
        put(out, std::optional(change.ends));
        out.number(static_cast<std::uint8_t>(change.used));
    }
    for (const Renewal& renewal : stored.renewals) {
        put(out, renewal.peer);
        put(out, renewal.key);
        put(out, std::optional(renewal.was));
        put(out, std::optional(renewal.expires));
    }
    return hex_encode(BytesView(crypto::sha256(out.view())).first(kDigestOctets));
}

}  // namespace alknet::identity
