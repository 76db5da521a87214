#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/wait.hpp>
#include <vector>

namespace alknet::net {

namespace {

/// One direction: a ring of bytes and how it ended.
struct Pipe {
    explicit Pipe(std::size_t capacity) : ring(capacity) {}

    std::vector<std::byte> ring;
    std::size_t head = 0;  // where the oldest octet stands
    std::size_t size = 0;
    bool finished = false;                    // by the writer
    std::optional<std::uint64_t> reset_code;  // by the writer
    std::optional<std::uint64_t> stop_code;   // by the reader
    WaitList readers;
    WaitList writers;

    [[nodiscard]] bool readable() const noexcept {
        return size > 0 || finished || reset_code || stop_code;
    }
    [[nodiscard]] bool writable() const noexcept {
        return size < ring.size() || finished || reset_code || stop_code;
    }

    std::size_t put(BytesView data) noexcept {
        std::size_t done = 0;
        while (done < data.size() && size < ring.size()) {
            const std::size_t at = (head + size) % ring.size();
            const std::size_t room = std::min(ring.size() - size, ring.size() - at);
            const std::size_t count = std::min(room, data.size() - done);
            std::ranges::copy(data.subspan(done, count), ring.begin() + std::ptrdiff_t(at));
            size += count;
            done += count;
        }
        readers.wake_all();
        return done;
    }

    std::size_t take(MutableBytes into) noexcept {
        std::size_t done = 0;
        while (done < into.size() && size > 0) {
            const std::size_t count = std::min({size, ring.size() - head, into.size() - done});
            std::ranges::copy(std::span(ring).subspan(head, count),
                              into.begin() + std::ptrdiff_t(done));
            head = (head + count) % ring.size();
            size -= count;
            done += count;
        }
        writers.wake_all();
        return done;
    }

    void end(std::optional<std::uint64_t> Pipe::* how, std::uint64_t code) noexcept {
        if (!reset_code && !stop_code) {
            this->*how = code;
            size = 0;
            readers.wake_all();
            writers.wake_all();
        }
    }
};

class MemoryStream final : public ByteStream {
public:
    MemoryStream(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out,
                 const MemoryStreamOptions& options)
        : in_(std::move(in)), out_(std::move(out)), options_(options) {}
    MemoryStream(const MemoryStream&) = delete;
    MemoryStream& operator=(const MemoryStream&) = delete;
    ~MemoryStream() override {
        MemoryStream::reset(0);
        MemoryStream::stop(0);
    }

    result<std::optional<std::size_t>> try_read(MutableBytes into) override {
        ALKNET_ASSERT(!into.empty());
        break_if_due();
        if (in_->reset_code) {
            return fail(causes::kReset, {}, *in_->reset_code);
        }
        if (in_->stop_code) {
            return fail(causes::kClosed, "reading was stopped");
        }
        if (in_->size == 0) {
            return in_->finished ? std::optional<std::size_t>(0) : std::nullopt;
        }
        const std::size_t most = allowed(read_, options_.break_after_read_bytes);
        const std::size_t count = in_->take(into.first(std::min(into.size(), most)));
        read_ += count;
        break_if_due();
        return std::optional<std::size_t>(count);
    }

    result<std::size_t> try_write(BytesView data) override {
        break_if_due();
        if (out_->stop_code) {
            return fail(causes::kReset, {}, *out_->stop_code);
        }
        if (out_->reset_code || out_->finished) {
            return fail(causes::kClosed, "writing has ended");
        }
        const std::size_t most = allowed(written_, options_.break_after_written_bytes);
        const std::size_t count = out_->put(data.first(std::min(data.size(), most)));
        written_ += count;
        break_if_due();
        return count;
    }

    task<result<void>> readable() override {
        while (!in_->readable()) {
            ALKNET_CO_CHECK(co_await in_->readers.wait());
        }
        co_return result<void>{};
    }

    task<result<void>> writable() override {
        while (!out_->writable()) {
            ALKNET_CO_CHECK(co_await out_->writers.wait());
        }
        co_return result<void>{};
    }

    task<result<void>> finish() override {
        if (out_->stop_code) {
            co_return fail(causes::kReset, {}, *out_->stop_code);
        }
        out_->finished = true;
        out_->readers.wake_all();
        co_return result<void>{};
    }

    void reset(std::uint64_t code) noexcept override {
        if (!out_->finished) {
            out_->end(&Pipe::reset_code, code);
        }
    }

    void stop(std::uint64_t code) noexcept override {
        if (!in_->finished || in_->size > 0) {
            in_->end(&Pipe::stop_code, code);
        }
    }

    task<result<void>> wait_stopped() override {
        while (!out_->stop_code && !out_->reset_code) {
            ALKNET_CO_CHECK(co_await out_->writers.wait());
        }
        co_return fail(causes::kReset, {}, out_->stop_code.value_or(0));
    }

private:
    [[nodiscard]] std::size_t allowed(std::uint64_t moved, std::uint64_t limit) const noexcept {
        return static_cast<std::size_t>(
            std::min<std::uint64_t>(limit - moved, options_.chunk_bytes_max));
    }

    /// Then the connection is gone: every later operation of either end fails with kReset.
    void break_if_due() noexcept {
        if (read_ < options_.break_after_read_bytes &&
            written_ < options_.break_after_written_bytes) {
            return;
        }
        for (Pipe* pipe : {in_.get(), out_.get()}) {
            pipe->reset_code = pipe->stop_code = 0;
            pipe->size = 0;
            pipe->readers.wake_all();
            pipe->writers.wake_all();
        }
    }

    std::shared_ptr<Pipe> in_;
    std::shared_ptr<Pipe> out_;
    MemoryStreamOptions options_;
    std::uint64_t read_ = 0;
    std::uint64_t written_ = 0;
};

}  // namespace

MemoryStreamPair make_memory_streams(const MemoryStreamOptions& first,
                                     const MemoryStreamOptions& second) {
    for (const MemoryStreamOptions& options : {first, second}) {
        ALKNET_ASSERT(options.buffer_bytes > 0 && options.chunk_bytes_max > 0);
    }
    auto forth = std::make_shared<Pipe>(first.buffer_bytes);
    auto back = std::make_shared<Pipe>(second.buffer_bytes);
    return {std::make_unique<MemoryStream>(back, forth, first),
            std::make_unique<MemoryStream>(forth, back, second)};
}

}  // namespace alknet::net
