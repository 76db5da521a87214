#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/base/number.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/process/process.hpp>
#include <alknet/testing/programs.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <ranges>

namespace alknet::process {
namespace {

using testing::HasSubstr;

class ProcessTest : public testing::Test, protected sim::RealLoop {
protected:
    static task<result<std::string>> read_all(Process& process) {
        std::string all;
        Bytes buffer(4096);
        for (;;) {
            ALKNET_CO_TRY(const std::size_t size, co_await process.read_output(buffer));
            if (size == 0) {
                co_return all;
            }
            all += as_text(BytesView(buffer).first(size));
        }
    }
    /// Until it has said something, which tells that it is there.
    static task<result<std::string>> read_once(Process& process) {
        Bytes buffer(4096);
        ALKNET_CO_TRY(const std::size_t size, co_await process.read_output(buffer));
        co_return std::string(as_text(BytesView(buffer).first(size)));
    }
    static task<result<std::string>> read_stream(ByteStream& stream) {
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
    result<std::unique_ptr<Process>> start(ProcessOptions options) {
        return run(Process::start(*loop, std::move(options)));
    }
    std::unique_ptr<Process> start(std::string text) {
        ProcessOptions options;
        options.command = sim::python(std::move(text));
        return start(std::move(options)).value();
    }
    /// All that a program says.
    std::string said(ProcessOptions options) {
        auto process = start(std::move(options));
        if (!process) {
            return process.error().message();
        }
        EXPECT_TRUE(run((*process)->wait()));  // it says less than a pipe holds
        return run(read_all(**process)).value();
    }
};

bool is_alive(pid_t id) {
    return kill(id, 0) == 0 || errno != ESRCH;
}

TEST_F(ProcessTest, SaysHowItEnded) {
    EXPECT_EQ(run(start("raise SystemExit(3)")->wait()).value().text(), "exit code 3");
    EXPECT_EQ(run(start("import os; os.kill(os.getpid(), 9)")->wait()).value().text(), "signal 9");
    auto process = start("print('out'); import sys; sys.stderr.write('err\\n')");
    EXPECT_EQ(run(read_all(*process)).value(), "out\nerr\n");
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 0");
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 0") << "again";
}

TEST_F(ProcessTest, SeesLittle) {
    ProcessOptions options;
    options.command = sim::python(
        "import os, signal\n"
        "print(sorted(os.environ.items()), sorted(map(int, os.listdir('/proc/self/fd')))[:4])\n"
        "print(os.getsid(0) == os.getpgid(0) == os.getpid(), os.getcwd(), os.umask(0))\n"
        "print([l.strip() for l in open('/proc/self/status') if l.startswith(('NoNew', "
        "'SigBlk'))])\n"
        "print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "
        "os.readlink('/proc/self/fd/0'))\n");
    options.environment = {"A=b"};
    // A descriptor that is not closed by exec.
    const UniqueFd leak(dup(STDOUT_FILENO));
    const std::string all = said(std::move(options));
    EXPECT_THAT(all, HasSubstr("[('A', 'b')"));
    EXPECT_THAT(all, HasSubstr("[0, 1, 2, 3]\n")) << "the last one is of the listing itself";
    EXPECT_THAT(all, HasSubstr("True / 63\n"));
    EXPECT_THAT(all, HasSubstr("'SigBlk:\\t0000000000000000', 'NoNewPrivs:\\t1'"));
    EXPECT_THAT(all, HasSubstr("True /dev/null\n"));
}

TEST_F(ProcessTest, IsHandedItsSocket) {
    const sim::TempDir directory;
    ProcessOptions options;
    options.command = sim::python(
        "import os, socket\n"
        "assert os.environ['LISTEN_PID'] == str(os.getpid())\n"
        "socket.socket(fileno=3).accept()[0].sendall(b'here')\n");
    options.socket = net::bind_unix(directory / "s", 1).value();
    auto process = start(std::move(options)).value();
    const auto connected = net::connect_unix(*loop, directory / "s");
    ASSERT_TRUE(connected);
    Bytes buffer(10);
    EXPECT_EQ(run(connected->stream->read(buffer)).value(), 4U);
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 0");
    EXPECT_FALSE(net::connect_unix(*loop, directory / "s")) << "the socket went with it";
}

TEST_F(ProcessTest, ThatCannotBeStartedSaysWhy) {
    ProcessOptions options;
    options.command = {"/nonexistent/program"};
    auto failed = start(std::move(options));
    ASSERT_FALSE(failed);
    EXPECT_TRUE(failed.error().is(causes::kProgramStart));
    EXPECT_EQ(failed.error().detail(),
              "/nonexistent/program: the program: No such file or directory");
    options = {};
    options.command = sim::python("");
    options.directory = "/nonexistent";
    failed = start(std::move(options));
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().detail(), HasSubstr("its directory: No such file"));
    EXPECT_FALSE(start(ProcessOptions{}));
}

TEST_F(ProcessTest, IsAskedFirstAndThenKilled) {
    auto obeys = start(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "os.write(1, b'ready')\nsignal.pause()\n");
    EXPECT_EQ(run(read_once(*obeys)).value(), "ready");
    run(obeys->stop(std::chrono::minutes(10)));
    EXPECT_EQ(run(obeys->wait()).value().text(), "exit code 7");

    auto refuses = start(
        "import os, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.write(1, b'ready')\nwhile True: signal.pause()\n");
    EXPECT_EQ(run(read_once(*refuses)).value(), "ready");
    run(refuses->stop(std::chrono::milliseconds(20)));
    EXPECT_EQ(run(refuses->wait()).value().text(), "signal 9");
}

TEST_F(ProcessTest, TakesItsGroupAlong) {
    // The others hold the pipe, which would not end while one of them lives.
    auto process = start(
        "import os, signal\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "        while True: signal.pause()\n"
        "print('ready')\n");
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 0");
    EXPECT_EQ(run(read_all(*process)).value(), "ready\n");
}

TEST_F(ProcessTest, EndsWithItsObject) {
    auto process = start("import os, signal; os.write(1, b'ready'); signal.pause()");
    EXPECT_EQ(run(read_once(*process)).value(), "ready");
    const pid_t id = process->id();
    EXPECT_TRUE(is_alive(id));
    process.reset();
    EXPECT_FALSE(is_alive(id));
}

TEST_F(ProcessTest, IsKeptWithinItsLimits) {
    ProcessOptions options;
    options.command = sim::python(
        "import os, resource\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_AS))\n"
        "try:\n"
        "    while True: last = os.open('/', os.O_RDONLY)\n"
        "except OSError as why: print('files', last, why.errno)\n"
        "try: bytearray(200 << 20)\n"
        "except MemoryError: print('memory')\n");
    options.limits.data_bytes = 128 << 20;
    options.limits.address_bytes = std::uint64_t{1} << 40U;
    options.limits.files = 20;
    const std::string all = said(std::move(options));
    EXPECT_THAT(all, HasSubstr("(0, 0) (1099511627776, 1099511627776)"));
    EXPECT_THAT(all, HasSubstr("files 19 " + std::to_string(EMFILE) + "\n"));
    EXPECT_THAT(all, HasSubstr("memory\n"));
}

TEST_F(ProcessTest, TakesAlongWhatHasAGroupOfItsOwn) {
    auto process = start(
        "import os, signal\n"
        "r, w = os.pipe()\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        os.setpgid(0, 0)\n"
        "        for number in (signal.SIGHUP, signal.SIGTERM): signal.signal(number, 1)\n"
        "        os.write(1, b'%d\\n' % os.getpid())\n"
        "        os.write(w, b'x')\n"
        "        while True: signal.pause()\n"
        "for _ in range(3): os.read(r, 1)\n");
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 0");
    const std::string ids = run(read_all(*process)).value();  // ends: nobody has the pipe
    for (const auto part : std::views::split(ids, '\n')) {
        const auto id = parse_number<pid_t>(std::string_view(part.begin(), part.end()));
        if (id) {
            sim::await_end(*id);
        }
    }
}

TEST_F(ProcessTest, ReadsAndWritesThreePipes) {
    ProcessOptions options;
    options.command = sim::python(
        "import sys\n"
        "got = sys.stdin.read()\n"
        "sys.stdout.write(got.upper()); sys.stderr.write(str(len(got)))\n"
        "sys.exit(5)\n");
    options.files = ProcessFiles::pipes;
    auto process = start(std::move(options)).value();
    const auto stream = process->take_stream();
    const auto errors = process->take_errors();
    EXPECT_TRUE(run(stream->write(as_bytes("one two"))));
    EXPECT_TRUE(run(stream->finish()));
    EXPECT_EQ(run(read_stream(*stream)).value(), "ONE TWO");
    EXPECT_EQ(run(read_stream(*errors)).value(), "7");
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 5");
    EXPECT_FALSE(run(stream->write(as_bytes("more"))));
}

TEST_F(ProcessTest, WhoDoesNotReadIsNotWrittenTo) {
    ProcessOptions options;
    options.command =
        sim::python("import os, signal; os.close(0); os.write(1, b'x'); signal.pause()");
    options.files = ProcessFiles::pipes;
    auto process = start(std::move(options)).value();
    const auto stream = process->take_stream();
    Bytes buffer(1);
    EXPECT_EQ(run(stream->read(buffer)).value(), 1U);
    const auto written = run(stream->write(as_bytes("more")));
    ASSERT_FALSE(written);
    EXPECT_TRUE(written.error().is(errc::reset));
    process->signal(SIGTERM);
    EXPECT_EQ(run(process->wait()).value().text(), "signal 15");
}

TEST_F(ProcessTest, IsCalledOtherwiseAndStartsWhereItCan) {
    ProcessOptions options;
    options.command = {"/bin/sh"};
    options.called = "-sh";
    options.directory = "/nonexistent";
    options.root_will_do = true;
    options.file_mask = 022;
    options.files = ProcessFiles::pipes;
    auto process = start(std::move(options)).value();
    const auto stream = process->take_stream();
    EXPECT_TRUE(run(stream->write(as_bytes("echo $0; pwd; umask\n"))));
    EXPECT_TRUE(run(stream->finish()));
    EXPECT_EQ(run(read_stream(*stream)).value(), "-sh\n/\n0022\n");
}

std::size_t count_descriptors() {
    const auto all = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// Whatever is missing: descriptors run out at each step in turn.
TEST_F(ProcessTest, AFailedStartLeavesNothingOpen) {
    ProcessOptions first;
    first.command = {"/bin/true"};
    EXPECT_TRUE(start(std::move(first)));  // a keeper is there from now on
    const std::size_t before = count_descriptors();
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (const ProcessFiles files :
         {ProcessFiles::output, ProcessFiles::pipes, ProcessFiles::terminal}) {
        ProcessOptions missing;
        missing.command = {"/nonexistent/program"};
        missing.files = files;
        EXPECT_FALSE(start(std::move(missing)));
        EXPECT_EQ(count_descriptors(), before);
        bool started = false;
        std::size_t failures = 0;
        for (std::size_t more = 0; !started && more < 64; ++more) {
            rlimit low = limit;
            low.rlim_cur = 16 + more;  // descriptors of children begin there
            ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
            ProcessOptions options;
            options.command = {"/bin/true"};
            options.files = files;
            started = start(std::move(options)).has_value();
            ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
            EXPECT_EQ(count_descriptors(), before);
            failures += started ? 0 : 1;
        }
        EXPECT_TRUE(started);
        EXPECT_GT(failures, 2U);
    }
}

TEST_F(ProcessTest, RunsAsAnotherUserWhereThatCanBe) {
    // Nothing else runs as this user, whose processes are counted.
    const auto games = ProcessUser::find("games");
    ASSERT_TRUE(games);
    ProcessOptions options;
    options.command = sim::python(
        "import os\n"
        "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
        "n = 0\n"
        "try:\n"
        "    while os.fork(): n += 1\n"
        "    import signal; signal.pause()\n"
        "except BlockingIOError: print('processes', n < 8)\n");
    options.user = *games;
    options.limits.processes = 8;
    const std::string all = said(std::move(options));
    if (geteuid() == 0) {
        const std::string user = std::to_string(games->user);
        const std::string group = std::to_string(games->group);
        EXPECT_THAT(all, HasSubstr("(" + user + ", " + user + ", " + user + ") (" + group + ", " +
                                   group + ", " + group + ") []\n"));
        EXPECT_THAT(all, HasSubstr("processes True\n"));
    } else {
        EXPECT_THAT(all, HasSubstr("its user: Operation not permitted"));
    }
}

TEST_F(ProcessTest, KnowsNoUserThatThereIsNot) {
    const auto found = ProcessUser::find("no-such-user");
    ASSERT_FALSE(found);
    EXPECT_TRUE(found.error().is(causes::kProgramUser));
    EXPECT_EQ(ProcessUser::current().user, geteuid());
}

// The kernel ends the program itself. Its job, in a group of its own, is what is left.
TEST_F(ProcessTest, WhatItHasStartedEndsWithANodeThatIsKilled) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    UniqueFd says(ends[1]);
    const UniqueFd hears(ends[0]);
    const pid_t node = fork();
    if (node == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        const sim::RealLoop world;
        ProcessOptions options;
        options.command = sim::python(
            "import os, signal\n"
            "job = os.fork()\n"
            "if job == 0:\n"
            "    os.setpgid(0, 0)\n"
            "    os.write(1, b'%d\\n' % os.getpid())\n"
            "signal.pause()\n");
        auto process = block_on(*world.loop, Process::start(*world.loop, std::move(options)));
        const auto said = process ? block_on(*world.loop, read_once(**process)) : "";
        const bool told = said && write(says.get(), said->data(), said->size()) > 0;
        for (;;) {
            told ? (void)pause() : _exit(1);
        }
    }
    says.reset();
    std::array<char, 32> buffer{};
    const ssize_t size = read(hears.get(), buffer.data(), buffer.size());
    ASSERT_GT(size, 0);
    const std::string_view said(buffer.data(), static_cast<std::size_t>(size));
    const auto job = parse_number<pid_t>(said.substr(0, said.find('\n')));
    ASSERT_TRUE(job);
    EXPECT_TRUE(sim::is_running(*job));
    EXPECT_EQ(kill(node, SIGKILL), 0);
    EXPECT_EQ(waitpid(node, nullptr, 0), node);
    sim::await_end(*job);
    EXPECT_FALSE(sim::is_running(*job));
}

}  // namespace
}  // namespace alknet::process
