#include "runs.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <exception>
#include <utility>
#include <vector>

namespace alknet::call {

namespace {

std::string random_id() {
    std::array<std::byte, 16> octets{};
    crypto::fill_random(octets);
    return hex_encode(octets);
}

}  // namespace

void RunTable::forget(const std::string& id) {
    const auto found = runs_.find(id);
    bytes_ -= found->second->bytes;
    runs_.erase(found);
}

void RunTable::forget_old(TimePoint now) {
    std::vector<std::string> old;
    for (const auto& [id, run] : runs_) {
        if (run->until <= now) {
            old.push_back(id);
        }
    }
    std::ranges::for_each(old, [this](const std::string& id) { forget(id); });
}

result<void> RunTable::make_room(const Identity& owner, TimePoint now) {
    forget_old(now);
    std::size_t own = 0;
    RunPtr oldest;
    for (const auto& [id, run] : runs_) {
        if (run->owner.id == owner.id) {
            ++own;
            if (run->outcome && (oldest == nullptr || run->number < oldest->number)) {
                oldest = run;
            }
        }
    }
    if (own < kRunsPerIdentityMax && runs_.size() < kRunsMax) {
        return {};
    }
    if (oldest != nullptr) {
        forget(oldest->id);
        return {};
    }
    return fail(causes::kLimit,
                own >= kRunsPerIdentityMax
                    ? "runs_per_identity_max: " + std::to_string(kRunsPerIdentityMax)
                    : "runs_max: " + std::to_string(kRunsMax));
}

result<RunTable::RunPtr> RunTable::start(std::shared_ptr<OperationHome> home, Start start) {
    ALKNET_CHECK(make_room(start.owner, home->loop().now()));
    auto run = std::make_shared<Run>(&home->token());
    run->id = random_id();
    run->number = ++started_;
    run->owner = std::move(start.owner);
    run->still = std::move(start.still);
    run->operation = std::move(start.operation);
    runs_.emplace(run->id, run);
    home->spawn(work(shared_from_this(), run, start.limit, std::move(start.work)), "call.run");
    return run;
}

task<void> RunTable::work(std::shared_ptr<RunTable> table, RunPtr run, Duration limit,
                          task<result<Json>> work) {
    const TaskContext here = co_await current_context();
    result<Json> outcome;
    try {
        outcome = co_await with_timeout(limit, std::move(work).under(run->cancel));
    } catch (const std::exception& bug) {
        outcome = fail(causes::kHandlerFailed, bug.what());
    }
    table->end(*run, std::move(outcome), here.loop->now());
}

void RunTable::end(Run& run, result<Json> outcome, TimePoint now) {
    run.bytes = outcome ? outcome->text().size() : 0;
    if (bytes_ + run.bytes > kOutputBytesMax) {
        run.bytes = 0;
        outcome = fail(causes::kLimit, "output_bytes_max: " + std::to_string(kOutputBytesMax) +
                                           " octets of what is kept");
    }
    bytes_ += run.bytes;
    run.outcome = std::move(outcome);
    run.until = time_after(now, kKeptFor);
    run.ended.set();
}

RunTable::RunPtr RunTable::find(const std::string& id, const std::optional<Identity>& asking,
                                TimePoint now) {
    forget_old(now);
    const auto found = runs_.find(id);
    const bool own =
        found != runs_.end() && asking.has_value() && found->second->owner.id == asking->id;
    return own ? found->second : nullptr;
}

task<void> RunTable::recheck_identities() {
    const auto runs = runs_;
    for (const auto& [id, run] : runs) {
        if (run->outcome || !run->still) {
            continue;
        }
        const auto now = co_await run->still();
        if (has_ended(run->owner, now)) {
            run->cancel.request();
        }
    }
}

}  // namespace alknet::call
