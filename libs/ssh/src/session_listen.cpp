// Where the node listens for a client (RFC 4254 section 7.1), and the channels of what comes there.
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <utility>

#include "channel_streams.hpp"
#include "forward.hpp"
#include "listen.hpp"
#include "messages.hpp"
#include "session.hpp"

namespace alknet::ssh {

namespace {

constexpr Duration kBindAgain = std::chrono::milliseconds(100);
constexpr Duration kAcceptAgain = std::chrono::seconds(1);

Bytes port_body(std::uint16_t port) {
    WireWriter out;
    out.number<std::uint32_t>(port);
    return out.take();
}

/// What the names mean that RFC 4254 has for this; nothing: it is another name.
std::vector<SocketAddress> addresses_of(std::string_view host, std::uint16_t port) {
    constexpr std::array<std::uint8_t, 16> kAny6{};
    constexpr std::array<std::uint8_t, 16> kLoop6 = {0, 0, 0, 0, 0, 0, 0, 0,
                                                     0, 0, 0, 0, 0, 0, 0, 1};
    if (host.empty() || host == "*") {
        return {SocketAddress::v6(kAny6, port), SocketAddress::v4({0, 0, 0, 0}, port)};
    }
    if (host == "localhost") {
        return {SocketAddress::v4({127, 0, 0, 1}, port), SocketAddress::v6(kLoop6, port)};
    }
    return {};
}

}  // namespace

task<result<net::TcpStream>> Session::Listening::accept() const {
    if (listener != nullptr) {
        co_return co_await listener->accept();
    }
    ALKNET_CO_TRY(net::UnixStream accepted, co_await socket->accept());
    // Programs of all peers run as one user: it is the session that tells whose they are.
    if (agent_of && ::getsid(accepted.process_id) != *agent_of) {
        co_return fail(causes::kForbidden, "somebody else's process");
    }
    co_return net::TcpStream{.stream = std::move(accepted.stream), .local = {}};
}

result<void> Session::take_global(const ChannelEvent& event) {
    if (event.type == "no-more-sessions@openssh.com") {
        no_more_programs_ = true;
    }
    Global global{.wants_reply = event.wants_reply};
    if (event.type == kChannelStreams) {
        ALKNET_TRY(global.binding, parse_binding(event.body));
    } else {
        ALKNET_TRY(global.request, ListenRequest::parse(event.type, event.body));
    }
    if (!global.request && !event.wants_reply) {
        return {};
    }
    if (globals_.size() >= kGlobalsMax) {
        return fail(causes::kLimit, "global requests that wait for their answers");
    }
    globals_.push_back(std::move(global));
    global_came_.set();
    return {};
}

task<void> Session::answer_globals() {
    for (;;) {
        global_came_.clear();
        while (!globals_.empty()) {
            const Global global = std::move(globals_.front());
            globals_.pop_front();
            const auto done = co_await do_global(global);
            if (!done && done.error().is(errc::cancelled)) {
                co_return;
            }
            if (global.wants_reply) {
                check(channels_.answer_global(done.has_value(),
                                              done ? BytesView(*done) : BytesView()));
            }
            if (done && global.binding) {  // what is said from now on counts with them
                streams_ = adapter_.make_streams(*peer_.connection);
            }
        }
        if (!co_await global_came_.wait()) {
            co_return;
        }
    }
}

// Gives what is in the answer.
task<result<Bytes>> Session::do_global(const Global& global) {
    if (global.binding && agrees_on_streams(*global.binding)) {
        co_return Bytes();
    }
    if (!global.request) {
        co_return fail(causes::kNotSupported);
    }
    const ListenRequest& request = *global.request;
    if (!request.cancels) {
        auto listening = co_await listen(request);
        if (!listening) {
            const error& why = listening.error();
            if (!why.is(errc::cancelled)) {
                audit("ssh.listen_refused", &why);
            }
            co_return unexpected(why);
        }
        const bool tells_port = !request.for_socket && request.port == 0;
        co_return tells_port ? port_body((*listening)->request.port) : Bytes();
    }
    ListenRequest made = request;
    made.cancels = false;
    const auto found =
        std::ranges::find_if(listening_, [&](const auto& one) { return one->request == made; });
    if (found == listening_.end()) {
        co_return fail(causes::kNotSupported);
    }
    const std::shared_ptr<Listening> listening = *found;
    stop_listening(listening);
    ALKNET_CO_CHECK(co_await listening->closed.wait());
    co_return Bytes();
}

result<void> Session::may_listen(const ForwardPlace& place) const {
    ALKNET_CHECK(may_forward(kListenScope));
    if (!adapter_.options_.may_listen) {
        return fail(causes::kForbidden, "nothing is listened for");
    }
    return adapter_.options_.may_listen(*identity_, place);
}

task<result<std::shared_ptr<Session::Listening>>> Session::listen(ListenRequest request) {
    ALKNET_CO_CHECK(may_forward(kListenScope));
    if (listening_.size() >= kListenersMax) {
        co_return fail(causes::kLimit, "too many listeners");
    }
    auto made = std::make_shared<Listening>();
    made->request = std::move(request);
    if (adapter_.options_.listener_places != nullptr) {
        ALKNET_CO_TRY(made->place, adapter_.options_.listener_places->take(identity_->id));
    }
    auto listening = made->request.for_socket ? listen_at_socket(*made) : listen_at_port(*made);
    ALKNET_CO_CHECK(co_await std::move(listening));
    keep_listening(made);
    co_return made;
}

// Of the addresses that a name leads to, the first that is allowed and can be had.
task<result<void>> Session::listen_at_port(Listening& made) {
    const std::string& host = made.request.host;
    const std::uint16_t port = made.request.port;
    auto addresses = addresses_of(host, port);
    if (addresses.empty()) {
        auto resolving = adapter_.options_.network->resolve(loop_, host, port);
        ALKNET_CO_TRY(addresses, co_await with_timeout(kConnectTime, std::move(resolving)));
    }
    error why(causes::kResolve);
    for (const SocketAddress& address : addresses) {
        made.bound = address;
        // Which port the system gives is asked for when it is known.
        auto bound = port == 0 ? result<void>() : may_listen(made.where());
        if (bound) {
            bound = co_await bind(made, [this, &made, &address]() -> result<void> {
                ALKNET_TRY(made.listener, adapter_.options_.network->listen_tcp(loop_, address));
                return {};
            });
        }
        if (!bound && bound.error().is(causes::kAddressInUse)) {
            co_return bound;  // another is not what was meant
        }
        if (bound) {
            made.bound = made.listener->local_address();
            bound = may_listen(made.where());  // a scope or a rule may have gone in the meantime
        }
        if (bound) {
            made.request.port = made.bound.port();
            co_return bound;
        }
        made.listener.reset();
        why = std::move(bound).error();
    }
    co_return unexpected(std::move(why));
}

// The directory is held while it is asked about: nobody can put another in its place.
task<result<void>> Session::listen_at_socket(Listening& made) {
    co_return co_await bind(made, [this, &made]() -> result<void> {
        ALKNET_TRY(net::UnixPlace place, net::place_unix(made.request.path));
        made.path = place.real.native();
        ALKNET_CHECK(may_listen(made.where()));
        ALKNET_TRY(made.socket, net::listen_unix(loop_, std::move(place)));
        return {};
    });
}

// A silent predecessor of the same identity is given a moment to say something.
task<result<void>> Session::bind(const Listening& made, std::function<result<void>()> attempt) {
    const TimePoint until = loop_.now() + kTakeOverTime;
    const Listeners* const all = adapter_.options_.listeners.get();
    bool challenged = false;
    for (;;) {
        auto bound = attempt();
        const bool in_the_way = !bound && bound.error().is(causes::kAddressInUse);
        if (!in_the_way || all == nullptr || loop_.now() >= until || listens_at(made)) {
            co_return bound;
        }
        if (!std::exchange(challenged, true) && !all->challenge(made.where(), identity_->id)) {
            co_return bound;
        }
        ALKNET_CO_CHECK(co_await loop_.sleep(kBindAgain));
    }
}

bool Session::listens_at(const Listening& other) const noexcept {
    return std::ranges::any_of(listening_, [&](const auto& one) {
        return one->path == other.path && one->bound.port() == other.bound.port();
    });
}

void Session::keep_listening(const std::shared_ptr<Listening>& made) {
    if (adapter_.options_.listeners != nullptr) {
        const auto challenge = [&loop = loop_, weak = std::weak_ptr(made), session = this] {
            loop.post([weak, session] {
                if (weak.lock() != nullptr) {  // and so the session is there
                    session->prove_alive();
                }
            });
        };
        made->entry = adapter_.options_.listeners->add(made->where(), identity_->id, challenge);
    }
    listening_.push_back(made);
    made->listed = note(SessionEntry::Kind::listen, text_of(made->where()),
                        [this, weak = std::weak_ptr(made)] {
                            if (const auto listening = weak.lock()) {
                                stop_listening(listening);
                            }
                        });
    tasks_->spawn(accept_all(made), "ssh.listen");
    audit("ssh.listening", nullptr);
}

// Its task closes it.
void Session::stop_listening(std::shared_ptr<Listening> listening) {
    std::erase(listening_, listening);
    listening->stopped = true;
    if (listening->accepting != nullptr) {
        listening->accepting->request();
    }
}

// One that says nothing for a while loses its listeners at once, and then ends.
void Session::prove_alive() {
    if (tasks_ == nullptr || std::exchange(challenged_, true)) {
        return;
    }
    if (!channels_.waits_for_answer()) {
        check(channels_.ask("keepalive@openssh.com"));
    }
    tasks_->spawn(await_proof(reads_), "ssh.proof");
}

task<void> Session::await_proof(std::uint64_t reads) {
    const auto waited = co_await loop_.sleep(kProofTime);
    challenged_ = false;
    if (!waited || reads_ > reads) {
        co_return;
    }
    while (!listening_.empty()) {
        stop_listening(listening_.back());
    }
    end(error(causes::kTimeout, "nothing was heard of it, and its listener is wanted"));
}

task<void> Session::accept_all(std::shared_ptr<Listening> listening) {
    const TaskContext context = co_await current_context();
    Cancel accepting(context.cancel);
    listening->accepting = &accepting;
    while (!listening->stopped) {
        auto accepted = co_await listening->accept().under(accepting);
        if (accepted && !listening->stopped) {
            take_accepted(listening, *std::move(accepted));
        } else if (!co_await loop_.sleep(kAcceptAgain).under(accepting)) {
            break;
        }
    }
    listening->accepting = nullptr;
    listening->close();
    listening->entry.reset();
    listening->place.reset();
    listening->listed.reset();
    listening->closed.set();
}

// What the client is told of somebody who came.
result<ChannelId> Session::open_forwarded(Forward& forward, const SocketAddress& from) {
    const ListenRequest& request = forward.listening->request;
    const TcpRoute route{.host = request.host,
                         .port = request.port,
                         .from_host = from.ip_text(),
                         .from_port = from.port()};
    Bytes body = request.for_socket ? forwarded_socket(request.path) : route.encode();
    const Bytes header = offer_stream(forward);
    body.insert(body.end(), header.begin(), header.end());
    return channels_.open(request.for_socket ? kForwardedSocket : kForwardedTcp, body);
}

// Whoever came is let go where the client has no room or place for it.
void Session::take_accepted(const std::shared_ptr<Listening>& listening, net::TcpStream accepted) {
    auto forward = std::make_unique<Forward>();
    forward->listening = listening;
    if (listening->agent_of) {
        if (agent_connections(*listening) >= kAgentConnectionsMax) {
            return;
        }
    } else if (adapter_.options_.occupy_listening) {
        auto place = adapter_.options_.occupy_listening(*identity_, listening->where());
        if (!place) {
            audit("ssh.forward_refused", &place.error());
            return;
        }
        forward->place = *std::move(place);
    }
    forward->stream = std::move(accepted.stream);
    auto id = listening->agent_of ? channels_.open(kAgentChannel, {})
                                  : open_forwarded(*forward, accepted.remote);
    if (!id) {
        return;
    }
    flush();
    forward->id = *id;
    forwards_[*id] = forward.get();
    tasks_->spawn(serve_accepted(std::move(forward)), "ssh.forward");
}

task<void> Session::serve_accepted(std::unique_ptr<Forward> owned) {
    Forward& forward = *owned;
    const auto answered = co_await forward.answered.wait();
    if (!answered || forward.refused) {
        forwards_.erase(forward.id);
        co_return;
    }
    // It is rechecked once it is carried, and may have lost its rule before.
    if (may_arrive(*forward.listening)) {
        (void)co_await carry(forward);
    }
    forwards_.erase(forward.id);
    check(channels_.close(forward.id));
}

void Session::recheck_listeners() {
    const auto all = listening_;
    for (const auto& one : all) {
        if (const auto may = may_listen(one->where()); !may) {
            audit("ssh.listen_refused", &may.error());
            stop_listening(one);
        }
    }
}

}  // namespace alknet::ssh
