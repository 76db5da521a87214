#include "counters.hpp"

#include <algorithm>
#include <alknet/base/mutation.hpp>
#include <utility>

namespace alknet {

namespace {

using CountByAddress = std::unordered_map<SocketAddress, std::size_t>;

std::size_t count_in(const CountByAddress& counts, const SocketAddress& group) noexcept {
    const auto found = counts.find(group);
    return found == counts.end() ? 0 : found->second;
}

void take_from(CountByAddress& counts, const SocketAddress& group) noexcept {
    const auto found = counts.find(group);
    if (--found->second == 0) {
        counts.erase(found);
    }
}

}  // namespace

std::string_view limit_key(Limit limit) noexcept {
    switch (limit) {
        case Limit::connections:
            return "limits.connections_max";
        case Limit::connections_per_ip:
            return "limits.connections_per_ip_max";
        case Limit::connections_per_identity:
            return "limits.connections_per_identity_max";
        case Limit::half_open:
            return "limits.half_open_max";
        case Limit::half_open_retry:
            return "limits.half_open_retry";
        case Limit::handshake_timeout:
            return "limits.handshake_timeout";
        case Limit::idle_timeout:
            return "limits.idle_timeout";
        case Limit::handler_unwind:
            return "limits.handler_unwind_timeout";
    }
    return "limits";
}

Ticket& Ticket::operator=(Ticket&& other) noexcept {
    if (this != &other) {
        release();
        counters_ = std::exchange(other.counters_, nullptr);
        group_ = other.group_;
        ip_counted_ = other.ip_counted_;
        half_open_counted_ = other.half_open_counted_;
        identity_ = std::move(other.identity_);
        identity_counted_ = other.identity_counted_;
        half_open_ = other.half_open_;
    }
    return *this;
}

bool Ticket::established(std::size_t per_ip_max) {
    if (counters_ == nullptr) {
        return true;
    }
    const std::lock_guard lock(counters_->mutex_);
    counters_->leave_half_open(*this);
    if (group_.family() == SocketAddress::Family::none) {
        return true;
    }
    std::size_t& count = counters_->by_ip_[group_];
    if (!ip_counted_) {
        ip_counted_ = true;
        ++count;
    }
    return count <= per_ip_max;
}

bool Ticket::claim_identity(const std::string& id, std::size_t most) {
    if (identity_counted_) {
        return identity_ == id;
    }
    const std::lock_guard lock(counters_->mutex_);
    const auto found = counters_->by_id_.find(id);
    if ((found == counters_->by_id_.end() ? 0 : found->second) >= most) {
        return false;
    }
    ++counters_->by_id_[id];
    identity_ = id;
    identity_counted_ = true;
    return true;
}

void Ticket::release() noexcept {
    if (counters_ == nullptr) {
        return;
    }
    const std::shared_ptr<Counters> counters = std::exchange(counters_, nullptr);
    const std::lock_guard lock(counters->mutex_);
    counters->leave_half_open(*this);
    --counters->connections_;
    if (ip_counted_) {
        take_from(counters->by_ip_, group_);
    }
    if (identity_counted_) {
        const auto found = counters->by_id_.find(identity_);
        if (--found->second == 0) {
            counters->by_id_.erase(found);
        }
    }
}

void Counters::leave_half_open(Ticket& ticket) noexcept {
    if (ticket.half_open_) {
        ticket.half_open_ = false;
        if (std::exchange(ticket.half_open_counted_, false)) {
            take_from(half_open_by_ip_, ticket.group_);
        }
        if (!ALKNET_MUTATION(keep_half_open)) {
            --half_open_;
        }
    }
}

std::optional<std::pair<quic::Admission, Limit>> Counters::objection(const EndpointLimits& limits,
                                                                     const SocketAddress& remote,
                                                                     bool validated) const {
    using quic::Admission;
    if (connections_ >= limits.connections_max) {
        return std::pair(Admission::refuse, Limit::connections);
    }
    if (remote.family() != SocketAddress::Family::none &&
        count_of(remote.limit_group()) >= limits.connections_per_ip_max) {
        return std::pair(Admission::refuse, Limit::connections_per_ip);
    }
    if (half_open_ >= limits.half_open_max ||
        (validated && takes_too_many(limits, remote.limit_group()))) {
        // An answer to an address that may be forged is a packet sent to a victim.
        return std::pair(validated ? Admission::refuse : Admission::ignore, Limit::half_open);
    }
    // However few connections there may be, forged first packets take no more than a part of them.
    const std::size_t unproven_max =
        std::min(limits.half_open_retry, limits.connections_max / EndpointLimits::kUnprovenShare);
    if (!validated && half_open_ >= unproven_max) {
        return std::pair(Admission::retry, Limit::half_open_retry);
    }
    return std::nullopt;
}

AdmissionVerdict Counters::admit(const EndpointLimits& limits, const SocketAddress& remote,
                                 bool validated) {
    const std::lock_guard lock(mutex_);
    if (const auto why = objection(limits, remote, validated)) {
        return {.admission = why->first, .struck = why->second, .ticket = {}};
    }
    AdmissionVerdict verdict;
    verdict.ticket.counters_ = shared_from_this();
    verdict.ticket.half_open_ = true;
    ++connections_;
    ++half_open_;
    if (remote.family() != SocketAddress::Family::none) {
        verdict.ticket.group_ = remote.limit_group();
        verdict.ticket.ip_counted_ = validated;
        if (validated) {
            ++by_ip_[verdict.ticket.group_];
            ++half_open_by_ip_[verdict.ticket.group_];
            verdict.ticket.half_open_counted_ = true;
        }
    }
    return verdict;
}

std::size_t Counters::count_of(const SocketAddress& group) const noexcept {
    return count_in(by_ip_, group);
}

// Of an address that is not known (a proxy's client whose header has not come) none are counted.
bool Counters::takes_too_many(const EndpointLimits& limits,
                              const SocketAddress& group) const noexcept {
    return count_in(half_open_by_ip_, group) * kFreeForEach >= limits.half_open_max - half_open_;
}

std::size_t Counters::connections() const noexcept {
    const std::lock_guard lock(mutex_);
    return connections_;
}

std::size_t Counters::half_open() const noexcept {
    const std::lock_guard lock(mutex_);
    return half_open_;
}

void Counters::show_half_open(Gauge& gauge) const noexcept {
    const std::lock_guard lock(mutex_);
    gauge.set(static_cast<std::int64_t>(half_open_));
}

std::size_t Counters::entries() const noexcept {
    const std::lock_guard lock(mutex_);
    return by_ip_.size() + half_open_by_ip_.size() + by_id_.size();
}

std::size_t Counters::of_ip(const SocketAddress& remote) const noexcept {
    const std::lock_guard lock(mutex_);
    return count_of(remote.limit_group());
}

std::size_t Counters::of_identity(const std::string& id) const noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? 0 : found->second;
}

}  // namespace alknet
