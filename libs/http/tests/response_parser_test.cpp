// ResponseParser: what is taken, what is refused, and that no cut of the octets matters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/http/response_parser.hpp>

namespace alknet::http {
namespace {

// "200 body| end", "! reason", "..." where more is needed.
std::string events_of(std::string_view octets, std::size_t step, bool head_only = false,
                      const MessageLimits& limits = {}) {
    ResponseParser parser(limits, head_only);
    std::string text;
    BytesView left = as_bytes(octets);
    for (;;) {
        BytesView input = left.first(std::min(step, left.size()));
        left = left.subspan(input.size());
        for (;;) {
            const MessageStep next = parser.next(input);
            if (next.event == MessageEvent::more) {
                break;
            }
            if (next.event == MessageEvent::head) {
                text += std::to_string(parser.head().status) + " ";
            } else if (next.event == MessageEvent::data) {
                text += as_text(next.data);
            } else if (next.event == MessageEvent::end) {
                return text + "| end";
            } else {
                return text + "! " + std::string(parser.refusal().reason);
            }
        }
        if (left.empty()) {
            return text + (parser.ends_with_connection() ? "$" : "...");
        }
    }
}

struct Case {
    std::string_view octets;
    std::string_view events;
};

constexpr auto kCases = std::to_array<Case>({
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 hi| end"},
    {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 | end"},
    {"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nhi!", "200 hi| end"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nA: b\r\n\r\n",
     "200 hi| end"},
    {"HTTP/1.1 200 OK\r\n\r\nhi", "200 hi$"},
    {"HTTP/1.0 200 OK\r\n\r\nhi", "200 hi$"},
    {"HTTP/1.1 204 No Content\r\n\r\n", "204 | end"},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "204 | end"},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "304 | end"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     "100 103 200 x| end"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nframes", "101 | end"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "200 hi..."},
    {"HTTP/1.1 200 OK\r\nContent-Le", "..."},
    {"HTTP/2 200 OK\r\n\r\n",
     "! the first line does not begin with a version of HTTP that is spoken here"},
    {"HTTP/1.2 200 OK\r\n\r\n",
     "! the first line does not begin with a version of HTTP that is spoken here"},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n",
     "! the first line does not begin with a version of HTTP that is spoken here"},
    {"HTTP/1.1 20 OK\r\n\r\n", "! the status is no number of three digits"},
    {"HTTP/1.1 600 OK\r\n\r\n", "! the status is no number of three digits"},
    {"HTTP/1.1 099 OK\r\n\r\n", "! the status is no number of three digits"},
    {"HTTP/1.1 2000\r\n\r\n", "! the status is followed by what is no reason"},
    {"HTTP/1.1 200 a\x01\r\n\r\n", "! the status is followed by what is no reason"},
    {"HTTP/1.1 200 OK\n\n", "! a line ends in a bare LF"},
    {"HTTP/1.1 200 OK\r\nA: b\n\r\n", "! a line ends in a bare LF"},
    {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "! a field is folded over several lines"},
    {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "! a field has no name that is a token"},
    {"HTTP/1.1 200 OK\r\nno field\r\n\r\n", "! a field has no name that is a token"},
    {"HTTP/1.1 200 OK\r\nA: \x7f\r\n\r\n", "! a field's value has a control character"},
    {"HTTP/1.1 200 OK\r\nContent_Length: 2\r\n\r\n", "! a field's name passes for another one"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
     "! there is more than one Content-Length"},
    {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", "! Content-Length is no plain number"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n", "! Content-Length is no plain number"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
     "! Content-Length is no plain number"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
     "! no Transfer-Encoding but one chunked is understood"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "! no Transfer-Encoding but one chunked is understood"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
     "! Transfer-Encoding stands where it must not"},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "! Transfer-Encoding stands where it must not"},
    {"HTTP/1.1 204 OK\r\nContent-Length: 2\r\n\r\n", "! there is content where none can be"},
    {"HTTP/1.1 100 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "! there is content where none can be"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n",
     "200 hi! a chunk is longer than its size says"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n",
     "200 ! a chunk's size is no hexadecimal number"},
});

TEST(ResponseParser, TheTableUnderEveryCut) {
    for (const Case& one : kCases) {
        EXPECT_EQ(events_of(one.octets, one.octets.size()), one.events) << one.octets;
        for (std::size_t step = 1; step < one.octets.size(); ++step) {
            EXPECT_EQ(events_of(one.octets, step), one.events) << one.octets << " by " << step;
        }
    }
}

TEST(ResponseParser, TheAnswerToHeadHasNoContent) {
    const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    EXPECT_EQ(events_of(answer, 100, true), "200 | end");
    EXPECT_EQ(events_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 100, true),
              "200 | end");
}

TEST(ResponseParser, Limits) {
    const std::string begin = "HTTP/1.1 200 OK\r\n";
    const auto with = [&](std::size_t size) {
        return begin + "A: " + std::string(size - begin.size() - 7, 'x') + "\r\n\r\n";
    };
    const MessageLimits limits{.header_bytes_max = 100, .fields_max = 2};
    EXPECT_EQ(events_of(with(100), 1, false, limits), "200 $");
    EXPECT_EQ(events_of(with(101), 1, false, limits), "! the head is larger than is taken");
    EXPECT_EQ(events_of(begin + "A: b\r\nA: b\r\n\r\n", 1, false, limits), "200 $");
    EXPECT_EQ(events_of(begin + "A: b\r\nA: b\r\nA: b\r\n\r\n", 1, false, limits),
              "! the head is larger than is taken");
    std::string interim;
    for (std::size_t i = 0; i < kInterimMax; ++i) {
        interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
    }
    EXPECT_THAT(events_of(interim + begin + "\r\n", 1000), testing::EndsWith("200 $"));
    EXPECT_THAT(events_of(interim + "HTTP/1.1 100 C\r\n\r\n", 1000),
                testing::EndsWith("! there are too many interim answers"));
}

}  // namespace
}  // namespace alknet::http
