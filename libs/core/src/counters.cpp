#include "counters.hpp"

#include <algorithm>
#include <alknet/base/mutation.hpp>
#include <utility>

namespace alknet {

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
        identity_ = std::move(other.identity_);
        identity_counted_ = other.identity_counted_;
        half_open_ = other.half_open_;
    }
    return *this;
}

bool Ticket::established(std::size_t per_ip_max) {
    if (counters_ == nullptr || group_.family() == SocketAddress::Family::none) {
        leave_half_open();
        return true;
    }
    leave_half_open();
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
    if (counters_->of_identity(id) >= most) {
        return false;
    }
    ++counters_->by_id_[id];
    identity_ = id;
    identity_counted_ = true;
    return true;
}

void Ticket::leave_half_open() noexcept {
    if (counters_ != nullptr && half_open_) {
        half_open_ = false;
        if (!ALKNET_MUTATION(keep_half_open)) {
            --counters_->half_open_;
        }
    }
}

void Ticket::release() noexcept {
    if (counters_ == nullptr) {
        return;
    }
    leave_half_open();
    --counters_->connections_;
    if (ip_counted_) {
        const auto found = counters_->by_ip_.find(group_);
        if (--found->second == 0) {
            counters_->by_ip_.erase(found);
        }
    }
    if (identity_counted_) {
        const auto found = counters_->by_id_.find(identity_);
        if (--found->second == 0) {
            counters_->by_id_.erase(found);
        }
    }
    counters_.reset();
}

AdmissionVerdict Counters::admit(const EndpointLimits& limits, const SocketAddress& remote,
                                 bool validated) {
    using quic::Admission;
    const auto no = [](Admission admission, Limit limit) {
        return AdmissionVerdict{.admission = admission, .struck = limit, .ticket = {}};
    };
    const bool has_ip = remote.family() != SocketAddress::Family::none;
    if (connections_ >= limits.connections_max) {
        return no(Admission::refuse, Limit::connections);
    }
    if (has_ip && of_ip(remote) >= limits.connections_per_ip_max) {
        return no(Admission::refuse, Limit::connections_per_ip);
    }
    if (half_open_ >= limits.half_open_max) {
        // An answer to an address that may be forged is a packet sent to a victim.
        return no(validated ? Admission::refuse : Admission::ignore, Limit::half_open);
    }
    // However few connections there may be, forged first packets take no more than a part of them.
    const std::size_t unproven_max =
        std::min(limits.half_open_retry, limits.connections_max / EndpointLimits::kUnprovenShare);
    if (!validated && half_open_ >= unproven_max) {
        return no(Admission::retry, Limit::half_open_retry);
    }
    AdmissionVerdict verdict;
    verdict.ticket.counters_ = shared_from_this();
    verdict.ticket.half_open_ = true;
    ++connections_;
    ++half_open_;
    if (has_ip) {
        verdict.ticket.group_ = remote.limit_group();
        verdict.ticket.ip_counted_ = validated;
        if (validated) {
            ++by_ip_[verdict.ticket.group_];
        }
    }
    return verdict;
}

std::size_t Counters::of_ip(const SocketAddress& remote) const noexcept {
    const auto found = by_ip_.find(remote.limit_group());
    return found == by_ip_.end() ? 0 : found->second;
}

std::size_t Counters::of_identity(const std::string& id) const noexcept {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? 0 : found->second;
}

}  // namespace alknet
