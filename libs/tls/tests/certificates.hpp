// A private certificate authority for tests.
#pragma once

#include "handles.hpp"

#include <alknet/testing/temp_dir.hpp>
#include <alknet/tls/context.hpp>
#include <ctime>
#include <string>
#include <vector>

namespace alknet::tls {

using sim::TempDir;

enum class KeyKind { p256, rsa, ed25519 };

struct LeafOptions {
    std::vector<std::string> names = {"node.example"};
    KeyKind kind = KeyKind::p256;
    std::time_t from = std::time(nullptr) - 3600;
    std::time_t until = std::time(nullptr) + 3600;
};

class Authority {
public:
    explicit Authority(const std::string& name);

    [[nodiscard]] std::string pem() const;
    /// Writes NAME.pem (the leaf and this authority) and NAME.key into `dir`.
    [[nodiscard]] CertificateFiles issue(const TempDir& dir, const std::string& name,
                                         const LeafOptions& options = {}) const;

private:
    X509Key key_;
    X509Certificate certificate_;
};

}  // namespace alknet::tls
