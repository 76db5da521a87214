// NodeAddress::parse on any text. What it accepts is written back to a text that means the same,
// and its parts are what the rest of the program may rely on.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/core/node_address.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const std::string_view text = as_text(view_octets(data, size));
    const auto address = NodeAddress::parse(text);
    if (!address) {
        const error& why = address.error();
        ALKNET_ASSERT(why.is(causes::kAddressInvalid) || why.is(causes::kKeyInvalid));
        return 0;
    }
    ALKNET_ASSERT(address->id || !address->host.empty());
    ALKNET_ASSERT(address->host.size() <= NodeAddress::kHostBytesMax);
    ALKNET_ASSERT(!address->port || *address->port != 0);
    ALKNET_ASSERT(!address->port || !address->host.empty());
    const auto again = NodeAddress::parse(address->to_string());
    ALKNET_ASSERT(again && *again == *address);
    return 0;
}
