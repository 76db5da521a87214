#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>

#include "sim_fixture.hpp"

namespace alknet::sim {
namespace {

using std::chrono::seconds;

/// A connection from left to right, made by the real calls.
class SimTcp : public SimPair {
protected:
    ~SimTcp() override {
        dialled.reset();
        accepted.reset();
        listener.reset();
        EXPECT_EQ(left_process->sockets(), 0u);
        EXPECT_EQ(right_process->sockets(), 0u);
    }

    void listen() {
        listener = *right_process->network()->listen_tcp(right_process->loop(), right.v4(kPort));
    }

    static task<void> dial(SimProcess& process, SocketAddress to,
                           std::optional<result<net::TcpStream>>& into) {
        into = co_await process.network()->connect_tcp(process.loop(), to);
    }
    static task<void> take(net::TcpListener& from, std::optional<result<net::TcpStream>>& into) {
        into = co_await from.accept();
    }

    void connect() {
        listen();
        scope_left.spawn(dial(*left_process, right.v4(kPort), dialled), "dial");
        scope_right.spawn(take(*listener, accepted), "accept");
        ASSERT_TRUE(world.run_until([&] { return dialled && accepted; }, seconds(5)));
        ASSERT_TRUE(*dialled);
        ASSERT_TRUE(*accepted);
    }

    static inline const std::string kResetText = "error " + std::string(causes::kReset.id);
    ByteStream& left_end() { return *(*dialled)->stream; }
    ByteStream& right_end() { return *(*accepted)->stream; }

    /// What is there to read, at most `most` octets; nullopt when nothing has come.
    static std::optional<std::string> read_now(ByteStream& stream, std::size_t most = 1 << 20) {
        std::string text(most, '\0');
        const auto count = stream.try_read(std::as_writable_bytes(std::span(text)));
        if (!count) {
            return "error " + std::string(count.error().cause().id);
        }
        if (!*count) {
            return std::nullopt;
        }
        text.resize(**count);
        return text;
    }

    std::unique_ptr<net::TcpListener> listener;
    std::optional<result<net::TcpStream>> dialled;
    std::optional<result<net::TcpStream>> accepted;
    TaskScope scope_left{left_process->loop()};
    TaskScope scope_right{right_process->loop()};
};

TEST_F(SimTcp, BytesArriveInOrderBothWays) {
    connect();
    EXPECT_EQ((*accepted)->local, right.v4(kPort));
    EXPECT_EQ((*accepted)->remote, (*dialled)->local);
    world.set_all_links({.jitter = ms(100), .loss = 0.2});
    std::string sent;
    std::string received;
    for (int i = 0; i < 100; ++i) {
        const std::string piece = std::to_string(i) + ",";
        ASSERT_EQ(*left_end().try_write(as_bytes(piece)), piece.size());
        sent += piece;
    }
    EXPECT_EQ(*right_end().try_write(as_bytes("back")), 4u);
    ASSERT_TRUE(world.run_until(
        [&] {
            received += read_now(right_end(), 7).value_or("");
            return received.size() >= sent.size();
        },
        seconds(60)));
    EXPECT_EQ(received, sent);
    world.run_for(seconds(1));
    EXPECT_EQ(read_now(left_end()), "back");
    EXPECT_EQ(read_now(left_end()), std::nullopt);
}

task<result<void>> write_all(ByteStream& stream, std::string text) {
    ALKNET_CO_CHECK(co_await stream.write(as_bytes(text)));
    co_return co_await stream.finish();
}

TEST_F(SimTcp, TheWindowHoldsAWriterBack) {
    connect();
    const std::string text(2 * kTcpWindowBytes + 1, 'x');
    scope_left.spawn(write_all(left_end(), text), "writer");
    world.run_for(seconds(10));
    EXPECT_EQ(scope_left.size(), 1u);
    EXPECT_EQ(read_now(right_end(), 4 * kTcpWindowBytes)->size(), kTcpWindowBytes);
    std::size_t received = kTcpWindowBytes;
    bool ended = false;
    ASSERT_TRUE(world.run_until(
        [&] {
            const auto piece = read_now(right_end());
            received += piece ? piece->size() : 0;
            ended = ended || piece == "";
            return ended;
        },
        seconds(10)));
    EXPECT_EQ(received, text.size());
    EXPECT_EQ(scope_left.size(), 0u);
}

TEST_F(SimTcp, EachDirectionEndsByItself) {
    connect();
    scope_left.spawn(write_all(left_end(), "question"), "writer");
    world.run_for(seconds(1));
    EXPECT_EQ(read_now(right_end()), "question");
    EXPECT_EQ(read_now(right_end()), "");
    scope_right.spawn(write_all(right_end(), "answer"), "writer");
    world.run_for(seconds(1));
    EXPECT_EQ(read_now(left_end()), "answer");
    EXPECT_EQ(read_now(left_end()), "");
    EXPECT_FALSE(left_end().try_write(as_bytes("more")));
}

TEST_F(SimTcp, ClosingInOrderIsNoReset) {
    connect();
    scope_left.spawn(write_all(left_end(), "all"), "writer");
    scope_right.spawn(write_all(right_end(), "done"), "writer");
    world.run_for(seconds(1));
    EXPECT_EQ(read_now(left_end()), "done");
    (*dialled)->stream.reset();
    world.run_for(seconds(1));
    EXPECT_EQ(read_now(right_end()), "all");
    EXPECT_EQ(read_now(right_end()), "");
}

TEST_F(SimTcp, DestroyingAnUnfinishedStreamResetsIt) {
    connect();
    (*dialled)->stream.reset();
    world.run_for(seconds(1));
    EXPECT_EQ(read_now(right_end()), kResetText);
    EXPECT_FALSE(right_end().try_write(as_bytes("x")));
}

TEST_F(SimTcp, WritingToACloserGetsAReset) {
    connect();
    scope_left.spawn(write_all(left_end(), ""), "writer");
    world.run_for(seconds(1));
    (*dialled)->stream.reset();
    EXPECT_TRUE(right_end().try_write(as_bytes("x")));
    world.run_for(seconds(1));
    EXPECT_FALSE(right_end().try_write(as_bytes("x")));
}

TEST_F(SimTcp, TheNetworkCanCutConnections) {
    connect();
    world.reset_tcp(right, left);
    EXPECT_EQ(read_now(left_end()), kResetText);
    EXPECT_EQ(read_now(right_end()), kResetText);
}

TEST_F(SimTcp, APartitionDelaysAndLosesNothing) {
    connect();
    world.set_cut(left, right, true);
    ASSERT_TRUE(left_end().try_write(as_bytes("patient")));
    world.run_for(seconds(5));
    EXPECT_EQ(read_now(right_end()), std::nullopt);
    world.set_cut(left, right, false);
    world.run_for(seconds(1));
    EXPECT_EQ(read_now(right_end()), "patient");
}

TEST_F(SimTcp, AStoppedReaderDropsWhatComesAndDoesNotBlockTheWriter) {
    connect();
    right_end().stop(0);
    scope_left.spawn(write_all(left_end(), std::string(2 * kTcpWindowBytes, 'x')), "writer");
    EXPECT_TRUE(world.run_until([&] { return scope_left.size() == 0; }, seconds(10)));
}

TEST_F(SimTcp, ACrashResetsWhatTheOthersHold) {
    connect();
    right_process->detach();
    world.run_for(seconds(1));
    EXPECT_EQ(read_now(left_end()), kResetText);
}

TEST_F(SimTcp, RebindingANatBreaksConnections) {
    left.put_behind_nat();
    connect();
    EXPECT_NE((*accepted)->remote, (*dialled)->local);
    left.rebind_nat(SimHost::NatChange::port);
    EXPECT_EQ(read_now(left_end()), kResetText);
}

TEST_F(SimTcp, NobodyListeningIsUnreachableAndSilenceATimeout) {
    scope_left.spawn(dial(*left_process, right.v4(1), dialled), "dial");
    ASSERT_TRUE(world.run_until([&] { return dialled.has_value(); }, seconds(5)));
    EXPECT_TRUE((*dialled).error().is(causes::kUnreachable));

    dialled.reset();
    world.set_cut(left, right, true);
    scope_left.spawn(dial(*left_process, right.v4(1), dialled), "dial");
    ASSERT_TRUE(world.run_until([&] { return dialled.has_value(); }, seconds(100)));
    EXPECT_TRUE((*dialled).error().is(causes::kTimeout));
}

TEST_F(SimTcp, AConnectThatIsCancelledLeavesNothing) {
    listen();
    scope_right.spawn(take(*listener, accepted), "accept");
    scope_left.spawn(dial(*left_process, right.v4(kPort), dialled), "dial");
    world.run_for(ms(15));
    scope_left.cancel();
    world.run_for(seconds(1));
    ASSERT_TRUE(dialled && accepted);
    EXPECT_TRUE((*dialled).error().is(errc::cancelled));
    EXPECT_EQ(left_process->sockets(), 0u);
    EXPECT_EQ(read_now(right_end()), kResetText);
}

TEST_F(SimTcp, TheBacklogIsBoundedAndALateAcceptServesTheRest) {
    listen();
    std::vector<std::optional<result<net::TcpStream>>> dials(kTcpBacklogMax + 1);
    for (auto& into : dials) {
        scope_left.spawn(dial(*left_process, right.v4(kPort), into), "dial");
    }
    world.run_for(ms(500));
    EXPECT_EQ(left_process->sockets(), kTcpBacklogMax);
    scope_right.spawn(take(*listener, accepted), "accept");
    world.run_for(seconds(2));
    EXPECT_EQ(left_process->sockets(), kTcpBacklogMax + 1);
}

}  // namespace
}  // namespace alknet::sim
