#include "door.hpp"

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/testing/programs.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <vector>

namespace alknet::exec {
namespace {

class DoorTest : public testing::Test, protected sim::RealLoop {
protected:
    [[nodiscard]] bool is_down(const std::shared_ptr<Door>& door) const {
        const auto visit = door->enter(*loop);
        return !visit && visit.error().is(causes::kProgramDown);
    }
    [[nodiscard]] std::shared_ptr<Door> make(std::size_t inside_max) const {
        return std::make_shared<Door>("x", directory / "socket", inside_max);
    }
    sim::TempDir directory;
};

TEST_F(DoorTest, IsOpenedAndClosed) {
    const auto door = make(10);
    EXPECT_TRUE(is_down(door));
    const UniqueFd listener = net::bind_unix(door->socket(), 10).value();
    EXPECT_TRUE(is_down(door));
    door->open();
    {
        auto visit = door->enter(*loop);
        ASSERT_TRUE(visit);
        const Door::Visit moved = *std::move(visit);
        EXPECT_EQ(door->inside(), 1U);
    }
    EXPECT_EQ(door->inside(), 0U);
    door->close();
    EXPECT_TRUE(is_down(door));
}

TEST_F(DoorTest, LetsInSoManyAtATime) {
    const auto door = make(2);
    const UniqueFd listener = net::bind_unix(door->socket(), 10).value();
    door->open();
    std::vector<Door::Visit> inside;
    inside.push_back(door->enter(*loop).value());
    inside.push_back(door->enter(*loop).value());
    const auto third = door->enter(*loop);
    ASSERT_FALSE(third);
    EXPECT_TRUE(third.error().is(causes::kLimit));
    EXPECT_EQ(third.error().detail(), "exec.x.streams_max: 2 connections to the program");
    inside.pop_back();
    EXPECT_TRUE(door->enter(*loop));
}

TEST_F(DoorTest, OfAProgramThatAcceptsNothingIsShutWhenItsQueueIsFull) {
    const auto door = make(1000);
    const UniqueFd listener = net::bind_unix(door->socket(), 3).value();
    door->open();
    std::vector<Door::Visit> waiting;
    for (bool shut = false; !shut;) {
        auto visit = door->enter(*loop);
        shut = !visit;
        if (visit) {
            waiting.push_back(*std::move(visit));
        }
    }
    EXPECT_EQ(waiting.size(), 4U);
    EXPECT_TRUE(is_down(door));
    EXPECT_EQ(door->inside(), waiting.size());
}

}  // namespace
}  // namespace alknet::exec
