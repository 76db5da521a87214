// What any program says that claims to be an SSH agent.
#include <alknet/base/assert.hpp>
#include <alknet/ssh/agent.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const BytesView answer = view_octets(data, size);
    const auto keys = ssh::agent::parse_keys(answer);
    ALKNET_ASSERT(!keys || keys->size() <= ssh::kAgentKeysMax);
    (void)ssh::agent::parse_signature(answer);
    return 0;
}
