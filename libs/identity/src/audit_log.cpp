#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/threads.hpp>
#include <alknet/identity/audit_log.hpp>
#include <alknet/identity/audit_repeats.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace alknet::identity {

namespace {

constexpr std::chrono::seconds kFlushPatience(10);

void add(AuditDraft& draft, std::string_view name, std::string value) {
    if (value.empty() || draft.fields.size() >= kAuditFieldsMax) {
        return;
    }
    if (value.size() > kAuditValueBytesMax) {
        constexpr std::string_view kCut = "...";
        value.resize(kAuditValueBytesMax - kCut.size());
        value += kCut;
    }
    draft.fields.emplace_back(name, std::move(value));
}

class ThreadedLog final : public AuditLog {
public:
    explicit ThreadedLog(AuditLogOptions options)
        : options_(std::move(options)),
          clock_(options_.clock ? options_.clock : std::make_shared<SystemClock>()),
          rules_(options_.rules),
          file_(options_.home, rules_.files) {}

    ~ThreadedLog() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    result<void> start() {
        ALKNET_TRY(thread_, start_thread("audit", [this] { run(); }));
        return {};
    }

    void record(AuditEntry entry) noexcept override {
        const std::lock_guard lock(mutex_);
        const bool had_work = has_work();
        try {
            if (rules_.enabled && repeats_.keep(entry, clock_->now())) {
                push(entry);
            }
        } catch (...) {  // no memory: the record is lost, and the node is not
            ++lost_;
        }
        // What comes once there is work is found with it, and a repeat with its window: who decides
        // a thousand times a second does not wake the thread as often.
        if ((!had_work && has_work()) || repeats_.counts_anew()) {
            changed_.notify_all();
        }
    }

    [[nodiscard]] result<void> ready() const override {
        const std::lock_guard lock(mutex_);
        if (!rules_.enabled || !rules_.required) {
            return {};
        }
        if (failure_) {
            return unexpected(*failure_);
        }
        if (queue_.size() >= kAuditQueueMax) {
            return fail(causes::kLimit, "the audit log has 4096 records to write");
        }
        return {};
    }

    void set_revision(std::string revision) override {
        const std::lock_guard lock(mutex_);
        revision_ = std::move(revision);
    }

    void set_rules(const AuditRules& rules) override {
        const std::lock_guard lock(mutex_);
        rules_ = rules;
    }

    result<void> flush() override {
        std::unique_lock lock(mutex_);
        const std::uint64_t until = recorded_;
        ++flushing_;
        changed_.notify_all();
        const bool done = changed_.wait_for(
            lock, kFlushPatience, [&] { return settled_ >= until || (failure_ && !writing_); });
        --flushing_;
        if (settled_ < until && failure_) {
            return unexpected(*failure_);
        }
        return done ? result<void>() : fail(causes::kTimeout, "the audit log");
    }

private:
    void push(const AuditEntry& entry) {
        if (queue_.size() >= kAuditQueueMax) {
            ++lost_;
            return;
        }
        queue_.push_back(audit_draft(entry, clock_->wall_now(), revision_));
        ++recorded_;
    }

    [[nodiscard]] bool has_work() const { return stopping_ || !queue_.empty() || lost_ > 0; }

    // Sleeps without an end where there is nothing to say: an idle node is not woken.
    void wait_for_work(std::unique_lock<std::mutex>& lock) {
        while (!has_work()) {
            const auto due = repeats_.next();
            if (!due) {
                changed_.wait(lock);
            } else if (const TimePoint now = clock_->now(); now < *due) {
                changed_.wait_for(lock, *due - now);
            } else {
                push_ended(now);
            }
        }
        changed_.wait_for(lock, options_.gather, [this] { return stopping_ || flushing_ > 0; });
    }

    void push_ended(TimePoint now) {
        for (const AuditEntry& entry : repeats_.take_ended(now)) {
            push(entry);
        }
    }

    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            wait_for_work(lock);
            if (stopping_) {
                push_ended(time_after(clock_->now(), AuditRepeats::kWindow));
            }
            write_queue(lock);
            if (stopping_) {
                return;
            }
            if (failure_) {
                changed_.wait_for(lock, options_.retry, [this] { return stopping_; });
            }
        }
    }

    // Those of before the loss come before the record of it.
    void write_queue(std::unique_lock<std::mutex>& lock) {
        std::vector<AuditDraft> batch = std::exchange(queue_, {});
        const std::size_t recorded = batch.size();
        const std::uint64_t lost = std::exchange(lost_, 0);
        if (lost > 0) {
            AuditEntry entry{.event = "audit.lost"};
            entry.more.emplace_back("count", std::to_string(lost));
            batch.push_back(audit_draft(entry, clock_->wall_now(), revision_));
        }
        file_.set_limits(rules_.files);
        writing_ = true;
        lock.unlock();
        std::size_t written = 0;
        const auto outcome = file_.append(batch, written);
        lock.lock();
        writing_ = false;
        settled_ += std::min(written, recorded);
        if (outcome) {
            tell_success(recorded, lost);
        } else {
            tell_failure(outcome.error());
            put_back(std::move(batch), written, recorded, lost);
        }
        changed_.notify_all();
    }

    // There may be more than kAuditQueueMax then, for as long as writing fails, by what came
    // meanwhile: that is counted.
    void put_back(std::vector<AuditDraft> batch, std::size_t written, std::size_t recorded,
                  std::uint64_t lost) {
        lost_ += lost;
        if (written >= recorded) {
            return;
        }
        batch.resize(recorded);
        batch.erase(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(written));
        for (AuditDraft& draft : queue_) {
            if (batch.size() < kAuditQueueMax) {
                batch.push_back(std::move(draft));
            } else {
                ++lost_;
                ++settled_;
            }
        }
        queue_ = std::move(batch);
    }

    void tell_success(std::size_t written, std::uint64_t lost) {
        if (lost > 0) {
            options_.log.error("audit.lost", {{"count", lost}});
        }
        if (failure_) {
            options_.log.warn("audit.resumed", {{"written", written}});
            failure_.reset();
        }
    }

    void tell_failure(const error& why) {
        if (!failure_ || &failure_->cause() != &why.cause()) {
            options_.log.error(
                "audit.failed",
                {{"id", why.cause().id}, {"detail", why.detail()}, {"refusing", rules_.required}});
        }
        failure_ = why;
    }

    const AuditLogOptions options_;
    const std::shared_ptr<const Clock> clock_;
    mutable std::mutex mutex_;  // of all below but `file_`, which is the thread's
    std::condition_variable changed_;
    AuditRules rules_;
    AuditRepeats repeats_;
    std::string revision_;
    std::vector<AuditDraft> queue_;
    std::uint64_t lost_ = 0;
    std::uint64_t recorded_ = 0;  // taken into the queue
    std::uint64_t settled_ = 0;   // written, or lost after all
    std::size_t flushing_ = 0;
    bool writing_ = false;
    bool stopping_ = false;
    std::optional<error> failure_;
    AuditFile file_;
    std::thread thread_;
};

}  // namespace

result<std::shared_ptr<AuditLog>> AuditLog::start(AuditLogOptions options) {
    auto log = std::make_shared<ThreadedLog>(std::move(options));
    ALKNET_CHECK(log->start());
    return log;
}

AuditDraft audit_draft(const AuditEntry& entry, WallTime now, const std::string& revision) {
    AuditDraft draft{.time = now, .event = std::string(entry.event), .fields = {}};
    if (entry.level == AuditLevel::alarm) {
        add(draft, "level", "alarm");
    }
    add(draft, "peer", entry.peer);
    add(draft, "key", entry.fingerprint);
    add(draft, "remote", entry.remote ? entry.remote->to_string() : std::string());
    add(draft, "service", entry.service);
    add(draft, "reason", entry.reason);
    add(draft, "detail", entry.detail);
    for (const auto& [name, value] : entry.more) {
        add(draft, name, value);
    }
    add(draft, "revision", revision);
    return draft;
}

}  // namespace alknet::identity
