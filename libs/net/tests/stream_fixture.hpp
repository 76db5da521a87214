#pragma once

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/net/network.hpp>
#include <alknet/net/pipe_stream.hpp>
#include <alknet/net/stdio_stream.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <csignal>
#include <filesystem>
#include <random>
#include <string>

namespace alknet::net {

inline Bytes noise(std::size_t size, unsigned seed = 1) {
    std::mt19937 random(seed);
    Bytes bytes(size);
    for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>(random());
    }
    return bytes;
}

/// Tasks on a real loop, and pairs of connected streams.
class StreamTest : public testing::Test {
protected:
    StreamTest() { std::signal(SIGPIPE, SIG_IGN); }

    template <class T>
    T run(task<T> work) {
        return block_on(*loop, std::move(work));
    }

    static task<result<MemoryStreamPair>> tcp_pair(Loop& loop, Network& network, std::string text) {
        ALKNET_CO_TRY(const SocketAddress local, SocketAddress::parse(text));
        ALKNET_CO_TRY(const auto listener, network.listen_tcp(loop, local));
        ALKNET_CO_TRY(TcpStream dialled,
                      co_await network.connect_tcp(loop, listener->local_address()));
        ALKNET_CO_TRY(TcpStream accepted, co_await listener->accept());
        co_return MemoryStreamPair(std::move(dialled.stream), std::move(accepted.stream));
    }

    static task<result<MemoryStreamPair>> unix_pair(Loop& loop, std::filesystem::path path) {
        ALKNET_CO_TRY(const auto listener, listen_unix(loop, path));
        ALKNET_CO_TRY(UnixStream dialled, connect_unix(loop, path));
        ALKNET_CO_TRY(UnixStream accepted, co_await listener->accept());
        co_return MemoryStreamPair(std::move(dialled.stream), std::move(accepted.stream));
    }

    /// Two pipes, crossed.
    result<MemoryStreamPair> pipe_pair(decltype(make_fd_stream)& make) {
        std::array<int, 2> forth{};
        std::array<int, 2> back{};
        EXPECT_EQ(pipe(forth.data()), 0);
        EXPECT_EQ(pipe(back.data()), 0);
        ALKNET_TRY(auto first, make(*loop, UniqueFd(back[0]), UniqueFd(forth[1])));
        ALKNET_TRY(auto second, make(*loop, UniqueFd(forth[0]), UniqueFd(back[1])));
        return MemoryStreamPair(std::move(first), std::move(second));
    }

    [[nodiscard]] std::filesystem::path socket_path() const { return directory_ / "socket"; }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::unique_ptr<Network> network = make_system_network();

private:
    sim::TempDir directory_;
};

inline task<result<void>> send_all(ByteStream& stream, Bytes data) {
    ALKNET_CO_CHECK(co_await stream.write(data));
    co_return co_await stream.finish();
}

inline task<result<void>> receive_all(ByteStream& stream, Bytes& into) {
    Bytes buffer(64 << 10);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return result<void>{};
        }
        into.insert(into.end(), buffer.begin(), buffer.begin() + std::ptrdiff_t(count));
    }
}

}  // namespace alknet::net
