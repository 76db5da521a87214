#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/stdio_stream.hpp>
#include <fstream>

#include "stream_fixture.hpp"

namespace alknet::net {
namespace {

class StdioStreamTest : public StreamTest {
protected:
    std::string file(const char* name) { return socket_path().parent_path() / name; }
    static UniqueFd opened(const std::string& path, int flags) {
        return UniqueFd(open(path.c_str(), flags | O_CLOEXEC, 0600));
    }
};

task<result<void>> copy(ByteStream& stream) {
    Bytes data;
    ALKNET_CO_CHECK(co_await receive_all(stream, data));
    co_return co_await send_all(stream, std::move(data));
}

TEST_F(StdioStreamTest, CopiesAFile) {
    const Bytes data = noise(1'000'000);
    std::ofstream(file("in")) << as_text(data);
    auto stream = make_fd_stream(*loop, opened(file("in"), O_RDONLY),
                                 opened(file("out"), O_WRONLY | O_CREAT));
    ASSERT_TRUE(stream) << stream.error().message();
    ASSERT_TRUE(run(copy(**stream)));
    std::ifstream out(file("out"));
    const std::string copied{std::istreambuf_iterator<char>(out), {}};
    EXPECT_EQ(copied, as_text(data));
}

TEST_F(StdioStreamTest, TalksToATerminal) {
    int master = -1;
    int slave = -1;
    ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    const UniqueFd terminal(master);
    UniqueFd in(slave);
    auto stream = make_fd_stream(*loop, UniqueFd(dup(slave)), std::move(in)).value();
    ASSERT_EQ(write(terminal.get(), "hello\n\004", 7), 7);
    Bytes typed;
    ASSERT_TRUE(run(receive_all(*stream, typed)));
    EXPECT_EQ(as_text(typed), "hello\n");
    ASSERT_TRUE(run(stream->write(as_bytes("answer"))));
    std::string shown(100, ' ');
    std::string all;
    while (all.find("answer") == std::string::npos) {
        const ssize_t count = read(terminal.get(), shown.data(), shown.size());
        ASSERT_GT(count, 0);
        all.append(shown, 0, static_cast<std::size_t>(count));
    }
}

task<result<void>> read_for_ever(ByteStream& stream) {
    Bytes into(1000);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(into));
        EXPECT_EQ(count, into.size());
    }
}

task<result<void>> write_for_ever(ByteStream& stream) {
    const Bytes data(1000);
    for (;;) {
        ALKNET_CO_CHECK(co_await stream.write(data));
    }
}

task<result<void>> cancel_after_some_turns(Loop& loop, ByteStream& stream) {
    TaskScope scope(loop);
    scope.spawn(read_for_ever(stream), "read");
    scope.spawn(write_for_ever(stream), "write");
    // Timers run as well as tasks.
    for (int i = 0; i < 10; ++i) {
        ALKNET_CO_CHECK(co_await loop.sleep(std::chrono::microseconds(1)));
    }
    scope.cancel();
    co_return co_await scope.join();
}

TEST_F(StdioStreamTest, LetsTheLoopRunWhenItIsAlwaysReady) {
    auto stream =
        make_fd_stream(*loop, opened("/dev/zero", O_RDONLY), opened("/dev/null", O_WRONLY));
    ASSERT_TRUE(stream);
    EXPECT_TRUE(run(cancel_after_some_turns(*loop, **stream)));
}

TEST_F(StdioStreamTest, LeavesTheModeOfSharedDescriptorsAlone) {
    std::array<int, 2> fds{};
    ASSERT_EQ(pipe(fds.data()), 0);
    const UniqueFd shared(dup(fds[0]));
    auto stream = make_fd_stream(*loop, UniqueFd(fds[0]), UniqueFd(fds[1])).value();
    ASSERT_TRUE(run(stream->write(noise(10))));
    Bytes into(10);
    EXPECT_EQ(run(stream->read(into)).value(), 10U);
    EXPECT_EQ(stream->try_read(into).value(), std::nullopt);
    EXPECT_EQ(fcntl(shared.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(StdioStreamTest, FinishEndsASocketThatIsTheInputToo) {
    std::array<int, 2> fds{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
    const UniqueFd other(fds[1]);
    auto stream = make_fd_stream(*loop, UniqueFd(dup(fds[0])), UniqueFd(fds[0])).value();
    ASSERT_TRUE(run(stream->write(as_bytes("last"))));
    ASSERT_TRUE(run(stream->finish()));
    std::array<char, 10> into{};
    EXPECT_EQ(read(other.get(), into.data(), into.size()), 4);
    EXPECT_EQ(read(other.get(), into.data(), into.size()), 0);
    ASSERT_EQ(write(other.get(), "still", 5), 5);
    Bytes heard(10);
    EXPECT_EQ(run(stream->read(heard)).value(), 5U);
}

TEST_F(StdioStreamTest, SaysThatADescriptorCannotBeUsed) {
    EXPECT_TRUE(make_fd_stream(*loop, UniqueFd(), UniqueFd()).error().is(causes::kIo));
    auto directory =
        make_fd_stream(*loop, opened(testing::TempDir(), O_RDONLY), opened("/dev/full", O_WRONLY))
            .value();
    Bytes into(10);
    EXPECT_TRUE(run(directory->read(into)).error().is(causes::kIo));
    EXPECT_TRUE(run(directory->write(into)).error().is(causes::kIo));
}

/// In a process of its own, whose standard input and output are pipes: what it was sent, twice.
int answer_twice() {
    SystemClock clock;
    const auto loop = Loop::create(clock);
    auto stream = make_stdio_stream(**loop);
    Bytes data;
    if (!stream || !block_on(**loop, receive_all(**stream, data))) {
        return 1;
    }
    data.insert(data.end(), data.begin(), data.end());
    const bool sent = block_on(**loop, send_all(**stream, data)).has_value();
    // Whoever reads has seen the end by now; what is printed later goes nowhere.
    return sent && write(STDOUT_FILENO, "late", 4) == 4 ? 0 : 2;
}

TEST_F(StdioStreamTest, TakesStandardInputAndOutputOver) {
    std::array<int, 2> to_child{};
    std::array<int, 2> from_child{};
    ASSERT_EQ(pipe(to_child.data()), 0);
    ASSERT_EQ(pipe(from_child.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(to_child[0], STDIN_FILENO);
        dup2(from_child[1], STDOUT_FILENO);
        for (const int fd : {to_child[0], to_child[1], from_child[0], from_child[1]}) {
            close(fd);
        }
        _exit(answer_twice());
    }
    const UniqueFd unused_end(to_child[0]);
    close(from_child[1]);
    auto stream = make_fd_stream(*loop, UniqueFd(from_child[0]), UniqueFd(to_child[1])).value();
    EXPECT_TRUE(run(send_all(*stream, to_bytes(as_bytes("hello ")))));
    Bytes answer;
    EXPECT_TRUE(run(receive_all(*stream, answer)));
    EXPECT_EQ(as_text(answer), "hello hello ");
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace alknet::net
