#include "terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <alknet/base/os_error.hpp>
#include <array>
#include <cerrno>
#include <cstdlib>

namespace alknet::process {

namespace {

constexpr std::size_t kNameBytes = 64;
constexpr mode_t kOwnersAlone = 0600;

// How RFC 4254 section 8 and the system call the same.
struct Character {
    std::uint8_t number;
    std::size_t index;
};
constexpr std::array kCharacters = {
    Character{1, VINTR},   Character{2, VQUIT},     Character{3, VERASE},    Character{4, VKILL},
    Character{5, VEOF},    Character{6, VEOL},      Character{7, VEOL2},     Character{8, VSTART},
    Character{9, VSTOP},   Character{10, VSUSP},    Character{12, VREPRINT}, Character{13, VWERASE},
    Character{14, VLNEXT}, Character{18, VDISCARD},
};

struct Flag {
    std::uint8_t number;
    tcflag_t termios::* field;
    tcflag_t bit;
};
constexpr std::array kFlags = {
    Flag{30, &termios::c_iflag, IGNPAR}, Flag{31, &termios::c_iflag, PARMRK},
    Flag{32, &termios::c_iflag, INPCK},  Flag{33, &termios::c_iflag, ISTRIP},
    Flag{34, &termios::c_iflag, INLCR},  Flag{35, &termios::c_iflag, IGNCR},
    Flag{36, &termios::c_iflag, ICRNL},  Flag{37, &termios::c_iflag, IUCLC},
    Flag{38, &termios::c_iflag, IXON},   Flag{39, &termios::c_iflag, IXANY},
    Flag{40, &termios::c_iflag, IXOFF},  Flag{41, &termios::c_iflag, IMAXBEL},
    Flag{42, &termios::c_iflag, IUTF8},  Flag{50, &termios::c_lflag, ISIG},
    Flag{51, &termios::c_lflag, ICANON}, Flag{52, &termios::c_lflag, XCASE},
    Flag{53, &termios::c_lflag, ECHO},   Flag{54, &termios::c_lflag, ECHOE},
    Flag{55, &termios::c_lflag, ECHOK},  Flag{56, &termios::c_lflag, ECHONL},
    Flag{57, &termios::c_lflag, NOFLSH}, Flag{58, &termios::c_lflag, TOSTOP},
    Flag{59, &termios::c_lflag, IEXTEN}, Flag{60, &termios::c_lflag, ECHOCTL},
    Flag{61, &termios::c_lflag, ECHOKE}, Flag{62, &termios::c_lflag, PENDIN},
    Flag{70, &termios::c_oflag, OPOST},  Flag{71, &termios::c_oflag, OLCUC},
    Flag{72, &termios::c_oflag, ONLCR},  Flag{73, &termios::c_oflag, OCRNL},
    Flag{74, &termios::c_oflag, ONOCR},  Flag{75, &termios::c_oflag, ONLRET},
};

void apply(const TerminalMode& mode, termios& to) noexcept {
    constexpr std::uint32_t kNoCharacter = 255;
    for (const Character& one : kCharacters) {
        if (one.number == mode.number) {
            to.c_cc[one.index] = mode.value == kNoCharacter ? static_cast<cc_t>(_POSIX_VDISABLE)
                                                            : static_cast<cc_t>(mode.value);
            return;
        }
    }
    for (const Flag& one : kFlags) {
        if (one.number == mode.number) {
            tcflag_t& field = to.*one.field;
            field = mode.value != 0 ? field | one.bit : field & ~one.bit;
            return;
        }
    }
}

}  // namespace

result<Terminal> open_terminal(const TerminalOptions& options, std::optional<uid_t> owner) {
    Terminal terminal;
    terminal.ours = UniqueFd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.ours || grantpt(terminal.ours.get()) != 0 || unlockpt(terminal.ours.get()) != 0) {
        return os_fail("posix_openpt", errno);
    }
    std::array<char, kNameBytes> name{};
    if (const int failure = ptsname_r(terminal.ours.get(), name.data(), name.size());
        failure != 0) {
        return os_fail("ptsname_r", failure);
    }
    terminal.theirs = UniqueFd(open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.theirs) {
        return os_fail("open", errno, name.data());
    }
    if (owner && fchown(terminal.theirs.get(), *owner, static_cast<gid_t>(-1)) != 0) {
        return os_fail("fchown", errno, name.data());
    }
    if (fchmod(terminal.theirs.get(), kOwnersAlone) != 0) {
        return os_fail("fchmod", errno, name.data());
    }
    termios settings{};
    if (tcgetattr(terminal.theirs.get(), &settings) != 0) {
        return os_fail("tcgetattr", errno);
    }
    for (const TerminalMode& mode : options.modes) {
        apply(mode, settings);
    }
    if (tcsetattr(terminal.theirs.get(), TCSANOW, &settings) != 0) {
        return os_fail("tcsetattr", errno);
    }
    set_window(terminal.ours.get(), options.window);
    return terminal;
}

void set_window(int terminal, const WindowSize& window) noexcept {
    const winsize size{.ws_row = window.rows,
                       .ws_col = window.columns,
                       .ws_xpixel = window.width,
                       .ws_ypixel = window.height};
    (void)ioctl(terminal, TIOCSWINSZ, &size);
}

}  // namespace alknet::process
