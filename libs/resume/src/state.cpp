#include "state.hpp"

#include <alknet/base/causes.hpp>

namespace alknet::resume {

void StreamState::stop(std::uint64_t code) noexcept {
    if (!stop_code_ && receive_.ending() == Ending::open) {
        stop_code_ = code;
    }
    receive_.stop();
}

result<void> StreamState::attach(const Position& peer) {
    stop_sent_ = false;
    answer_ = false;
    ping_ = false;
    done_ = false;
    return send_.attach(peer);
}

void StreamState::detach() {
    send_.compact();
    receive_.compact();
}

result<void> StreamState::receive(const Frame& frame) {
    if (const auto* data = std::get_if<Data>(&frame)) {
        return receive_.data(data->offset, data->octets);
    }
    if (const auto* ack = std::get_if<Ack>(&frame)) {
        return send_.acknowledged(ack->position);
    }
    if (const auto* fin = std::get_if<Fin>(&frame)) {
        return receive_.fin(fin->offset);
    }
    if (const auto* reset = std::get_if<Reset>(&frame)) {
        return receive_.reset(reset->offset, reset->code);
    }
    if (const auto* stop = std::get_if<Stop>(&frame)) {
        if (!unwanted_) {
            unwanted_ = stop->code;
            send_.reset(stop->code);
        }
        return {};
    }
    if (std::holds_alternative<Ping>(frame)) {
        answer_ = true;
        return {};
    }
    if (std::holds_alternative<Done>(frame)) {
        return done_received();
    }
    return fail(causes::kProtocol, "a frame that belongs at the beginning");
}

result<void> StreamState::done_received() {
    if (opener_ || receive_.ending() == Ending::open || !send_.end_sent()) {
        return fail(causes::kProtocol, "DONE before both directions have ended");
    }
    send_.acknowledged_all();
    done_ = true;
    return {};
}

void StreamState::produce(Bytes& into, std::size_t size_max, bool acknowledge) {
    if (answer_ || acknowledge || receive_.urgent()) {
        answer_ = false;
        append_frame(into, Ack{receive_.tell()});
    }
    if (stop_code_ && !stop_sent_ && receive_.ending() == Ending::open) {
        stop_sent_ = true;
        append_frame(into, Stop{*stop_code_});
    }
    const std::size_t control = into.size();
    send_.produce(into, size_max);
    if (into.size() > control && receive_.news()) {
        append_frame(into, Ack{receive_.tell()});  // it rides along
    }
    if (ping_) {
        ping_ = false;
        append_frame(into, Ping{});
    }
    if (opener_ && complete() && !done_) {
        done_ = true;
        append_frame(into, Done{});
    }
}

}  // namespace alknet::resume
