// Any program that talks to the SOCKS proxy, in pieces of any size: the first octet says whether
// there is a password, and how large the pieces are.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/socks/server.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    WireReader in(view_octets(data, size));
    const auto choices = in.number<std::uint8_t>();
    socks::SocksServer server(choices % 2 == 0 ? socks::SocksLogin()
                                               : socks::SocksLogin{.user = "bob", .password = "s"});
    const std::size_t piece = 1 + choices / 2;
    BytesView rest = in.take(size == 0 ? 0 : size - 1);
    while (!rest.empty() && !server.request()) {
        const BytesView next = rest.first(std::min(piece, rest.size()));
        const auto taken = server.take(next);
        (void)server.take_output();
        if (!taken) {
            return 0;
        }
        ALKNET_ASSERT(*taken == next.size() || server.request());
        rest = rest.subspan(*taken);
    }
    if (server.request()) {
        ALKNET_ASSERT(!server.request()->host.empty());
        ALKNET_ASSERT(server.answer(socks::SocksOutcome::failed).size() <= 10);
    }
    return 0;
}
