// An adapter, a client by hand, and a network whose targets are ends of streams in memory.
#pragma once

#include <algorithm>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/core/memory_connection.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/ssh/adapter.hpp>
#include <alknet/ssh/channels.hpp>
#include <alknet/testing/co_test.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host_key.hpp"
#include "messages.hpp"

namespace alknet::ssh {

class FakeNetwork final : public net::Network {
public:
    FakeNetwork() { may_answer.set(); }
    result<std::unique_ptr<net::UdpSocket>> bind_udp(Loop&, const SocketAddress&,
                                                     const net::UdpOptions&) override {
        return fail(causes::kNotSupported);
    }
    class Listener final : public net::TcpListener {
    public:
        Listener(FakeNetwork& network, SocketAddress address)
            : network_(network), address_(address) {
            network_.listeners[address_.to_string()] = this;
        }
        ~Listener() override { network_.listeners.erase(address_.to_string()); }
        task<result<net::TcpStream>> accept() override {
            while (waiting.empty()) {
                came.clear();
                ALKNET_CO_CHECK(co_await came.wait());
            }
            auto first = std::move(waiting.front());
            waiting.pop_front();
            co_return net::TcpStream{.stream = std::move(first),
                                     .local = address_,
                                     .remote = SocketAddress::v4({192, 0, 2, 9}, 999)};
        }
        [[nodiscard]] SocketAddress local_address() const noexcept override { return address_; }

        std::deque<std::unique_ptr<ByteStream>> waiting;
        Event came;

    private:
        FakeNetwork& network_;
        SocketAddress address_;
    };
    result<std::unique_ptr<net::TcpListener>> listen_tcp(Loop&,
                                                         const SocketAddress& local) override {
        const SocketAddress bound = local.port() == 0 ? local.with_port(50'000) : local;
        if (listeners.contains(bound.to_string())) {
            return fail(causes::kAddressInUse, bound.to_string());
        }
        return std::make_unique<Listener>(*this, bound);
    }
    /// Somebody comes to where the node listens; null: it does not listen there.
    std::unique_ptr<ByteStream> come_to(const std::string& address) {
        const auto found = listeners.find(address);
        if (found == listeners.end()) {
            return nullptr;
        }
        auto [near, far] = net::make_memory_streams();
        found->second->waiting.push_back(std::move(near));
        found->second->came.set();
        return std::move(far);
    }
    task<result<net::TcpStream>> connect_tcp(Loop&, SocketAddress remote) override {
        dialled.push_back(remote);
        dialling.set();
        ALKNET_CO_CHECK(co_await may_answer.wait());
        if (std::ranges::find(dead, remote) != dead.end()) {
            co_return fail(causes::kUnreachable);
        }
        auto [near, far] = net::make_memory_streams();
        targets.push_back(std::move(far));
        co_return net::TcpStream{.stream = std::move(near), .local = {}, .remote = remote};
    }
    task<result<std::vector<SocketAddress>>> resolve(Loop&, std::string host,
                                                     std::uint16_t port) override {
        ++resolved;
        const auto found = names.find(host);
        if (found == names.end()) {
            co_return fail(causes::kResolve, host);
        }
        std::vector<SocketAddress> all = found->second;
        for (SocketAddress& address : all) {
            address = address.with_port(port);
        }
        co_return all;
    }

    std::map<std::string, Listener*> listeners;
    std::map<std::string, std::vector<SocketAddress>> names;
    std::vector<SocketAddress> dead;
    std::vector<SocketAddress> dialled;
    std::size_t resolved = 0;
    Event dialling;
    Event may_answer;  // cleared: connections wait
    std::deque<std::unique_ptr<ByteStream>> targets;
};

class FakeIdentities final : public IdentityProvider {
public:
    FakeIdentities() { may_answer.set(); }
    task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) override {
        ++questions;
        const auto found = known.find(fingerprint);
        const auto answer = found == known.end() ? std::optional<Identity>() : found->second;
        asked.set();
        ALKNET_CO_CHECK(co_await may_answer.wait());
        co_return answer;
    }
    std::map<std::string, Identity> known;
    std::size_t questions = 0;
    Event asked;
    Event may_answer;  // cleared: what was found is not told yet
};

class FakeAudit final : public AuditSink {
public:
    void record(AuditEntry entry) noexcept override { entries.push_back(std::move(entry)); }
    [[nodiscard]] result<void> ready() const override { return {}; }
    std::vector<AuditEntry> entries;
};

struct Happened {
    ChannelEvent::Kind kind = ChannelEvent::Kind::none;
    ChannelId channel = 0;
    std::string text;
    std::uint32_t code = 0;
    Bytes body{};
};

/// A client whose user is `key`.
class TestClient {
public:
    explicit TestClient(std::shared_ptr<Connection> connection)
        : connection_(std::move(connection)), transport({.role = Role::client}) {}

    task<result<void>> connect() {
        ALKNET_CO_TRY(stream, co_await connection_->open_bi());
        co_return result<void>();
    }
    /// Sends what there is to send, and takes one message or event. Errors: kClosed at the end.
    task<result<void>> step() {
        for (;;) {
            ALKNET_CO_CHECK(co_await flush());
            ALKNET_CO_TRY(const std::optional<BytesView> message, transport.next());
            if (message) {
                co_return take(*message);
            }
            ALKNET_CO_CHECK(co_await flush());
            const MutableBytes room = transport.room();
            ALKNET_CO_TRY(const std::size_t size, co_await stream->read(room));
            if (size == 0) {
                co_return fail(causes::kClosed, "without a word");
            }
            transport.filled(size);
        }
    }
    task<result<void>> flush() {
        auto sealed = transport.take_out();
        const auto written = co_await stream->write(sealed.view());
        transport.give_back(std::move(sealed));
        co_return written;
    }
    /// The next message that is none of a channel.
    task<result<Bytes>> message() {
        while (messages.empty()) {
            ALKNET_CO_CHECK(co_await step());
        }
        Bytes first = std::move(messages.front());
        messages.pop_front();
        co_return first;
    }
    task<result<Happened>> event() {
        while (events.empty()) {
            ALKNET_CO_CHECK(co_await step());
        }
        Happened first = std::move(events.front());
        events.pop_front();
        co_return first;
    }
    task<result<void>> ask_for_service() {
        WireWriter service = begin_message(Message::service_request);
        put_text(service, "ssh-userauth");
        ALKNET_CO_CHECK(transport.send(service.view()));
        ALKNET_CO_TRY(const Bytes accepted, co_await message());
        EXPECT_EQ(message_of(accepted), Message::service_accept);
        co_return result<void>();
    }
    /// Gives the answer to a signed request.
    task<result<Message>> log_in(std::shared_ptr<const NodeKey> with) {
        Bytes blob = host_key_blob(with->id());
        return log_in_as("alknet", "ssh-ed25519", std::move(blob), std::move(with));
    }
    task<result<Message>> log_in_as(std::string user, std::string_view algorithm, Bytes blob,
                                    std::shared_ptr<const NodeKey> with) {
        WireWriter request = begin_message(Message::userauth_request);
        put_text(request, user);
        put_text(request, "ssh-connection");
        put_text(request, "publickey");
        put_bool(request, true);
        put_text(request, algorithm);
        put_string(request, blob);
        WireWriter covered;
        put_string(covered, transport.session_id());
        covered.append(request.view());
        put_string(request, host_signature(*with, covered.view()));
        ALKNET_CO_CHECK(transport.send(request.view()));
        ALKNET_CO_TRY(const Bytes answer, co_await message());
        co_return message_of(answer);
    }
    task<result<void>> start() {
        ALKNET_CO_CHECK(co_await connect());
        ALKNET_CO_CHECK(co_await ask_for_service());
        ALKNET_CO_TRY(const Message answer, co_await log_in(key));
        EXPECT_EQ(answer, Message::userauth_success);
        transport.set_authenticated();
        co_return result<void>();
    }
    result<ChannelId> open(std::string host, std::uint16_t port) {
        const TcpRoute route{.host = std::move(host), .port = port, .from_host = "::1"};
        return channels.open("direct-tcpip", route.encode());
    }
    void write(ChannelId id, std::string_view text) {
        std::ranges::copy(as_bytes(text), channels.begin(id, text.size()).begin());
        channels.commit(id, text.size());
    }
    void end() { connection_->close(0, {}); }
    [[nodiscard]] Connection& connection() const noexcept { return *connection_; }

private:
    result<void> take(BytesView message) {
        const bool answer = message_of(message) == Message::request_success ||
                            message_of(message) == Message::request_failure;
        if (message_of(message) < Message::global_request ||
            (answer && !channels.waits_for_answer())) {
            messages.push_back(to_bytes(message));
            return {};
        }
        ALKNET_TRY(const ChannelEvent event, channels.take(message));
        if (event.kind != ChannelEvent::Kind::none) {
            const bool data = event.kind == ChannelEvent::Kind::data;
            events.push_back({.kind = event.kind,
                              .channel = event.channel,
                              .text = std::string(data ? as_text(event.body) : event.type),
                              .code = event.code,
                              .body = to_bytes(event.body)});
        }
        return {};
    }

    std::shared_ptr<Connection> connection_;

public:
    std::shared_ptr<const NodeKey> key = NodeKey::generate();
    std::unique_ptr<BiStream> stream;
    Transport transport;
    Channels channels{transport};
    std::deque<Bytes> messages;
    std::deque<Happened> events;
};

struct SshWorld {
    explicit SshWorld(Loop& on, std::size_t logins_max = kLoginsMax) : loop(on), serving(on) {
        const auto address = SocketAddress::v4({192, 0, 2, 1}, 0);
        network->names["db"] = {address};
        SshAdapterOptions options;
        options.host_key = host_key;
        options.identities = identities;
        options.is_revoked = [this](const std::string& fingerprint) {
            return std::ranges::find(revoked, fingerprint) != revoked.end();
        };
        options.audit = audit;
        options.network = network;
        options.may_connect = [this](const Identity&, const ForwardPlace& where) -> result<void> {
            const std::string what =
                where.path.empty() ? where.address.ip_text() : std::string(where.path);
            if (std::ranges::find(forbidden, what) != forbidden.end()) {
                return fail(causes::kForbidden, "no rule");
            }
            return {};
        };
        options.occupy = [this](const Identity&,
                                const ForwardPlace&) -> result<std::shared_ptr<const void>> {
            if (place.use_count() > places_max) {
                return fail(causes::kLimit, "streams_max");
            }
            return std::shared_ptr<const void>(place);
        };
        options.announces = [this](const Identity&, const ForwardPlace&) { return announces; };
        options.may_listen = options.may_connect;
        options.occupy_listening = options.occupy;
        options.listeners = std::make_shared<Listeners>();
        options.listener_places = std::make_shared<Places>(kListenerPlaces);
        options.run_as = [this] { return run_as; };
        options.programs = programs;
        options.subsystems = subsystems;
        options.operations = operations;
        options.may_call = [this](const Identity&, alknet::Transport) -> result<void> {
            return calls ? result<void>() : fail(causes::kForbidden);
        };
        options.table = table;
        options.logins_max = logins_max;
        adapter = std::make_shared<SshAdapter>(std::move(options));
    }

    /// A client on a connection of its own, who is `bob` with these scopes.
    std::unique_ptr<TestClient> client(std::vector<std::string> scopes = {"ssh:connect"},
                                       SocketAddress from = {}) {
        return client_on({}, std::move(scopes), from);
    }
    std::unique_ptr<TestClient> client_on(MemoryConnectionOptions options,
                                          std::vector<std::string> scopes,
                                          SocketAddress from = {}) {
        options.alpn = kSshAlpn;
        options.server_address = SocketAddress::v4({192, 0, 2, 7}, 22);
        auto pair = make_memory_connection_pair(std::move(options));
        AuthContext auth;
        auth.alpn = kSshAlpn;
        auth.remote = from;
        serving.spawn(serve(*adapter, pair.server, std::move(auth)), "serve");
        auto made = std::make_unique<TestClient>(pair.client);
        identities->known[made->key->id().fingerprint()] = {
            .id = "bob", .scopes = std::move(scopes), .resources = {}};
        return made;
    }
    static task<void> serve(SshAdapter& adapter, std::shared_ptr<Connection> connection,
                            AuthContext auth) {
        (void)co_await adapter.handle(connection, std::move(auth));
        connection->close(0, {});
    }
    task<void> end() {
        serving.cancel();
        (void)co_await serving.join();
        EXPECT_EQ(adapter->sessions(), 0U);
    }

    Loop& loop;
    std::shared_ptr<const NodeKey> host_key = NodeKey::generate();
    std::shared_ptr<FakeNetwork> network = std::make_shared<FakeNetwork>();
    std::shared_ptr<FakeIdentities> identities = std::make_shared<FakeIdentities>();
    std::vector<std::string> revoked;
    std::shared_ptr<FakeAudit> audit = std::make_shared<FakeAudit>();
    std::vector<std::string> forbidden;
    bool announces = false;                                 // who comes, to the targets
    std::shared_ptr<int> place = std::make_shared<int>(0);  // those who hold it are counted
    long places_max = 100;
    static constexpr std::size_t kListenerPlaces = kListenersMax + 1;
    static constexpr std::size_t kProgramPlaces = kProgramsMax + 1;
    std::shared_ptr<Places> programs = std::make_shared<Places>(kProgramPlaces);
    std::optional<process::RunAs> run_as;
    std::shared_ptr<call::OperationRegistry> operations =
        std::make_shared<call::OperationRegistry>();
    bool calls = false;  // whether they may be called
    std::shared_ptr<Subsystems> subsystems = std::make_shared<Subsystems>();
    std::shared_ptr<SessionTable> table = std::make_shared<SessionTable>();
    std::shared_ptr<SshAdapter> adapter;
    TaskScope serving;
};

}  // namespace alknet::ssh
