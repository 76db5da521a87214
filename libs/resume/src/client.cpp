#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/climb.hpp>
#include <alknet/core/goodput_meter.hpp>
#include <alknet/resume/client.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/suspend_detector.hpp>
#include <alknet/tls/context.hpp>
#include <list>

#include "random.hpp"
#include "refusal.hpp"
#include "resumable_connection.hpp"
#include "stream_core.hpp"

namespace alknet::resume {

namespace {

/// A way, and the stream on it that carries frames.
struct Transported {
    Dialled way;
    std::unique_ptr<BiStream> stream;
    FrameReader reader;
};

struct Kept {
    StreamId id;
    Duration linger{};
    std::shared_ptr<StreamCore> core;
    ClimbSchedule climbing;
    Event climb_now;
    Event retry_now;
    GoodputMeter meter;
    Event look_elsewhere;         // the way is slow
    std::optional<Dialled> next;  // where the stream should move
    bool climbed = false;         // to where it is
    bool believe_knocks = true;   // what answers them has not refused a dial since
    TimePoint carried_since;
    Cancel* attempting = nullptr;  // of the attempt to come back that runs
};

/// How long a node is looked for which only needs to hear that it may forget a stream.
constexpr Duration kFarewellTimeout = std::chrono::minutes(1);

std::uint32_t whole_seconds(Duration duration) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(duration).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, UINT32_MAX));
}

class Client final : public ResumableClient {
public:
    Client(Loop& loop, Reconnect reconnect, ResumeClientOptions options)
        : loop_(loop),
          reconnect_(std::move(reconnect)),
          options_(std::move(options)),
          keeping_(loop),
          watching_(loop) {
        watching_.spawn(watch_sleep(), "resume.sleep");
    }

    task<result<std::shared_ptr<Connection>>> open(std::string alpn) override;
    void probe() noexcept override;
    [[nodiscard]] std::size_t streams() const noexcept override { return kept_.size(); }
    task<void> shutdown(Duration grace) override;

private:
    task<result<Transported>> connect(Frame first, Accept& accepted, std::optional<Dialled> way);
    task<void> keep(std::shared_ptr<Kept> kept, Transported transported);
    task<result<void>> carry(Kept& kept, Transported& transported);
    task<result<void>> climb(Kept& kept, const Dialled& way);
    task<result<bool>> wait_to_climb(Kept& kept);
    task<result<void>> look_elsewhere(Kept& kept, const Dialled& way);
    void measure(Kept& kept, const Dialled& way);
    task<result<Transported>> move(Kept& kept);
    task<result<Transported>> come_back(Kept& kept);
    task<result<Transported>> attempt(Kept& kept, std::optional<Dialled> way);
    task<result<Transported>> attempt_once(Kept& kept);
    task<result<void>> pause(Kept& kept, Duration& step, Duration left);
    void went_on(const Transported& made, Resumption how) const;
    task<result<void>> watch_sleep();
    task<result<void>> all_settled();
    [[nodiscard]] Duration now_with_sleep() const noexcept {
        return loop_.now().time_since_epoch() + loop_.clock().suspended();
    }

    Loop& loop_;
    Reconnect reconnect_;
    ResumeClientOptions options_;
    std::list<std::shared_ptr<Kept>> kept_;
    WaitList settled_;
    bool stopping_ = false;
    TaskScope keeping_;
    TaskScope watching_;
};

// Opens a stream on `way`, or on a new one, says `first` on it, and takes the answer.
task<result<Transported>> Client::connect(Frame first, Accept& accepted,
                                          std::optional<Dialled> way) {
    Transported made;
    if (way) {
        made.way = std::move(*way);
    } else {
        ALKNET_CO_TRY(made.way, co_await reconnect_(std::nullopt));
    }
    ALKNET_CO_TRY(made.stream, co_await made.way.connection->open_bi());
    ALKNET_CO_CHECK(co_await write_frame(*made.stream, std::move(first)));
    auto answer = co_await read_frame(*made.stream, made.reader);
    if (!answer) {
        co_return unexpected(std::move(answer).error());
    }
    if (const auto* refusal = std::get_if<Refuse>(&*answer)) {
        co_return unexpected(explain_refusal(*refusal));
    }
    if (const auto* accept = std::get_if<Accept>(&*answer)) {
        accepted = *accept;
        co_return made;
    }
    co_return fail(causes::kProtocol, "neither ACCEPT nor REFUSE");
}

task<result<std::shared_ptr<Connection>>> Client::open(std::string alpn) {
    ALKNET_CO_CHECK(tls::check_alpn(alpn));
    if (stopping_) {
        co_return fail(causes::kShuttingDown);
    }
    auto kept = std::make_shared<Kept>();
    kept->id = random_id();
    kept->core = std::make_shared<StreamCore>(loop_, options_.ring_bytes, true);
    const Position here = kept->core->state().tell();
    Accept accepted;
    Frame first = Open{kVersion, kept->id, static_cast<std::uint32_t>(here.limit),
                       whole_seconds(options_.linger), alpn};
    auto made = co_await with_timeout(options_.attempt_timeout,
                                      connect(std::move(first), accepted, std::nullopt));
    if (!made) {
        co_return unexpected(std::move(made).error());
    }
    ALKNET_CO_CHECK(kept->core->state().attach(accepted.position));
    kept->linger = std::chrono::seconds(accepted.linger_seconds);
    ConnectionInfo info = made->way.connection->info();
    info.alpn = std::move(alpn);
    auto connection = ResumableConnection::create(kept->core, std::move(info));
    kept_.push_back(kept);
    keeping_.spawn(keep(std::move(kept), std::move(*made)), "resume.keep");
    co_return connection;
}

// From transport to transport, until the stream needs none.
task<void> Client::keep(std::shared_ptr<Kept> kept, Transported transported) {
    StreamCore& core = *kept->core;
    for (;;) {
        auto carried = co_await carry(*kept, transported);
        core.state().detach();
        transported.stream.reset();
        transported.way.connection->close(close_code::kOk, "");
        transported.way = {};
        if (carried && !kept->next) {
            core.settle();
            break;
        }
        if (!carried && (core.violated() || carried.error().is(errc::cancelled))) {
            core.break_with(std::move(carried).error());
            break;
        }
        if (core.state().complete()) {
            // Only the node does not know it yet, and it may: then it has forgotten the stream.
            core.settle();
            kept->linger = std::min(kept->linger, kFarewellTimeout);
        }
        auto back = carried ? co_await move(*kept) : co_await come_back(*kept);
        if (!back) {
            core.break_with(std::move(back).error());
            break;
        }
        transported = std::move(*back);
    }
    kept_.remove(kept);
    settled_.wake_all();
}

// Until it is lost, done (success), or there is a better way (success, with `next`).
task<result<void>> Client::carry(Kept& kept, Transported& transported) {
    const bool quic = transported.way.connection->info().transport == Transport::quic;
    const Patience patience{.keep_alive = quic ? options_.keep_alive_quic : options_.keep_alive,
                            .unanswered = options_.unanswered,
                            .answer_timeout = options_.answer_timeout,
                            .probe_timeout = options_.probe_timeout};
    StreamCore& core = *kept.core;
    const Dialled& way = transported.way;
    kept.next.reset();
    kept.carried_since = loop_.now();
    kept.meter = {};
    kept.look_elsewhere.clear();
    kept.climb_now.clear();
    core.on_progress([this, &kept, &way] { measure(kept, way); });
    std::vector<task<result<void>>> works;
    works.push_back(core.pump(*transported.stream, transported.reader, patience));
    works.push_back(look_elsewhere(kept, way));
    if (can_climb(way.rung)) {
        works.push_back(climb(kept, way));
    }
    Raced<void> first = co_await race(std::move(works));
    core.on_progress(nullptr);
    if (first.index == 0 && kept.next) {
        kept.next->connection->close(close_code::kOk, "not needed any more");
        kept.next.reset();
    }
    if (!first.outcome && kept.climbed && loop_.now() - kept.carried_since < kClimbProven) {
        kept.climbing.disappointed();
    }
    co_return std::move(first.outcome);
}

// Until it is time for the next attempt: by the schedule, in a new network, or (true) since a knock
// was answered.
task<result<bool>> Client::wait_to_climb(Kept& kept) {
    Duration left = kept.climbing.next(random_chance());
    while (left > Duration::zero()) {
        const Duration knock =
            ClimbSchedule::kKnock + random_below(ClimbSchedule::kKnockMax - ClimbSchedule::kKnock);
        const bool may_knock =
            options_.knock && kept.believe_knocks && left > ClimbSchedule::kKnockMax;
        const TimePoint began = loop_.now();
        const auto waited = co_await with_timeout(may_knock ? knock : left, kept.climb_now.wait());
        if (waited || !waited.error().is(errc::timeout)) {
            co_return waited ? result<bool>(false) : unexpected(waited.error());
        }
        if (may_knock) {
            const auto answered = co_await with_timeout(options_.attempt_timeout, options_.knock());
            if (answered ? *answered : answered.error().is(errc::cancelled)) {
                co_return answered;
            }
        }
        left -= loop_.now() - began;
    }
    co_return false;
}

// Ends when there is a better way.
task<result<void>> Client::climb(Kept& kept, const Dialled& way) {
    for (;;) {
        ALKNET_CO_TRY(const bool knocked, co_await wait_to_climb(kept));
        kept.climb_now.clear();
        auto better =
            co_await with_timeout(options_.attempt_timeout, reconnect_(climbs_above(way.rung)));
        if (better) {
            kept.climbed = true;
            kept.next = std::move(*better);
            co_return result<void>{};
        }
        if (better.error().is(errc::cancelled)) {
            co_return unexpected(std::move(better).error());
        }
        // Who lets knocks through and handshakes not is asked no more until the next attempt.
        kept.believe_knocks = !knocked;
    }
}

// Ends when the way has turned out to be slow and there is one that may be better.
task<result<void>> Client::look_elsewhere(Kept& kept, const Dialled& way) {
    for (;;) {
        ALKNET_CO_CHECK(co_await kept.look_elsewhere.wait());
        kept.look_elsewhere.clear();
        auto other = co_await with_timeout(options_.attempt_timeout, reconnect_(std::nullopt));
        if (!other) {
            if (other.error().is(errc::cancelled)) {
                co_return unexpected(std::move(other).error());
            }
            continue;
        }
        if (is_quic(other->rung) == is_quic(way.rung)) {
            other->connection->close(close_code::kOk, "not better");
            continue;
        }
        kept.climbed = false;
        kept.next = std::move(*other);
        co_return result<void>{};
    }
}

void Client::measure(Kept& kept, const Dialled& way) {
    const StreamState& state = kept.core->state();
    const std::uint64_t moved = state.sending().acknowledged() + state.receiving().received();
    const auto measured = kept.meter.look(loop_.now(), moved, !state.sending().room());
    if (!measured || !options_.report) {
        return;
    }
    options_.report(way, measured->bytes, measured->time);
    if (options_.demoted && options_.demoted(way)) {
        kept.look_elsewhere.set();
    }
}

task<result<Transported>> Client::attempt(Kept& kept, std::optional<Dialled> way) {
    Accept accepted;
    Frame first = Resume{kVersion, kept.id, kept.core->state().tell()};
    ALKNET_CO_TRY(auto made, co_await connect(std::move(first), accepted, std::move(way)));
    ALKNET_CO_CHECK(kept.core->state().attach(accepted.position));
    co_return made;
}

void Client::went_on(const Transported& made, Resumption how) const {
    if (options_.on_resumed) {
        how.transport = made.way.connection->info().transport;
        options_.on_resumed(how);
    }
}

// To the better way; and if that does not take the stream, anywhere.
task<result<Transported>> Client::move(Kept& kept) {
    std::optional<Dialled> way = std::exchange(kept.next, std::nullopt);
    const std::shared_ptr<Connection> connection = way->connection;
    auto made = co_await with_timeout(options_.move_timeout, attempt(kept, std::move(way)));
    if (made) {
        went_on(*made, {.gap = Duration::zero(), .moved = true, .attempts = 1});
        co_return made;
    }
    connection->close(close_code::kOk, "");
    kept.climbing.disappointed();
    if (is_final(made.error())) {
        co_return made;
    }
    co_return co_await come_back(kept);
}

// One that `probe` may end: the network is another one than it began in.
task<result<Transported>> Client::attempt_once(Kept& kept) {
    const TaskContext context = co_await current_context();
    Cancel restart(context.cancel);
    kept.attempting = &restart;
    auto attempting = with_timeout(options_.attempt_timeout, attempt(kept, std::nullopt));
    auto made = co_await std::move(attempting).under(restart);
    kept.attempting = nullptr;
    const bool from_outside = context.cancel != nullptr && context.cancel->requested();
    if (!made && made.error().is(errc::cancelled) && restart.requested() && !from_outside) {
        co_return fail(causes::kTimeout, "the network has changed");
    }
    co_return made;
}

task<result<void>> Client::pause(Kept& kept, Duration& step, Duration left) {
    const Duration pause = step - random_below(step / 2);
    const auto waited = co_await with_timeout(std::min(pause, left), kept.retry_now.wait());
    if (waited) {
        step = options_.retry_first;
        kept.climbing.reset();
    } else if (waited.error().is(errc::timeout)) {
        step = std::min(2 * step, options_.retry_max);
    } else {
        co_return waited;
    }
    co_return result<void>{};
}

task<result<Transported>> Client::come_back(Kept& kept) {
    const Duration lost = now_with_sleep();
    Duration step = options_.retry_first;
    kept.climbed = false;
    for (std::size_t attempts = 1;; ++attempts) {
        kept.retry_now.clear();
        auto made = co_await attempt_once(kept);
        const Duration gap = now_with_sleep() - lost;
        if (made) {
            went_on(*made, {.gap = gap, .attempts = attempts});
            co_return made;
        }
        error& why = made.error();
        if (is_final(why)) {
            co_return made;
        }
        if (gap >= kept.linger) {
            co_return fail(causes::kResumeLost, why.message());
        }
        if (options_.on_failed_attempt) {
            options_.on_failed_attempt(why);
        }
        if (auto paused = co_await pause(kept, step, kept.linger - gap); !paused) {
            co_return unexpected(std::move(paused).error());
        }
    }
}

void Client::probe() noexcept {
    for (const auto& kept : kept_) {
        kept->core->probe();
        kept->retry_now.set();
        kept->climbing.reset();
        kept->believe_knocks = true;
        kept->climb_now.set();
        if (kept->attempting != nullptr) {
            kept->attempting->request();
        }
    }
}

task<result<void>> Client::watch_sleep() {
    auto detector = std::make_unique<SuspendDetector>(loop_);
    if (options_.system_clock) {
        ALKNET_CO_TRY(detector, SuspendDetector::told(loop_));
    }
    for (;;) {
        ALKNET_CO_TRY(const TimeJump jump, co_await detector->next());
        if (jump.suspended > Duration::zero()) {
            probe();
        }
    }
}

task<result<void>> Client::all_settled() {
    while (!kept_.empty()) {
        ALKNET_CO_CHECK(co_await settled_.wait());
    }
    co_return result<void>{};
}

task<void> Client::shutdown(Duration grace) {
    stopping_ = true;
    Cancel never;
    (void)co_await with_timeout(grace, all_settled()).under(never);
    keeping_.cancel();
    watching_.cancel();
    (void)co_await keeping_.join();
    (void)co_await watching_.join();
}

}  // namespace

std::unique_ptr<ResumableClient> ResumableClient::create(Loop& loop, Reconnect reconnect,
                                                         ResumeClientOptions options) {
    return std::make_unique<Client>(loop, std::move(reconnect), std::move(options));
}

}  // namespace alknet::resume
