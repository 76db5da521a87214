// What a client may ask for that forwards: the first octet says what it is called.
#include <alknet/base/assert.hpp>
#include <alknet/base/wire.hpp>
#include <array>

#include "forward_request.hpp"
#include "messages.hpp"

namespace {

constexpr std::array<std::string_view, 5> kTypes = {
    "tcpip-forward", "cancel-tcpip-forward", "streamlocal-forward@openssh.com",
    "cancel-streamlocal-forward@openssh.com", "keepalive@openssh.com"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    using namespace alknet::ssh;
    if (size == 0) {
        return 0;
    }
    const std::string_view type = kTypes[data[0] % kTypes.size()];
    const BytesView body = view_octets(data, size).subspan(1);
    const auto request = ListenRequest::parse(type, body);
    if (request && *request) {
        ALKNET_ASSERT((*request)->for_socket || (*request)->path.empty());
        ALKNET_ASSERT((*request)->cancels == type.starts_with("cancel-"));
    }
    if (const auto path = parse_direct_socket(body)) {
        const Bytes body_of_it = forwarded_socket(*path);
        WireReader told(body_of_it);
        ALKNET_ASSERT(take_text(told) == *path);
    }
    return 0;
}
