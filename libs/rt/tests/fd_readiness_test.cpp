#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <array>
#include <cerrno>

namespace alknet {
namespace {

class FdReadinessTest : public testing::Test {
protected:
    FdReadinessTest() {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()),
                  0);
    }
    ~FdReadinessTest() override {
        for (const int fd : fds) {
            if (fd >= 0) {
                close(fd);
            }
        }
    }

    static task<result<std::string>> read_all(FdReadiness& ready, int fd) {
        std::string text;
        std::array<char, 4096> buffer{};
        for (;;) {
            const ssize_t got = read(fd, buffer.data(), buffer.size());
            if (got == 0) {
                co_return text;
            }
            if (got > 0) {
                text.append(buffer.data(), static_cast<std::size_t>(got));
                continue;
            }
            ready.would_block_reading();
            ALKNET_CO_CHECK(co_await ready.readable());
        }
    }

    static task<result<void>> write_all(FdReadiness& ready, int fd, std::string_view text) {
        while (!text.empty()) {
            const ssize_t taken = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
            if (taken > 0) {
                text.remove_prefix(static_cast<std::size_t>(taken));
                continue;
            }
            ready.would_block_writing();
            ALKNET_CO_CHECK(co_await ready.writable());
        }
        shutdown(fd, SHUT_WR);
        co_return result<void>();
    }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::array<int, 2> fds{-1, -1};
};

TEST_F(FdReadinessTest, MovesMoreThanTheSocketHolds) {
    FdReadiness reader(*loop);
    FdReadiness writer(*loop);
    ASSERT_TRUE(reader.watch(fds[0]));
    ASSERT_TRUE(writer.watch(fds[1]));
    const std::string text(3 << 20, 'x');
    TaskScope scope(*loop);
    scope.spawn(write_all(writer, fds[1], text), "writer");
    const auto got = block_on(*loop, read_all(reader, fds[0]));
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, text);
}

TEST_F(FdReadinessTest, UnwatchEndsTheWaitsUnderWay) {
    FdReadiness reader(*loop);
    ASSERT_TRUE(reader.watch(fds[0]));
    loop->post([this, &reader] { loop->post([&reader] { reader.unwatch(); }); });
    const auto outcome = block_on(*loop, read_all(reader, fds[0]));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kClosed));
    EXPECT_TRUE(!block_on(*loop, reader.writable()));
    ASSERT_TRUE(reader.watch(fds[0])) << "it can be watched again";
    EXPECT_TRUE(block_on(*loop, reader.writable()));
}

TEST_F(FdReadinessTest, AWaitCanBeCancelled) {
    FdReadiness reader(*loop);
    ASSERT_TRUE(reader.watch(fds[0]));
    const auto outcome =
        block_on(*loop, with_timeout(std::chrono::milliseconds(1), read_all(reader, fds[0])));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kTimeout));
}

TEST_F(FdReadinessTest, AHangupWakesTheReader) {
    FdReadiness reader(*loop);
    ASSERT_TRUE(reader.watch(fds[0]));
    loop->post([this] { close(std::exchange(fds[1], -1)); });
    const auto got = block_on(*loop, read_all(reader, fds[0]));
    EXPECT_TRUE(got && got->empty());
}

TEST_F(FdReadinessTest, WhatCannotBeWatchedIsAnError) {
    FdReadiness bad(*loop);
    const auto outcome = bad.watch(1 << 20);
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kIo));
}

/// Removes the other one when it is told.
class Remover final : public FdEvents {
public:
    Remover(Poller& poller, int other_fd) : poller_(poller), other_fd_(other_fd) {}
    void on_fd_events(bool, bool) noexcept override {
        ++told;
        if (other != nullptr) {
            poller_.remove(other_fd_, *other);
            other->other = nullptr;
        }
    }
    Remover* other = nullptr;
    int told = 0;

private:
    Poller& poller_;
    int other_fd_;
};

TEST_F(FdReadinessTest, WhatIsRemovedWhileEventsAreToldIsNotTold) {
    Remover first(loop->poller(), fds[1]);
    Remover second(loop->poller(), fds[0]);
    first.other = &second;
    second.other = &first;
    ASSERT_TRUE(loop->poller().add(fds[0], first));
    ASSERT_TRUE(loop->poller().add(fds[1], second));
    loop->turn(false);
    EXPECT_EQ(first.told + second.told, 1);
    loop->poller().remove(fds[0], first);
    loop->poller().remove(fds[1], second);
}

}  // namespace
}  // namespace alknet
