#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/resume/client.hpp>
#include <alknet/rt/combine.hpp>
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

/// A connection, and the stream on it that carries frames.
struct Transported {
    std::shared_ptr<Connection> connection;
    std::unique_ptr<BiStream> stream;
    FrameReader reader;
};

struct Kept {
    StreamId id;
    Duration linger{};
    std::shared_ptr<StreamCore> core;
};

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
    task<result<Transported>> connect(Frame first, Accept& accepted);
    task<void> keep(std::shared_ptr<Kept> kept, Transported transported);
    task<result<Transported>> come_back(Kept& kept);
    task<result<Transported>> attempt(Kept& kept);
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
    Event retry_now_;
    bool stopping_ = false;
    TaskScope keeping_;
    TaskScope watching_;
};

// Opens a stream on a new connection, says `first` on it, and takes the answer.
task<result<Transported>> Client::connect(Frame first, Accept& accepted) {
    Transported made;
    ALKNET_CO_TRY(made.connection, co_await reconnect_());
    ALKNET_CO_TRY(made.stream, co_await made.connection->open_bi());
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
    auto made =
        co_await with_timeout(options_.attempt_timeout, connect(std::move(first), accepted));
    if (!made) {
        co_return unexpected(std::move(made).error());
    }
    ALKNET_CO_CHECK(kept->core->state().attach(accepted.position));
    kept->linger = std::chrono::seconds(accepted.linger_seconds);
    ConnectionInfo info = made->connection->info();
    info.alpn = std::move(alpn);
    auto connection = ResumableConnection::create(kept->core, std::move(info));
    kept_.push_back(kept);
    keeping_.spawn(keep(std::move(kept), std::move(*made)), "resume.keep");
    co_return connection;
}

// From transport to transport, until the stream needs none.
task<void> Client::keep(std::shared_ptr<Kept> kept, Transported transported) {
    const Patience patience{.keep_alive = options_.keep_alive,
                            .unanswered = options_.unanswered,
                            .answer_timeout = options_.answer_timeout,
                            .probe_timeout = options_.probe_timeout};
    StreamCore& core = *kept->core;
    for (;;) {
        auto pumped = co_await core.pump(*transported.stream, transported.reader, patience);
        core.state().detach();
        transported.stream.reset();
        transported.connection->close(close_code::kOk, "");
        transported.connection.reset();
        if (pumped) {
            core.settle();
            break;
        }
        if (core.violated() || pumped.error().is(errc::cancelled)) {
            core.break_with(std::move(pumped).error());
            break;
        }
        auto back = co_await come_back(*kept);
        if (!back) {
            core.break_with(std::move(back).error());
            break;
        }
        transported = std::move(*back);
    }
    kept_.remove(kept);
    settled_.wake_all();
}

task<result<Transported>> Client::attempt(Kept& kept) {
    Accept accepted;
    Frame first = Resume{kVersion, kept.id, kept.core->state().tell()};
    ALKNET_CO_TRY(auto made, co_await connect(std::move(first), accepted));
    ALKNET_CO_CHECK(kept.core->state().attach(accepted.position));
    co_return made;
}

task<result<Transported>> Client::come_back(Kept& kept) {
    const Duration lost = now_with_sleep();
    Duration step = options_.retry_first;
    for (std::size_t attempts = 1;; ++attempts) {
        auto made = co_await with_timeout(options_.attempt_timeout, attempt(kept));
        const Duration gap = now_with_sleep() - lost;
        if (made) {
            if (options_.on_resumed) {
                options_.on_resumed({.gap = gap,
                                     .transport = made->connection->info().transport,
                                     .attempts = attempts});
            }
            co_return made;
        }
        error& why = made.error();
        if (is_final(why)) {
            co_return made;
        }
        if (gap >= kept.linger) {
            co_return fail(causes::kResumeLost, why.message());
        }
        const Duration pause = step - random_below(step / 2);
        retry_now_.clear();
        const auto waited =
            co_await with_timeout(std::min(pause, kept.linger - gap), retry_now_.wait());
        if (waited) {
            step = options_.retry_first;
        } else if (waited.error().is(errc::timeout)) {
            step = std::min(2 * step, options_.retry_max);
        } else {
            co_return unexpected(waited.error());
        }
    }
}

void Client::probe() noexcept {
    retry_now_.set();
    for (const auto& kept : kept_) {
        kept->core->probe();
    }
}

task<result<void>> Client::watch_sleep() {
    SuspendDetector detector(loop_);
    for (;;) {
        ALKNET_CO_TRY(const TimeJump jump, co_await detector.next());
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
