#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <array>

#include "either_cancel.hpp"

namespace alknet {

namespace {

class Yielded;

/// A long write shows its progress to the idle timeout in steps of this size.
constexpr std::size_t kPieceBytes = 16 << 10;

class StreamConnectionImpl final : public StreamConnection,
                                   public std::enable_shared_from_this<StreamConnectionImpl> {
public:
    StreamConnectionImpl(Loop& loop, std::unique_ptr<BiStream> stream,
                         StreamConnectionOptions options)
        : loop_(loop),
          options_(std::move(options)),
          stream_(std::move(stream)),
          idle_timer_(loop, [this] { idle_check(); }),
          last_words_(loop, [this] { end(*write_error_); }),
          last_byte_(loop.now()),
          draining_(loop) {
        set_idle_timeout(options_.idle_timeout);
    }
    ~StreamConnectionImpl() override { end(error(causes::kClosed)); }

    task<result<std::unique_ptr<BiStream>>> accept_bi() override;
    task<result<std::unique_ptr<BiStream>>> open_bi() override;
    task<result<std::unique_ptr<RecvStream>>> accept_uni() override {
        co_return fail(causes::kNotSupported, "unidirectional streams");
    }
    task<result<std::unique_ptr<SendStream>>> open_uni() override {
        co_return fail(causes::kNotSupported, "unidirectional streams");
    }

    result<void> send_datagram(BytesView) override {
        return fail(causes::kNotSupported, "datagrams");
    }
    task<result<Bytes>> recv_datagram() override {
        co_return fail(causes::kNotSupported, "datagrams");
    }
    [[nodiscard]] std::size_t datagram_bytes_max() const noexcept override { return 0; }

    void close(std::uint64_t code, std::string_view reason) noexcept override {
        end(error(causes::kClosed, std::string(reason), code));
    }
    [[nodiscard]] Cancel& closed() noexcept override { return closed_; }
    [[nodiscard]] std::optional<error> close_reason() const override { return reason_; }
    task<result<void>> wait_closed() override { return ended_.wait(); }

    [[nodiscard]] const ConnectionInfo& info() const noexcept override { return options_.info; }
    [[nodiscard]] SocketAddress remote() const noexcept override { return options_.info.remote; }
    [[nodiscard]] ConnectionStats stats() const noexcept override;
    result<void> export_keying_material(std::string_view label, BytesView context,
                                        MutableBytes out) const override;

    void set_idle_timeout(Duration timeout) override;
    task<result<void>> deny() override;

    // What the yielded stream does.
    task<result<std::size_t>> read(MutableBytes into);
    task<result<void>> write(BytesView data);
    task<result<void>> finish();
    void reset(std::uint64_t code) noexcept;
    void stop(std::uint64_t code) noexcept;
    void dropped() noexcept;

private:
    std::unique_ptr<BiStream> yield();
    task<result<void>> drain();
    void moved(std::uint64_t& counter, std::size_t bytes) noexcept;
    void half_ended() noexcept;
    void idle_check();
    void end(error why) noexcept;
    /// What an operation failed with: the end of the connection explains it, or it is the end.
    error failed(error why, bool ends);
    /// Of writing: what has come before is not lost with it.
    error write_failed(error why);

    Loop& loop_;
    StreamConnectionOptions options_;
    std::shared_ptr<BiStream> stream_;  // null once the connection has ended
    Cancel closed_;
    Event ended_;
    std::optional<error> reason_;
    std::optional<error> write_error_;
    bool yielded_ = false;
    bool read_to_end_ = false;
    bool stopped_ = false;
    bool finished_ = false;
    ConnectionStats stats_;
    Timer idle_timer_;
    Timer last_words_;
    TimePoint last_byte_;
    TaskScope draining_;  // last: its task uses the rest
};

/// The stream as the handler holds it.
class Yielded final : public BiStream {
public:
    explicit Yielded(std::shared_ptr<StreamConnectionImpl> connection)
        : connection_(std::move(connection)) {}
    ~Yielded() override { connection_->dropped(); }

    task<result<std::size_t>> read(MutableBytes into) override { return connection_->read(into); }
    task<result<void>> write(BytesView data) override { return connection_->write(data); }
    task<result<void>> finish() override { return connection_->finish(); }
    void reset(std::uint64_t code) noexcept override { connection_->reset(code); }
    void stop(std::uint64_t code) noexcept override { connection_->stop(code); }
    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }

private:
    std::shared_ptr<StreamConnectionImpl> connection_;
};

std::unique_ptr<BiStream> StreamConnectionImpl::yield() {
    yielded_ = true;
    return std::make_unique<Yielded>(shared_from_this());
}

task<result<std::unique_ptr<BiStream>>> StreamConnectionImpl::accept_bi() {
    if (!options_.info.server_side) {
        co_return fail(causes::kNotSupported, "streams that the accepting side opens");
    }
    if (!reason_ && !yielded_) {
        co_return yield();
    }
    ALKNET_CO_CHECK(co_await ended_.wait());
    co_return unexpected(*reason_);
}

task<result<std::unique_ptr<BiStream>>> StreamConnectionImpl::open_bi() {
    if (reason_) {
        co_return unexpected(*reason_);
    }
    if (options_.info.server_side || yielded_) {
        co_return fail(causes::kNotSupported, "a byte stream carries one stream, of the dialler's");
    }
    co_return yield();
}

task<result<std::size_t>> StreamConnectionImpl::read(MutableBytes into) {
    if (reason_) {
        // The peer's end stays an end, also once our own half has ended.
        co_return read_to_end_ ? result<std::size_t>(0) : unexpected(*reason_);
    }
    if (read_to_end_) {
        co_return 0;
    }
    if (stopped_) {
        co_return fail(causes::kClosed, "reading was stopped");
    }
    const TaskContext context = co_await current_context();
    EitherCancel either(context.cancel, closed_);
    const std::shared_ptr<BiStream> stream = stream_;
    result<std::size_t> got = co_await stream->read(into).under(either.token());
    if (!got) {
        co_return unexpected(failed(std::move(got).error(), !stopped_));
    }
    if (*got == 0) {
        read_to_end_ = true;
        if (write_error_) {
            end(*write_error_);
        }
        half_ended();
    }
    moved(stats_.bytes_received, *got);
    co_return *got;
}

task<result<void>> StreamConnectionImpl::write(BytesView data) {
    if (reason_) {
        co_return unexpected(*reason_);
    }
    if (finished_) {
        co_return fail(causes::kClosed, "the stream is finished");
    }
    if (write_error_) {
        co_return unexpected(*write_error_);
    }
    const TaskContext context = co_await current_context();
    EitherCancel either(context.cancel, closed_);
    const std::shared_ptr<BiStream> stream = stream_;
    while (!data.empty()) {
        const BytesView piece = data.first(std::min(data.size(), kPieceBytes));
        const result<void> written = co_await stream->write(piece).under(either.token());
        if (!written) {
            co_return unexpected(write_failed(written.error()));
        }
        moved(stats_.bytes_sent, piece.size());
        data = data.subspan(piece.size());
    }
    co_return result<void>{};
}

task<result<void>> StreamConnectionImpl::finish() {
    if (reason_) {
        co_return unexpected(*reason_);
    }
    if (finished_) {
        co_return result<void>{};
    }
    if (write_error_) {
        co_return unexpected(*write_error_);
    }
    const TaskContext context = co_await current_context();
    EitherCancel either(context.cancel, closed_);
    const std::shared_ptr<BiStream> stream = stream_;
    const result<void> finished = co_await stream->finish().under(either.token());
    if (!finished) {
        co_return unexpected(write_failed(finished.error()));
    }
    finished_ = true;
    half_ended();
    co_return result<void>{};
}

void StreamConnectionImpl::reset(std::uint64_t code) noexcept {
    if (stream_ != nullptr) {
        stream_->reset(code);
        end(error(causes::kReset, "by this side", code));
    }
}

void StreamConnectionImpl::stop(std::uint64_t code) noexcept {
    if (stream_ != nullptr && !read_to_end_ && !stopped_) {
        stopped_ = true;
        stream_->stop(code);
    }
}

void StreamConnectionImpl::dropped() noexcept {
    if (reason_) {
        return;
    }
    if (!finished_) {
        stream_->reset(0);
        end(write_error_.value_or(error(causes::kClosed, "the stream was dropped")));
    } else if (stopped_) {
        end(error(causes::kClosed));
    } else {
        draining_.spawn(drain(), "core.drain");
    }
}

task<result<void>> StreamConnectionImpl::drain() {
    const std::shared_ptr<BiStream> stream = stream_;
    if (stream == nullptr) {
        co_return result<void>{};  // closed in the turn in which it was dropped
    }
    std::array<std::byte, 4096> scratch;
    const TimePoint deadline = loop_.now() + kDrainTimeout;
    for (std::uint64_t drained = 0; drained < kDrainBytesMax;) {
        const Duration left = deadline - loop_.now();
        const auto got = co_await with_timeout(left, stream->read(scratch));
        if (!got || *got == 0) {
            break;
        }
        drained += *got;
    }
    end(error(causes::kClosed));
    co_return result<void>{};
}

void StreamConnectionImpl::moved(std::uint64_t& counter, std::size_t bytes) noexcept {
    counter += bytes;
    last_byte_ = loop_.now();
}

void StreamConnectionImpl::half_ended() noexcept {
    if (finished_ && read_to_end_) {
        end(error(causes::kClosed));
    }
}

error StreamConnectionImpl::failed(error why, bool ends) {
    if (reason_) {
        return *reason_;
    }
    if (why.is(causes::kReset) && why.detail().empty() && stats_.bytes_received == 0) {
        // A byte stream has no close codes: whoever is refused should at least know that it may be.
        why = error(why.cause(),
                    "before anything came back; over TCP a node tells strangers no more than that "
                    "when it refuses them",
                    why.code());
    }
    if (ends && !why.is(errc::cancelled)) {
        end(why);
    }
    return why;
}

error StreamConnectionImpl::write_failed(error why) {
    const bool may_have_said_more = !reason_ && !read_to_end_ && !stopped_;
    why = failed(std::move(why), !may_have_said_more);
    if (may_have_said_more && !why.is(errc::cancelled) && !write_error_) {
        write_error_ = why;
        last_words_.arm_after(kLastWordsTimeout);
    }
    return why;
}

task<result<void>> StreamConnectionImpl::deny() {
    if (reason_ || yielded_ || !options_.deny) {
        co_return result<void>();
    }
    const TaskContext context = co_await current_context();
    EitherCancel either(context.cancel, closed_);
    const std::shared_ptr<BiStream> stream = stream_;
    co_await options_.deny().under(either.token());
    co_return result<void>();
}

void StreamConnectionImpl::set_idle_timeout(Duration timeout) {
    options_.idle_timeout = timeout;
    if (timeout > Duration::zero() && !reason_) {
        idle_check();
    } else {
        idle_timer_.disarm();
    }
}

void StreamConnectionImpl::idle_check() {
    // Armed once and looked at late, so that each byte costs no work in the timer heap.
    const TimePoint due = last_byte_ + options_.idle_timeout;
    if (loop_.now() >= due) {
        end(error(causes::kIdleTimeout));
    } else {
        idle_timer_.arm(due);
    }
}

void StreamConnectionImpl::end(error why) noexcept {
    if (reason_) {
        return;
    }
    reason_ = std::move(why);
    idle_timer_.disarm();
    last_words_.disarm();
    draining_.cancel();
    closed_.request();
    ended_.set();
    stream_.reset();  // operations that are under way hold it until they have unwound
}

ConnectionStats StreamConnectionImpl::stats() const noexcept {
    ConnectionStats stats = stats_;
    stats.streams_total = yielded_ ? 1 : 0;
    stats.streams_open = yielded_ && !reason_ ? 1 : 0;
    return stats;
}

result<void> StreamConnectionImpl::export_keying_material(std::string_view label, BytesView context,
                                                          MutableBytes out) const {
    if (!options_.exporter) {
        return fail(causes::kNotSupported, "there is no TLS on this connection");
    }
    if (stream_ == nullptr) {
        return unexpected(*reason_);
    }
    return options_.exporter(label, context, out);
}

}  // namespace

std::shared_ptr<StreamConnection> make_stream_connection(Loop& loop,
                                                         std::unique_ptr<BiStream> stream,
                                                         StreamConnectionOptions options) {
    return std::make_shared<StreamConnectionImpl>(loop, std::move(stream), std::move(options));
}

}  // namespace alknet
