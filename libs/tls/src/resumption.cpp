#include "resumption.hpp"

#include <utility>

namespace alknet::tls {

LruResumptionStore::Peer* LruResumptionStore::find(std::string_view key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        return nullptr;
    }
    peers_.splice(peers_.begin(), peers_, found->second);
    return &peers_.front();
}

LruResumptionStore::Peer* LruResumptionStore::find_or_add(std::string_view key) {
    if (Peer* const peer = find(key)) {
        return peer;
    }
    if (peers_max_ == 0) {
        return nullptr;
    }
    if (peers_.size() == peers_max_) {
        by_key_.erase(peers_.back().key);
        peers_.pop_back();
    }
    peers_.push_front(Peer{.key = std::string(key), .tickets = {}, .token = {}});
    by_key_.emplace(key, peers_.begin());
    return &peers_.front();
}

crypto::SecretBytes LruResumptionStore::take_ticket(std::string_view key) {
    Peer* const peer = find(key);
    if (peer == nullptr || peer->tickets.empty()) {
        return {};
    }
    crypto::SecretBytes ticket = std::move(peer->tickets.back());
    peer->tickets.pop_back();
    return ticket;
}

void LruResumptionStore::keep_ticket(std::string_view key, BytesView ticket) {
    Peer* const peer = ticket.size() > kTicketBytesMax ? nullptr : find_or_add(key);
    if (peer == nullptr) {
        return;
    }
    if (peer->tickets.size() == kTicketsPerPeerMax) {
        peer->tickets.pop_front();
    }
    peer->tickets.push_back(crypto::SecretBytes::copy_of(ticket));
}

Bytes LruResumptionStore::take_token(std::string_view key) {
    Peer* const peer = find(key);
    return peer == nullptr ? Bytes{} : std::exchange(peer->token, {});
}

void LruResumptionStore::keep_token(std::string_view key, BytesView token) {
    Peer* const peer = token.size() > kTokenBytesMax ? nullptr : find_or_add(key);
    if (peer != nullptr) {
        peer->token = to_bytes(token);
    }
}

std::shared_ptr<ResumptionStore> make_resumption_store(std::size_t peers_max) {
    return std::make_shared<LruResumptionStore>(peers_max);
}

}  // namespace alknet::tls
