// Services that are programs: real processes, and peers in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/core/memory_connection.hpp>
#include <alknet/exec/programs.hpp>
#include <alknet/net/proxy_protocol.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <alknet/testing/programs.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <map>

#include "program_run.hpp"

namespace alknet::exec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// As somebody else where that can be.
config::Program program_of(std::string text) {
    config::Program program;
    program.name = "child";
    program.alpn = "example/child";
    program.command = sim::python(std::move(text));
    program.as_node = geteuid() != 0;
    program.user = program.as_node ? "" : "nobody";
    return program;
}

constexpr const char* kAccept =
    "import os, socket, sys\n"
    "listener = socket.socket(fileno=3)\n"
    "def accept(): return listener.accept()[0]\n";

class ProgramsTest : public testing::Test, protected sim::RealLoop {
protected:
    ~ProgramsTest() override { end(); }

    void begin(config::Program program) {
        ProgramsOptions options{.programs = {std::move(program)}, .directory = directory_.path()};
        options.log = Log(sink);
        programs = Programs::create(*loop, std::move(options)).value();
        running.spawn(programs->run(), "programs");
    }
    void begin(const std::string& text) { begin(program_of(kAccept + text)); }
    void end() {
        if (client_ != nullptr) {
            client_->close(0, "");
        }
        running.cancel();
        (void)run(running.join());
    }
    [[nodiscard]] ProgramStatus status() const { return programs->status().front(); }
    /// Turns until it is so.
    void until(const std::function<bool()>& so) {
        loop->run_until_idle();
        while (!so()) {
            loop->turn(true);  // which waits for something to happen, and leaves it there
            loop->run_until_idle();
        }
    }
    void until_running() {
        until([this] { return status().state == ProgramState::running; });
    }
    [[nodiscard]] std::string socket() const { return directory_ / "exec-child.sock"; }

    /// One stream of a peer's.
    std::unique_ptr<BiStream> connect(AuthContext auth = {}) {
        if (client_ == nullptr) {
            MemoryConnectionOptions options;
            options.alpn = "example/child";
            auto pair = make_memory_connection_pair(options);
            client_ = pair.client;
            running.spawn(serve(pair.server, std::move(auth)), "serve");
        }
        return run(client_->open_bi()).value();
    }
    task<void> serve(std::shared_ptr<Connection> connection, AuthContext auth) {
        const auto handler = programs->make_handler("example/child", *loop);
        (void)co_await handler->handle(connection, std::move(auth));
        connection->close(0, "");
    }
    static task<result<std::string>> read_all(BiStream& stream) {
        std::string all;
        Bytes buffer(4096);
        for (;;) {
            ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
            if (size == 0) {
                co_return all;
            }
            all += as_text(BytesView(buffer).first(size));
        }
    }
    /// Says something, ends, and gives all of the answer.
    result<std::string> ask(BiStream& stream, std::string_view question) {
        ALKNET_CHECK(run(stream.write(as_bytes(question))));
        ALKNET_CHECK(run(stream.finish()));
        return run(read_all(stream));
    }
    result<std::string> ask(std::string_view question) {
        const auto stream = connect();
        return ask(*stream, question);
    }

    std::shared_ptr<sim::MemoryLogSink> sink = std::make_shared<sim::MemoryLogSink>();
    std::unique_ptr<Programs> programs;
    TaskScope running{*loop};

private:
    sim::TempDir directory_;
    std::shared_ptr<Connection> client_;
};

TEST_F(ProgramsTest, ServeStreams) {
    begin(
        "while True:\n"
        "    with accept() as one:\n"
        "        text = one.makefile('rb').read()\n"
        "        one.sendall(text.upper())\n");
    EXPECT_THAT(programs->services(), testing::SizeIs(1));
    EXPECT_EQ(programs->services()[0].scope, "exec:use:child");
    until_running();
    EXPECT_EQ(ask("hello"), "HELLO");
    EXPECT_EQ(ask(std::string(300'000, 'a')), std::string(300'000, 'A'));
    EXPECT_EQ(status().streams, 0U);
    end();
    EXPECT_EQ(status().state, ProgramState::stopped);
    EXPECT_FALSE(std::filesystem::exists(socket()));
}

TEST_F(ProgramsTest, AreToldWhoThePeerIs) {
    config::Program program =
        program_of(std::string(kAccept) +
                   "while True:\n"
                   "    with accept() as one: one.sendall(one.makefile('rb').read())\n");
    program.proxy_header = true;
    begin(std::move(program));
    until_running();
    AuthContext auth;
    auth.identity.emplace();
    auth.identity->id = "bob";
    auth.identity->scopes = {"a:b", "exec:use:child"};
    const auto stream = connect(std::move(auth));
    const std::string echoed = ask(*stream, "and this").value();
    net::ProxyHeaderReader reader;
    std::string_view rest = echoed;
    while (reader.wanted() > 0) {
        const std::size_t size = reader.wanted();
        ASSERT_TRUE(reader.add(as_bytes(rest.substr(0, size))));
        rest.remove_prefix(size);
    }
    EXPECT_EQ(rest, "and this");
    std::map<int, std::string> told;
    for (const net::ProxyTlv& tlv : reader.header().tlvs) {
        told[tlv.type] = as_text(BytesView(tlv.value));
    }
    EXPECT_EQ(told[0x01], "example/child");
    EXPECT_EQ(told[0xe0], "bob");
    EXPECT_EQ(told[0xe2], "a:b exec:use:child");
    EXPECT_EQ(told[0xe3], "memory");
}

TEST_F(ProgramsTest, ComeBackAfterTheirEnd) {
    begin("with accept() as one: sys.exit(int(one.recv(10)))\n");
    until_running();
    const std::int64_t first = status().process;
    EXPECT_EQ(ask("7"), "") << "the stream ends with it";
    until([this] { return status().state == ProgramState::waiting; });
    EXPECT_EQ(status().last_end, "exit code 7");
    // Nobody is there: not the socket of before, and no wait.
    EXPECT_FALSE(ask("x"));
    until_running();
    EXPECT_NE(status().process, first);
    EXPECT_EQ(status().ends, 1U);
    EXPECT_EQ(ask("3"), "");
    EXPECT_EQ(sink->count("exec.started"), 2U);
}

TEST_F(ProgramsTest, LeaveTheirLastWordsInTheLog) {
    begin(
        "print('one\\x1b[31m')\n"
        "sys.stderr.write('two')\n"
        "sys.exit(1)\n");
    until([this] { return sink->count("exec.ended") > 0; });
    std::vector<std::string> said;
    for (const auto& event : sink->events()) {
        if (event.name == "exec.output") {
            said.push_back(event.field("line"));
        }
    }
    EXPECT_THAT(said, ElementsAre("one\x1b[31m", "two")) << "sinks escape what is not printable";
    EXPECT_EQ(sink->last("exec.ended")->field("reason"), "exit code 1");
}

TEST_F(ProgramsTest, ThatSayTooMuchLoseLinesAndHoldNobodyUp) {
    begin(
        "import threading\n"
        "def flood():\n"
        "    while True: print('x' * 100)\n"
        "threading.Thread(target=flood, daemon=True).start()\n"
        "while True:\n"
        "    with accept() as one: one.sendall(one.makefile('rb').read())\n");
    until_running();
    until([this] { return sink->count("exec.output_dropped") > 0; });
    EXPECT_EQ(ask("still there?"), "still there?");
    EXPECT_LT(sink->count("exec.output"), 10'000U);
}

TEST_F(ProgramsTest, ThatNeverReadHoldThePeerBackAndEndAllTheSame) {
    config::Program program = program_of(std::string(kAccept) +
                                         "import signal\n"
                                         "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                                         "one = accept()\n"
                                         "os.write(1, b'accepted\\n')\n"
                                         "while True: signal.pause()\n");
    program.stop_timeout = std::chrono::milliseconds(50);
    begin(std::move(program));
    until_running();
    const auto stream = connect();
    const Bytes much(4 << 20);
    TaskScope writing(*loop);
    writing.spawn(
        [](BiStream& into, const Bytes& what) -> task<void> { (void)co_await into.write(what); }(
                                                  *stream, much),
        "write");
    until([this] { return sink->count("exec.output") > 0; });
    EXPECT_EQ(writing.size(), 1U);
    EXPECT_EQ(status().streams, 1U);
    end();
    (void)run(writing.join());
    EXPECT_EQ(status().state, ProgramState::stopped);
}

TEST_F(ProgramsTest, HaveALimitOfStreams) {
    config::Program program = program_of(std::string(kAccept) +
                                         "kept = []\n"
                                         "while True: kept.append(accept())\n");
    program.streams_max = 2;
    begin(std::move(program));
    until_running();
    const auto one = connect();
    const auto two = connect();
    until([this] { return status().streams == 2; });
    EXPECT_FALSE(ask("three"));
    EXPECT_EQ(status().streams, 2U);
    one->reset(0);
    one->stop(0);
    until([this] { return status().streams == 1; });
}

TEST_F(ProgramsTest, SeeThePeerGo) {
    begin(
        "while True:\n"
        "    with accept() as one:\n"
        "        print('read', len(one.recv(100)), len(one.recv(100)))\n");
    until_running();
    auto stream = connect();
    EXPECT_TRUE(run(stream->write(as_bytes("12345"))));
    until([this] { return status().streams == 1; });
    stream->reset(1);
    stream->stop(1);
    stream.reset();
    until([this] { return sink->count("exec.output") > 0; });
    EXPECT_THAT(sink->last("exec.output")->field("line"), HasSubstr("read "));
    until([this] { return status().streams == 0; });
}

TEST_F(ProgramsTest, ThatCannotRunAreGivenUp) {
    config::Program program = program_of("");
    program.command = {"/nonexistent/program"};
    program.attempts_max = 1;
    begin(std::move(program));
    until([this] { return status().state == ProgramState::given_up; });
    EXPECT_THAT(status().last_end, HasSubstr("/nonexistent/program: the program: No such file"));
    EXPECT_EQ(to_string(status().state), "given up");
    EXPECT_FALSE(ask("anybody?"));
}

TEST(ProgramUsers, AreNotTheNodesOwn) {
    config::Program program;
    program.name = "x";
    program.user = ProcessUser::current().name;
    auto user = user_of(program);
    ASSERT_FALSE(user);
    EXPECT_TRUE(user.error().is(causes::kProgramUser));
    EXPECT_THAT(user.error().detail(), HasSubstr("is the node's own user"));
    program.user = geteuid() == 0 ? "nobody" : "root";
    user = user_of(program);
    if (geteuid() == 0) {
        ASSERT_TRUE(user && *user);
        EXPECT_EQ((*user)->name, "nobody");
    } else {
        ASSERT_FALSE(user);
        EXPECT_THAT(user.error().detail(), HasSubstr("the node itself is not root"));
    }
    program.as_node = true;
    EXPECT_EQ(user_of(program).value(), std::nullopt);
}

TEST(ProgramEnvironment, IsWhatIsConfiguredAndALittleMore) {
    config::Program program;
    program.name = "x";
    program.environment = {"A=b=c", "TZ", "GONE", "PATH=/mine"};
    const ProcessUser user{.user = 1, .group = 1, .name = "alice", .home = "/home/of-alice"};
    const auto all = environment_of(program, user, [](const char* name) {
        return std::string_view(name) == "TZ" ? "UTC" : nullptr;
    });
    EXPECT_THAT(all,
                ElementsAre("A=b=c", "TZ=UTC", "PATH=/mine", "LANG=C.UTF-8", "HOME=/home/of-alice",
                            "USER=alice", "LOGNAME=alice", "LISTEN_FDS=1", "LISTEN_FDNAMES=x"));
}

}  // namespace
}  // namespace alknet::exec
