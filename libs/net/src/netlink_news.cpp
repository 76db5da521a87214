#include "netlink_news.hpp"

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <algorithm>
#include <cstring>
#include <optional>

namespace alknet::net {

namespace {

constexpr std::uint32_t kLinkFlags = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;

/// A structure of the kernel's at the beginning of `octets`.
template <class T>
std::optional<T> head_of(BytesView octets) noexcept {
    if (octets.size() < sizeof(T)) {
        return std::nullopt;
    }
    T value;
    std::memcpy(&value, octets.data(), sizeof(T));
    return value;
}

/// What follows an item of `length` octets: each begins at a multiple of four.
BytesView behind(BytesView octets, std::size_t length) noexcept {
    return octets.subspan(std::min((length + 3) / 4 * 4, octets.size()));
}

/// The first attribute of a type; empty if there is none.
BytesView attribute(BytesView attributes, std::uint16_t type) noexcept {
    while (const auto head = head_of<rtattr>(attributes)) {
        if (head->rta_len < sizeof *head || head->rta_len > attributes.size()) {
            break;
        }
        if (head->rta_type == type) {
            return attributes.subspan(sizeof *head, head->rta_len - sizeof *head);
        }
        attributes = behind(attributes, head->rta_len);
    }
    return {};
}

bool route(BytesView body) noexcept {
    const auto head = head_of<rtmsg>(body);
    return head && head->rtm_type == RTN_UNICAST && head->rtm_table != RT_TABLE_LOCAL &&
           (head->rtm_flags & RTM_F_CLONED) == 0;
}

}  // namespace

bool NetlinkNews::take(BytesView datagram) {
    bool news = false;
    while (const auto head = head_of<nlmsghdr>(datagram)) {
        if (head->nlmsg_len < sizeof *head || head->nlmsg_len > datagram.size()) {
            break;
        }
        const BytesView body = datagram.subspan(sizeof *head, head->nlmsg_len - sizeof *head);
        switch (head->nlmsg_type) {
            case RTM_NEWLINK:
            case RTM_DELLINK:
                news |= link(body, head->nlmsg_type == RTM_DELLINK);
                break;
            case RTM_NEWADDR:
            case RTM_DELADDR:
                news |= address(body, head->nlmsg_type == RTM_DELADDR);
                break;
            case RTM_NEWROUTE:
            case RTM_DELROUTE:
                news |= route(body);
                break;
            default:
                break;
        }
        datagram = behind(datagram, head->nlmsg_len);
    }
    return news;
}

bool NetlinkNews::link(BytesView body, bool gone) {
    const auto head = head_of<ifinfomsg>(body);
    if (!head || head->ifi_family != AF_UNSPEC) {  // a bridge says everything once more
        return false;
    }
    if (gone) {
        links_.erase(head->ifi_index);
        return true;
    }
    if (links_.size() >= kKnownMax) {
        links_.clear();
    }
    const std::uint32_t flags = head->ifi_flags & kLinkFlags;
    const auto [known, added] = links_.try_emplace(head->ifi_index, flags);
    if (!added && known->second == flags) {
        return false;
    }
    known->second = flags;
    return true;
}

bool NetlinkNews::address(BytesView body, bool gone) {
    const auto head = head_of<ifaddrmsg>(body);
    if (!head || (head->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0) {
        return false;
    }
    const BytesView attributes = behind(body, sizeof *head);
    BytesView value = attribute(attributes, IFA_LOCAL);
    if (value.empty()) {
        value = attribute(attributes, IFA_ADDRESS);
    }
    Bytes key(sizeof head->ifa_index + 1);
    std::memcpy(key.data(), &head->ifa_index, sizeof head->ifa_index);
    key.back() = static_cast<std::byte>(head->ifa_family);
    key.insert(key.end(), value.begin(), value.end());
    if (gone) {
        addresses_.erase(key);
        return true;
    }
    if (addresses_.size() >= kKnownMax) {
        addresses_.clear();
    }
    return addresses_.insert(std::move(key)).second;
}

}  // namespace alknet::net
