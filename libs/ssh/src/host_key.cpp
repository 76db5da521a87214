#include "host_key.hpp"

#include <alknet/base/causes.hpp>

#include "messages.hpp"

namespace alknet::ssh {

namespace {
constexpr std::string_view kEd25519 = "ssh-ed25519";
}  // namespace

Bytes host_key_blob(const NodeId& id) {
    WireWriter out;
    put_text(out, kEd25519);
    put_string(out, id.bytes());
    return out.take();
}

result<NodeId> read_host_key(BytesView blob) {
    WireReader in(blob);
    const std::string_view type = take_text(in);
    const BytesView key = take_string(in);
    if (!in.complete() || type != kEd25519) {
        return fail(causes::kProtocol, "a host key that is no Ed25519 key");
    }
    return NodeId::from_bytes(key);
}

Bytes host_signature(const NodeKey& key, BytesView message) {
    WireWriter out;
    put_text(out, kEd25519);
    put_string(out, key.sign(message));
    return out.take();
}

bool host_signature_holds(const NodeId& id, BytesView message, BytesView signature) {
    WireReader in(signature);
    const std::string_view type = take_text(in);
    const BytesView octets = take_string(in);
    return in.complete() && type == kEd25519 && crypto::verify(id, message, octets);
}

}  // namespace alknet::ssh
