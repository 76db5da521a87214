// Key files: any text gives an error or a key, and a key is read back from what it writes.

#include <alknet/base/assert.hpp>
#include <alknet/crypto/node_key.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto key = alknet::NodeKey::from_pem(alknet::view_octets(data, size));
    if (key) {
        const auto again = alknet::NodeKey::from_pem((*key)->pem().view());
        ALKNET_ASSERT(again && (*again)->id() == (*key)->id());
        ALKNET_ASSERT(alknet::NodeId::from_bytes((*key)->id().bytes()));
    } else {
        ALKNET_ASSERT(key.error().is(alknet::errc::invalid));
    }
    return 0;
}
