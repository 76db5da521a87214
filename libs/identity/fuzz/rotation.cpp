// Any octets as the statement of a new key: what is read has one text, and what was changed does
// not hold.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/identity/rotate_frames.hpp>
#include <alknet/identity/rotation.hpp>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace alknet;
using namespace alknet::identity;

PeerRecord peer_with(const std::string& name, std::vector<std::string> keys) {
    PeerRecord peer;
    peer.id = name;
    peer.name = name;
    peer.fingerprints = std::move(keys);
    return peer;
}

result<RotatedPeer> accepted_by(std::vector<PeerRecord> peers, const Rotation& rotation,
                                WallTime now) {
    PeerList list;
    list.peers = std::move(peers);
    const auto directory = PeerDirectory::create(std::move(list));
    ALKNET_ASSERT(directory.has_value());
    return accept_rotation(**directory, rotation, now);
}

void check_acceptance(const Rotation& rotation, WallTime now) {
    const std::string from = rotation.from.fingerprint();
    const std::string to = rotation.to.fingerprint();
    const auto found = accepted_by({peer_with("alice", {from})}, rotation, now);
    ALKNET_ASSERT(found.has_value() == check_rotation(rotation, now).has_value());
    ALKNET_ASSERT(!found || found->fingerprint == to);
    PeerRecord disabled = peer_with("alice", {from});
    disabled.enabled = false;
    ALKNET_ASSERT(!accepted_by({disabled}, rotation, now));
    ALKNET_ASSERT(!accepted_by({}, rotation, now));
    PeerRecord full = peer_with("alice", {from});
    while (full.fingerprints.size() < kFingerprintsPerPeerMax) {
        full.fingerprints.push_back("x509-sha256:" + std::to_string(full.fingerprints.size()));
    }
    ALKNET_ASSERT(!accepted_by({full}, rotation, now));
    ALKNET_ASSERT(from == to || !accepted_by({peer_with("alice", {from}), peer_with("bob", {to})},
                                             rotation, now));
}

// A statement of our own, with what the input says.
void check_making(const Rotation& from) {
    std::array<std::byte, 32> seed{};
    const auto old_key = NodeKey::from_seed(seed);
    seed[0] = std::byte{1};
    const auto new_key = NodeKey::from_seed(seed);
    ALKNET_ASSERT(old_key && new_key);
    const WallTime begin(std::chrono::seconds(from.not_before >> 32U));
    const Duration lasts = std::chrono::seconds(from.not_after & 0x3ffffffU);
    const auto made = make_rotation(**old_key, **new_key, begin, lasts);
    ALKNET_ASSERT(made.has_value() == (lasts.count() > 0 && lasts <= kRotationMax));
    ALKNET_ASSERT(!made || check_rotation(*made, begin));
}

// What one statement can be part of: no chain is longer than it, and nothing undoes what is known.
void check_chains(const Rotation& rotation, WallTime now) {
    const std::vector<Rotation> one = {rotation};
    const auto chain = chain_between(one, rotation.from, rotation.to, now);
    ALKNET_ASSERT(chain.has_value() == check_rotation(rotation, now).has_value());
    ALKNET_ASSERT(!chain || *chain == one);
    ALKNET_ASSERT(rotation.from == rotation.to ||
                  !chain_between(one, rotation.to, rotation.from, now));
    const std::vector<Rotation> gap = {rotation, rotation};
    ALKNET_ASSERT(!chain_between(gap, rotation.from, NodeId(), now));
    KeyChange known{.from = rotation.from, .to = rotation.to};
    ALKNET_ASSERT(check_history({&known, 1}, rotation).has_value() ==
                  (rotation.from != rotation.to));
    known.to = NodeId();
    ALKNET_ASSERT(!check_history({&known, 1}, rotation));
    known.from = rotation.to;
    ALKNET_ASSERT(!check_history({&known, 1}, rotation));
}

void check_message(const RotateMessage& message) {
    const auto again = decode_rotate(encode_rotate(message));
    const bool good = again.has_value() && again->has_value();
    ALKNET_ASSERT(!good || **again == message);
    for (const auto type : {RotateMessage::Type::ask, RotateMessage::Type::answer,
                            RotateMessage::Type::tell, RotateMessage::Type::heard}) {
        const bool asks = type == RotateMessage::Type::ask || type == RotateMessage::Type::heard;
        RotateMessage other{.type = type, .chain = message.chain};
        const auto decoded = decode_rotate(encode_rotate(other));
        ALKNET_ASSERT(!asks || message.chain.empty() || !decoded);
        other.chain.resize(kRotationChainMax + 1);
        ALKNET_ASSERT(!decode_rotate(encode_rotate(other)));
    }
}

/// As it comes from a connection.
void check_frame(BytesView bytes) {
    const auto message = decode_rotate(bytes);
    if (message && *message) {
        ALKNET_ASSERT(std::ranges::equal(encode_rotate(**message), bytes));
        check_message(**message);
    }
    ALKNET_ASSERT(!message || *message || bytes.size() < kRotateBytesMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check_frame(view_octets(data, size));
    const std::string_view text = as_text(view_octets(data, size));
    const auto rotation = decode_rotation(text);
    if (!rotation) {
        return 0;
    }
    ALKNET_ASSERT(encode_rotation(*rotation) == text);
    check_acceptance(*rotation, WallTime(std::chrono::seconds(1'800'000'000)));
    check_acceptance(*rotation, WallTime());
    check_acceptance(*rotation, WallTime(std::chrono::seconds(2'000'000'000)));
    check_making(*rotation);
    check_chains(*rotation, WallTime(std::chrono::seconds(1'800'000'000)));
    check_chains(*rotation, WallTime());
    check_message({.type = RotateMessage::Type::tell, .chain = {*rotation}});
    check_message({.type = RotateMessage::Type::tell, .chain = {*rotation, *rotation}});
    return 0;
}
