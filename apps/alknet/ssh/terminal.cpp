#include "terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/wire.hpp>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

namespace alknet::app {

namespace {

// What a handler of signals may touch: written before it is installed, and not while it is.
termios before_raw{};
int raw_fd = -1;
volatile std::sig_atomic_t is_raw = 0;

// Those that end a process and that nothing here awaits.
constexpr std::array kFatal = {SIGQUIT, SIGABRT, SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                               SIGTRAP, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU};
std::array<struct sigaction, kFatal.size()> actions_before{};

void restore() noexcept {
    if (is_raw != 0) {
        is_raw = 0;
        (void)::tcsetattr(raw_fd, TCSADRAIN, &before_raw);
    }
}

extern "C" void restore_and_die(int number) {
    restore();
    (void)::raise(number);  // as it would have been: SA_RESETHAND
}

void watch_signals() noexcept {
    struct sigaction action{};
    action.sa_handler = restore_and_die;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    for (std::size_t i = 0; i < kFatal.size(); ++i) {
        (void)::sigaction(kFatal[i], &action, &actions_before[i]);
    }
}

void unwatch_signals() noexcept {
    for (std::size_t i = 0; i < kFatal.size(); ++i) {
        (void)::sigaction(kFatal[i], &actions_before[i], nullptr);
    }
}

// Opcodes of RFC 4254 section 8, and IUTF8 of RFC 8160.
struct Character {
    std::uint8_t opcode;
    int index;
};
constexpr std::array kCharacters = {
    Character{1, VINTR},  Character{2, VQUIT},  Character{3, VERASE},    Character{4, VKILL},
    Character{5, VEOF},   Character{6, VEOL},   Character{7, VEOL2},     Character{8, VSTART},
    Character{9, VSTOP},  Character{10, VSUSP}, Character{12, VREPRINT}, Character{13, VWERASE},
    Character{14, VLNEXT}};

struct Flag {
    std::uint8_t opcode;
    tcflag_t termios::* word;
    tcflag_t bits;
};
constexpr std::array kFlags = {
    Flag{30, &termios::c_iflag, IGNPAR},  Flag{31, &termios::c_iflag, PARMRK},
    Flag{32, &termios::c_iflag, INPCK},   Flag{33, &termios::c_iflag, ISTRIP},
    Flag{34, &termios::c_iflag, INLCR},   Flag{35, &termios::c_iflag, IGNCR},
    Flag{36, &termios::c_iflag, ICRNL},   Flag{38, &termios::c_iflag, IXON},
    Flag{39, &termios::c_iflag, IXANY},   Flag{40, &termios::c_iflag, IXOFF},
    Flag{41, &termios::c_iflag, IMAXBEL}, Flag{42, &termios::c_iflag, IUTF8},
    Flag{50, &termios::c_lflag, ISIG},    Flag{51, &termios::c_lflag, ICANON},
    Flag{53, &termios::c_lflag, ECHO},    Flag{54, &termios::c_lflag, ECHOE},
    Flag{55, &termios::c_lflag, ECHOK},   Flag{56, &termios::c_lflag, ECHONL},
    Flag{57, &termios::c_lflag, NOFLSH},  Flag{58, &termios::c_lflag, TOSTOP},
    Flag{59, &termios::c_lflag, IEXTEN},  Flag{60, &termios::c_lflag, ECHOCTL},
    Flag{61, &termios::c_lflag, ECHOKE},  Flag{70, &termios::c_oflag, OPOST},
    Flag{72, &termios::c_oflag, ONLCR},   Flag{73, &termios::c_oflag, OCRNL},
    Flag{74, &termios::c_oflag, ONOCR},   Flag{75, &termios::c_oflag, ONLRET},
    Flag{91, &termios::c_cflag, CS8}};

constexpr std::uint8_t kEndOfModes = 0;
constexpr std::uint8_t kInputSpeed = 128;
constexpr std::uint8_t kOutputSpeed = 129;
constexpr std::uint32_t kSpeed = 38'400;
constexpr std::uint32_t kNoCharacter = 255;

Bytes modes_of(const termios& terminal) {
    WireWriter out;
    for (const std::uint8_t opcode : {kInputSpeed, kOutputSpeed}) {
        out.number(opcode);
        out.number(kSpeed);
    }
    for (const Character& one : kCharacters) {
        const cc_t value = terminal.c_cc[one.index];
        out.number(one.opcode);
        out.number(value == _POSIX_VDISABLE ? kNoCharacter : std::uint32_t{value});
    }
    for (const Flag& one : kFlags) {
        out.number(one.opcode);
        out.number<std::uint32_t>((terminal.*one.word & one.bits) == one.bits ? 1 : 0);
    }
    out.number(kEndOfModes);
    return out.take();
}

void put_size(WireWriter& out, int fd) {
    winsize size{};
    (void)::ioctl(fd, TIOCGWINSZ, &size);
    out.number<std::uint32_t>(size.ws_col != 0 ? size.ws_col : 80);
    out.number<std::uint32_t>(size.ws_row != 0 ? size.ws_row : 24);
    out.number<std::uint32_t>(size.ws_xpixel);
    out.number<std::uint32_t>(size.ws_ypixel);
}

Bytes pty_request_of(int fd, BytesView modes) {
    const char* const term = std::getenv("TERM");
    WireWriter out;
    out.text<std::uint32_t>(term == nullptr ? "dumb" : term);
    put_size(out, fd);
    out.text<std::uint32_t>(as_text(modes));
    return out.take();
}

}  // namespace

result<std::unique_ptr<RawTerminal>> RawTerminal::open() {
    ALKNET_ASSERT(is_raw == 0);
    std::unique_ptr<RawTerminal> terminal(new RawTerminal);
    terminal->fd_ = UniqueFd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!terminal->fd_ || ::tcgetattr(terminal->fd_.get(), &before_raw) != 0) {
        return os_fail("tcgetattr", errno, "standard input");
    }
    raw_fd = terminal->fd_.get();
    watch_signals();
    termios raw = before_raw;
    ::cfmakeraw(&raw);
    is_raw = 1;
    if (::tcsetattr(raw_fd, TCSADRAIN, &raw) != 0) {
        return os_fail("tcsetattr", errno, "standard input");
    }
    return terminal;
}

RawTerminal::~RawTerminal() {
    if (is_raw != 0) {
        restore();
        unwatch_signals();
    }
}

Bytes RawTerminal::pty_request() const {
    return pty_request_of(fd_.get(), modes_of(before_raw));
}

Bytes RawTerminal::window_change() const {
    WireWriter out;
    put_size(out, fd_.get());
    return out.take();
}

bool stands_at_terminal() noexcept {
    return ::isatty(STDIN_FILENO) == 1;
}

Bytes plain_pty_request() {
    const std::array end = {std::byte{kEndOfModes}};
    return pty_request_of(STDIN_FILENO, end);
}

}  // namespace alknet::app
