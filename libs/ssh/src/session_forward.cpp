// What a session does for its channels.
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/proxy_protocol.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <utility>

#include "forward.hpp"
#include "session.hpp"

namespace alknet::ssh {

namespace {

constexpr std::string_view kUnknownType = "channels of this type are not served";

OpenFailure failure_of(const error& why) noexcept {
    if (why.is(errc::limit)) {
        return OpenFailure::shortage;
    }
    return why.is(errc::forbidden) ? OpenFailure::prohibited : OpenFailure::connect_failed;
}

// What a known peer may learn.
std::string refusal_of(const error& why) {
    std::string text(why.cause().what);
    const bool ours = why.is(errc::forbidden) || why.is(errc::limit);
    return ours && !why.detail().empty() ? text + ": " + why.detail() : text;
}

}  // namespace

result<void> Session::take_event(const ChannelEvent& event) {
    using Kind = ChannelEvent::Kind;
    const auto found = forwards_.find(event.channel);
    Forward* const forward = found == forwards_.end() ? nullptr : found->second;
    switch (event.kind) {
        case Kind::open:
            return take_open(event);
        case Kind::global:
            return take_global(event);
        case Kind::request:
            if (forward != nullptr && forward->program != nullptr) {
                return take_program_request(*forward, event);
            }
            return take_other_request(forward, event);
        case Kind::data:
            if (forward != nullptr && !forward->carries_itself()) {
                return fail(causes::kProtocol, "data of a channel that has a stream");
            }
            if (forward != nullptr && event.code == kPlainData) {
                take_data(*forward, event.body);
                return {};
            }
            return channels_.consumed(event.channel, event.body.size());
        case Kind::window:
            if (forward != nullptr) {
                forward->window.wake_all();
            }
            return {};
        case Kind::eof:
            if (forward != nullptr) {
                forward->eof_in = true;
                forward->arrived.set();
            }
            return {};
        case Kind::closed:
            if (forward != nullptr) {
                take_closed(*forward);
            }
            return {};
        case Kind::opened:
        case Kind::refused:
            if (forward != nullptr) {
                forward->refused = event.kind == Kind::refused;
                forward->answered.set();
            }
            return {};
        case Kind::none:
        case Kind::answered:
        case Kind::global_answered:
            break;
    }
    return {};
}

// The one that counts says that no stream comes for what is forwarded.
result<void> Session::take_other_request(Forward* forward, const ChannelEvent& event) {
    const bool granted = event.type == kNoChannelStream && forward != nullptr &&
                         forward->ticket != nullptr && forward->ticket->decline();
    return event.wants_reply ? channels_.answer(event.channel, granted) : result<void>();
}

result<void> Session::take_open(const ChannelEvent& event) {
    if (event.type == "session") {
        return take_program(event.channel);
    }
    auto forward = std::make_unique<Forward>();
    forward->id = event.channel;
    if (event.type == kDirectTcp) {
        ALKNET_TRY(forward->route, TcpRoute::parse(event.body));
    } else if (event.type == kDirectSocket) {
        ALKNET_TRY(forward->path, parse_direct_socket(event.body));
        forward->to_socket = true;
    } else {
        return channels_.refuse(event.channel, OpenFailure::unknown_type, kUnknownType);
    }
    forwards_[event.channel] = forward.get();
    tasks_->spawn(serve(std::move(forward)), "ssh.forward");
    return {};
}

task<void> Session::serve(std::unique_ptr<Forward> owned) {
    Forward& forward = *owned;
    auto stream = co_await connect(forward);
    if (!stream) {
        forwards_.erase(forward.id);
        const error& why = stream.error();
        if (why.is(errc::forbidden)) {
            audit("ssh.forward_refused", &why);
        }
        check(channels_.refuse(forward.id, failure_of(why), refusal_of(why)));
        co_return;
    }
    forward.stream = *std::move(stream);
    check(channels_.accept(forward.id, offer_stream(forward)));
    (void)co_await carry(forward);
    forwards_.erase(forward.id);
    check(channels_.close(forward.id));
}

result<void> Session::may_connect(const ForwardPlace& place) const {
    ALKNET_CHECK(may_forward(kConnectScope));
    if (!adapter_.options_.may_connect) {
        return fail(causes::kForbidden, "nothing is forwarded");
    }
    return adapter_.options_.may_connect(*identity_, place);
}

// Without the scope nothing is looked up.
task<result<std::unique_ptr<ByteStream>>> Session::connect(Forward& forward) {
    ALKNET_CO_CHECK(may_forward(kConnectScope));
    auto stream = forward.to_socket ? connect_socket(forward) : co_await connect_tcp(forward);
    if (stream && adapter_.options_.occupy) {
        ALKNET_CO_TRY(forward.place, adapter_.options_.occupy(*identity_, forward.where()));
    }
    const auto& announces = adapter_.options_.announces;
    if (stream && announces && announces(*identity_, forward.where())) {
        ALKNET_CO_CHECK(co_await with_timeout(kConnectTime, announce(**stream)));
    }
    co_return stream;
}

task<result<void>> Session::announce(ByteStream& target) const {
    ALKNET_CO_TRY(const Bytes header,
                  net::encode_proxy_header({.source = peer_.auth.remote,
                                            .destination = peer_.connection->info().local,
                                            .tlvs = {}}));
    co_return co_await target.write(header);
}

// What the path leads to is held while it is asked about: nobody can put something else there. Of
// what is there only those learn who may connect to it.
result<std::unique_ptr<ByteStream>> Session::connect_socket(Forward& forward) {
    const auto place = net::find_unix(forward.path);
    if (place) {
        forward.path = place->real.native();
    }
    ALKNET_CHECK(may_connect(forward.where()));
    if (!place) {
        return unexpected(place.error());
    }
    ALKNET_TRY(net::UnixStream connected, net::connect_unix(loop_, *place));
    if (connected.process_id == ::getpid()) {
        return fail(causes::kForbidden, "the node itself is no target");
    }
    return std::move(connected.stream);
}

// Names lead to several addresses: each is asked for by itself, and those that are allowed are
// tried.
task<result<std::unique_ptr<ByteStream>>> Session::connect_tcp(Forward& forward) {
    net::Network& network = *adapter_.options_.network;
    auto resolving = network.resolve(loop_, forward.route.host, forward.route.port);
    const auto addresses = co_await with_timeout(kConnectTime, std::move(resolving));
    if (!addresses) {
        co_return unexpected(addresses.error());
    }
    std::vector<task<result<net::TcpStream>>> attempts;
    std::optional<error> denied;
    for (const SocketAddress& address : *addresses) {
        const auto may = may_connect({.host = forward.route.host, .address = address});
        if (may) {
            attempts.push_back(network.connect_tcp(loop_, address));
        } else if (!denied) {
            denied = may.error();
        }
    }
    if (attempts.empty()) {
        co_return denied ? unexpected(*denied) : fail(causes::kResolve);
    }
    auto trying = first_success(std::move(attempts));
    auto connected = co_await with_timeout(kConnectTime, std::move(trying));
    if (!connected) {
        co_return unexpected(std::move(connected).error());
    }
    forward.resolved = connected->remote;
    // A scope or a rule may have gone in the meantime.
    ALKNET_CO_CHECK(may_connect(forward.where()));
    co_return std::move(connected->stream);
}

void Session::recheck_forwards() {
    for (const auto& [id, forward] : forwards_) {
        if (forward->program != nullptr) {
            recheck_program(*forward->program);
            continue;
        }
        if (forward->pumps == nullptr) {
            continue;  // it is asked before it is connected
        }
        const auto may = forward->listening != nullptr ? may_arrive(*forward->listening)
                                                       : may_connect(forward->where());
        if (!may) {
            audit("ssh.forward_refused", &may.error());
            forward->pumps->request();
            forward->down->request();
        }
    }
}

// Until both directions have ended, or one broke.
task<result<void>> Session::carry(Forward& forward) {
    const TaskContext context = co_await current_context();
    Cancel down(context.cancel);
    TaskScope pumps(loop_, context.cancel);
    if (forward.carries_itself() ? forward.closed_in : closing_) {
        co_return result<void>();  // before this has begun
    }
    forward.entry = note(forward);
    forward.pumps = &pumps.token();
    forward.down = &down;
    result<void> ended = co_await carry_both_ways(forward, pumps);
    forward.pumps = nullptr;
    forward.down = nullptr;
    forward.entry.reset();
    co_return ended;
}

task<result<void>> Session::carry_both_ways(Forward& forward, TaskScope& pumps) {
    BiStream* stream = nullptr;
    if (forward.ticket != nullptr) {
        ALKNET_CO_TRY(stream, co_await forward.ticket->wait().under(pumps.token()));
    }
    if (stream != nullptr) {
        if (!forward.closed_in) {
            pumps.spawn(stream_down(forward, *stream).under(*forward.down), "ssh.down");
        }
        pumps.spawn(stream_up(forward, *stream), "ssh.up");
    } else {
        pumps.spawn(pump_down(forward).under(*forward.down), "ssh.down");
        pumps.spawn(pump_up_or_end(forward), "ssh.up");
    }
    co_return co_await pumps.join();
}

std::size_t Session::sendable_now(const Forward& forward) const noexcept {
    const bool room = !closing_ && transport_.out_bytes() + writing_ < kOutBytesMax;
    return room && transport_.ready() ? channels_.sendable(forward.id) : 0;
}

task<result<void>> Session::may_send(Forward& forward) {
    while (sendable_now(forward) == 0) {
        WaitList& until = channels_.sendable(forward.id) == 0 ? forward.window : written_;
        ALKNET_CO_CHECK(co_await until.wait());
    }
    co_return result<void>();
}

// From the socket into the packets themselves.
task<result<void>> Session::pump_down(Forward& forward) {
    for (;;) {
        result<void> ready = co_await may_send(forward);
        if (ready) {
            ready = co_await forward.stream->readable();
        }
        if (!ready) {
            co_return forward.closed_in ? result<void>() : std::move(ready);
        }
        const std::size_t size = sendable_now(forward);
        if (size == 0) {
            continue;
        }
        const auto got = forward.stream->try_read(channels_.begin(forward.id, size));
        const std::size_t octets = got ? got->value_or(0) : 0;
        channels_.commit(forward.id, octets);
        flush();
        if (!got) {
            co_return unexpected(got.error());
        }
        if (*got && **got == 0) {
            co_return channels_.finish(forward.id);
        }
    }
}

// What the socket did not take at once.
task<result<void>> Session::pump_up(Forward& forward) {
    for (;;) {
        if (!forward.left().empty()) {
            ALKNET_CO_CHECK(co_await forward.stream->writable());
            ALKNET_CO_TRY(const std::size_t taken, forward.stream->try_write(forward.left()));
            forward.pending_begin += taken;
            if (forward.left().empty()) {
                forward.pending = Bytes();
                forward.pending_begin = 0;
            }
            done_with(forward, taken);
        } else if (forward.eof_in || forward.closed_in) {
            co_return co_await forward.stream->finish();
        } else {
            forward.arrived.clear();
            ALKNET_CO_CHECK(co_await forward.arrived.wait());
        }
    }
}

task<result<void>> Session::pump_up_or_end(Forward& forward) {
    result<void> ended = co_await pump_up(forward);
    if (!ended) {
        forward.down->request();
    }
    co_return ended;
}

void Session::done_with(Forward& forward, std::size_t size) {
    if (size > 0) {
        check(channels_.consumed(forward.id, size));
    }
}

// From the packet into the socket; the window opens only for what that has taken.
void Session::take_data(Forward& forward, BytesView data) {
    if (forward.program != nullptr && forward.program->interrupted_by(data)) {
        forward.program->alive->request();
    }
    if (forward.deaf) {
        done_with(forward, data.size());
        return;
    }
    if (forward.left().empty() && forward.stream != nullptr) {
        const auto taken = forward.stream->try_write(data);
        if (taken) {  // a failure is met again by the pump
            data = data.subspan(*taken);
            done_with(forward, *taken);
        }
    }
    if (data.empty()) {
        return;
    }
    if (forward.pending_begin > forward.pending.size() / 2) {
        forward.pending.erase(
            forward.pending.begin(),
            forward.pending.begin() + static_cast<std::ptrdiff_t>(forward.pending_begin));
        forward.pending_begin = 0;
    }
    forward.pending.insert(forward.pending.end(), data.begin(), data.end());
    forward.arrived.set();
}

void Session::take_closed(Forward& forward) {
    forward.closed_in = true;
    forward.arrived.set();
    if (forward.program != nullptr && forward.program->alive != nullptr) {
        forward.program->alive->request();
    }
    if (forward.down != nullptr) {
        forward.down->request();
    }
}

}  // namespace alknet::ssh
