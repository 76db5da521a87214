// KnownNodes::parse on any text. What is accepted is written back, is bounded, and can be asked and
// changed.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/core/known_nodes.hpp>
#include <array>
#include <vector>

namespace {

using namespace alknet;

/// Two that come for the same new name and see different things are both refused.
void race(KnownNodes known) {
    const std::string name = "race.example:1";
    known.remove(name);
    known.drop_dead([](std::uint64_t) { return false; });
    if (!known.begin(name, 1) || !known.begin(name, 2)) {
        return;
    }
    PeerIdentity peer;
    peer.kind = PeerIdentity::Kind::x509;
    const KnownIdentity one = *KnownIdentity::of(peer);
    peer.verified_by_ca = true;
    const KnownIdentity other = *KnownIdentity::of(peer);
    ALKNET_ASSERT(known.saw(1, one) == KnownNodes::Judgement::wait);
    ALKNET_ASSERT(known.saw(2, other) == KnownNodes::Judgement::disputed);
    known.end(2);
    ALKNET_ASSERT(known.saw(1, one) == KnownNodes::Judgement::disputed);
    ALKNET_ASSERT(!known.keep(1));
    known.dispute(1);
    known.drop_dead([](std::uint64_t) { return false; });
    ALKNET_ASSERT(known.first_contacts().empty() && known.find(name) == nullptr);
    ALKNET_ASSERT(known.begin(name, 3));
    if (known.entries().size() < KnownNodes::kEntriesMax) {
        ALKNET_ASSERT(known.saw(3, other) == KnownNodes::Judgement::agreed && known.keep(3));
        ALKNET_ASSERT(known.line_of(name) == known.entries().size() + 1);
    }
}

/// A key that changes is another one from then on, and can change back.
void change_keys(KnownNodes known) {
    const std::array<std::byte, NodeId::kSize> octets{};  // of no key that is accepted
    const NodeId other(octets);
    const std::vector<KnownNodes::Entry> before = known.entries();
    for (const KnownNodes::Entry& entry : before) {
        if (entry.identity.kind == KnownIdentity::Kind::raw_key) {
            const NodeId key(entry.identity.value);
            known.renew(entry.name, key, other);
            ALKNET_ASSERT(known.find(entry.name)->identity.value == octets);
            known.renew(entry.name, other, key);
        }
        ALKNET_ASSERT(known.find(entry.name)->identity == entry.identity);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto known = KnownNodes::parse(as_text(view_octets(data, size)));
    if (!known) {
        return 0;
    }
    ALKNET_ASSERT(known->entries().size() <= KnownNodes::kEntriesMax);
    ALKNET_ASSERT(known->first_contacts().size() <= KnownNodes::kFirstContactsMax);
    const auto again = KnownNodes::parse(known->to_text());
    ALKNET_ASSERT(again && again->to_text() == known->to_text());
    for (const KnownNodes::Entry& entry : known->entries()) {
        ALKNET_ASSERT(again->find(entry.name)->identity == entry.identity);
        (void)entry.identity.demand("host");
    }
    change_keys(*known);
    race(*again);
    return 0;
}
