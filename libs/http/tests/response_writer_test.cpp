#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/http/response_writer.hpp>

namespace alknet::http {
namespace {

Fields some_fields() {
    Fields fields;
    fields.add("Content-Type", "text/plain");
    return fields;
}

TEST(ResponseWriter, ALengthThatIsKnown) {
    const FramedHead head = frame_head(200, some_fields(), {.content_length = 5});
    EXPECT_EQ(head.octets,
              "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\n");
    EXPECT_EQ(head.framing, Framing::length);
    EXPECT_TRUE(head.keep_alive);
}

TEST(ResponseWriter, ALengthThatIsNot) {
    const FramedHead head = frame_head(200, {}, {});
    EXPECT_EQ(head.octets, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    EXPECT_EQ(head.framing, Framing::chunked);
}

TEST(ResponseWriter, Http10HasNoChunks) {
    const FramedHead head = frame_head(200, {}, {.version = Version::http10});
    EXPECT_EQ(head.octets, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
    EXPECT_EQ(head.framing, Framing::close);
    EXPECT_FALSE(head.keep_alive);
    const FramedHead sized = frame_head(200, {}, {.version = Version::http10, .content_length = 1});
    EXPECT_EQ(sized.octets,
              "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(sized.keep_alive);
}

TEST(ResponseWriter, HeadSaysTheLengthThatGetHas) {
    const FramedHead head = frame_head(200, {}, {.head_only = true, .content_length = 5});
    EXPECT_THAT(head.octets, testing::HasSubstr("content-length: 5\r\n"));
    EXPECT_EQ(head.framing, Framing::none);
    EXPECT_EQ(frame_head(200, {}, {.head_only = true}).octets, "HTTP/1.1 200 OK\r\n\r\n");
}

TEST(ResponseWriter, StatusesWithoutContent) {
    EXPECT_EQ(frame_head(204, {}, {.content_length = 0}).octets, "HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_EQ(frame_head(304, {}, {.content_length = 5}).octets,
              "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n");
    for (const int status : {204, 304}) {
        EXPECT_EQ(frame_head(status, {}, {.content_length = 5}).framing, Framing::none);
        EXPECT_EQ(frame_head(status, {}, {}).framing, Framing::none);
    }
}

TEST(ResponseWriter, Close) {
    const FramedHead head = frame_head(200, {}, {.keep_alive = false, .content_length = 0});
    EXPECT_EQ(head.octets, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    EXPECT_FALSE(head.keep_alive);
}

TEST(ResponseWriter, NothingFromOutsideEndsALine) {
    Fields fields;
    fields.add("x", "a\r\nSet-Cookie: b");
    fields.add("bad name", "a");
    fields.add("Content-Length", "99");
    fields.add("Transfer-Encoding", "chunked");
    fields.add("Connection", "upgrade");
    fields.add("y", "b");
    EXPECT_EQ(frame_head(200, fields, {.content_length = 0}).octets,
              "HTTP/1.1 200 OK\r\ny: b\r\ncontent-length: 0\r\n\r\n");
}

TEST(ResponseWriter, Phrases) {
    EXPECT_EQ(reason_phrase(404), "Not Found");
    EXPECT_EQ(reason_phrase(299), "Unknown");
    EXPECT_EQ(to_string(Version::http10), "HTTP/1.0");
    EXPECT_EQ(to_string(Version::http11), "HTTP/1.1");
    EXPECT_EQ(to_string(Version::http2), "HTTP/2");
    EXPECT_EQ(to_string(Version::http3), "HTTP/3");
}

TEST(ResponseWriter, Chunks) {
    EXPECT_EQ(chunk_begin(1), "1\r\n");
    EXPECT_EQ(chunk_begin(0x1234abcd), "1234abcd\r\n");
    EXPECT_EQ(chunk_begin(~std::uint64_t{}), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace alknet::http
