#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/loop.hpp>
#include <cerrno>
#include <string>

#include "accept_queue.hpp"
#include "socket_stream.hpp"

namespace alknet::net {

namespace {

namespace fs = std::filesystem;

// A socket's address. One that is too long for the system is given by way of the open directory,
// which is why this must live as long as the address is used.
struct Place {
    sockaddr_un native{};
    UniqueFd directory;
};

bool fits(const std::string& text) noexcept {
    return !text.empty() && text.size() < sizeof(sockaddr_un::sun_path);
}

result<Place> place_of(const fs::path& path) {
    Place place;
    std::string text = path.native();
    if (!fits(text) && path.has_parent_path() && path.has_filename()) {
        place.directory =
            UniqueFd(open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!place.directory) {
            return os_fail("open", errno, path.parent_path().string());
        }
        text = "/proc/self/fd/" + std::to_string(place.directory.get()) + "/" +
               path.filename().native();
    }
    if (!fits(text)) {
        return fail(causes::kAddressInvalid, path.native() + ": not a usable path for a socket");
    }
    place.native.sun_family = AF_UNIX;
    std::ranges::copy(text, place.native.sun_path);
    return place;
}

result<UniqueFd> open_unix(int flags = SOCK_NONBLOCK) {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | flags | SOCK_CLOEXEC, 0));
    if (!fd) {
        return os_fail("socket", errno, "AF_UNIX");
    }
    return fd;
}

bool connects(int fd, const sockaddr_un& native) noexcept {
    return connect(fd, reinterpret_cast<const sockaddr*>(&native), sizeof native) == 0;
}

bool binds(int fd, const sockaddr_un& native) noexcept {
    return bind(fd, reinterpret_cast<const sockaddr*>(&native), sizeof native) == 0;
}

/// Which files at a path somebody who listens there may replace.
enum class Replaces : std::uint8_t {
    sockets,  // that a process left behind when it died
    marked,   // those of them that were made like this, and so by a node of this user
};
// Means nothing for a socket, and so nobody else sets it.
constexpr mode_t kMark = S_ISVTX;

/// Whether a process has the socket of the file, listening or not yet. A datagram socket is never
/// connected to one of streams: the kernel says that it is of the wrong type, or that there is
/// none, and nobody learns of the question.
result<bool> is_held(const sockaddr_un& native) {
    const UniqueFd probe(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!probe) {
        return os_fail("socket", errno, "AF_UNIX");
    }
    return connects(probe.get(), native) || errno != ECONNREFUSED;
}

/// Removes a socket file that a process left behind when it died.
result<void> remove_stale(const fs::path& path, const sockaddr_un& native, Replaces which) {
    struct stat status{};
    const bool is_socket = lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
    const bool may_go =
        which == Replaces::sockets || ((status.st_mode & kMark) != 0 && status.st_uid == geteuid());
    if (!is_socket || !may_go) {
        return fail(causes::kAddressInUse, path.string() + ": there is a file already");
    }
    ALKNET_TRY(const bool held, is_held(native));
    struct stat still{};
    if (held || lstat(path.c_str(), &still) != 0 || still.st_dev != status.st_dev ||
        still.st_ino != status.st_ino) {
        return fail(causes::kAddressInUse, path.string());
    }
    if (unlink(path.c_str()) != 0) {
        return os_fail("unlink", errno, path.string());
    }
    return {};
}

result<UnixStream> make_stream(Loop& loop, UniqueFd fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return os_fail("SO_PEERCRED", errno);
    }
    UnixStream connected;
    connected.user_id = peer.uid;
    connected.process_id = peer.pid;
    ALKNET_TRY(connected.stream, SocketStream::adopt(loop, std::move(fd)));
    return connected;
}

class SystemUnixListener final : public UnixListener {
public:
    /// `directory` is open for as long as this lives, if the path goes by way of it.
    SystemUnixListener(Loop& loop, UniqueFd fd, fs::path path, UniqueFd directory = {})
        : loop_(loop),
          directory_(std::move(directory)),
          queue_(loop, std::move(fd)),
          path_(std::move(path)) {}
    SystemUnixListener(const SystemUnixListener&) = delete;
    SystemUnixListener& operator=(const SystemUnixListener&) = delete;
    ~SystemUnixListener() override {
        struct stat status{};
        if (lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
            status.st_ino == inode_) {
            unlink(path_.c_str());
        }
    }

    result<void> listen() {
        struct stat status{};
        if (lstat(path_.c_str(), &status) != 0) {
            return os_fail("lstat", errno, path_.string());
        }
        device_ = status.st_dev;
        inode_ = status.st_ino;
        return queue_.listen();
    }

    task<result<UnixStream>> accept() override {
        ALKNET_CO_TRY(UniqueFd fd, co_await queue_.accept());
        co_return make_stream(loop_, std::move(fd));
    }

private:
    Loop& loop_;
    UniqueFd directory_;
    AcceptQueue queue_;
    fs::path path_;
    // Of the file, which somebody else may have replaced.
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

result<UniqueFd> bound_socket(const fs::path& path, int flags, Replaces replaces) {
    ALKNET_TRY(const Place place, place_of(path));
    const sockaddr_un& native = place.native;
    ALKNET_TRY(UniqueFd fd, open_unix(flags));
    // The file gets the mode that the socket has when it is bound: nobody else can ever connect.
    const mode_t mark = replaces == Replaces::marked ? kMark : 0;
    if (fchmod(fd.get(), S_IRUSR | S_IWUSR | mark) != 0) {
        return os_fail("fchmod", errno, path.string());
    }
    if (!binds(fd.get(), native)) {
        if (errno != EADDRINUSE) {
            return os_fail("bind", errno, path.string());
        }
        ALKNET_CHECK(remove_stale(path, native, replaces));
        if (!binds(fd.get(), native)) {
            return fail(causes::kAddressInUse, path.string());
        }
    }
    return fd;
}

fs::path path_of(int descriptor) {
    return "/proc/self/fd/" + std::to_string(descriptor);
}

result<fs::path> real_path(int descriptor) {
    std::error_code failure;
    fs::path real = fs::read_symlink(path_of(descriptor), failure);
    if (failure || !real.is_absolute()) {
        return fail(causes::kIo, "/proc: " + failure.message());
    }
    // What another mount namespace has (/proc/PID/root) is named as it is there.
    struct stat held{};
    struct stat named{};
    if (fstat(descriptor, &held) != 0 || lstat(real.c_str(), &named) != 0 ||
        held.st_dev != named.st_dev || held.st_ino != named.st_ino) {
        return fail(causes::kUnreachable, "the path is not where this node sees it");
    }
    return real;
}

result<void> check_absolute(const fs::path& path) {
    const std::string& text = path.native();
    if (!path.is_absolute() || !path.has_filename() || text.contains('\0') ||
        path.filename() == "." || path.filename() == "..") {
        return fail(causes::kAddressInvalid, "not an absolute path of a socket");
    }
    return {};
}

}  // namespace

result<UnixPlace> find_unix(const fs::path& path) {
    ALKNET_CHECK(check_absolute(path));
    UniqueFd held(open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status{};
    if (!held || fstat(held.get(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return fail(causes::kUnreachable, "there is no socket");
    }
    ALKNET_TRY(fs::path real, real_path(held.get()));
    return UnixPlace{.held = std::move(held), .real = std::move(real)};
}

result<UnixPlace> place_unix(const fs::path& path) {
    ALKNET_CHECK(check_absolute(path));
    UniqueFd held(open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!held) {
        return os_fail("open", errno, path.parent_path().string());
    }
    ALKNET_TRY(const fs::path directory, real_path(held.get()));
    return UnixPlace{.held = std::move(held), .real = directory / path.filename()};
}

result<UnixStream> connect_unix(Loop& loop, const UnixPlace& place) {
    return connect_unix(loop, path_of(place.held.get()));
}

result<std::unique_ptr<UnixListener>> listen_unix(Loop& loop, UnixPlace place) {
    const fs::path path = path_of(place.held.get()) / place.real.filename();
    ALKNET_TRY(UniqueFd fd, bound_socket(path, SOCK_NONBLOCK, Replaces::marked));
    auto listener =
        std::make_unique<SystemUnixListener>(loop, std::move(fd), path, std::move(place.held));
    ALKNET_CHECK(listener->listen());
    return listener;
}

result<std::unique_ptr<UnixListener>> listen_unix(Loop& loop, const fs::path& path) {
    ALKNET_TRY(UniqueFd fd, bound_socket(path, SOCK_NONBLOCK, Replaces::sockets));
    auto listener = std::make_unique<SystemUnixListener>(loop, std::move(fd), path);
    ALKNET_CHECK(listener->listen());
    return listener;
}

result<UniqueFd> bind_unix(const fs::path& path, int backlog) {
    ALKNET_TRY(UniqueFd fd, bound_socket(path, 0, Replaces::sockets));
    if (listen(fd.get(), backlog) != 0) {
        return os_fail("listen", errno, path.string());
    }
    return fd;
}

result<UnixStream> connect_unix(Loop& loop, const fs::path& path) {
    ALKNET_TRY(const Place place, place_of(path));
    const sockaddr_un& native = place.native;
    ALKNET_TRY(UniqueFd fd, open_unix());
    if (!connects(fd.get(), native)) {
        return fail(causes::kUnreachable, path.string() + ": " + os_error_text(errno));
    }
    return make_stream(loop, std::move(fd));
}

}  // namespace alknet::net
