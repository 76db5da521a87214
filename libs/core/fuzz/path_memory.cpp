// PathMemory::parse and identify_network on any text. What is accepted is written back, is bounded,
// and can be merged and asked.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/core/path_memory.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const std::string_view text = as_text(view_octets(data, size));
    ALKNET_ASSERT(network_fingerprint(identify_network(text)).size() == 16);
    const auto memory = PathMemory::parse(text);
    if (!memory) {
        return 0;
    }
    ALKNET_ASSERT(memory->size() <= PathMemory::kEntriesMax);
    auto again = PathMemory::parse(memory->to_text());
    ALKNET_ASSERT(again && again->to_text() == memory->to_text());
    const WallTime now{std::chrono::seconds(1'767'225'600)};
    const PathKey key{"n", "node"};
    (void)again->advice(key, now);
    again->failed(key, Rung::proxy);
    again->worked(key, Rung::quic_v4, now);
    again->report(key, {.rung = Rung::quic_v4, .bytes = 1000, .time = std::chrono::seconds(10)},
                  now);
    again->report(key, {.rung = Rung::tcp_v4, .bytes = 9000, .time = std::chrono::seconds(10)},
                  now);
    ALKNET_ASSERT(again->advice(key, now).quic_demoted);
    again->merge(*memory);
    ALKNET_ASSERT(again->size() <= PathMemory::kEntriesMax);
    return 0;
}
