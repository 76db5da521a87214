#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/unix_socket.hpp>
#include <filesystem>
#include <fstream>

#include "stream_fixture.hpp"

namespace alknet::net {
namespace {

using UnixSocketTest = StreamTest;

TEST_F(UnixSocketTest, KnowsWhoIsAtTheOtherEnd) {
    const auto listener = listen_unix(*loop, socket_path()).value();
    const auto dialled = connect_unix(*loop, socket_path());
    ASSERT_TRUE(dialled);
    const auto accepted = run(listener->accept());
    ASSERT_TRUE(accepted);
    for (const UnixStream* end : {&*dialled, &*accepted}) {
        EXPECT_EQ(end->user_id, geteuid());
        EXPECT_EQ(end->process_id, getpid());
    }
}

TEST_F(UnixSocketTest, IsForItsOwnerAloneAndGoesWithItsListener) {
    auto listener = listen_unix(*loop, socket_path());
    ASSERT_TRUE(listener);
    struct stat status{};
    ASSERT_EQ(stat(socket_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    listener->reset();
    EXPECT_FALSE(std::filesystem::exists(socket_path()));
    const auto dialled = connect_unix(*loop, socket_path());
    ASSERT_FALSE(dialled);
    EXPECT_TRUE(dialled.error().is(causes::kUnreachable));
}

TEST_F(UnixSocketTest, ReplacesAFileThatNobodyListensAt) {
    const auto listener = listen_unix(*loop, socket_path()).value();
    const auto second = listen_unix(*loop, socket_path());
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kAddressInUse));

    // As a process leaves it that was killed: under another name, its removal does not find it.
    const auto left = socket_path().parent_path() / "left";
    {
        const auto killed = listen_unix(*loop, socket_path().parent_path() / "killed").value();
        std::filesystem::rename(socket_path().parent_path() / "killed", left);
    }
    EXPECT_TRUE(listen_unix(*loop, left));
}

/// A socket at `path`, bound and not listening.
UniqueFd bound_at(const std::filesystem::path& path, int type = SOCK_STREAM) {
    UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un native{};
    native.sun_family = AF_UNIX;
    std::ranges::copy(path.native(), native.sun_path);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&native), sizeof native), 0);
    return fd;
}

TEST_F(UnixSocketTest, LeavesWhatIsBoundAndDoesNotListenYet) {
    const auto path = socket_path();
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        {
            const UniqueFd bound = bound_at(path, type);
            EXPECT_TRUE(listen_unix(*loop, path).error().is(causes::kAddressInUse));
            EXPECT_TRUE(
                listen_unix(*loop, place_unix(path).value()).error().is(causes::kAddressInUse));
        }
        EXPECT_TRUE(std::filesystem::is_socket(path));
        EXPECT_TRUE(listen_unix(*loop, path)) << "nobody has it any more";
    }
}

TEST_F(UnixSocketTest, WhoeverListensIsNotConnectedToInOrderToFindOut) {
    const UniqueFd other = bound_at(socket_path());
    ASSERT_EQ(::listen(other.get(), 4), 0);
    EXPECT_FALSE(listen_unix(*loop, socket_path()));
    EXPECT_FALSE(listen_unix(*loop, place_unix(socket_path()).value()));
    pollfd state{.fd = other.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&state, 1, 0), 0) << "somebody has come";
}

TEST_F(UnixSocketTest, APlaceReplacesOnlyWhatAPlaceHasLeft) {
    const auto directory = std::filesystem::canonical(socket_path().parent_path());
    const auto leave = [&](auto made) {
        std::filesystem::rename(directory / "made", directory / "left");
        made.reset();
    };
    // Of this user, and nobody's any more; but who knows whose.
    leave(listen_unix(*loop, directory / "made").value());
    const auto refused = listen_unix(*loop, place_unix(directory / "left").value());
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kAddressInUse));
    EXPECT_NE(refused.error().detail().find("already"), std::string::npos);
    std::filesystem::remove(directory / "left");
    leave(listen_unix(*loop, place_unix(directory / "made").value()).value());
    const auto first = listen_unix(*loop, place_unix(directory / "left").value());
    EXPECT_TRUE(first) << first.error().message();
    EXPECT_FALSE(listen_unix(*loop, place_unix(directory / "left").value())) << "it is in use";
}

TEST_F(UnixSocketTest, APlaceIsWhatAPathLeadsTo) {
    const auto listener = listen_unix(*loop, socket_path()).value();
    const auto directory = std::filesystem::canonical(socket_path().parent_path());
    std::filesystem::create_symlink(socket_path(), directory / "link");
    const auto place = find_unix(directory / "link");
    ASSERT_TRUE(place);
    EXPECT_EQ(place->real, directory / socket_path().filename());
    std::filesystem::remove(directory / "link");
    EXPECT_TRUE(connect_unix(*loop, *place)) << "it is held";
    for (const auto& wrong :
         {directory / "nothing", directory, std::filesystem::path("relative"), directory / ".."}) {
        EXPECT_FALSE(find_unix(wrong)) << wrong;
    }
}

TEST_F(UnixSocketTest, APlaceToListenAtIsADirectoryThatIsHeld) {
    const auto directory = std::filesystem::canonical(socket_path().parent_path());
    std::filesystem::create_directory(directory / "one");
    std::filesystem::create_symlink(directory / "one", directory / "link");
    auto place = place_unix(directory / "link" / "name");
    ASSERT_TRUE(place);
    EXPECT_EQ(place->real, directory / "one" / "name");
    std::filesystem::rename(directory / "one", directory / "two");
    auto listener = listen_unix(*loop, *std::move(place));
    ASSERT_TRUE(listener);
    EXPECT_TRUE(connect_unix(*loop, directory / "two" / "name"));
    const auto again = listen_unix(*loop, place_unix(directory / "two" / "name").value());
    EXPECT_TRUE(!again && again.error().is(causes::kAddressInUse));
    listener->reset();
    EXPECT_FALSE(std::filesystem::exists(directory / "two" / "name"));
    for (const auto& wrong : {directory / "no" / "name", std::filesystem::path("relative"),
                              directory / "two" / ".", directory / "two" / ".."}) {
        EXPECT_FALSE(place_unix(wrong)) << wrong;
    }
}

TEST_F(UnixSocketTest, NeverReplacesAnotherFile) {
    std::ofstream(socket_path()) << "precious";
    const auto listener = listen_unix(*loop, socket_path());
    ASSERT_FALSE(listener);
    EXPECT_TRUE(listener.error().is(causes::kAddressInUse));
    EXPECT_EQ(std::filesystem::file_size(socket_path()), 8U);
}

TEST_F(UnixSocketTest, LeavesWhatHasComeInThePlaceOfItsFile) {
    auto first = listen_unix(*loop, socket_path());
    ASSERT_TRUE(first);
    std::filesystem::remove(socket_path());
    auto second = listen_unix(*loop, socket_path());
    ASSERT_TRUE(second);
    first->reset();
    EXPECT_TRUE(connect_unix(*loop, socket_path()));
    second->reset();
    EXPECT_FALSE(std::filesystem::exists(socket_path()));
}

TEST_F(UnixSocketTest, RefusesPathsThatDoNotFit) {
    for (const std::string& path : {std::string(), std::string(108, 'x')}) {
        EXPECT_TRUE(listen_unix(*loop, path).error().is(causes::kAddressInvalid));
        EXPECT_TRUE(connect_unix(*loop, path).error().is(causes::kAddressInvalid));
    }
    EXPECT_TRUE(listen_unix(*loop, "/nowhere/at/all").error().is(causes::kIo));
    const auto deep = socket_path().parent_path() / std::string(108, 'd');
    EXPECT_TRUE(listen_unix(*loop, deep / "socket").error().is(causes::kIo));
    EXPECT_TRUE(connect_unix(*loop, deep / "socket").error().is(causes::kIo));
}

TEST_F(UnixSocketTest, TakesPathsThatTheSystemHasNoRoomFor) {
    const auto deep = socket_path().parent_path() / std::string(200, 'd');
    std::filesystem::create_directory(deep);
    const auto path = deep / "socket";
    auto listener = listen_unix(*loop, path);
    ASSERT_TRUE(listener);
    EXPECT_TRUE(listen_unix(*loop, path).error().is(causes::kAddressInUse));
    EXPECT_TRUE(connect_unix(*loop, path));
    EXPECT_TRUE(run((*listener)->accept()));
    listener->reset();
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_TRUE(connect_unix(*loop, path).error().is(causes::kUnreachable));
}

TEST_F(UnixSocketTest, BindsForAnotherProcess) {
    const UniqueFd listener = bind_unix(socket_path(), 4).value();
    EXPECT_EQ(fcntl(listener.get(), F_GETFL) & O_NONBLOCK, 0) << "as programs expect it";
    struct stat status{};
    ASSERT_EQ(stat(socket_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_TRUE(connect_unix(*loop, socket_path()));
    const auto again = bind_unix(socket_path(), 4);
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(causes::kAddressInUse));
    EXPECT_FALSE(bind_unix(socket_path() / "below", 4));
}

}  // namespace
}  // namespace alknet::net
