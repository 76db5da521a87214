// Node ids in every text form, and as SubjectPublicKeyInfo: what is accepted has one value, which
// all forms carry.

#include <alknet/base/assert.hpp>
#include <alknet/crypto/node_id.hpp>

namespace {

using alknet::NodeId;

void expect(const alknet::result<NodeId>& parsed, const NodeId& id) {
    ALKNET_ASSERT(parsed && *parsed == id);
}

void survives_every_form(const NodeId& id) {
    for (const std::string& text :
         {id.hex(), id.fingerprint(), id.z_base_32(), id.base32(), id.base32_dnssec(),
          id.base32_dnssec() + ".iroh.invalid", id.openssh(), id.openssh() + " a comment"}) {
        expect(NodeId::parse(text), id);
    }
    expect(NodeId::from_spki(id.spki()), id);
    expect(NodeId::from_bytes(id.bytes()), id);
    ALKNET_ASSERT(id.openssh_fingerprint().size() == 50);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const alknet::BytesView bytes = alknet::view_octets(data, size);
    for (const auto& id : {NodeId::parse(alknet::as_text(bytes)), NodeId::from_spki(bytes),
                           NodeId::from_bytes(bytes)}) {
        if (id) {
            survives_every_form(*id);
        }
    }
    return 0;
}
