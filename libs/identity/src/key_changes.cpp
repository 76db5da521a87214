// Peers whose keys have changed, wherever they were written down.
#include <algorithm>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/peers.hpp>
#include <unordered_map>

namespace alknet::identity {

namespace {

class KeyChanger {
public:
    explicit KeyChanger(PeerList& list) : list_(list) {
        for (const KeyChange& change : list.changes) {
            for (const std::string& alias : fingerprint_aliases(change.from.fingerprint())) {
                by_old_.emplace(alias, &change);
            }
        }
        for (std::size_t i = 0; i < list.peers.size(); ++i) {
            for (const std::string& key : list.peers[i].fingerprints) {
                own(key, i);
            }
        }
    }

    void change(std::size_t i) {
        PeerRecord& peer = list_.peers[i];
        const std::vector<std::string> written = peer.fingerprints;
        for (const std::string& key : written) {
            follow(peer, i, key);
        }
    }

private:
    void own(const std::string& key, std::size_t i) {
        for (const std::string& alias : fingerprint_aliases(key)) {
            owners_.emplace(alias, i);
        }
    }

    void follow(PeerRecord& peer, std::size_t i, std::string key) {
        for (std::size_t hops = 0; hops < kFingerprintsPerPeerMax; ++hops) {
            const auto found = by_old_.find(key);
            if (found == by_old_.end()) {
                return;
            }
            const KeyChange& change = *found->second;
            if (change.used) {
                std::erase(peer.fingerprints, key);
            } else {
                peer.ending[change.from.fingerprint()] = change.ends;
            }
            std::string next = change.to.fingerprint();
            own(next, i);
            if (owners_.at(next) != i) {
                return;
            }
            if (std::ranges::count(peer.fingerprints, next) == 0) {
                if (peer.fingerprints.size() >= kFingerprintsPerPeerMax) {
                    return;
                }
                peer.fingerprints.push_back(next);
            }
            key = std::move(next);
        }
    }

    PeerList& list_;
    std::unordered_map<std::string, const KeyChange*> by_old_;
    std::unordered_map<std::string, std::size_t> owners_;
};

}  // namespace

void apply_key_changes(PeerList& list) {
    if (list.changes.empty()) {
        return;
    }
    KeyChanger changer(list);
    for (std::size_t i = 0; i < list.peers.size(); ++i) {
        changer.change(i);
    }
}

bool key_holds(const PeerRecord& peer, const std::string& proven, WallTime now) noexcept {
    const auto end = peer.ending.find(proven);
    return end == peer.ending.end() || now < end->second;
}

}  // namespace alknet::identity
