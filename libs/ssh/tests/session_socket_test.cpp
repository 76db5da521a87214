// Unix sockets of the node: connections to them, and those that come there.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <filesystem>

#include "session_world.hpp"

namespace alknet::ssh {
namespace {

namespace fs = std::filesystem;
using Kind = ChannelEvent::Kind;

const std::vector<std::string> kBoth = {"ssh:connect", "ssh:listen"};

struct Directory {
    Directory() {
        std::string pattern = fs::temp_directory_path() / "alknet-ssh-XXXXXX";
        EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
        path = fs::canonical(pattern);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() { fs::remove_all(path); }
    fs::path path;
};

/// One that the kernel says another process listens at.
UniqueFd socket_of_another(const fs::path& path) {
    UniqueFd bound(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un native{};
    native.sun_family = AF_UNIX;
    std::ranges::copy(path.native(), native.sun_path);
    EXPECT_EQ(::bind(bound.get(), reinterpret_cast<const sockaddr*>(&native), sizeof native), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(::listen(bound.get(), 1));
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    return bound;
}

result<ChannelId> open_socket(TestClient& client, const fs::path& path) {
    WireWriter body;
    put_text(body, path.native());
    put_text(body, "");
    body.number<std::uint32_t>(0);
    return client.channels.open("direct-streamlocal@openssh.com", body.view());
}

/// How the node answers; 0: it has opened it.
task<std::uint32_t> asked_for(TestClient& client, fs::path path) {
    EXPECT_TRUE(open_socket(client, path));
    const auto event = co_await client.event();
    if (!event || event->kind == Kind::opened) {
        co_return event ? 0U : 99U;
    }
    EXPECT_EQ(event->kind, Kind::refused);
    co_return event->code;
}

/// Sockets are the kernel's.
void on_real_loop(task<void> (*body)(Loop& loop)) {
    const SystemClock clock;
    const auto loop = Loop::create(clock).value();
    block_on(*loop, body(*loop));
}

constexpr auto kProhibited = static_cast<std::uint32_t>(OpenFailure::prohibited);
constexpr auto kNotConnected = static_cast<std::uint32_t>(OpenFailure::connect_failed);

task<bool> request(TestClient& client, std::string type, fs::path path) {
    WireWriter out = begin_message(Message::global_request);
    put_text(out, type);
    put_bool(out, true);
    put_text(out, path.native());
    EXPECT_TRUE(client.transport.send(out.view()));
    const auto answer = co_await client.message();
    co_return answer&& message_of(*answer) == Message::request_success;
}
task<bool> listen(TestClient& client, fs::path path) {
    return request(client, "streamlocal-forward@openssh.com", std::move(path));
}

TEST(SshSocket, ConnectsToWhatARuleAllows) {
    on_real_loop([](Loop& loop) -> task<void> {
        const Directory directory;
        const fs::path path = directory.path / "there";
        const UniqueFd there = socket_of_another(path);
        SshWorld world(loop);
        const auto client = world.client(kBoth);
        ALKNET_CO_ASSERT_OK(co_await client->start());
        const ChannelId id = open_socket(*client, path).value();
        EXPECT_EQ((co_await client->event()).value().kind, Kind::opened);
        client->write(id, "hello");
        ALKNET_CO_ASSERT_OK(co_await client->flush());
        const UniqueFd accepted(
            ::accept4(there.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        FdReadiness readiness(loop);
        ALKNET_CO_ASSERT_OK(readiness.watch(accepted.get()));
        readiness.would_block_reading();
        ALKNET_CO_ASSERT_OK(co_await readiness.readable());
        std::array<char, 8> got{};
        EXPECT_EQ(::read(accepted.get(), got.data(), got.size()), 5);
        EXPECT_EQ(std::string_view(got.data()), "hello");
        // It ends with its rule.
        world.forbidden = {path};
        co_await world.adapter->recheck_identities();
        auto event = (co_await client->event()).value();
        while (event.kind == Kind::window) {
            event = (co_await client->event()).value();
        }
        EXPECT_EQ(event.kind, Kind::closed);
        client->end();
        co_await world.end();
    });
}

TEST(SshSocket, AsksAboutWhatAPathLeadsTo) {
    on_real_loop([](Loop& loop) -> task<void> {
        const Directory directory;
        const fs::path path = directory.path / "there";
        const UniqueFd there = socket_of_another(path);
        fs::create_symlink(path, directory.path / "link");
        SshWorld world(loop);
        world.forbidden = {path, directory.path / "hidden"};
        const auto client = world.client(kBoth);
        ALKNET_CO_ASSERT_OK(co_await client->start());
        EXPECT_EQ(co_await asked_for(*client, path), kProhibited);
        EXPECT_EQ(co_await asked_for(*client, directory.path / "link"), kProhibited);
        EXPECT_EQ(co_await asked_for(*client, directory.path / "." / "link"), kProhibited);
        EXPECT_EQ(co_await asked_for(*client, directory.path / "hidden"), kProhibited)
            << "whether it is there is not said";
        EXPECT_EQ(co_await asked_for(*client, directory.path / "nothing"), kNotConnected);
        EXPECT_EQ(co_await asked_for(*client, directory.path), kNotConnected);
        EXPECT_EQ(co_await asked_for(*client, "relative"), kNotConnected);
        EXPECT_EQ(co_await asked_for(*client, ""), kNotConnected);
        client->end();
        co_await world.end();
    });
}

TEST(SshSocket, TheNodesOwnAreNoTarget) {
    on_real_loop([](Loop& loop) -> task<void> {
        const Directory directory;
        const auto own = net::listen_unix(loop, directory.path / "own").value();
        SshWorld world(loop);
        const auto client = world.client(kBoth);
        ALKNET_CO_ASSERT_OK(co_await client->start());
        EXPECT_EQ(co_await asked_for(*client, directory.path / "own"), kProhibited);
        client->end();
        co_await world.end();
    });
}

TEST(SshSocket, NeedsTheScopesAndPlaces) {
    on_real_loop([](Loop& loop) -> task<void> {
        const Directory directory;
        const fs::path path = directory.path / "there";
        const UniqueFd there = socket_of_another(path);
        SshWorld world(loop);
        const auto without = world.client({});
        ALKNET_CO_ASSERT_OK(co_await without->start());
        EXPECT_EQ(co_await asked_for(*without, path), kProhibited);
        EXPECT_FALSE(co_await listen(*without, directory.path / "here"));
        without->end();
        const auto client = world.client(kBoth);
        ALKNET_CO_ASSERT_OK(co_await client->start());
        world.places_max = 0;
        EXPECT_EQ(co_await asked_for(*client, path),
                  static_cast<std::uint32_t>(OpenFailure::shortage));
        client->end();
        co_await world.end();
    });
}

TEST(SshSocket, ListensAndTellsWhoComes) {
    on_real_loop([](Loop& loop) -> task<void> {
        const Directory directory;
        const fs::path path = directory.path / "here";
        SshWorld world(loop);
        world.forbidden = {directory.path / "never"};
        const auto client = world.client(kBoth);
        ALKNET_CO_ASSERT_OK(co_await client->start());
        EXPECT_FALSE(co_await listen(*client, directory.path / "never"));
        EXPECT_FALSE(co_await listen(*client, directory.path / "no" / "directory"));
        EXPECT_FALSE(co_await listen(*client, "relative"));
        EXPECT_FALSE(co_await listen(*client, ""));
        EXPECT_TRUE(co_await listen(*client, path));
        EXPECT_FALSE(co_await listen(*client, path)) << "its own";
        struct stat status{};
        EXPECT_EQ(::lstat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0600U);
        const auto visitor = net::connect_unix(loop, path).value();
        const Happened open = (co_await client->event()).value();
        EXPECT_EQ(open.text, "forwarded-streamlocal@openssh.com");
        WireReader body(open.body);
        EXPECT_EQ(take_text(body), path.native());
        EXPECT_EQ(take_text(body), "");
        EXPECT_TRUE(body.complete());
        ALKNET_CO_ASSERT_OK(client->channels.accept(open.channel));
        client->write(open.channel, "hello");
        ALKNET_CO_ASSERT_OK(co_await client->flush());
        Bytes buffer(16);
        EXPECT_EQ((co_await visitor.stream->read(buffer)).value(), 5U);
        EXPECT_FALSE(co_await request(*client, "cancel-streamlocal-forward@openssh.com",
                                      directory.path / "other"));
        EXPECT_TRUE(co_await request(*client, "cancel-streamlocal-forward@openssh.com", path));
        EXPECT_FALSE(fs::exists(path));
        client->end();
        co_await world.end();
    });
}

TEST(SshListeners, KnowWhoIsAtASocket) {
    const auto listeners = std::make_shared<Listeners>();
    int challenged = 0;
    const ForwardPlace here{.path = "/run/here"};
    const auto entry = listeners->add(here, "bob", [&] { ++challenged; });
    EXPECT_TRUE(listeners->challenge(here, "bob"));
    EXPECT_EQ(challenged, 1);
    EXPECT_FALSE(listeners->challenge(here, "eve"));
    EXPECT_FALSE(listeners->challenge({.path = "/run/there"}, "bob"));
    EXPECT_FALSE(listeners->challenge({.address = SocketAddress::v4({0, 0, 0, 0}, 0)}, "bob"))
        << "no port is a socket";
    EXPECT_EQ(challenged, 1);
}

TEST(SshSocket, NothingElseIsReplaced) {
    on_real_loop([](Loop& loop) -> task<void> {
        const Directory directory;
        const fs::path file = directory.path / "file";
        const UniqueFd there = socket_of_another(file);
        fs::create_symlink(directory.path / "elsewhere", directory.path / "link");
        SshWorld world(loop);
        const auto client = world.client(kBoth);
        ALKNET_CO_ASSERT_OK(co_await client->start());
        EXPECT_FALSE(co_await listen(*client, file));
        EXPECT_FALSE(co_await listen(*client, directory.path / "link"));
        EXPECT_FALSE(co_await listen(*client, directory.path));
        EXPECT_TRUE(fs::is_symlink(directory.path / "link"));
        EXPECT_FALSE(fs::exists(directory.path / "elsewhere"));
        // Closed with its rule.
        EXPECT_TRUE(co_await listen(*client, directory.path / "here"));
        world.forbidden = {directory.path / "here"};
        co_await world.adapter->recheck_identities();
        while (fs::exists(directory.path / "here")) {
            EXPECT_FALSE(co_await request(*client, "keepalive@openssh.com", ""));
        }
        client->end();
        co_await world.end();
    });
}

}  // namespace
}  // namespace alknet::ssh
