#include "live_feed.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <chrono>
#include <utility>

namespace alknet::app {

namespace {

using call::Item;
using call::Json;

constexpr std::uint64_t kNumbersPerMillisecond = 1000;

// Our own text; what a reader would refuse of it, a number above all, is given as it is written.
Json output_of(std::string_view text) {
    auto output = call::parse_json(text);
    return output ? *std::move(output) : Json(text);
}

}  // namespace

std::uint64_t milliseconds_of(WallTime now) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
}

LiveFeed::LiveFeed(Loop& loop)
    : loop_(loop),
      first_(milliseconds_of(loop.wall_now()) * kNumbersPerMillisecond),
      newest_(first_ - 1) {}

void LiveFeed::keep(const Json& output) {
    std::string text = output.text();
    text.shrink_to_fit();
    const std::lock_guard lock(mutex_);
    kept_.push_back({.seq = newest_ + 1, .text = std::move(text)});
    ++newest_;
    if (kept_.size() > kKeptMax) {
        kept_.pop_front();
    }
    if (watchers_ > 0 && !std::exchange(waking_, true)) {
        loop_.post([self = shared_from_this()] {
            {
                const std::lock_guard again(self->mutex_);
                self->waking_ = false;
            }
            self->news_.wake_all();
        });
    }
}

/// Whom `keep` wakes.
class LiveFeed::Watcher {
public:
    explicit Watcher(std::shared_ptr<LiveFeed> feed) : feed_(std::move(feed)) {
        const std::lock_guard lock(feed_->mutex_);
        ++feed_->watchers_;
    }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher() {
        const std::lock_guard lock(feed_->mutex_);
        --feed_->watchers_;
    }

private:
    std::shared_ptr<LiveFeed> feed_;
};

// How many are missing of an earlier run nobody knows: one stands for them.
std::optional<Item> LiveFeed::next_after(std::uint64_t after) const {
    const std::lock_guard lock(mutex_);
    if (kept_.empty() || after >= newest_) {
        return std::nullopt;
    }
    const std::uint64_t oldest = kept_.front().seq;
    const std::uint64_t earlier = after + 1 < first_ ? 1 : 0;
    const std::uint64_t wanted = std::max(after + 1, first_);
    const std::uint64_t missed = earlier + (oldest > wanted ? oldest - wanted : 0);
    const Kept& found = kept_[oldest > wanted ? 0 : wanted - oldest];
    return Item{.output = output_of(found.text),
                .seq = found.seq,
                .missed = missed > 0 ? std::optional(missed) : std::nullopt};
}

result<std::uint64_t> LiveFeed::beginning(const FeedOptions& options) const {
    const std::lock_guard lock(mutex_);
    if (options.after) {
        if (*options.after > newest_) {
            return fail(causes::kUsage, "resume_after: there is nothing of that number yet");
        }
        return *options.after;
    }
    std::uint64_t begin = newest_;
    std::size_t left = options.last;
    for (auto one = kept_.rbegin(); one != kept_.rend() && left > 0; ++one) {
        if (!options.wanted || options.wanted(output_of(one->text))) {
            begin = one->seq - 1;
            --left;
        }
    }
    return begin;
}

task<result<void>> LiveFeed::watch(FeedOptions options, call::ItemSink& items) {
    const Watcher watcher(shared_from_this());
    ALKNET_CO_TRY(std::uint64_t last, beginning(options));
    std::uint64_t missed = 0;  // before what was passed over
    for (;;) {
        auto item = next_after(last);
        if (!item) {
            ALKNET_CO_CHECK(co_await news_.wait());
            continue;
        }
        last = *item->seq;
        missed += item->missed.value_or(0);
        if (options.wanted && !options.wanted(item->output)) {
            continue;
        }
        if (missed > 0) {
            item->missed = std::exchange(missed, 0);
        }
        ALKNET_CO_CHECK(co_await items.give(*std::move(item)));
    }
}

}  // namespace alknet::app
