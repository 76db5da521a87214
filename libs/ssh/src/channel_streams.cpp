#include "channel_streams.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/ssh/limits.hpp>
#include <utility>

namespace alknet::ssh {

namespace {

class Count {
public:
    explicit Count(std::size_t& count) noexcept : count_(count) { ++count_; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    ~Count() { --count_; }

private:
    std::size_t& count_;
};

// Not an octet more than the header: what follows is the channel's.
task<result<StreamBegin>> read_begin(BiStream& stream, Bytes& into) {
    for (;;) {
        ALKNET_CO_TRY(const std::optional<StreamBegin> begin, parse_stream_begin(into));
        if (begin) {
            co_return *begin;
        }
        std::array<std::byte, kStreamHeaderBytes> more{};
        const std::size_t missing = kStreamHeaderBytes - into.size();
        ALKNET_CO_TRY(const std::size_t got,
                      co_await stream.read(MutableBytes(more).first(missing)));
        if (got == 0) {
            co_return fail(causes::kProtocol, "a stream that ends before it says for what it is");
        }
        into.insert(into.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(got));
    }
}

}  // namespace

StreamTicket::StreamTicket(std::shared_ptr<ChannelStreams> streams, std::uint64_t token)
    : streams_(std::move(streams)), token_(token) {
    streams_->awaited_[token_] = this;
    ++streams_->tickets_;
}

StreamTicket::~StreamTicket() {
    --streams_->tickets_;
    if (held_ != nullptr) {
        held_->released.set();
    } else if (!declined_) {
        streams_->awaited_.erase(token_);
    }
}

task<result<BiStream*>> StreamTicket::wait() {
    ALKNET_CO_CHECK(co_await with_timeout(kBindTime, decided_.wait()));
    co_return stream_;
}

bool StreamTicket::decline() noexcept {
    if (decided_.is_set()) {
        return false;
    }
    streams_->awaited_.erase(token_);
    declined_ = true;
    decided_.set();
    return true;
}

void StreamTicket::take(BiStream& stream, std::shared_ptr<Held> held) noexcept {
    stream_ = &stream;
    held_ = std::move(held);
    decided_.set();
}

std::unique_ptr<StreamTicket> ChannelStreams::expect() {
    if (tickets_ >= kChannelStreamsMax) {
        return nullptr;
    }
    std::uint64_t token = 0;
    do {
        crypto::fill_random(std::as_writable_bytes(std::span(&token, 1)));
    } while (awaited_.contains(token));
    return std::make_unique<StreamTicket>(shared_from_this(), token);
}

task<result<StreamBegin>> ChannelStreams::hear(BiStream& stream, Bytes& into) {
    if (unbound_ >= kUnboundStreamsMax) {
        co_return fail(causes::kLimit, "streams that have not said for what they are");
    }
    const Count counted(unbound_);
    co_return co_await with_timeout(kBindTime, read_begin(stream, into));
}

task<result<void>> ChannelStreams::serve(BiStream& stream, std::uint64_t token) {
    const auto found = awaited_.find(token);
    if (found == awaited_.end()) {
        co_return fail(causes::kProtocol, "a stream for no channel");
    }
    StreamTicket& ticket = *found->second;
    awaited_.erase(found);
    const auto held = std::make_shared<StreamTicket::Held>();
    ticket.take(stream, held);
    // Whoever is cancelled waits too: the channel ends likewise, and has the stream until then.
    co_await held->released.wait_uncancellable();
    co_return result<void>();
}

}  // namespace alknet::ssh
