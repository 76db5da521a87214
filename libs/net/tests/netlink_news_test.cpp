// What of the kernel's messages is a change of the network.
#include "netlink_news.hpp"

#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <array>
#include <cstring>

namespace alknet::net {
namespace {

template <class T>
void append(Bytes& into, const T& value) {
    std::array<std::byte, sizeof(T)> octets{};
    std::memcpy(octets.data(), &value, sizeof value);
    into.insert(into.end(), octets.begin(), octets.end());
}

Bytes message(std::uint16_t type, const Bytes& body) {
    Bytes made;
    nlmsghdr head{};
    head.nlmsg_len = static_cast<std::uint32_t>(sizeof head + body.size());
    head.nlmsg_type = type;
    append(made, head);
    made.insert(made.end(), body.begin(), body.end());
    made.resize((made.size() + 3) / 4 * 4);
    return made;
}

Bytes link_message(std::uint16_t type, int index, std::uint32_t flags,
                   unsigned char family = AF_UNSPEC) {
    Bytes body;
    ifinfomsg link{};
    link.ifi_family = family;
    link.ifi_index = index;
    link.ifi_flags = flags;
    append(body, link);
    return message(type, body);
}

Bytes address_message(std::uint16_t type, std::uint32_t number, std::uint8_t flags = 0) {
    Bytes body;
    ifaddrmsg address{};
    address.ifa_family = AF_INET;
    address.ifa_flags = flags;
    address.ifa_index = 2;
    append(body, address);
    rtattr label{};
    label.rta_type = IFA_LABEL;
    label.rta_len = sizeof label + 3;
    append(body, label);
    body.resize(body.size() + 4);
    rtattr local{};
    local.rta_type = number % 2 == 0 ? IFA_LOCAL : IFA_ADDRESS;
    local.rta_len = sizeof local + sizeof number;
    append(body, local);
    append(body, number);
    return message(type, body);
}

Bytes route_message(std::uint16_t type, unsigned char table, unsigned char kind,
                    unsigned flags = 0) {
    Bytes body;
    rtmsg route{};
    route.rtm_family = AF_INET;
    route.rtm_table = table;
    route.rtm_type = kind;
    route.rtm_flags = flags;
    append(body, route);
    return message(type, body);
}

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

TEST(NetlinkNews, ALinkIsNewsWhenItComesGoesOrCarries) {
    NetlinkNews news;
    EXPECT_TRUE(news.take(link_message(RTM_NEWLINK, 3, IFF_UP)));
    EXPECT_FALSE(news.take(link_message(RTM_NEWLINK, 3, IFF_UP | IFF_PROMISC)));  // counters, say
    EXPECT_TRUE(news.take(link_message(RTM_NEWLINK, 3, IFF_UP | IFF_RUNNING | IFF_LOWER_UP)));
    EXPECT_FALSE(news.take(link_message(RTM_NEWLINK, 3, 0, AF_BRIDGE)));
    EXPECT_TRUE(news.take(link_message(RTM_NEWLINK, 3, IFF_UP)));
    EXPECT_TRUE(news.take(link_message(RTM_DELLINK, 3, IFF_UP)));
    EXPECT_TRUE(news.take(link_message(RTM_NEWLINK, 3, IFF_UP)));
}

TEST(NetlinkNews, AnAddressIsNewsWhenItCanBeUsedAndWhenItGoes) {
    NetlinkNews news;
    for (const std::uint32_t number : {6U, 7U}) {  // in either attribute
        EXPECT_FALSE(news.take(address_message(RTM_NEWADDR, number, IFA_F_TENTATIVE)));
        EXPECT_TRUE(news.take(address_message(RTM_NEWADDR, number)));
        EXPECT_FALSE(news.take(address_message(RTM_NEWADDR, number)));  // renewed
        EXPECT_TRUE(news.take(address_message(RTM_DELADDR, number)));
        EXPECT_TRUE(news.take(address_message(RTM_NEWADDR, number)));
    }
    EXPECT_FALSE(news.take(address_message(RTM_NEWADDR, 8, IFA_F_DADFAILED)));
}

TEST(NetlinkNews, ARouteIsNewsUnlessTheKernelMadeItForItself) {
    NetlinkNews news;
    EXPECT_TRUE(news.take(route_message(RTM_NEWROUTE, RT_TABLE_MAIN, RTN_UNICAST)));
    EXPECT_TRUE(news.take(route_message(RTM_DELROUTE, 51, RTN_UNICAST)));
    EXPECT_FALSE(news.take(route_message(RTM_NEWROUTE, RT_TABLE_LOCAL, RTN_UNICAST)));
    EXPECT_FALSE(news.take(route_message(RTM_NEWROUTE, RT_TABLE_MAIN, RTN_MULTICAST)));
    EXPECT_FALSE(news.take(route_message(RTM_NEWROUTE, RT_TABLE_MAIN, RTN_UNICAST, RTM_F_CLONED)));
}

TEST(NetlinkNews, ADatagramMayHaveSeveralMessages) {
    NetlinkNews news;
    const Bytes nothing = message(NLMSG_NOOP, Bytes(5));
    EXPECT_FALSE(news.take(nothing));
    EXPECT_TRUE(news.take(nothing + link_message(RTM_NEWLINK, 3, IFF_UP)));
    EXPECT_FALSE(news.take(nothing + link_message(RTM_NEWLINK, 3, IFF_UP) + nothing));
}

TEST(NetlinkNews, WhatIsCutShortIsNoNews) {
    const Bytes whole = address_message(RTM_NEWADDR, 6);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        NetlinkNews news;
        EXPECT_FALSE(news.take(BytesView(whole).first(size))) << size;
    }
    NetlinkNews news;
    for (const std::uint16_t type : {RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE}) {
        EXPECT_FALSE(news.take(message(type, Bytes(3))));
    }
}

TEST(NetlinkNews, ForgetsWhenThereIsTooMuch) {
    NetlinkNews news;
    for (std::size_t i = 0; i < NetlinkNews::kKnownMax; ++i) {
        EXPECT_TRUE(news.take(link_message(RTM_NEWLINK, static_cast<int>(i), IFF_UP)));
        EXPECT_TRUE(news.take(address_message(RTM_NEWADDR, static_cast<std::uint32_t>(i))));
    }
    EXPECT_EQ(news.known(), 2 * NetlinkNews::kKnownMax);
    EXPECT_TRUE(news.take(link_message(RTM_NEWLINK, 1 << 20, IFF_UP)));
    EXPECT_TRUE(news.take(address_message(RTM_NEWADDR, 1 << 20)));
    EXPECT_EQ(news.known(), 2U);
}

}  // namespace
}  // namespace alknet::net
