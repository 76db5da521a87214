// An Ed25519 host key and its signatures as SSH writes them (RFC 8709).
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_key.hpp>
#include <string_view>

namespace alknet::ssh {

/// With which users may sign.
inline constexpr std::string_view kSignatureAlgorithms =
    "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256";

[[nodiscard]] Bytes host_key_blob(const NodeId& id);
/// Errors: kProtocol.
result<NodeId> read_host_key(BytesView blob);
[[nodiscard]] Bytes host_signature(const NodeKey& key, BytesView message);
[[nodiscard]] bool host_signature_holds(const NodeId& id, BytesView message, BytesView signature);

}  // namespace alknet::ssh
