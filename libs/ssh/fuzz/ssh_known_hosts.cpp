// A known_hosts file of anybody, and names that are looked up there.
#include <alknet/base/assert.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/ssh/known_hosts.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    using Verdict = ssh::KnownHosts::Verdict;
    const std::string_view text = as_text(view_octets(data, size));
    const auto key = NodeKey::from_seed(Bytes(32, std::byte{9})).value()->id();
    auto hosts = ssh::KnownHosts::parse(text);
    if (!hosts) {
        return 0;
    }
    for (const std::uint16_t port : {std::uint16_t{22}, std::uint16_t{2222}}) {
        (void)hosts->check("example.org", port, key);
        // A line that is added is found, unless the key is revoked.
        ssh::KnownHosts more = *hosts;
        more.add(
            ssh::KnownHosts::parse(ssh::KnownHosts::line_of("example.org", port, key)).value());
        const Verdict verdict = more.check("example.org", port, key);
        ALKNET_ASSERT(verdict == Verdict::known || verdict == Verdict::revoked);
    }
    return 0;
}
