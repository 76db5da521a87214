// RoutingTable: which connection a datagram is for, by connection id, or by the stateless reset
// token in its last 16 octets (RFC 9000 sections 5.2 and 10.3.1).
//
// Clients choose the first id that a server sees, so the hashes are keyed. Tokens are secrets: they
// are kept and looked up by a keyed digest, so that the time a look-up takes tells nothing of them.
#pragma once

#include <ngtcp2/ngtcp2.h>
#include <sodium.h>

#include <algorithm>
#include <alknet/base/bytes.hpp>
#include <array>
#include <cstdint>
#include <cstring>
#include <unordered_map>

namespace alknet::quic {

template <class Connection>
class RoutingTable {
public:
    RoutingTable() noexcept {
        randombytes_buf(hash_key_.data(), hash_key_.size());
        randombytes_buf(digest_key_.data(), digest_key_.size());
    }

    /// False if the id leads to a connection already, or has no usable length.
    bool add(BytesView id, Connection& connection) {
        return fits(id) && ids_.try_emplace(IdKey(id), &connection).second;
    }
    void remove(BytesView id) noexcept {
        if (fits(id)) {
            last_ = nullptr;
            ids_.erase(IdKey(id));
        }
    }
    [[nodiscard]] Connection* find(BytesView id) const noexcept {
        if (!fits(id)) {
            return nullptr;
        }
        const IdKey key(id);
        if (last_ != nullptr && last_id_ == key) {
            return last_;  // datagrams come in batches of one connection
        }
        const auto found = ids_.find(key);
        if (found == ids_.end()) {
            return nullptr;
        }
        last_id_ = key;
        last_ = found->second;
        return last_;
    }

    /// The same token may be given by several peers; the last one wins, as with a peer that is
    /// lying.
    void add_token(BytesView token, Connection& connection) {
        tokens_.insert_or_assign(digest(token), &connection);
    }
    void remove_token(BytesView token, const Connection& connection) noexcept {
        const auto found = tokens_.find(digest(token));
        if (found != tokens_.end() && found->second == &connection) {
            tokens_.erase(found);
        }
    }
    [[nodiscard]] Connection* find_token(BytesView token) const noexcept {
        const auto found = tokens_.find(digest(token));
        return found == tokens_.end() ? nullptr : found->second;
    }

    [[nodiscard]] std::size_t ids() const noexcept { return ids_.size(); }
    [[nodiscard]] std::size_t tokens() const noexcept { return tokens_.size(); }

private:
    struct IdKey {
        std::uint8_t size = 0;
        std::array<std::uint8_t, NGTCP2_MAX_CIDLEN> octets{};

        IdKey() noexcept = default;
        explicit IdKey(BytesView id) noexcept : size(static_cast<std::uint8_t>(id.size())) {
            std::copy_n(alknet::octets(id), id.size(), octets.begin());
        }
        bool operator==(const IdKey&) const = default;
    };
    using HashKey = std::array<std::uint8_t, crypto_shorthash_KEYBYTES>;
    struct IdHash {
        const HashKey* key;
        std::size_t operator()(const IdKey& id) const noexcept {
            std::array<std::uint8_t, crypto_shorthash_BYTES> out;
            crypto_shorthash(out.data(), id.octets.data(), id.size, key->data());
            std::size_t value = 0;
            std::memcpy(&value, out.data(), sizeof value);
            return value;
        }
    };
    using Digest = std::array<std::uint8_t, crypto_generichash_BYTES_MIN>;
    struct DigestHash {
        std::size_t operator()(const Digest& digest) const noexcept {
            std::size_t value = 0;
            std::memcpy(&value, digest.data(), sizeof value);
            return value;
        }
    };

    static bool fits(BytesView id) noexcept {
        return !id.empty() && id.size() <= NGTCP2_MAX_CIDLEN;
    }
    Digest digest(BytesView token) const noexcept {
        Digest out;
        crypto_generichash(out.data(), out.size(), octets(token), token.size(), digest_key_.data(),
                           digest_key_.size());
        return out;
    }

    HashKey hash_key_;
    std::array<std::uint8_t, crypto_generichash_KEYBYTES> digest_key_;
    std::unordered_map<IdKey, Connection*, IdHash> ids_{0, IdHash{&hash_key_}};
    std::unordered_map<Digest, Connection*, DigestHash> tokens_;
    mutable IdKey last_id_;
    mutable Connection* last_ = nullptr;  // what `find` gave last, while it is in the table
};

}  // namespace alknet::quic
