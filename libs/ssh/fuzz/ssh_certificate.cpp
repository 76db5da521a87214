// Any octets as a user certificate. One that is believed is signed, of a user, and for somebody.
#include <alknet/base/assert.hpp>
#include <alknet/ssh/certificate.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const auto certificate = ssh::Certificate::parse(view_octets(data, size));
    if (certificate) {
        ALKNET_ASSERT(!certificate->principals.empty() && !certificate->authority.empty());
        ALKNET_ASSERT(certificate->principals.size() <= ssh::kPrincipalsMax);
        const auto& rules = certificate->rules;
        ALKNET_ASSERT(rules.sources.size() <= ssh::kSourcesMax);
        (void)rules.holds_from(SocketAddress::v4({192, 0, 2, 1}, 22));
        ALKNET_ASSERT(!rules.holds_at(WallTime()) || rules.valid_after == 0);
        ALKNET_ASSERT(!rules.holds_at(WallTime()) || rules.left_at(WallTime()) > Duration::zero());
    }
    return 0;
}
