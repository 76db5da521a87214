// What a client does for its channels.
#include <alknet/base/causes.hpp>
#include <alknet/ssh/agent.hpp>
#include <utility>

#include "client_driver.hpp"
#include "client_stream.hpp"
#include "forward_request.hpp"
#include "host_key.hpp"
#include "messages.hpp"
#include "printable.hpp"
#include "stream_binding.hpp"

namespace alknet::ssh {

namespace {

error refusal(std::uint32_t code, std::string_view text) {
    std::string detail = "the SSH server says: " + printable(text);
    switch (static_cast<OpenFailure>(code)) {
        case OpenFailure::connect_failed:
            return error(causes::kUnreachable, std::move(detail));
        case OpenFailure::shortage:
            return error(causes::kLimit, std::move(detail));
        case OpenFailure::unknown_type:
            return error(causes::kNotSupported, std::move(detail));
        case OpenFailure::prohibited:
            break;
    }
    return error(causes::kForbidden, std::move(detail));
}

SshExit exit_of(std::string_view type, BytesView body) {
    WireReader in(body);
    if (type == "exit-status") {
        return {.status = in.number<std::uint32_t>()};
    }
    constexpr std::uint32_t kBySignal = 255;  // as ssh ends then
    return {.status = kBySignal, .signal = printable(take_text(in))};
}

class Arrival final : public SshArrival {
public:
    Arrival(std::shared_ptr<ClientChannelState> state, std::string from_host,
            std::uint16_t from_port)
        : state_(std::move(state)), from_host_(std::move(from_host)), from_port_(from_port) {}
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;
    ~Arrival() override { Arrival::refuse("nobody takes this connection"); }

    [[nodiscard]] const std::string& from_host() const noexcept override { return from_host_; }
    [[nodiscard]] std::uint16_t from_port() const noexcept override { return from_port_; }

    result<std::unique_ptr<SshChannel>> accept() override {
        const auto state = std::exchange(state_, nullptr);
        if (state->driver == nullptr) {
            return unexpected(*state->why);
        }
        state->open = true;
        state->driver->check(state->driver->channels().accept(state->id));
        return state->driver->with_stream(make_channel(state), state);
    }
    void refuse(std::string_view why) override {
        const auto state = std::exchange(state_, nullptr);
        if (state == nullptr || state->driver == nullptr) {
            return;
        }
        ClientDriver& driver = *std::exchange(state->driver, nullptr);
        driver.forget(state->id);
        driver.check(driver.channels().refuse(state->id, OpenFailure::connect_failed, why));
    }

private:
    std::shared_ptr<ClientChannelState> state_;  // null: decided
    std::string from_host_;
    std::uint16_t from_port_;
};

}  // namespace

bool ClientChannelState::carries_itself() const noexcept {
    return !token || (carrier != nullptr && carrier->state == ClientStream::State::none);
}

void ClientChannelState::wake() noexcept {
    data.news.wake_all();
    errors.news.wake_all();
    news.wake_all();
    window.wake_all();
    if (sending != nullptr && (closed_in || driver == nullptr)) {
        sending->request();
    }
    if (carrier != nullptr && driver == nullptr) {
        carrier->end(0);
    }
}

std::shared_ptr<ClientChannelState> ClientDriver::add(ChannelId id) {
    auto state = std::make_shared<ClientChannelState>();
    state->driver = this;
    state->id = id;
    states_[id] = state;
    return state;
}

std::unique_ptr<SshChannel> ClientDriver::with_stream(
    std::unique_ptr<SshChannel> channel, const std::shared_ptr<ClientChannelState>& state) {
    if (!state->token) {
        return channel;
    }
    state->carrier = std::make_shared<ClientStream>();
    spawn(bring_stream(state, options_.connection), "ssh.stream");
    return make_stream_channel(std::move(channel), state);
}

task<result<std::unique_ptr<SshChannel>>> ClientDriver::open(std::string type, Bytes body,
                                                             bool forwards) {
    if (why_) {
        co_return unexpected(*why_);
    }
    ALKNET_CO_TRY(const ChannelId id, channels_.open(type, body));
    flush();
    const auto state = add(id);
    state->forwards = forwards;
    auto channel = make_channel(state);  // whoever goes before the answer is done with it
    while (!state->open && !state->refused && !state->why) {
        ALKNET_CO_CHECK(co_await state->news.wait());
    }
    if (state->open) {
        co_return with_stream(std::move(channel), state);
    }
    co_return unexpected(state->refused ? *state->refused : *state->why);
}

task<result<std::unique_ptr<SshChannel>>> ClientDriver::open_tcp(TcpRoute route) {
    return open("direct-tcpip", route.encode(), true);
}

task<result<std::unique_ptr<SshChannel>>> ClientDriver::open_socket(std::string path) {
    WireWriter body;
    put_text(body, path);
    put_text(body, "");
    body.number<std::uint32_t>(0);
    return open("direct-streamlocal@openssh.com", body.take(), true);
}

task<result<std::unique_ptr<SshChannel>>> ClientDriver::open_session() {
    return open("session", {}, false);
}

task<result<std::uint16_t>> ClientDriver::listen(std::string_view request, Place place, Bytes body,
                                                 SshArrivals arrivals) {
    if (why_) {
        co_return unexpected(*why_);
    }
    ALKNET_CO_CHECK(channels_.ask_for(request, body));
    flush();
    const auto question = std::make_shared<Question>();
    question->place = std::move(place);
    question->arrivals = std::move(arrivals);
    questions_.push_back(question);
    while (!question->outcome) {
        auto waited = co_await question->answered.wait();
        if (!waited) {
            question->arrivals = nullptr;
            co_return unexpected(std::move(waited).error());
        }
    }
    co_return *question->outcome;
}

task<result<std::uint16_t>> ClientDriver::listen_tcp(std::string host, std::uint16_t port,
                                                     SshArrivals arrivals) {
    WireWriter body;
    put_text(body, host);
    body.number<std::uint32_t>(port);
    return listen("tcpip-forward", {std::move(host), port}, body.take(), std::move(arrivals));
}

task<result<void>> ClientDriver::listen_socket(std::string path, SshArrivals arrivals) {
    WireWriter body;
    put_text(body, path);
    ALKNET_CO_CHECK(co_await listen("streamlocal-forward@openssh.com", {std::move(path), kNoPort},
                                    body.take(), std::move(arrivals)));
    co_return result<void>();
}

// Before anything else is asked for; what is sent meanwhile goes without.
result<void> ClientDriver::ask_for_streams() {
    if (options_.connection == nullptr) {
        return {};
    }
    const auto binding = stream_binding(*options_.connection, transport_.session_id());
    if (!binding) {
        return {};
    }
    const auto question = std::make_shared<Question>();
    question->of_streams = true;
    questions_.push_back(question);
    return channels_.ask_for(kChannelStreams, encode_binding(*binding));
}

result<void> ClientDriver::take_global_answer(const ChannelEvent& event) {
    const auto question = std::move(questions_.front());
    questions_.pop_front();
    question->answered.wake_all();
    if (question->of_streams) {
        streams_ = event.code != 0;
        return {};
    }
    if (event.code == 0) {
        question->outcome = fail(causes::kForbidden, "the SSH server does not listen there");
        return {};
    }
    Place place = question->place;
    if (!event.body.empty()) {  // a port was not named
        WireReader in(event.body);
        const auto port = in.number<std::uint32_t>();
        if (!in.complete() || port == 0 || port > 0xFFFF) {
            return fail(causes::kProtocol, "a malformed answer about a port");
        }
        place.second = static_cast<std::uint16_t>(port);
    }
    question->outcome = place.second;
    if (question->arrivals) {
        listening_[std::move(place)] = std::move(question->arrivals);
    }
    return {};
}

result<void> ClientDriver::take_event(const ChannelEvent& event) {
    using Kind = ChannelEvent::Kind;
    switch (event.kind) {
        case Kind::open:
            return take_open(event);
        case Kind::global:
            return event.wants_reply ? channels_.answer_global(false) : result<void>();
        case Kind::global_answered:
            return take_global_answer(event);
        case Kind::none:
            return {};
        default:
            break;
    }
    const auto found = states_.find(event.channel);
    if (found == states_.end()) {
        return {};
    }
    const std::shared_ptr<ClientChannelState> channel = found->second;
    switch (event.kind) {
        case Kind::opened:
        case Kind::refused:
            return take_answer(channel, event);
        case Kind::data:
            if (!channel->carries_itself()) {
                return fail(causes::kProtocol, "data of a channel that has a stream");
            }
            take_data(*channel, event);
            break;
        case Kind::window:
            channel->window.wake_all();
            break;
        case Kind::eof:
            channel->eof_in = true;
            channel->wake();
            break;
        case Kind::closed:
            channel->closed_in = true;
            channel->wake();
            break;
        case Kind::answered:
            channel->answers.push_back(event.code == 1);
            channel->news.wake_all();
            break;
        case Kind::request:
            return take_request(*channel, event);
        default:
            break;
    }
    return {};
}

result<void> ClientDriver::take_answer(const std::shared_ptr<ClientChannelState>& channel,
                                       const ChannelEvent& event) {
    channel->news.wake_all();
    if (event.kind == ChannelEvent::Kind::refused) {
        channel->refused = refusal(event.code, event.type);
        channel->driver = nullptr;
        forget(event.channel);
        return {};
    }
    channel->open = true;
    if (streams_ && channel->forwards) {
        ALKNET_TRY(const StreamHeader header, parse_stream_header(event.body));
        channel->token = header.token;
    }
    if (!channel->abandoned) {
        return {};
    }
    forget(event.channel);
    if (channel->token) {
        ALKNET_CHECK(channels_.request(event.channel, kNoChannelStream, false));
    }
    return channels_.close(event.channel);
}

Bytes ClientDriver::agent_binding() const {
    return agent::bind_request(host_key_blob(host_key()), transport_.session_id(),
                               transport_.session_signature());
}

const SshArrivals* ClientDriver::takers_of(std::string_view type, const Place& place) const {
    if (type == kAgentChannel) {
        return agent_ ? &agent_ : nullptr;
    }
    const auto found = listening_.find(place);
    return found == listening_.end() ? nullptr : &found->second;
}

result<void> ClientDriver::take_open(const ChannelEvent& event) {
    Place place;
    std::string from_host;
    std::uint16_t from_port = 0;
    StreamHeader header{.rest = event.body};
    if (streams_ && (event.type == kForwardedTcp || event.type == kForwardedSocket)) {
        ALKNET_TRY(header, parse_stream_header(event.body));
    }
    if (event.type == kForwardedTcp) {
        ALKNET_TRY(TcpRoute route, TcpRoute::parse(header.rest));
        place = {std::move(route.host), route.port};
        from_host = std::move(route.from_host);
        from_port = route.from_port;
    } else if (event.type == kForwardedSocket) {
        WireReader in(header.rest);
        place = {std::string(take_text(in)), kNoPort};
    } else if (event.type != kAgentChannel) {
        return channels_.refuse(event.channel, OpenFailure::unknown_type,
                                "channels of this type are not taken");
    }
    const SshArrivals* const takers = takers_of(event.type, place);
    if (takers == nullptr) {
        return channels_.refuse(event.channel, OpenFailure::prohibited, "nobody has asked for it");
    }
    auto state = add(event.channel);
    state->token = header.token;
    (*takers)(std::make_unique<Arrival>(std::move(state), std::move(from_host), from_port));
    return {};
}

result<void> ClientDriver::take_request(ClientChannelState& channel, const ChannelEvent& event) {
    if (event.type == "exit-status" || event.type == "exit-signal") {
        channel.exit = exit_of(event.type, event.body);
    }
    return event.wants_reply ? channels_.answer(event.channel, false) : result<void>();
}

// From the packet into what the channel is joined to, as far as that takes it.
void ClientDriver::take_data(ClientChannelState& channel, const ChannelEvent& event) {
    BytesView data = event.body;
    Arrived& arrived = event.code == 0 ? channel.data : channel.errors;
    if (event.code == 0 && channel.sink != nullptr && arrived.left().empty()) {
        const auto taken = channel.sink->try_write(data);
        if (taken && *taken > 0) {  // a failure is met again by the pump
            data = data.subspan(*taken);
            check(channels_.consumed(channel.id, *taken));
        }
    }
    if (!data.empty()) {
        arrived.add(data);
    }
}

std::size_t ClientDriver::sendable_now(ChannelId id) const noexcept {
    const bool room = !why_ && transport_.out_bytes() + writing_ < kOutBytesMax;
    return room && transport_.ready() ? channels_.sendable(id) : 0;
}

task<result<void>> ClientDriver::may_send(std::shared_ptr<ClientChannelState> channel) {
    while (channel->driver != nullptr && !channel->closed_in && sendable_now(channel->id) == 0) {
        WaitList& until = channels_.sendable(channel->id) == 0 ? channel->window : written_;
        ALKNET_CO_CHECK(co_await until.wait());
    }
    co_return channel->why ? result<void>(unexpected(*channel->why)) : result<void>();
}

}  // namespace alknet::ssh
