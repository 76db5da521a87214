// Finds STOP_SENDING frames (RFC 9000 section 19.5) in the payload of a decrypted packet: ngtcp2
// 1.11 answers them, but tells nobody, so a writer would not learn that it may stop, nor why.
// Sans-I/O. What is malformed ends the scan; ngtcp2 deals with it.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstdint>
#include <optional>

namespace alknet::quic {

struct StopSending {
    std::int64_t stream = 0;
    std::uint64_t code = 0;
};

class FrameScan {
public:
    explicit FrameScan(BytesView payload) noexcept : left_(payload) {}

    /// The next STOP_SENDING frame, or nullopt at the end.
    std::optional<StopSending> next() noexcept;

private:
    bool skip(std::size_t count) noexcept;
    bool skip_integers(int count) noexcept;
    bool skip_counted() noexcept;
    bool skip_ack(bool ecn) noexcept;
    bool skip_stream(std::uint64_t type) noexcept;
    bool skip_new_connection_id() noexcept;
    bool skip_frame(std::uint64_t type) noexcept;
    bool integer(std::uint64_t& value) noexcept;

    BytesView left_;
};

}  // namespace alknet::quic
