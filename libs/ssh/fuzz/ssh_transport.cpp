// Octets of anybody to either end, and messages of a peer that has keys, with the channels behind
// them. What a server gives its channels to do, it does.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/ssh/channels.hpp>
#include <alknet/testing/random.hpp>
#include <optional>

namespace {

using namespace alknet;
using namespace alknet::ssh;

constexpr std::size_t kChannelsInUseMax = 64;

struct Fuzzed {
    Fuzzed(Role role, const Algorithms& algorithms)
        : random(std::make_shared<sim::Random>(role == Role::server ? 1 : 2)),
          transport({.role = role,
                     .host_key = NodeKey::from_seed(Bytes(32, std::byte{9})).value(),
                     .algorithms = algorithms,
                     .random = [random = random](MutableBytes into) { random->fill(into); },
                     .rekey_bytes = 4000}),
          channels(transport),
          speaks_by_itself(role == Role::client) {}

    Bytes out() {
        auto sealed = transport.take_out();
        Bytes octets = to_bytes(sealed.view());
        transport.give_back(std::move(sealed));
        return octets;
    }
    void in(BytesView octets, std::size_t step) {
        while (!octets.empty() && !ended) {
            const MutableBytes room = transport.room();
            const std::size_t size = std::min({step, room.size(), octets.size()});
            std::copy_n(octets.begin(), size, room.begin());
            transport.filled(size);
            octets = octets.subspan(size);
            read();
        }
    }
    void read() {
        while (!ended) {
            const auto message = transport.next();
            if (!message) {
                transport.disconnect(Disconnect::protocol_error, message.error().detail());
                ended = true;
            } else if (*message) {
                take(**message);
            } else {
                return;
            }
        }
    }
    // A client says what it is told to, whatever it hears.
    void take(BytesView message) {
        if (speaks_by_itself) {
            return;
        }
        const auto event = channels.take(message);
        ended = !event || !act(*event);
    }
    bool act(const ChannelEvent& event) {
        switch (event.kind) {
            case ChannelEvent::Kind::open: {
                const auto route = TcpRoute::parse(event.body);
                ALKNET_ASSERT(!route || TcpRoute::parse(route->encode()).value() == *route);
                const bool full = channels.size() > kChannelsInUseMax;
                return bool(full ? channels.refuse(event.channel, OpenFailure::prohibited, "full")
                                 : channels.accept(event.channel));
            }
            case ChannelEvent::Kind::data:
                echo(event);
                return bool(channels.consumed(event.channel, event.body.size()));
            case ChannelEvent::Kind::eof:
                return bool(channels.finish(event.channel));
            case ChannelEvent::Kind::closed:
                return bool(channels.close(event.channel));
            case ChannelEvent::Kind::request:
                (void)channels.request(event.channel, "again", event.wants_reply, event.body);
                return !event.wants_reply || bool(channels.answer(event.channel, false));
            case ChannelEvent::Kind::global:
                (void)channels.ask("anybody there");
                (void)channels.ask_for("again", event.body);
                return !event.wants_reply || bool(channels.answer_global(true, event.body));
            case ChannelEvent::Kind::opened:
                return bool(channels.close(event.channel));
            default:
                return true;
        }
    }
    void echo(const ChannelEvent& event) {
        const std::size_t size = std::min(channels.sendable(event.channel), event.body.size());
        if (size > 0 && transport.ready()) {
            std::copy_n(event.body.begin(), size, channels.begin(event.channel, size).begin());
            channels.commit(event.channel, size);
        }
    }

    std::shared_ptr<sim::Random> random;
    Transport transport;
    Channels channels;
    const bool speaks_by_itself;
    bool ended = false;
};

void exchange(Fuzzed& client, Fuzzed& server, std::size_t step) {
    for (int turn = 0; turn < 20; ++turn) {
        const Bytes up = client.out();
        const Bytes down = server.out();
        if (up.empty() && down.empty()) {
            return;
        }
        server.in(up, step);
        client.in(down, step);
    }
}

void raw(Role role, BytesView octets, std::size_t step) {
    Fuzzed end(role, {});
    end.in(octets, step);
    ALKNET_ASSERT(!end.transport.host_key());  // nobody can sign for the other end
}

// Each step is one octet for what happens, two for the size of what follows, and that.
void scripted(WireReader& in, const Algorithms& algorithms, std::size_t step) {
    Fuzzed client(Role::client, algorithms);
    Fuzzed server(Role::server, {});
    exchange(client, server, step);
    for (int steps = 0; steps < 200 && !in.empty() && !client.ended && !server.ended; ++steps) {
        const auto what = in.number<std::uint8_t>();
        const BytesView body = in.take(in.number<std::uint16_t>());
        if (what == 0 && !body.empty()) {
            (void)client.transport.send(body);
        } else if (what == 1) {
            server.transport.rekey();
        } else if (what == 2) {
            client.transport.rekey();
        } else if (what == 3) {
            (void)server.channels.open("fuzz", body);
        } else if (what == 4) {
            server.in(body, step);
        } else if (what == 5) {
            (void)server.channels.tell("fuzz", body);
        } else if (what == 6) {
            server.transport.disconnect(Disconnect::by_application, as_text(body));
        } else if (what == 7 && server.transport.keyed()) {
            (void)server.transport.unimplemented();
        }
        exchange(client, server, step);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    WireReader in(view_octets(data, size));
    const auto mode = in.number<std::uint8_t>();
    const std::size_t step = mode >= 0x80 ? 3 : 4096;
    Algorithms algorithms;
    switch (mode & 0x7fU) {
        case 0:
            raw(Role::server, in.take(size - 1), step);
            return 0;
        case 1:
            raw(Role::client, in.take(size - 1), step);
            return 0;
        case 2:
            algorithms.ciphers = "aes128-ctr";
            break;
        case 3:
            algorithms.ciphers = "chacha20-poly1305@openssh.com";
            algorithms.guess_follows = true;
            break;
        case 4:
            algorithms.strict = false;
            algorithms.guess_follows = true;
            algorithms.kex = "curve25519-sha256@libssh.org";
            break;
        case 5:
            algorithms.strict = false;
            algorithms.ciphers = "chacha20-poly1305@openssh.com";
            break;
        case 6:
            algorithms.ciphers = "none";
            break;
        case 7:
            algorithms.ciphers = "aes128-ctr";
            algorithms.macs = "none";
            break;
        default:
            break;
    }
    scripted(in, algorithms, step);
    return 0;
}
