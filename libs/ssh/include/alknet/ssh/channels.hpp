// The connection protocol (RFC 4254), sans-I/O: channels with their windows, and global requests.
// It sends through a Transport, which outlives it; what must be decided, connected or written
// elsewhere comes out as events.
//
// A channel that was opened lives until both ends have closed it; only then its number is used
// again. What a peer sends beyond its window, on a channel that is not there, or after it has said
// that nothing more comes, ends the connection.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/ssh/limits.hpp>
#include <alknet/ssh/transport.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

using ChannelId = std::uint32_t;

/// Why a channel is not opened (RFC 4254 section 5.1).
enum class OpenFailure : std::uint32_t {
    prohibited = 1,
    connect_failed = 2,
    unknown_type = 3,
    shortage = 4,
};

/// What a direct-tcpip or forwarded-tcpip channel is about.
struct TcpRoute {
    std::string host;
    std::uint16_t port = 0;
    std::string from_host;
    std::uint16_t from_port = 0;

    /// Errors: kProtocol.
    static result<TcpRoute> parse(BytesView body);
    [[nodiscard]] Bytes encode() const;
    bool operator==(const TcpRoute&) const = default;
};

struct ChannelEvent {
    enum class Kind : std::uint8_t {
        none,
        open,     // the peer wants `type` with `body`: `accept` or `refuse`
        opened,   // ours; `body` is what the peer says with that, mostly nothing
        refused,  // ours; `code`, and `type` is what the peer says
        data,     // `body`; `consumed` when it is done with; `code` is not 0 for a second stream
        window,   // there is more to send into
        eof,
        closed,           // the peer has closed it: `close` when what is left is done
        request,          // `type`, `body`; `answer` if `wants_reply`
        global,           // of no channel; `answer_global` if `wants_reply`, in their order
        answered,         // a `request` of ours: `code` is 1 if it was granted
        global_answered,  // an `ask_for` of ours, in their order; `code` likewise, and `body`
    };
    Kind kind = Kind::none;
    ChannelId channel = 0;
    std::string_view type{};  // views live as long as the message
    BytesView body{};
    bool wants_reply = false;
    std::uint32_t code = 0;
};

/// The streams of a channel: what RFC 4254 section 5.2 calls data, and its extended data.
inline constexpr std::uint32_t kPlainData = 0;
inline constexpr std::uint32_t kErrorData = 1;

class Channels final {
public:
    explicit Channels(Transport& transport) noexcept;
    Channels(const Channels&) = delete;
    Channels& operator=(const Channels&) = delete;
    ~Channels();

    /// A message of the peer. Errors: kProtocol, kLimit; those of Transport::send, like all below.
    result<ChannelEvent> take(BytesView message);

    /// Asks for a channel. Errors: kLimit (kChannelsMax).
    result<ChannelId> open(std::string_view type, BytesView body);
    /// `more` follows what RFC 4254 has in that message.
    result<void> accept(ChannelId id, BytesView more = {});
    result<void> refuse(ChannelId id, OpenFailure reason, std::string_view text);
    result<void> answer(ChannelId id, bool success);
    result<void> answer_global(bool success, BytesView body = {});
    /// A global request without a reply.
    result<void> tell(std::string_view name, BytesView body = {});

    /// A global request for the sake of its answer, which is no event (RFC 4254 section 4).
    result<void> ask(std::string_view name);
    [[nodiscard]] bool waits_for_answer() const noexcept { return !asked_.empty(); }
    /// One whose answer is an event. Errors: kLimit (kQuestionsMax).
    result<void> ask_for(std::string_view name, BytesView body);
    /// A request about an open channel; with `wants_reply` the answer is an event. Errors: kLimit
    /// (kQuestionsMax).
    result<void> request(ChannelId id, std::string_view type, bool wants_reply,
                         BytesView body = {});

    /// Octets of data that the window has room for now, at most a message's worth.
    [[nodiscard]] std::size_t sendable(ChannelId id) const noexcept;
    /// Room for at most `size` octets, which is at most `sendable`, in the packet itself; only
    /// while the transport is ready. `commit` sends as many as were written there, none if that is
    /// 0.
    [[nodiscard]] MutableBytes begin(ChannelId id, std::size_t size,
                                     std::uint32_t stream = kPlainData);
    void commit(ChannelId id, std::size_t size);
    /// So much of the data that came is done with: the window opens again.
    result<void> consumed(ChannelId id, std::size_t size);
    /// Nothing more will be sent.
    result<void> finish(ChannelId id);
    /// Nothing more will be said. Data that still comes is dropped. The id is gone.
    result<void> close(ChannelId id);

    [[nodiscard]] std::size_t size() const noexcept { return open_; }

private:
    struct Channel;
    [[nodiscard]] Channel& at(ChannelId id) const;
    [[nodiscard]] Channel* find(ChannelId id) const noexcept;
    /// One that is there and open.
    result<Channel*> live(ChannelId id) const;
    [[nodiscard]] ChannelId add(Channel channel);
    void remove(ChannelId id) noexcept;
    result<ChannelEvent> take_open(BytesView message);
    result<ChannelEvent> take_answer(BytesView message, bool confirmed);
    result<ChannelEvent> take_window(BytesView message);
    result<ChannelEvent> take_data(BytesView message, bool extended);
    result<ChannelEvent> take_end(BytesView message, bool close);
    result<ChannelEvent> take_request(BytesView message);
    result<ChannelEvent> take_global(BytesView message);
    result<ChannelEvent> take_global_answer(BytesView message);
    result<ChannelEvent> take_request_answer(BytesView message);
    result<void> send_to(const Channel& channel, std::uint8_t message);
    result<void> refuse_number(std::uint32_t peer, OpenFailure reason, std::string_view text);

    Transport& transport_;
    std::vector<std::unique_ptr<Channel>> slots_;
    std::vector<ChannelId> free_;
    std::size_t open_ = 0;
    std::deque<bool> asked_;  // global requests whose answers are to come; true: an event
    MutableBytes building_;
    std::uint32_t building_stream_ = kPlainData;
};

}  // namespace alknet::ssh
