// A TLS client that is not ours: plain GnuTLS with any priorities, over a ByteStream. It verifies
// nothing.
#pragma once

#include "handles.hpp"

#include <alknet/crypto/node_key.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>
#include <memory>
#include <string>
#include <vector>

namespace alknet::tls {

struct ForeignOptions {
    std::string priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
    std::vector<std::string> alpns = {"http/1.1"};
    std::string server_name = {};
    unsigned flags = 0;
    std::shared_ptr<const NodeKey> key = {};  // offered as a raw key
};

class ForeignClient {
public:
    ForeignClient(std::unique_ptr<ByteStream> lower, const ForeignOptions& options);
    ForeignClient(const ForeignClient&) = delete;
    ForeignClient& operator=(const ForeignClient&) = delete;

    /// GnuTLS' code; alerts that arrived are in `alert`.
    task<int> handshake();
    task<result<std::string>> read();
    task<result<void>> write(std::string text);

    [[nodiscard]] gnutls_session_t native() const { return session_.get(); }
    /// The peer's leaf or raw key, DER.
    [[nodiscard]] std::string peer() const;
    [[nodiscard]] gnutls_certificate_type_t peer_type() const;
    [[nodiscard]] int alert() const { return gnutls_alert_get(session_.get()); }
    /// The name of the key that sealed the last ticket (its first 16 octets).
    [[nodiscard]] const std::string& ticket_key_name() const { return ticket_key_name_; }

private:
    task<result<void>> await_edge();

    std::unique_ptr<ByteStream> lower_;
    Credentials credentials_;
    NativeSession session_;
    std::string ticket_key_name_;
};

}  // namespace alknet::tls
