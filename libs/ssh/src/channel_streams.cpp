#include "channel_streams.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/net/shared_credit.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/ssh/limits.hpp>
#include <utility>

namespace alknet::ssh {

namespace {

class Hearing {
public:
    Hearing(std::vector<Cancel*>& all, Cancel& one) : all_(all), one_(one) { all_.push_back(&one); }
    Hearing(const Hearing&) = delete;
    Hearing& operator=(const Hearing&) = delete;
    ~Hearing() { std::erase(all_, &one_); }

private:
    std::vector<Cancel*>& all_;
    Cancel& one_;
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
    if (hearing_.size() >= kUnboundStreamsMax) {
        co_return fail(causes::kLimit, "streams that have not said for what they are");
    }
    Cancel hearing((co_await current_context()).cancel);
    const Hearing counted(hearing_, hearing);
    auto reading = with_timeout(kBindTime, read_begin(stream, into));
    co_return co_await std::move(reading).under(hearing);
}

void ChannelStreams::stop_hearing() noexcept {
    for (Cancel* const one : hearing_) {
        one->request();
    }
}

task<result<void>> ChannelStreams::serve(BiStream& stream, std::uint64_t token) {
    const auto found = awaited_.find(token);
    if (found == awaited_.end()) {
        co_return fail(causes::kProtocol, "a stream for no channel");
    }
    StreamTicket& ticket = *found->second;
    awaited_.erase(found);
    const auto held = std::make_shared<StreamTicket::Held>();
    stand_alone(stream);
    ticket.take(stream, held);
    // Whoever is cancelled waits too: the channel ends likewise, and has the stream until then.
    co_await held->released.wait_uncancellable();
    co_return result<void>();
}

}  // namespace alknet::ssh
