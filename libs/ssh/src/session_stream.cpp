// Channels whose data has a stream of its own.
#include <alknet/crypto/secret_bytes.hpp>

#include "channel_streams.hpp"
#include "forward.hpp"
#include "session.hpp"
#include "stream_binding.hpp"
#include "stream_pumps.hpp"

namespace alknet::ssh {

// Whoever relays the session from one connection to another has other keys below it.
bool Session::agrees_on_streams(const StreamBinding& binding) const {
    const auto ours = stream_binding(*peer_.connection, transport_.session_id());
    return ours && streams_ == nullptr && crypto::equal_constant_time(*ours, binding);
}

Bytes Session::offer_stream(Forward& forward) {
    if (streams_ == nullptr) {
        return {};
    }
    forward.ticket = streams_->expect();
    return encode_stream_header(forward.ticket == nullptr ? StreamToken()
                                                          : forward.ticket->token());
}

// At once, and not when the last words have gone out.
void Session::end_streams() noexcept {
    for (const auto& [id, forward] : forwards_) {
        if (!forward->carries_itself() && forward->pumps != nullptr) {
            forward->pumps->request();
            forward->down->request();
        }
    }
}

task<result<void>> Session::stream_down(Forward& forward, BiStream& stream) {
    const auto ended = co_await pump_into(stream, *forward.stream);
    if (ended && *ended == PumpEnd::finished) {
        check(channels_.finish(forward.id));
    }
    co_return ended || forward.closed_in ? result<void>() : unexpected(ended.error());
}

// Also of a channel that the client has closed: what it has sent before may still come.
task<result<void>> Session::stream_up(Forward& forward, BiStream& stream) {
    result<void> ended = co_await pump_from(stream, *forward.stream);
    if (!ended) {
        forward.down->request();
    }
    co_return ended;
}

}  // namespace alknet::ssh
