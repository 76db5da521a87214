// Records that tests are made of.
#pragma once

#include <gtest/gtest.h>
#include <alknet/crypto/node_key.hpp>
#include <alknet/identity/peers.hpp>
#include <string>
#include <vector>

namespace alknet::identity {

inline Scope scope(const std::string& text) {
    auto parsed = Scope::parse(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? *parsed : Scope();
}

inline Grant grant(const std::string& text, std::size_t line = 0) {
    return {.scope = scope(text), .origin = {.file = "alknet.toml", .line = line}, .role = {}};
}

inline std::string new_key() {
    return NodeKey::generate()->id().fingerprint();
}

inline PeerRecord peer(const std::string& name, const std::vector<std::string>& keys = {},
                       const std::vector<std::string>& scopes = {}) {
    PeerRecord record;
    record.id = name;
    record.name = name;
    record.fingerprints = keys;
    for (const std::string& text : scopes) {
        record.grants.push_back(grant(text, record.grants.size() + 10));
    }
    record.origin = {.file = "alknet.toml", .line = 1};
    return record;
}

inline std::shared_ptr<const PeerDirectory> directory(PeerList list) {
    auto made = PeerDirectory::create(std::move(list));
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    return made ? *made : nullptr;
}

inline std::shared_ptr<const PeerDirectory> directory_of(std::vector<PeerRecord> peers) {
    PeerList list;
    list.peers = std::move(peers);
    return directory(std::move(list));
}

inline WallTime at(std::int64_t seconds) {
    return WallTime(std::chrono::seconds(seconds));
}

}  // namespace alknet::identity
