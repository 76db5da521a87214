// What a running node does about its configuration besides applying it: terms that end, changes
// that nobody confirms, and what it accepted last.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/rt/combine.hpp>

#include "node.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

// After a failure, such as a disk that cannot be written.
constexpr Duration kUndoAgainDelay = std::chrono::seconds(10);

}  // namespace

void Node::warn_of_terms() const {
    const WallTime now = loop_.wall_now();
    for (const identity::PeerRecord& peer : identities_->peers()->peers()) {
        const identity::Standing standing = identity::standing_of(peer, now);
        if (standing == identity::Standing::expiring || standing == identity::Standing::grace) {
            log_.warn("peer.expiring", {{"peer", peer.name},
                                        {"standing", identity::to_string(standing)},
                                        {"expires", time_text(*peer.expires)}});
        }
    }
    const std::vector<std::string> rule = identity::admins(*identities_->peers(), now);
    if (!rule.empty() &&
        identity::admins(*identities_->peers(), now + identity::kExpiryWarning).empty()) {
        log_.warn("config.admins_expire", {{"admin", rule.front()}, {"admins", rule.size()}});
    }
}

task<void> Node::recheck_identities() {
    co_await endpoint_->recheck_identities();
    if (const auto local = local_.lock()) {
        co_await local->recheck_identities();
    }
    if (also_recheck_) {
        co_await also_recheck_();
    }
}

// The two clocks drift, and the one on the wall may be set while nothing waits for it, or go on
// while the machine sleeps: so the next end is counted from the last look, a timer that fires early
// is set again, and none waits for long.
task<result<void>> Node::watch_terms() {
    constexpr Duration kLongestWait = std::chrono::minutes(10);
    WallTime looked = loop_.wall_now();
    for (;;) {
        terms_changed_.clear();
        const WallTime now = loop_.wall_now();
        const std::optional<WallTime> next = identities_->next_change(std::min(looked, now));
        const Duration wait =
            next ? std::clamp<Duration>(*next - now, Duration(), kLongestWait) : Duration::max();
        const result<void> told = co_await with_timeout(wait, terms_changed_.wait());
        if (!told && told.error().is(errc::cancelled)) {
            co_return told;
        }
        const WallTime woken = loop_.wall_now();
        if (!told && next && woken < *next) {
            continue;
        }
        looked = woken;
        warn_of_terms();
        co_await recheck_identities();
    }
}

void Node::warn_of_admins(const identity::PeerDirectory& after) const {
    const WallTime now = loop_.wall_now();
    const auto were = identity::admins(*identities_->peers(), now);
    if (!were.empty() && identity::admins(after, now).empty()) {
        log_.warn("config.no_admin", {{"were", were.size()}, {"admin", were.front()}});
    }
}

// For those who want to know what a change would change. That it fails is no reason not to serve.
void Node::record_applied(const std::string& text) {
    if (text == recorded_) {
        return;
    }
    if (const auto recorded = config::record_applied(home_, text)) {
        recorded_ = text;
    } else {
        log_.warn("config.unrecorded",
                  {{"id", recorded.error().cause().id}, {"detail", recorded.error().detail()}});
    }
}

// How long to wait before the next look; nullopt: until something changes.
std::optional<Duration> Node::undo_if_due() {
    const auto undone = config::undo_change(home_, loop_.wall_now());
    const auto pending = config::pending_change(home_);
    if (!undone || !pending) {
        const error& why = undone ? pending.error() : undone.error();
        log_.error("config.undo_failed", {{"id", why.cause().id}, {"detail", why.detail()}});
        return kUndoAgainDelay;
    }
    if (*undone != config::Undone::nothing) {
        log_undone(*undone);
    }
    if (!*pending) {
        return std::nullopt;
    }
    const Duration left = (*pending)->remaining(loop_.wall_now());
    log_.warn("config.unconfirmed",
              {{"id", causes::kConfigPending.id},
               {"undone_in_s", std::chrono::ceil<std::chrono::seconds>(left).count()}});
    return left;
}

std::optional<std::uint64_t> Node::undone_in() const {
    const auto pending = config::pending_change(home_);
    if (!pending || !*pending) {
        return std::nullopt;
    }
    const Duration left = (*pending)->remaining(loop_.wall_now());
    return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(left).count());
}

void Node::log_undone(config::Undone undone) const {
    if (undone == config::Undone::restored) {
        audit("config.undone", nullptr);
    }
    log_.warn("config.undone",
              {{"outcome", undone == config::Undone::restored ? "it says what it said before"
                                                              : "it was edited since, and stays"}});
}

result<void> Node::may_use(std::string_view service, Transport transport,
                           const std::optional<Identity>& caller) const {
    const RegisteredHandler* found = registry_->find(service);
    return found == nullptr ? fail(causes::kNoHandler, printable(service))
                            : admit(found->policy, transport, caller);
}

task<result<void>> Node::watch_pending() {
    if (options_.undone != config::Undone::nothing) {
        log_undone(options_.undone);
    }
    for (;;) {
        config_changed_.clear();
        const Duration wait = undo_if_due().value_or(Duration::max());
        const result<void> told = co_await with_timeout(wait, config_changed_.wait());
        if (!told && told.error().is(errc::cancelled)) {
            co_return told;
        }
    }
}

}  // namespace alknet::app
