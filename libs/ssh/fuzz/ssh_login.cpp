// What any server says while somebody logs in: messages with their sizes in front, two octets each.
// Nobody is in before a signature was sent.
#include <alknet/base/assert.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/ssh/login.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    WireReader in(view_octets(data, size));
    const auto choices = in.number<std::uint8_t>();
    std::vector<ssh::LoginKey> keys;
    for (std::uint8_t i = 0; i < choices % 4; ++i) {
        keys.push_back({.blob = Bytes(4, std::byte{i}),
                        .algorithm = "ssh-ed25519",
                        .ask_first = (choices >> (2 + i)) % 2 == 1});
    }
    ssh::Login login("bob", Bytes(32, std::byte{7}), std::move(keys));
    (void)login.begin();
    bool has_signed = false;
    while (!in.empty() && !login.done()) {
        const BytesView message = in.take(in.number<std::uint16_t>());
        if (message.empty()) {
            break;
        }
        auto step = login.take(message);
        while (step && step->sign) {
            if (choices >= 128 && login.current() == 0) {
                step = login.skip();
                continue;
            }
            (void)login.to_sign();
            (void)login.signed_with(Bytes(64));
            has_signed = true;
            break;
        }
        if (!step) {
            break;
        }
    }
    ALKNET_ASSERT(has_signed || !login.done());
    return 0;
}
