// What a running node does about keys that change: its own, and those of its peers.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/identity/key_files.hpp>
#include <alknet/identity/rotate.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <set>

#include "node.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

/// Between attempts to reach those who have not heard of the key yet.
constexpr std::array<Duration, 3> kAnnounceAgain = {
    std::chrono::minutes(1), std::chrono::minutes(10), std::chrono::hours(1)};

bool over(const std::vector<identity::Rotation>& chain, WallTime now) {
    return chain.empty() || std::chrono::seconds(chain.back().not_after) <= now.time_since_epoch();
}

}  // namespace

std::shared_ptr<ProtocolHandler> Node::make_rotate_handler() const {
    identity::RotateHandlerOptions options;
    options.own = [news = key_news_] { return news->get()->tell(); };
    options.state = state_;
    options.fixed = [written = written_] { return written->get(); };
    options.changed = options_.state_changed;
    options.log = log_;
    options.audit = decisions_;
    return std::make_shared<identity::RotateHandler>(std::move(options));
}

std::shared_ptr<const NodeKey> Node::key_now() const {
    const auto state = identity::load_key_state(identity::KeyFiles(config_.fixed.key_file));
    if (!state || state->key->id() == key_->id()) {
        return key_;
    }
    const auto leads = state->until_key();
    if (std::ranges::find(leads, key_->id(), &identity::Rotation::from) != leads.end()) {
        return state->key;
    }
    log_.warn("config.restart_needed",
              {{"reason", "the key file has another key, which no statement leads to"}});
    return key_;
}

void Node::take_key(std::shared_ptr<const NodeKey> key) {
    log_.info("key.changed", {{"from", key_->id().fingerprint()}, {"to", key->id().fingerprint()}});
    key_ = std::move(key);
    own_id_->set(std::make_shared<const NodeId>(key_->id()));
    signed_tokens_->set_audience(key_->id());
    endpoint_->change_registry([tls = tls_, shown = key_](HandlerRegistry& registry) {
        give_ssh_key(registry, shown);
        const RegisteredHandler* found = registry.find(doctor::kDoctorAlpn);
        if (found == nullptr) {
            return;
        }
        if (auto* handler = dynamic_cast<doctor::DoctorHandler*>(found->handler.get())) {
            handler->set_tls(tls);
        }
    });
}

result<void> Node::take_key_back() {
    ALKNET_CHECK(identity::take_key_back(identity::KeyFiles(config_.fixed.key_file), *key_));
    return read_key_news();
}

result<void> Node::read_key_news() {
    ALKNET_TRY(auto news, KeyNews::load(identity::KeyFiles(config_.fixed.key_file)));
    key_news_->set(std::move(news));
    key_news_changed_.set();
    return {};
}

// Under the key that the node shows: the peer knows one of those that the statements name.
task<bool> Node::announce_to(Dialer& dialer, identity::PeerRecord peer) {
    auto target = target_of(peer, identity::kRotateAlpn);
    if (!target) {
        co_return true;  // it asks when it comes
    }
    std::vector<identity::Rotation> news = key_news_->get()->tell();
    if (news.empty()) {
        co_return false;
    }
    const auto connection =
        co_await dialer.dial(std::move(target->address), std::move(target->options));
    if (!connection) {
        co_return false;
    }
    const auto told = co_await identity::tell_rotations(*connection, std::move(news));
    (*connection)->close(close_code::kOk, {});
    if (told) {
        log_.info("key.announced", {{"peer", peer.name}});
    }
    co_return told.has_value();
}

task<result<void>> Node::announce_key() {
    std::set<std::string> told;
    NodeId last;
    std::size_t round = 0;
    for (;;) {
        key_news_changed_.clear();
        const auto news = key_news_->get();
        const std::vector<identity::Rotation>& chain = news->chain();
        const bool nothing = over(chain, loop_.wall_now());
        if (!nothing && chain.back().to != last) {
            last = chain.back().to;
            told.clear();
            round = 0;
        }
        bool all = true;
        if (!nothing) {
            const auto dialer = make_dialer();
            const auto peers = identities_->peers();
            for (const identity::PeerRecord& peer : peers->peers()) {
                if (peer.address.empty() || told.contains(peer.id)) {
                    continue;
                }
                const bool heard = co_await announce_to(*dialer, peer);
                all = all && heard;
                if (heard) {
                    told.insert(peer.id);
                }
            }
            co_await dialer->shutdown();
        }
        const Duration wait =
            all ? Duration::max() : kAnnounceAgain[std::min(round++, kAnnounceAgain.size() - 1)];
        const result<void> woken = co_await with_timeout(wait, key_news_changed_.wait());
        if (!woken && woken.error().is(errc::cancelled)) {
            co_return woken;
        }
    }
}

}  // namespace alknet::app
