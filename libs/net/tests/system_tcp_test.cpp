#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>

#include "accept_queue.hpp"
#include "stream_fixture.hpp"
#include "system_socket.hpp"

namespace alknet::net {
namespace {

class SystemTcpTest : public StreamTest {
protected:
    std::unique_ptr<TcpListener> listen(std::string_view address) {
        auto listener = network->listen_tcp(*loop, SocketAddress::parse(address).value());
        EXPECT_TRUE(listener) << listener.error().message();
        return std::move(*listener);
    }
    static SocketAddress at(std::string_view ip, const SocketAddress& port_of) {
        return SocketAddress::parse(std::string(ip) + ":0").value().with_port(port_of.port());
    }
};

TEST_F(SystemTcpTest, BothEndsAgreeOnTheAddresses) {
    struct Path {
        std::string_view bound, target;
    };
    for (const Path& path :
         {Path{"127.0.0.1:0", "127.0.0.1"}, Path{"0.0.0.0:0", "127.0.0.2"},
          Path{"[::1]:0", "[::1]"}, Path{"[::]:0", "[::1]"}, Path{"[::]:0", "127.0.0.2"}}) {
        const auto listener = listen(path.bound);
        const SocketAddress target = at(path.target, listener->local_address());
        const auto dialled = run(network->connect_tcp(*loop, target));
        ASSERT_TRUE(dialled) << dialled.error().message();
        const auto accepted = run(listener->accept());
        ASSERT_TRUE(accepted);
        EXPECT_EQ(dialled->remote, target);
        EXPECT_EQ(accepted->local, target);
        EXPECT_EQ(accepted->remote, dialled->local);
    }
}

TEST_F(SystemTcpTest, AnAcceptWaits) {
    const auto listener = listen("127.0.0.1:0");
    const auto nobody = run(with_timeout(std::chrono::milliseconds(1), listener->accept()));
    ASSERT_FALSE(nobody);
    EXPECT_TRUE(nobody.error().is(causes::kTimeout));
    const auto dialled = run(network->connect_tcp(*loop, listener->local_address()));
    EXPECT_TRUE(run(listener->accept()));
}

task<result<void>> accept_many(TcpListener& listener, std::size_t count,
                               std::vector<TcpStream>& streams) {
    while (streams.size() < count) {
        ALKNET_CO_TRY(TcpStream stream, co_await listener.accept());
        streams.push_back(std::move(stream));
    }
    co_return result<void>{};
}

TEST_F(SystemTcpTest, AcceptsManyAndLetsOthersRun) {
    const auto listener = listen("127.0.0.1:0");
    constexpr std::size_t kCount = 100;
    std::vector<TcpStream> dialled;
    for (std::size_t i = 0; i < kCount; ++i) {
        dialled.push_back(run(network->connect_tcp(*loop, listener->local_address())).value());
    }
    std::vector<TcpStream> accepted;
    TaskScope scope(*loop);
    scope.spawn(accept_many(*listener, kCount, accepted), "accept");
    // All wait in the queue, so an acceptor that never paused would take them in one turn.
    std::size_t turns = 0;
    while (accepted.size() < kCount) {
        loop->turn(false);
        ++turns;
    }
    EXPECT_GE(turns, 3U);
}

/// Takes all descriptors that the process may have.
class AllDescriptors {
public:
    AllDescriptors() {
        getrlimit(RLIMIT_NOFILE, &before_);
        rlimit low = before_;
        low.rlim_cur = 100;
        setrlimit(RLIMIT_NOFILE, &low);
        for (;;) {
            UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
            if (!fd) {
                break;
            }
            taken_.push_back(std::move(fd));
        }
    }
    AllDescriptors(const AllDescriptors&) = delete;
    AllDescriptors& operator=(const AllDescriptors&) = delete;
    ~AllDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
    void give_back() { taken_.clear(); }

private:
    rlimit before_{};
    std::vector<UniqueFd> taken_;
};

TEST_F(SystemTcpTest, SaysThatDescriptorsAreShortAndRecovers) {
    const auto listener = listen("127.0.0.1:0");
    const auto first = run(network->connect_tcp(*loop, listener->local_address()));
    const auto second = run(network->connect_tcp(*loop, listener->local_address()));
    // Everything runs once before descriptors are short: sanitizers need some to look at a type
    // that they have not seen yet.
    EXPECT_TRUE(run(listener->accept()));
    ASSERT_TRUE(run(loop->sleep(std::chrono::microseconds(1))));
    const TimePoint before = clock.now();
    AllDescriptors all;
    const auto refused = run(listener->accept());
    const auto refused_again = run(listener->accept());
    all.give_back();
    for (const auto* outcome : {&refused, &refused_again}) {
        ASSERT_FALSE(*outcome);
        EXPECT_TRUE(outcome->error().is(causes::kIo));
    }
    // Whoever tries again at once does not spin.
    EXPECT_GE(clock.now() - before, AcceptQueue::kBackOff);
    EXPECT_TRUE(run(listener->accept()));
}

TEST_F(SystemTcpTest, SaysThatNobodyListens) {
    for (const std::string_view ip : {"127.0.0.1:0", "[::1]:0"}) {
        const SocketAddress address = listen(ip)->local_address();
        const auto dialled = run(network->connect_tcp(*loop, address));
        ASSERT_FALSE(dialled);
        EXPECT_TRUE(dialled.error().is(causes::kUnreachable));
        EXPECT_NE(dialled.error().detail().find(address.to_string()), std::string::npos);
    }
    const auto none = run(network->connect_tcp(*loop, SocketAddress()));
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().is(causes::kAddressInvalid));
}

TEST_F(SystemTcpTest, AConnectCanBeCancelled) {
    // A queue of one, which the first connection fills: the system ignores further ones.
    const SocketAddress any = SocketAddress::parse("127.0.0.1:0").value();
    const UniqueFd full = open_socket(any, SOCK_STREAM).value();
    ASSERT_TRUE(bind_socket(full.get(), any));
    ASSERT_EQ(::listen(full.get(), 0), 0);
    const SocketAddress address = local_address_of(full.get());
    const auto first = run(network->connect_tcp(*loop, address));
    ASSERT_TRUE(first);
    const auto second =
        run(with_timeout(std::chrono::milliseconds(20), network->connect_tcp(*loop, address)));
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kTimeout));
}

TEST_F(SystemTcpTest, NamesTheAddressThatIsInUse) {
    const auto first = listen("127.0.0.1:0");
    const auto second = network->listen_tcp(*loop, first->local_address());
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kAddressInUse));
    const auto foreign = network->listen_tcp(*loop, SocketAddress::v4({192, 0, 2, 1}, 0));
    ASSERT_FALSE(foreign);
    EXPECT_TRUE(foreign.error().is(causes::kIo));
    EXPECT_FALSE(network->listen_tcp(*loop, SocketAddress()));
}

TEST_F(SystemTcpTest, SharesAPortWhenAskedTo) {
    const auto first = network->listen_tcp_shared(*loop, SocketAddress::v4({127, 0, 0, 1}, 0),
                                                  {.index = 0, .count = 2});
    ASSERT_TRUE(first) << first.error().message();
    const SocketAddress address = (*first)->local_address();
    const auto second = network->listen_tcp_shared(*loop, address, {.index = 1, .count = 2});
    ASSERT_TRUE(second) << second.error().message();
    const auto foreign = network->listen_tcp_shared(*loop, address, {.index = 0, .count = 2});
    ASSERT_FALSE(foreign);
    EXPECT_TRUE(foreign.error().is(causes::kAddressInUse));
}

TEST_F(SystemTcpTest, ListensAgainAtOnce) {
    auto listener = listen("127.0.0.1:0");
    const SocketAddress address = listener->local_address();
    {
        // The listener's side closes first, so that its port keeps a memory of the connection.
        auto dialled = run(network->connect_tcp(*loop, address)).value();
        auto accepted = run(listener->accept()).value();
        ASSERT_TRUE(run(accepted.stream->finish()));
        Bytes into(1);
        EXPECT_EQ(run(dialled.stream->read(into)).value(), 0U);
        ASSERT_TRUE(run(dialled.stream->finish()));
        EXPECT_EQ(run(accepted.stream->read(into)).value(), 0U);
    }
    listener.reset();
    const auto again = network->listen_tcp(*loop, address);
    EXPECT_TRUE(again) << again.error().message();
}

TEST_F(SystemTcpTest, AnAnswerSurvivesThatTheQuestionIsNotReadToItsEnd) {
    auto pair = run(tcp_pair(*loop, *network, "127.0.0.1:0")).value();
    ASSERT_TRUE(run(pair.first->write(noise(1000))));
    ASSERT_TRUE(run(pair.second->readable()));
    ASSERT_TRUE(run(send_all(*pair.second, noise(10))));
    pair.second.reset();
    Bytes answer;
    EXPECT_TRUE(run(receive_all(*pair.first, answer)));
    EXPECT_EQ(answer, noise(10));
}

}  // namespace
}  // namespace alknet::net
