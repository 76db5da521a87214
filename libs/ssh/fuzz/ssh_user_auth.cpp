// Logins of anybody: messages with their sizes in front, two octets each. The first octet says
// whether keys are known. Nobody gets in with a key that is not.
#include <alknet/base/assert.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/ssh/user_auth.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    WireReader in(view_octets(data, size));
    const bool known = in.number<std::uint8_t>() % 2 == 1;
    const auto host_key = NodeKey::from_seed(Bytes(32, std::byte{9})).value();
    ssh::UserAuth auth(Bytes(32, std::byte{7}), host_key->id());
    bool ended = false;
    while (!in.empty() && !ended) {
        const BytesView message = in.take(in.number<std::uint16_t>());
        if (message.empty()) {
            break;
        }
        const auto step = auth.take(message);
        ended = !step || (step->question && !auth.answer(known));
        ALKNET_ASSERT(known || !auth.done());
    }
    return 0;
}
