// What the application holds of a stream. It keeps the connection's handle, and so the connection,
// alive; destroying it resets what was not finished and stops what was not read to its end.
#pragma once

#include "stream.hpp"

#include <alknet/net/shared_credit.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/quic/endpoint.hpp>
#include <memory>

namespace alknet::quic {

template <class Interface>
class StreamHandle : public Interface {
public:
    StreamHandle(std::shared_ptr<Connection> connection, std::shared_ptr<Stream> stream)
        : connection_(std::move(connection)), stream_(std::move(stream)) {}
    StreamHandle(const StreamHandle&) = delete;
    StreamHandle& operator=(const StreamHandle&) = delete;
    ~StreamHandle() override { stream_->release(); }

protected:
    std::shared_ptr<Connection> connection_;
    std::shared_ptr<Stream> stream_;
};

class BiHandle final : public StreamHandle<BiStream>, public SharedCredit {
public:
    using StreamHandle::StreamHandle;
    task<result<std::size_t>> read(MutableBytes into) override { return stream_->read(into); }
    void stop(std::uint64_t code) noexcept override { stream_->stop(code); }
    task<result<void>> write(BytesView data) override { return stream_->write(data); }
    task<result<void>> finish() override;
    void reset(std::uint64_t code) noexcept override { stream_->reset(code); }
    task<result<void>> wait_stopped() override { return stream_->wait_stopped(); }
    void stand_alone() noexcept override { stream_->stand_alone(); }
    [[nodiscard]] std::uint64_t id() const noexcept override {
        return static_cast<std::uint64_t>(stream_->id());
    }
};

class RecvHandle final : public StreamHandle<RecvStream> {
public:
    using StreamHandle::StreamHandle;
    task<result<std::size_t>> read(MutableBytes into) override { return stream_->read(into); }
    void stop(std::uint64_t code) noexcept override { stream_->stop(code); }
};

class SendHandle final : public StreamHandle<SendStream> {
public:
    using StreamHandle::StreamHandle;
    task<result<void>> write(BytesView data) override { return stream_->write(data); }
    task<result<void>> finish() override;
    void reset(std::uint64_t code) noexcept override { stream_->reset(code); }
    task<result<void>> wait_stopped() override { return stream_->wait_stopped(); }
};

}  // namespace alknet::quic
