// PendingRequestMap: the calls of this end that wait for an answer, by id.
#pragma once

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/rt/channel.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace alknet::call {

class PendingRequestMap {
public:
    /// One call's place, for as long as its task waits.
    class Entry {
    public:
        /// `items` are where a subscription's go, which are closed at its end; null for a call.
        Entry(PendingRequestMap& map, std::string id, std::uint64_t stream,
              std::shared_ptr<Channel<Item>> items = nullptr)
            : map_(map), id_(std::move(id)), stream_(stream), items_(std::move(items)) {
            map_.entries_.emplace(id_, this);
        }
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
        ~Entry() { map_.entries_.erase(id_); }

        [[nodiscard]] const std::string& id() const noexcept { return id_; }
        [[nodiscard]] bool ended() const noexcept { return outcome_.has_value(); }
        /// Of the answer's frame.
        void set_bytes_max(std::size_t bytes) noexcept { bytes_max_ = bytes; }
        /// The answer was a subscription's first item: more would come.
        [[nodiscard]] bool more() const noexcept { return more_; }
        /// Once it has ended.
        [[nodiscard]] const result<Json>& outcome() const { return *outcome_; }
        /// Errors: what the call ended with; kCancelled.
        task<result<Json>> wait() {
            ALKNET_CO_CHECK(co_await ended_.wait());
            co_return std::move(*outcome_);
        }

    private:
        friend class PendingRequestMap;
        void end(result<Json> outcome) {
            if (!outcome_) {
                outcome_ = std::move(outcome);
                ended_.set();
                if (items_ != nullptr) {
                    items_->close();
                }
            }
        }
        PendingRequestMap& map_;
        std::string id_;
        std::uint64_t stream_;
        std::shared_ptr<Channel<Item>> items_;
        std::size_t bytes_max_ = std::numeric_limits<std::size_t>::max();
        bool more_ = false;
        std::optional<result<Json>> outcome_{};
        Event ended_;
    };

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool any_on(std::uint64_t stream) const noexcept {
        return std::ranges::any_of(entries_,
                                   [&](const auto& one) { return one.second->stream_ == stream; });
    }
    /// Waits while the items of a subscription are not taken. `bytes` are those of the frame.
    task<void> give(std::string id, Item item, std::size_t bytes) {
        const auto found = entries_.find(id);
        if (found == entries_.end()) {
            co_return;
        }
        if (const std::size_t most = found->second->bytes_max_; bytes > most) {
            found->second->end(fail(causes::kLimit, "the answer is a frame of more than " +
                                                        std::to_string(most) + " octets"));
            co_return;
        }
        if (found->second->items_ == nullptr) {
            found->second->more_ = item.seq.has_value();
            found->second->end(std::move(item.output));
            co_return;
        }
        const std::shared_ptr<Channel<Item>> items = found->second->items_;
        const bool only = !item.seq;
        (void)co_await items->send(std::move(item));
        if (only) {
            (void)end(id, Json());  // a call's answer
        }
    }
    /// False: nobody waits for that (any more).
    bool end(std::string_view id, result<Json> outcome) {
        const auto found = entries_.find(id);
        if (found == entries_.end()) {
            return false;
        }
        found->second->end(std::move(outcome));
        return true;
    }
    /// All that were asked over `stream`.
    void end_stream(std::uint64_t stream, const error& why) {
        for (const auto& [id, entry] : entries_) {
            if (entry->stream_ == stream) {
                entry->end(unexpected(why));
            }
        }
    }

private:
    std::map<std::string, Entry*, std::less<>> entries_;
};

}  // namespace alknet::call
