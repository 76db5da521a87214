#include "ledger.hpp"

#include <fmt/format.h>
#include <alknet/base/causes.hpp>

#include "pattern.hpp"

namespace alknet::sim {

std::uint64_t Ledger::add(std::uint64_t size) {
    transfers_.push_back({.size = size});
    return transfers_.size();
}

void Ledger::received(std::uint64_t id, BytesView data) {
    Transfer& entry = transfer(id);
    if (entry.finished) {
        context_.fail(fmt::format("transfer {}: bytes after its end", id));
    } else if (entry.received + data.size() > entry.size) {
        context_.fail(fmt::format("transfer {}: {} octets of {} came", id,
                                  entry.received + data.size(), entry.size));
    } else if (!matches_pattern(id, entry.received, data)) {
        context_.fail(fmt::format("transfer {}: wrong bytes within {} from {}", id, data.size(),
                                  entry.received));
    }
    entry.received += data.size();
}

void Ledger::finished(std::uint64_t id) {
    Transfer& entry = transfer(id);
    if (entry.finished) {
        context_.fail(fmt::format("transfer {}: ended twice", id));
    }
    if (entry.received != entry.size) {
        context_.fail(fmt::format("transfer {}: ended in order after {} of {} octets", id,
                                  entry.received, entry.size));
    }
    entry.finished = true;
}

void Ledger::lost_roaming(const std::string& trace_id) {
    lost_roaming_.insert(trace_id);
    if (lost_roaming_.size() > 1) {
        context_.fail(fmt::format("{} roaming connections died", lost_roaming_.size()));
    }
}

void Ledger::ended_with(std::string_view where, const error& why, bool forgiven) {
    const std::string text = fmt::format("{}: {} {}", where, why.cause().id, why.message());
    context_.note(text);
    ++errors_[fmt::format("{} {}", where, why.cause().id)];
    switch (why.condition()) {
        case errc::closed:
        case errc::reset:
        case errc::cancelled:
        case errc::timeout:
        case errc::unavailable:
            break;
        default:
            context_.fail("not a clean error: " + text);
            return;
    }
    if (strict_ && !forgiven) {
        context_.fail("nothing explains this error: " + text);
    }
}

std::string Ledger::summary() const {
    std::string text = fmt::format(
        "{} dials ({} failed), {} operations ({} done), {} datagrams echoed", counts.dials,
        counts.dials_failed, counts.operations, counts.operations_done, counts.datagrams_echoed);
    for (const auto& [what, count] : errors_) {
        text += fmt::format("; {} x {}", count, what);
    }
    return text;
}

}  // namespace alknet::sim
