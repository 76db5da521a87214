// The one implementation of ResumptionStore, as client sessions use it.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <alknet/tls/context.hpp>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <string_view>

namespace alknet::tls {

class LruResumptionStore final : public ResumptionStore {
public:
    /// What a server may make us keep for each ticket and token; larger ones are dropped.
    static constexpr std::size_t kTicketBytesMax = 16 << 10;
    static constexpr std::size_t kTokenBytesMax = 1 << 10;

    explicit LruResumptionStore(std::size_t peers_max) : peers_max_(peers_max) {}

    [[nodiscard]] std::size_t peers() const noexcept override { return by_key_.size(); }
    void clear() noexcept override {
        by_key_.clear();
        peers_.clear();
    }

    /// The newest ticket, which is then gone (RFC 8446 appendix C.4); empty if there is none.
    [[nodiscard]] crypto::SecretBytes take_ticket(std::string_view key);
    void keep_ticket(std::string_view key, BytesView ticket);

    [[nodiscard]] Bytes take_token(std::string_view key);
    void keep_token(std::string_view key, BytesView token);

private:
    struct Peer {
        std::string key;
        std::deque<crypto::SecretBytes> tickets;  // oldest first
        Bytes token;
    };
    Peer* find(std::string_view key);
    Peer* find_or_add(std::string_view key);

    std::size_t peers_max_;
    std::list<Peer> peers_;  // most recently used first
    std::map<std::string, std::list<Peer>::iterator, std::less<>> by_key_;
};

}  // namespace alknet::tls
