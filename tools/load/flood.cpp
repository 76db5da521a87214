#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <alknet/rt/scope.hpp>
#include <array>

#include "modes.hpp"
#include "sources.hpp"

namespace alknet::load {

namespace {

constexpr Duration kPace = std::chrono::milliseconds(5);
constexpr std::uint32_t kSourcesMax = 1 << 24;

/// Who floods does not listen.
class Deaf final : public net::UdpSocket::Receiver {
public:
    void on_datagrams(std::span<const net::DatagramBatch>) noexcept override {}
    void on_writable() noexcept override {}
};

struct Flood {
    Loop& loop;
    Strangers strangers;
    Deaf deaf;
    Sources sources;
    std::size_t sent = 0;
};

InitialKind kind_of(std::size_t number) {
    constexpr std::array kKinds = {InitialKind::whole, InitialKind::nonsense, InitialKind::whole,
                                   InitialKind::broken};
    return kKinds[number % kKinds.size()];
}

task<result<void>> keep_sending(Flood& flood) {
    const auto to = SocketAddress::v4({127, 0, 0, 1}, flood.strangers.port);
    const TimePoint began = flood.loop.refresh_now();
    for (std::size_t due = 0;;) {
        for (; flood.sent < due; ++flood.sent) {
            ALKNET_CO_TRY(const BytesView datagram,
                          flood.strangers.initials.next(kind_of(flood.sent)));
            (void)flood.sources.send(randombytes_uniform(kSourcesMax), to, datagram);
        }
        ALKNET_CO_CHECK(co_await flood.loop.sleep(kPace));
        // Whoever falls behind on a busy machine does not catch up in one burst.
        const std::size_t most = 2 * flood.strangers.count * kPace / std::chrono::seconds(1);
        const std::size_t all =
            flood.strangers.count * (flood.loop.now() - began) / std::chrono::seconds(1);
        due = std::min(all, flood.sent + std::max<std::size_t>(most, 1));
    }
}

}  // namespace

task<result<void>> flood(Loop& loop, Strangers strangers) {
    Flood state{.loop = loop, .strangers = std::move(strangers), .deaf = {}, .sources = {}};
    ALKNET_CO_TRY(state.sources, Sources::open(loop, &state.deaf));
    TaskScope scope(loop);
    scope.spawn(keep_sending(state), "load.flood");
    for (;;) {
        ALKNET_CO_TRY(const auto line, co_await state.strangers.lines.next());
        if (!line) {
            break;
        }
        ALKNET_CO_CHECK(co_await state.strangers.lines.print(fmt::format("{}", state.sent)));
    }
    scope.cancel();
    co_return co_await scope.join();
}

}  // namespace alknet::load
