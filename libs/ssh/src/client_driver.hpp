// One connection of a client: a reader, a writer, and the channels, which share it on one loop
// without locks.
#pragma once

#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/ssh/client.hpp>
#include <alknet/ssh/login.hpp>
#include <alknet/ssh/transport.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "channel_stream.hpp"
#include "exchange_watch.hpp"

namespace alknet::ssh {

class ClientDriver;
struct ClientStream;

/// What has come and was not taken yet.
struct Arrived {
    Bytes octets;
    std::size_t begin = 0;
    WaitList news;  // of more, or the end

    [[nodiscard]] BytesView left() const noexcept { return BytesView(octets).subspan(begin); }
    void add(BytesView more);
    void took(std::size_t size) noexcept;
};

/// A channel as the driver and whoever uses it see it.
struct ClientChannelState {
    ClientDriver* driver = nullptr;  // null: the connection has ended, `why`
    std::optional<error> why;
    ChannelId id = 0;
    bool open = false;
    bool forwards = false;                  // and is opened by us: it may have a stream
    StreamToken token;                      // of its stream
    std::shared_ptr<ClientStream> carrier;  // that stream, once somebody uses the channel
    std::optional<error> refused;
    Arrived data;
    Arrived errors;
    bool eof_in = false;
    bool closed_in = false;
    bool finished = false;
    bool abandoned = false;      // nobody uses it any more
    ByteStream* sink = nullptr;  // takes data at once
    Cancel* sending = nullptr;   // what ends when the peer closes
    std::deque<bool> answers;
    std::optional<SshExit> exit;
    WaitList news;    // opened, refused, answered, closed, ended
    WaitList window;  // there is more to send into

    /// Whether data may come on the channel itself.
    [[nodiscard]] bool carries_itself() const noexcept;
    /// Whoever waits for anything of it.
    void wake() noexcept;
};

/// Whoever uses the channel.
[[nodiscard]] std::unique_ptr<SshChannel> make_channel(std::shared_ptr<ClientChannelState> state);

class ClientDriver final : public SshClient {
public:
    ClientDriver(Loop& loop, std::unique_ptr<BiStream> stream, SshClientOptions options);
    ClientDriver(const ClientDriver&) = delete;
    ClientDriver& operator=(const ClientDriver&) = delete;
    ~ClientDriver() override;

    task<result<void>> start();

    task<result<std::unique_ptr<SshChannel>>> open_tcp(TcpRoute route) override;
    task<result<std::unique_ptr<SshChannel>>> open_socket(std::string path) override;
    task<result<std::unique_ptr<SshChannel>>> open_session() override;
    task<result<std::uint16_t>> listen_tcp(std::string host, std::uint16_t port,
                                           SshArrivals arrivals) override;
    task<result<void>> listen_socket(std::string path, SshArrivals arrivals) override;
    void take_agent(SshArrivals arrivals) override { agent_ = std::move(arrivals); }
    task<result<void>> wait_closed() override;
    task<void> close() override;
    [[nodiscard]] const NodeId& host_key() const noexcept override {
        return *transport_.host_key();
    }
    [[nodiscard]] Bytes agent_binding() const override;
    [[nodiscard]] const std::string& server() const noexcept override {
        return transport_.peer_ident();
    }
    [[nodiscard]] std::uint64_t key_exchanges() const noexcept override {
        return transport_.exchanges();
    }

    // For its channels.
    [[nodiscard]] Channels& channels() noexcept { return channels_; }
    [[nodiscard]] Loop& loop() noexcept { return loop_; }
    [[nodiscard]] std::size_t sendable_now(ChannelId id) const noexcept;
    task<result<void>> may_send(std::shared_ptr<ClientChannelState> channel);
    void check(const result<void>& sent);
    void flush() noexcept { to_write_.wake_all(); }
    void forget(ChannelId id) { states_.erase(id); }
    [[nodiscard]] std::shared_ptr<ClientChannelState> add(ChannelId id);
    /// An open channel with the stream that it is to have, if it is.
    [[nodiscard]] std::unique_ptr<SshChannel> with_stream(
        std::unique_ptr<SshChannel> channel, const std::shared_ptr<ClientChannelState>& state);
    void spawn(task<void> work, std::string_view name) { tasks_.spawn(std::move(work), name); }

private:
    using Place = std::pair<std::string, std::uint16_t>;
    static constexpr std::uint16_t kNoPort = 0;  // of a unix socket

    /// A global request that waits for its answer.
    struct Question {
        Place place;
        SshArrivals arrivals;
        bool of_streams = false;
        std::optional<result<std::uint16_t>> outcome{};
        WaitList answered{};
    };

    task<void> read_all();
    void fail_all(const error& why);
    result<void> begin_login();
    task<result<void>> read_until_end();
    task<result<void>> take(BytesView message);
    task<result<void>> take_login(BytesView message);
    result<void> take_event(const ChannelEvent& event);
    result<void> take_open(const ChannelEvent& event);
    result<void> take_global_answer(const ChannelEvent& event);
    result<void> take_request(ClientChannelState& channel, const ChannelEvent& event);
    void take_data(ClientChannelState& channel, const ChannelEvent& event);
    result<void> take_answer(const std::shared_ptr<ClientChannelState>& channel,
                             const ChannelEvent& event);
    void take_closed(ClientChannelState& channel);
    [[nodiscard]] const SshArrivals* takers_of(std::string_view type, const Place& place) const;
    task<void> write_all();
    task<void> watch_exchanges();
    task<void> keep_alive();
    task<result<void>> farewell();
    void end(error why) noexcept;
    task<result<std::unique_ptr<SshChannel>>> open(std::string type, Bytes body, bool forwards);
    result<void> ask_for_streams();
    task<result<std::uint16_t>> listen(std::string_view request, Place place, Bytes body,
                                       SshArrivals arrivals);

    Loop& loop_;
    const std::unique_ptr<BiStream> stream_;
    const SshClientOptions options_;
    Transport transport_;
    ExchangeWatch exchanges_{loop_, transport_};
    Channels channels_{transport_};
    std::optional<Login> login_;
    bool logged_in_ = false;
    bool closing_ = false;
    bool mute_ = false;          // nothing can be said any more
    Cancel* reading_ = nullptr;  // while it reads
    std::optional<error> why_;   // it has ended
    std::size_t writing_ = 0;    // octets that the stream is being given
    std::map<ChannelId, std::shared_ptr<ClientChannelState>> states_;
    std::deque<std::shared_ptr<Question>> questions_;
    std::map<Place, SshArrivals> listening_;
    SshArrivals agent_;
    bool streams_ = false;  // both agree on them
    WaitList to_write_;
    WaitList written_;
    TimePoint heard_;        // of the server, last
    std::size_t asked_ = 0;  // since then, whether it is alive
    Event settled_;          // logged in, or ended
    Event ended_;
    TaskScope tasks_;  // dies first
};

}  // namespace alknet::ssh
