#include "resumable_connection.hpp"

#include <alknet/base/causes.hpp>

namespace alknet::resume {

/// The stream as its user holds it.
class ResumableConnection::Stream final : public BiStream {
public:
    Stream(std::shared_ptr<ResumableConnection> connection, std::shared_ptr<StreamCore> core)
        : connection_(std::move(connection)), core_(std::move(core)) {}
    ~Stream() override { connection_->released(); }

    task<result<std::size_t>> read(MutableBytes into) override { return core_->read(into); }
    task<result<void>> write(BytesView data) override { return core_->write(data); }
    task<result<void>> finish() override { co_return core_->finish(); }
    void reset(std::uint64_t code) noexcept override { core_->reset(code); }
    void stop(std::uint64_t code) noexcept override { core_->stop(code); }
    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }

private:
    std::shared_ptr<ResumableConnection> connection_;
    std::shared_ptr<StreamCore> core_;
};

std::shared_ptr<ResumableConnection> ResumableConnection::create(std::shared_ptr<StreamCore> core,
                                                                 ConnectionInfo info) {
    std::shared_ptr<ResumableConnection> connection(
        new ResumableConnection(std::move(core), std::move(info)));
    connection->core_->on_settled([weak = connection->weak_from_this()] {
        if (const auto alive = weak.lock()) {
            alive->settled();
        }
    });
    return connection;
}

ResumableConnection::ResumableConnection(std::shared_ptr<StreamCore> core, ConnectionInfo info)
    : core_(std::move(core)), info_(std::move(info)), remote_(info_.remote) {}

ResumableConnection::~ResumableConnection() {
    close(close_code::kOk, "");
}

std::unique_ptr<BiStream> ResumableConnection::yield() {
    yielded_ = true;
    return std::make_unique<Stream>(shared_from_this(), core_);
}

task<result<std::unique_ptr<BiStream>>> ResumableConnection::accept_bi() {
    if (!info_.server_side) {
        co_return fail(causes::kNotSupported, "streams that the accepting side opens");
    }
    if (!reason_ && !yielded_) {
        co_return yield();
    }
    ALKNET_CO_CHECK(co_await ended_.wait());
    co_return unexpected(*reason_);
}

task<result<std::unique_ptr<BiStream>>> ResumableConnection::open_bi() {
    if (reason_) {
        co_return unexpected(*reason_);
    }
    if (info_.server_side || yielded_) {
        co_return fail(causes::kNotSupported, "one resumable stream is all there is");
    }
    co_return yield();
}

task<result<std::unique_ptr<RecvStream>>> ResumableConnection::accept_uni() {
    co_return fail(causes::kNotSupported, "unidirectional streams");
}

task<result<std::unique_ptr<SendStream>>> ResumableConnection::open_uni() {
    co_return fail(causes::kNotSupported, "unidirectional streams");
}

result<void> ResumableConnection::send_datagram(BytesView) {
    return fail(causes::kNotSupported, "datagrams");
}

task<result<Bytes>> ResumableConnection::recv_datagram() {
    co_return fail(causes::kNotSupported, "datagrams");
}

result<void> ResumableConnection::export_keying_material(std::string_view, BytesView,
                                                         MutableBytes) const {
    return fail(causes::kNotSupported, "keys that last as long as a resumable stream");
}

ConnectionStats ResumableConnection::stats() const noexcept {
    ConnectionStats stats;
    stats.bytes_sent = core_->state().sending().written();
    stats.bytes_received = core_->bytes_read();
    stats.streams_total = yielded_ ? 1 : 0;
    const bool open = yielded_ && !reason_;
    stats.streams_open = open ? 1 : 0;
    stats.buffered_bytes = open ? core_->state().held_bytes() : 0;
    return stats;
}

void ResumableConnection::close(std::uint64_t code, std::string_view reason) noexcept {
    if (reason_) {
        return;
    }
    // In order, what was finished still arrives. For a cause, nothing does.
    if (code != close_code::kOk || core_->state().sending().ending() == Ending::open) {
        core_->reset(code);
    }
    core_->stop(code);
    end(error(causes::kClosed, std::string(reason), code));
}

void ResumableConnection::released() noexcept {
    released_ = true;
    if (core_->state().sending().ending() == Ending::open) {
        core_->reset(0);
    }
    core_->stop(0);
    if (info_.server_side || core_->settled()) {
        end(error(causes::kClosed));
    }
}

void ResumableConnection::settled() noexcept {
    if (core_->broken()) {
        end(*core_->broken());
    } else if (released_) {
        end(error(causes::kClosed));
    }
}

void ResumableConnection::end(error why) noexcept {
    if (reason_) {
        return;
    }
    reason_ = std::move(why);
    closed_.request();
    ended_.set();
}

}  // namespace alknet::resume
