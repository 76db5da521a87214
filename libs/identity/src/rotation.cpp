#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_audit.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/identity/rotation.hpp>
#include <utility>

namespace alknet::identity {

namespace {

constexpr std::string_view kMark = "alkrot1";
constexpr std::string_view kLabel("alknet-key-rotation-v1\0", 23);
static_assert(kRotationOctets == 2 * NodeId::kSize + 2 * sizeof(std::uint64_t) + 2 * 64);

void put_terms(WireWriter& out, const Rotation& rotation) {
    out.append(rotation.from.bytes());
    out.append(rotation.to.bytes());
    out.number(rotation.not_before);
    out.number(rotation.not_after);
}

Bytes signed_text(const Rotation& rotation) {
    WireWriter out;
    out.append(as_bytes(kLabel));
    put_terms(out, rotation);
    return out.take();
}

std::uint64_t seconds(WallTime time) {
    const auto since = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
    return static_cast<std::uint64_t>(std::max<std::int64_t>(since.count(), 0));
}

constexpr std::uint64_t whole_seconds(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

}  // namespace

result<Rotation> make_rotation(const NodeKey& from, const NodeKey& to, WallTime begin,
                               Duration lasts) {
    if (lasts < std::chrono::seconds(1) || lasts > kRotationMax) {
        return fail(causes::kUsage, "two keys hold together for 1 second to 366 days");
    }
    Rotation rotation;
    rotation.from = from.id();
    rotation.to = to.id();
    rotation.not_before = seconds(begin);
    rotation.not_after = rotation.not_before + whole_seconds(lasts);
    const Bytes text = signed_text(rotation);
    rotation.by_from = from.sign(text);
    rotation.by_to = to.sign(text);
    return rotation;
}

Bytes rotation_octets(const Rotation& rotation) {
    WireWriter out;
    put_terms(out, rotation);
    out.append(rotation.by_from);
    out.append(rotation.by_to);
    return out.take();
}

std::string encode_rotation(const Rotation& rotation) {
    return std::string(kMark) + base32_encode(rotation_octets(rotation));
}

result<Rotation> rotation_of(BytesView octets) {
    WireReader in(octets);
    const auto from = NodeId::from_bytes(in.take(NodeId::kSize));
    const auto to = NodeId::from_bytes(in.take(NodeId::kSize));
    if (!from || !to || octets.size() != kRotationOctets) {
        return fail(causes::kRotationInvalid, "it has not two keys and two signatures");
    }
    Rotation rotation{.from = *from, .to = *to};
    rotation.not_before = in.number<std::uint64_t>();
    rotation.not_after = in.number<std::uint64_t>();
    std::ranges::copy(in.take(rotation.by_from.size()), rotation.by_from.begin());
    std::ranges::copy(in.take(rotation.by_to.size()), rotation.by_to.begin());
    return rotation;
}

result<Rotation> decode_rotation(std::string_view text) {
    const auto invalid = [] {
        return fail(causes::kRotationInvalid, "it is no whole line that begins with alkrot1");
    };
    if (!text.starts_with(kMark)) {
        return invalid();
    }
    const auto octets = base32_decode(text.substr(kMark.size()));
    if (!octets) {
        return invalid();
    }
    auto rotation = rotation_of(*octets);
    // Capital letters decode too, and nothing else has one text only.
    return rotation && encode_rotation(*rotation) == text ? std::move(rotation) : invalid();
}

result<void> check_rotation(const Rotation& rotation, WallTime now) {
    if (rotation.from == rotation.to || rotation.not_after <= rotation.not_before ||
        rotation.not_after - rotation.not_before > whole_seconds(kRotationMax)) {
        return fail(causes::kRotationInvalid, "it says nothing that can hold");
    }
    const Bytes text = signed_text(rotation);
    if (!crypto::verify(rotation.from, text, rotation.by_from)) {
        return fail(causes::kRotationInvalid, "the key that goes has not signed it");
    }
    if (!crypto::verify(rotation.to, text, rotation.by_to)) {
        return fail(causes::kRotationInvalid, "the key that comes has not signed it");
    }
    if (seconds(now + kRotationSkew) < rotation.not_before) {
        return fail(causes::kRotationInvalid, "its time has not come");
    }
    if (seconds(now) >= rotation.not_after) {
        return fail(causes::kRotationInvalid, "its time is over");
    }
    return {};
}

result<std::vector<Rotation>> chain_between(std::span<const Rotation> all, const NodeId& from,
                                            const NodeId& to, WallTime now) {
    const auto begin = std::ranges::find(all, from, &Rotation::from);
    std::vector<Rotation> chain;
    for (auto link = begin; link != all.end() && chain.size() < kRotationChainMax; ++link) {
        if (!chain.empty() && chain.back().to != link->from) {
            break;
        }
        ALKNET_CHECK(check_rotation(*link, now));
        chain.push_back(*link);
        if (link->to == to) {
            return chain;
        }
    }
    return fail(causes::kRotationInvalid, "no statement leads from the known key to that one");
}

result<void> check_history(std::span<const KeyChange> changes, const Rotation& rotation) {
    if (std::ranges::count(changes, rotation.to, &KeyChange::from) != 0) {
        return fail(causes::kRotationInvalid, "the key that comes was left before");
    }
    for (const KeyChange& one : changes) {
        const bool same = one.from == rotation.from && one.to == rotation.to;
        if (!same && (one.from == rotation.from || one.to == rotation.to)) {
            return fail(causes::kRotationInvalid, "another change of one of the keys is known");
        }
    }
    return {};
}

result<RotatedPeer> accept_rotation(const PeerDirectory& peers, const Rotation& rotation,
                                    WallTime now) {
    ALKNET_CHECK(check_rotation(rotation, now));
    const PeerRecord* peer = peers.find_fingerprint(rotation.from.fingerprint());
    if (peer == nullptr || !key_holds(*peer, rotation.from.fingerprint(), now)) {
        return fail(causes::kRotationInvalid, "no peer has the key that goes");
    }
    const Standing standing = standing_of(*peer, now);
    if (standing != Standing::valid && standing != Standing::expiring) {
        return fail(causes::kRotationInvalid,
                    peer->name + " is " + std::string(to_string(standing)));
    }
    RotatedPeer found{.id = peer->id, .name = peer->name, .fingerprint = rotation.to.fingerprint()};
    const PeerRecord* other = peers.find_fingerprint(found.fingerprint);
    if (other != nullptr && other->id != peer->id) {
        return fail(causes::kRotationInvalid, "the key that comes is " + other->name + "'s");
    }
    found.known = other != nullptr;
    if (!found.known && peer->fingerprints.size() >= kFingerprintsPerPeerMax) {
        return fail(causes::kLimit, peer->name + " has 64 keys");
    }
    return found;
}

}  // namespace alknet::identity
