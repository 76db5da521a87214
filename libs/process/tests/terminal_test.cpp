#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <alknet/process/process.hpp>
#include <alknet/testing/programs.hpp>

namespace alknet::process {
namespace {

using testing::HasSubstr;

class TerminalTest : public testing::Test, protected sim::RealLoop {
protected:
    std::unique_ptr<Process> start(std::string text, TerminalOptions terminal = {},
                                   std::optional<ProcessUser> user = std::nullopt) {
        ProcessOptions options;
        options.command = sim::python(std::move(text));
        options.files = ProcessFiles::terminal;
        options.terminal = std::move(terminal);
        options.user = std::move(user);
        return run(Process::start(*loop, std::move(options))).value();
    }
    /// Until it has said so, or ended.
    static task<std::string> read_until(ByteStream& stream, std::string_view what) {
        std::string all;
        Bytes buffer(4096);
        while (all.find(what) == std::string::npos) {
            const auto size = co_await stream.read(buffer);
            if (!size || *size == 0) {
                break;
            }
            all += as_text(BytesView(buffer).first(*size));
        }
        co_return all;
    }
    std::string all_of(ByteStream& stream) { return run(read_until(stream, "never is this said")); }
};

TEST_F(TerminalTest, IsTheSessions) {
    auto process = start(
        "import os\n"
        "print([os.isatty(n) for n in (0, 1, 2)], os.get_terminal_size())\n"
        "tty = os.open('/dev/tty', os.O_RDWR)\n"
        "print(os.tcgetpgrp(tty) == os.getpid() == os.getsid(0), os.ttyname(0) == os.ttyname(2))\n"
        "print(oct(os.stat(os.ttyname(0)).st_mode & 0o777), os.stat(os.ttyname(0)).st_uid == "
        "os.getuid())\n",
        {.window = {.columns = 123, .rows = 45}},
        geteuid() == 0 ? std::optional(ProcessUser::find("nobody").value()) : std::nullopt);
    const auto stream = process->take_stream();
    const std::string all = all_of(*stream);
    EXPECT_THAT(all, HasSubstr("[True, True, True] os.terminal_size(columns=123, lines=45)\r\n"));
    EXPECT_THAT(all, HasSubstr("True True\r\n0o600 True\r\n"));
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 0");
    EXPECT_EQ(process->take_errors(), nullptr);
}

TEST_F(TerminalTest, HasTheModesThatWereAskedFor) {
    // ECHO off, ONLCR off, VINTR is ^A, VQUIT none; what is no mode is passed over.
    auto process = start(
        "import termios\n"
        "i, o, c, l, _, _, cc = termios.tcgetattr(0)\n"
        "print(bool(l & termios.ECHO), bool(o & termios.ONLCR), bool(l & termios.ICANON), "
        "cc[termios.VINTR], cc[termios.VQUIT])\n",
        {.modes = {{53, 0}, {72, 0}, {1, 1}, {2, 255}, {129, 9600}, {200, 1}}});
    const auto stream = process->take_stream();
    EXPECT_EQ(all_of(*stream), "False False True b'\\x01' b'\\x00'\n");
}

TEST_F(TerminalTest, PassesWhatIsTypedAndSignals) {
    auto process = start(
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(9))\n"
        "print('ready', flush=True)\n"
        "print('got', input().upper(), flush=True)\n"
        "signal.pause()\n");
    const auto stream = process->take_stream();
    EXPECT_THAT(run(read_until(*stream, "ready\r\n")), HasSubstr("ready"));
    EXPECT_TRUE(run(stream->write(as_bytes("some\r"))));
    EXPECT_THAT(run(read_until(*stream, "got SOME\r\n")), HasSubstr("got SOME"));
    EXPECT_TRUE(run(stream->write(as_bytes("\x03"))));
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 9");
}

TEST_F(TerminalTest, ChangesItsSize) {
    auto process = start(
        "import os, signal\n"
        "change = {signal.SIGWINCH}\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, change)\n"
        "print('ready', flush=True)\n"
        "signal.sigwait(change)\n"
        "print(os.get_terminal_size())\n");
    const auto stream = process->take_stream();
    run(read_until(*stream, "ready\r\n"));
    process->resize({.columns = 20, .rows = 10});
    EXPECT_THAT(all_of(*stream), HasSubstr("columns=20, lines=10"));
}

TEST_F(TerminalTest, HangsUp) {
    auto process = start(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGHUP, lambda *_: sys.exit(4))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()\n");
    const auto stream = process->take_stream();
    run(read_until(*stream, "ready\r\n"));
    run(process->stop(std::chrono::minutes(10), SIGHUP));
    EXPECT_EQ(run(process->wait()).value().text(), "exit code 4");
}

}  // namespace
}  // namespace alknet::process
