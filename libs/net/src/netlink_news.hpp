// What the kernel's routing messages (rtnetlink(7)) say about a change of the network. Octets in, a
// yes or no out.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

namespace alknet::net {

class NetlinkNews {
public:
    /// Links, and addresses, that are remembered; with more of them everything is forgotten, which
    /// makes old things news once more.
    static constexpr std::size_t kKnownMax = 1024;

    /// One datagram. True if a link has become usable or unusable, an address that can be used has
    /// come or gone, or a route has. Counters of links, addresses that are renewed or not yet
    /// usable, and what the kernel does not say are no news.
    bool take(BytesView datagram);
    [[nodiscard]] std::size_t known() const noexcept { return links_.size() + addresses_.size(); }

private:
    bool link(BytesView body, bool gone);
    bool address(BytesView body, bool gone);

    std::map<std::int32_t, std::uint32_t> links_;  // by index: the flags that matter
    std::set<Bytes> addresses_;                    // family, link and address
};

}  // namespace alknet::net
