// One request of an HTTP/3 connection, and its response.
#pragma once

#include "body_rate.hpp"
#include "h3_connection.hpp"

namespace alknet::http {

/// Lives as long as the task that serves its stream.
struct H3Connection::Exchange {
    explicit Exchange(BiStream& its_stream)
        : stream(its_stream), id(static_cast<std::int64_t>(its_stream.id())) {}

    BiStream& stream;
    const std::int64_t id;
    RequestHead head;
    Refusal refusal{.status = 0, .reason = {}};
    Bytes begun;     // read before it was known to be a request
    Event asked;     // the head is there
    Bytes received;  // of the body, not yet read: what one read of the stream has brought
    std::size_t received_read = 0;
    std::uint64_t body_bytes = 0;
    BodyRate rate;
    WaitList arrived;  // content has, or the end
    WaitList taken;    // the handler has read, or the session takes more
    bool request_ended = false;
    bool tunnel = false;  // its octets are not those of a body
    bool stream_ended = false;
    std::optional<std::uint64_t> refused;  // by the session
    BytesView content;                     // of the response, not yet given to the session
    bool content_last = false;
    Bytes out;  // not yet written to the stream
    bool out_end = false;
    WriteTurns turns;
    std::uint64_t sent_bytes = 0;
    int status = 0;
    std::string by_token;
};

}  // namespace alknet::http
