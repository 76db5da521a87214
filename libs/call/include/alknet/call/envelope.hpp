// What travels on alknet/call: events, each one JSON object behind its length. Sans-I/O.
// docs/protocol/call.md describes the octets.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/json.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace alknet::call {

inline constexpr std::string_view kCallAlpn = "alknet/call";
inline constexpr std::size_t kFrameBytesMax = 16 << 20;
/// Of somebody whom the node does not know.
inline constexpr std::size_t kFrameBytesAnonymousMax = 64 << 10;
inline constexpr std::size_t kIdBytesMax = 128;
inline constexpr std::size_t kOperationBytesMax = 128;

/// call.requested
struct Requested {
    std::string operation;  // "service/name", without the slash that it has on the wire
    Json input;
    std::optional<std::uint64_t> timeout_ms{};
    std::string traceparent{};                // W3C Trace Context; empty: none
    std::optional<std::string> auth_token{};  // in the first request of a stream
    std::optional<std::uint64_t> resume_after{};
    std::optional<std::uint64_t> credit{};
    bool detach = false;
    std::uint64_t depth = 0;  // how many calls it is inside of
    Json forwarded_for{};     // a claim, for records alone

    bool operator==(const Requested&) const = default;
};
/// call.responded
struct Responded {
    Json output;
    std::optional<std::uint64_t> seq{};     // of a subscription
    std::optional<std::uint64_t> missed{};  // how many before this one are lost

    bool operator==(const Responded&) const = default;
};
/// call.completed: a subscription has ended.
struct Completed {
    bool operator==(const Completed&) const = default;
};
/// call.aborted, by either side.
struct Aborted {
    bool operator==(const Aborted&) const = default;
};
/// call.error. With an empty id it is about the stream, which ends with it.
struct Failed {
    std::string code;  // see failure.hpp
    std::string message;
    bool retryable = false;
    Json details{};

    bool operator==(const Failed&) const = default;
};
/// call.credit: so many more items of a subscription may come.
struct Credit {
    std::uint64_t items = 0;  // at least one

    bool operator==(const Credit&) const = default;
};
/// call.heartbeat, by either side: it is still there. It is about the stream, and has no id.
struct Heartbeat {
    bool operator==(const Heartbeat&) const = default;
};
/// An event of a later version, to be ignored.
struct Unknown {
    std::string type;

    bool operator==(const Unknown&) const = default;
};
/// An event of ours whose payload is unusable; the id is good.
struct Malformed {
    std::string type;
    std::string why;
    bool has_token = false;  // of a request: it has an auth_token, of whatever kind

    bool operator==(const Malformed&) const = default;
};

using EventBody = std::variant<Requested, Responded, Completed, Aborted, Failed, Credit, Heartbeat,
                               Unknown, Malformed>;

struct EventEnvelope {
    std::string id;
    EventBody event;

    bool operator==(const EventEnvelope&) const = default;
};

/// `service/name`: letters, digits, `_` and `-` on both sides of one slash.
[[nodiscard]] bool is_operation_name(std::string_view name) noexcept;

/// The JSON of one event. Errors: kProtocol for what is no event at all: no JSON, no object, no
/// type, no usable id; kLimit for what `limits` refuse.
[[nodiscard]] result<EventEnvelope> decode_event(std::string_view text,
                                                 const JsonLimits& limits = {});
/// Neither Unknown nor Malformed.
[[nodiscard]] std::string encode_event(const EventEnvelope& envelope);
/// The same behind its length. Errors: kLimit if it is longer than `bytes_max`.
[[nodiscard]] result<Bytes> encode_frame(const EventEnvelope& envelope,
                                         std::size_t bytes_max = kFrameBytesMax);

/// Takes octets as they come, gives the texts of frames. Holds what has come and no more, whatever
/// a length promises. After an error it is of no further use.
class FrameDecoder {
public:
    explicit FrameDecoder(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

    /// From the next frame on.
    void set_bytes_max(std::size_t bytes_max) noexcept { bytes_max_ = bytes_max; }
    void push(BytesView octets);
    /// nullopt: the next frame is not whole yet. The view is good until the next call of anything.
    /// Errors: kProtocol for a length of 0, kLimit for one that is too large.
    result<std::optional<std::string_view>> next();
    /// Octets that were pushed and did not come out.
    [[nodiscard]] std::size_t held() const noexcept { return buffer_.size() - used_; }

private:
    Bytes buffer_;
    std::size_t used_ = 0;
    std::size_t bytes_max_;
};

}  // namespace alknet::call
