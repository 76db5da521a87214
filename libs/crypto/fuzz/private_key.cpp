// Files that are said to hold a private key. A key that is read is written and read again as the
// same.
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/node_key.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const auto key = NodeKey::from_pem(view_octets(data, size));
    if (key) {
        const auto again = NodeKey::from_pem((*key)->pem().view());
        ALKNET_ASSERT(again && (*again)->id() == (*key)->id());
    } else {
        ALKNET_ASSERT(key.error().is(causes::kKeyInvalid));
    }
    return 0;
}
