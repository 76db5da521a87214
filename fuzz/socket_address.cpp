// Socket addresses as text and as the system's structures.

#include <sys/socket.h>
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/net/socket_address.hpp>
#include <span>

namespace {

using alknet::SocketAddress;

SocketAddress from(const sockaddr_storage& native) {
    return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native));
}

void survives_every_form(const SocketAddress& address) {
    const auto again = SocketAddress::parse(address.to_string());
    ALKNET_ASSERT(again && *again == address);
    for (const bool mapped : {false, true}) {
        sockaddr_storage native{};
        ALKNET_ASSERT(address.to_native(native, mapped) > 0);
        ALKNET_ASSERT(from(native) == address);
    }
    const SocketAddress group = address.limit_group();
    ALKNET_ASSERT(group.port() == 0 && group.limit_group() == group);
    ALKNET_ASSERT(!address.is_any() || !address.is_loopback());
    ALKNET_ASSERT(std::hash<SocketAddress>()(address) == std::hash<SocketAddress>()(*again));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const alknet::BytesView bytes = alknet::view_octets(data, size);
    if (const auto address = SocketAddress::parse(alknet::as_text(bytes))) {
        survives_every_form(*address);
    }
    sockaddr_storage native{};
    const alknet::BytesView head = bytes.first(std::min(size, sizeof native));
    std::ranges::copy(head, std::as_writable_bytes(std::span(&native, 1)).begin());
    if (const SocketAddress address = from(native);
        address.family() != SocketAddress::Family::none) {
        survives_every_form(address);
    } else {
        ALKNET_ASSERT(address.to_string().empty() && address.to_native(native) == 0);
    }
    return 0;
}
