#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/network_monitor.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <cerrno>
#include <vector>

#include "netlink_news.hpp"

namespace alknet::net {

namespace {

/// The kernel's messages of these groups are shorter.
constexpr std::size_t kDatagramBytesMax = 32 << 10;
/// Read at a time; the rest in the next turn.
constexpr int kDatagramsPerTurn = 64;

class SystemNetworkNews final : public NetworkNews {
public:
    SystemNetworkNews(Loop& loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)), ready_(loop) {}

    result<void> watch() { return ready_.watch(fd_.get()); }

    task<result<void>> next() override {
        for (;;) {
            ALKNET_CO_CHECK(co_await ready_.readable());
            ALKNET_CO_TRY(const bool news, read_all());
            if (news) {
                co_return result<void>{};
            }
            co_await loop_.yield();
        }
    }

private:
    // What was lost, because there was too much of it or too long, is news as well.
    result<bool> read_all() {
        std::vector<std::byte> buffer(kDatagramBytesMax);
        bool news = false;
        for (int i = 0; i < kDatagramsPerTurn; ++i) {
            sockaddr_nl from{};
            socklen_t from_size = sizeof from;
            const ssize_t size = recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC,
                                          reinterpret_cast<sockaddr*>(&from), &from_size);
            if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                ready_.would_block_reading();
                break;
            }
            if (size < 0 && errno != EINTR && errno != ENOBUFS) {
                return os_fail("recvfrom", errno, "netlink");
            }
            if (size < 0) {
                news |= errno == ENOBUFS;
            } else if (static_cast<std::size_t>(size) > buffer.size()) {
                news = true;
            } else if (from.nl_pid == 0) {  // from the kernel, not from a program
                news |= known_.take(BytesView(buffer).first(static_cast<std::size_t>(size)));
            }
        }
        return news;
    }

    Loop& loop_;
    UniqueFd fd_;
    FdReadiness ready_;
    NetlinkNews known_;
};

}  // namespace

result<std::unique_ptr<NetworkNews>> make_system_network_news(Loop& loop) {
    UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd) {
        return os_fail("socket", errno, "netlink");
    }
    sockaddr_nl local{};
    local.nl_family = AF_NETLINK;
    local.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                      RTMGRP_IPV6_ROUTE;
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) {
        return os_fail("bind", errno, "netlink");
    }
    auto news = std::make_unique<SystemNetworkNews>(loop, std::move(fd));
    ALKNET_CHECK(news->watch());
    return news;
}

}  // namespace alknet::net
