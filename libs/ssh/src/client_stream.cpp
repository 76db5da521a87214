#include "client_stream.hpp"

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/net/shared_credit.hpp>
#include <alknet/rt/combine.hpp>
#include <utility>

#include "stream_pumps.hpp"

namespace alknet::ssh {

namespace {

using State = ClientStream::State;

void tell_of_none(const ClientChannelState& channel) {
    if (channel.driver != nullptr) {
        channel.driver->check(
            channel.driver->channels().request(channel.id, kNoChannelStream, false));
    }
}

task<void> write_out(std::shared_ptr<ClientStream> carrier) {
    const auto written = co_await carrier->stream->write(carrier->out);
    if (!written) {
        carrier->out_failed = written.error();
    }
    carrier->out = Bytes();
    carrier->news.wake_all();
}

error why_ended(const ClientChannelState& channel) {
    return channel.why ? *channel.why : error(causes::kClosed, "the channel has ended");
}

// What ends with the connection says so.
error explained(const ClientChannelState& channel, const error& why) {
    return channel.why && !why.is(errc::cancelled) ? *channel.why : why;
}

/// It may go while a task waits in it: that task then finds `ended` in what they share.
class StreamChannel final : public SshChannel {
public:
    StreamChannel(std::unique_ptr<SshChannel> inner, std::shared_ptr<ClientChannelState> state)
        : inner_(std::move(inner)), state_(std::move(state)), carrier_(state_->carrier) {}
    StreamChannel(const StreamChannel&) = delete;
    StreamChannel& operator=(const StreamChannel&) = delete;
    ~StreamChannel() override {
        if (carrier_->state == State::undecided) {
            tell_of_none(*state_);
        }
        carrier_->end(0);
    }

    result<std::optional<std::size_t>> try_read(MutableBytes into) override;
    result<std::size_t> try_write(BytesView data) override;
    task<result<void>> readable() override;
    task<result<void>> writable() override;
    task<result<std::size_t>> read(MutableBytes into) override;
    task<result<void>> write(BytesView data) override;
    task<result<void>> finish() override;
    void reset(std::uint64_t code) noexcept override {
        carrier_->end(code);
        inner_->reset(code);
    }
    void stop(std::uint64_t code) noexcept override {
        if (carrier_->state == State::here) {
            carrier_->stream->stop(code);
        }
    }

    task<result<void>> join(ByteStream& stream) override;
    task<result<std::size_t>> read_errors(MutableBytes into) override {
        return inner_->read_errors(into);
    }
    task<result<void>> request(std::string type, Bytes body) override {
        return inner_->request(std::move(type), std::move(body));
    }
    result<void> tell(std::string_view type, BytesView body) override {
        return inner_->tell(type, body);
    }
    task<result<void>> wait_closed() override { return inner_->wait_closed(); }
    [[nodiscard]] const std::optional<SshExit>& exit() const noexcept override {
        return inner_->exit();
    }

private:
    /// True: there is a stream. Errors: kCancelled; why there is nothing any more.
    task<result<bool>> decided();
    task<result<void>> send_from(ByteStream& stream);
    task<result<void>> receive_into(ByteStream& stream);

    std::unique_ptr<SshChannel> inner_;
    std::shared_ptr<ClientChannelState> state_;
    std::shared_ptr<ClientStream> carrier_;
};

task<result<bool>> StreamChannel::decided() {
    const auto state = state_;
    const auto carrier = carrier_;
    while (carrier->state == State::undecided) {
        ALKNET_CO_CHECK(co_await carrier->news.wait());
    }
    if (carrier->state == State::ended) {
        co_return unexpected(why_ended(*state));
    }
    co_return carrier->state == State::here;
}

result<std::optional<std::size_t>> StreamChannel::try_read(MutableBytes into) {
    ALKNET_ASSERT(!into.empty());
    const BytesView left = carrier_->in.left();
    if (!left.empty()) {
        const std::size_t size = std::min(left.size(), into.size());
        std::ranges::copy(left.first(size), into.begin());
        carrier_->in.took(size);
        return std::optional(size);
    }
    if (carrier_->in_ended) {
        return std::optional<std::size_t>(0);
    }
    if (carrier_->in_failed) {
        return unexpected(explained(*state_, *carrier_->in_failed));
    }
    switch (carrier_->state) {
        case State::none:
            return inner_->try_read(into);
        case State::ended:
            return unexpected(why_ended(*state_));
        case State::undecided:
        case State::here:
            break;
    }
    return std::optional<std::size_t>();
}

task<result<void>> StreamChannel::readable() {
    const auto here = co_await decided();
    if (!here || !*here) {
        co_return here ? co_await inner_->readable() : unexpected(here.error());
    }
    const auto carrier = carrier_;
    if (!carrier->in.left().empty() || carrier->in_ended || carrier->in_failed) {
        co_return result<void>();
    }
    Bytes buffer(kStreamReadBytesMin);
    const auto got = co_await carrier->stream->read(buffer);
    if (!got) {
        if (got.error().is(errc::cancelled)) {
            co_return unexpected(got.error());
        }
        carrier->in_failed = got.error();
    } else if (*got == 0) {
        carrier->in_ended = true;
    } else {
        carrier->in.add(BytesView(buffer).first(*got));
    }
    co_return result<void>();
}

task<result<std::size_t>> StreamChannel::read(MutableBytes into) {
    ALKNET_CO_TRY(const bool here, co_await decided());
    if (!here) {
        co_return co_await inner_->read(into);
    }
    ALKNET_CO_TRY(const auto there, try_read(into));
    if (there) {
        co_return *there;
    }
    const auto state = state_;
    const auto carrier = carrier_;
    const auto got = co_await carrier->stream->read(into);
    if (!got) {
        co_return unexpected(explained(*state, got.error()));
    }
    carrier->in_ended = *got == 0;
    co_return *got;
}

result<std::size_t> StreamChannel::try_write(BytesView data) {
    if (carrier_->state == State::none) {
        return inner_->try_write(data);
    }
    if (carrier_->out_failed) {
        return unexpected(explained(*state_, *carrier_->out_failed));
    }
    if (carrier_->state == State::ended || carrier_->finished || state_->driver == nullptr) {
        return unexpected(why_ended(*state_));
    }
    if (carrier_->state == State::undecided || !carrier_->out.empty() || data.empty()) {
        return 0;
    }
    carrier_->out = to_bytes(data.first(std::min(data.size(), kStreamReadBytesMax)));
    state_->driver->spawn(write_out(carrier_), "ssh.stream");
    return carrier_->out.size();
}

task<result<void>> StreamChannel::writable() {
    const auto here = co_await decided();
    if (!here || !*here) {
        co_return here ? co_await inner_->writable() : unexpected(here.error());
    }
    const auto carrier = carrier_;
    while (!carrier->out.empty() && carrier->state == State::here) {
        ALKNET_CO_CHECK(co_await carrier->news.wait());
    }
    co_return result<void>();
}

task<result<void>> StreamChannel::write(BytesView data) {
    ALKNET_CO_TRY(const bool here, co_await decided());
    if (!here) {
        co_return co_await inner_->write(data);
    }
    const auto state = state_;
    const auto carrier = carrier_;
    ALKNET_CO_CHECK(co_await writable());
    if (carrier->finished || carrier->state == State::ended) {
        co_return unexpected(why_ended(*state));
    }
    const auto written = co_await carrier->stream->write(data);
    co_return written ? result<void>() : unexpected(explained(*state, written.error()));
}

task<result<void>> StreamChannel::finish() {
    ALKNET_CO_TRY(const bool here, co_await decided());
    if (!here) {
        co_return co_await inner_->finish();
    }
    const auto state = state_;
    const auto carrier = carrier_;
    ALKNET_CO_CHECK(co_await writable());
    if (carrier->out_failed || carrier->state == State::ended) {
        co_return unexpected(carrier->out_failed ? explained(*state, *carrier->out_failed)
                                                 : why_ended(*state));
    }
    if (!std::exchange(carrier->finished, true)) {
        const auto finished = co_await carrier->stream->finish();
        if (!finished) {
            co_return unexpected(explained(*state, finished.error()));
        }
    }
    co_return co_await inner_->finish();
}

task<result<void>> StreamChannel::send_from(ByteStream& stream) {
    const auto state = state_;
    const auto carrier = carrier_;
    const auto ended = co_await pump_into(*carrier->stream, stream);
    if (state->closed_in || (ended && *ended == PumpEnd::unwanted)) {
        co_return result<void>();
    }
    if (!ended) {
        co_return unexpected(explained(*state, ended.error()));
    }
    carrier->finished = true;
    co_return co_await inner_->finish();
}

// Also of a channel that the server has closed: what it has sent before may still come.
task<result<void>> StreamChannel::receive_into(ByteStream& stream) {
    const auto state = state_;
    const auto carrier = carrier_;
    result<void> ended;
    if (!carrier->in.left().empty()) {
        ended = co_await stream.write(carrier->in.left());
        carrier->in.took(carrier->in.left().size());
    }
    if (ended) {
        ended = co_await pump_from(*carrier->stream, stream);
    }
    if (ended) {
        co_return ended;
    }
    state->sending->request();
    co_return unexpected(explained(*state, ended.error()));
}

task<result<void>> StreamChannel::join(ByteStream& stream) {
    ALKNET_CO_TRY(const bool here, co_await decided());
    if (!here) {
        co_return co_await inner_->join(stream);
    }
    ALKNET_CO_CHECK(co_await writable());
    const TaskContext context = co_await current_context();
    const auto state = state_;
    Cancel sending(context.cancel);
    TaskScope pumps(*context.loop, context.cancel);
    state->sending = &sending;
    if (state->closed_in || carrier_->finished) {
        sending.request();
    }
    pumps.spawn(send_from(stream).under(sending), "ssh.send");
    pumps.spawn(receive_into(stream), "ssh.receive");
    auto ended = co_await pumps.join();
    state->sending = nullptr;
    co_return ended;
}

}  // namespace

void ClientStream::end(std::uint64_t code) noexcept {
    if (state == State::ended) {
        return;
    }
    state = state == State::none ? State::none : State::ended;
    if (stream != nullptr) {
        if (!finished) {
            stream->reset(code);
        }
        stream->stop(code);
    }
    news.wake_all();
}

task<void> bring_stream(std::shared_ptr<ClientChannelState> state,
                        std::shared_ptr<Connection> connection) {
    const auto carrier = state->carrier;
    if (carrier->state != State::undecided) {
        co_return;  // gone before this has begun
    }
    auto opened = co_await with_timeout(Duration::zero(), connection->open_bi());
    if (carrier->state != State::undecided) {
        co_return;
    }
    if (!opened) {
        carrier->state = State::none;
        tell_of_none(*state);
        carrier->news.wake_all();
        co_return;
    }
    carrier->stream = *std::move(opened);
    stand_alone(*carrier->stream);
    const Bytes header = encode_stream_header(state->token);
    const auto written = co_await carrier->stream->write(header);
    if (!written) {
        carrier->end(0);
    } else if (carrier->state == State::undecided) {
        carrier->state = State::here;
        carrier->news.wake_all();
    }
}

std::unique_ptr<SshChannel> make_stream_channel(std::unique_ptr<SshChannel> inner,
                                                std::shared_ptr<ClientChannelState> state) {
    return std::make_unique<StreamChannel>(std::move(inner), std::move(state));
}

}  // namespace alknet::ssh
