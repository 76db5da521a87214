#include "forward_request.hpp"

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/ssh/limits.hpp>

#include "messages.hpp"

namespace alknet::ssh {
namespace {

Bytes text_body(std::string_view text) {
    WireWriter out;
    put_text(out, text);
    return out.take();
}

TEST(SshForwardRequest, PortsAndSockets) {
    WireWriter port;
    put_text(port, "localhost");
    port.number<std::uint32_t>(8080);
    EXPECT_EQ(ListenRequest::parse("tcpip-forward", port.view()).value(),
              (ListenRequest{.host = "localhost", .port = 8080, .path = {}}));
    EXPECT_TRUE(ListenRequest::parse("cancel-tcpip-forward", port.view()).value()->cancels);
    const auto socket =
        ListenRequest::parse("streamlocal-forward@openssh.com", text_body("/run/a"));
    EXPECT_EQ(socket.value(), (ListenRequest{.for_socket = true, .host = {}, .path = "/run/a"}));
    EXPECT_EQ(ListenRequest::parse("keepalive@openssh.com", {}).value(), std::nullopt);
    EXPECT_EQ(ListenRequest::parse("cancel-", {}).value(), std::nullopt);
}

TEST(SshForwardRequest, NonsenseIsABreach) {
    for (const auto& [type, body] : {
             std::pair("tcpip-forward", text_body("localhost")),
             std::pair("streamlocal-forward@openssh.com", Bytes(3)),
             std::pair("streamlocal-forward@openssh.com",
                       text_body(std::string(kSocketPathBytesMax + 1, '/'))),
         }) {
        const auto parsed = ListenRequest::parse(type, body);
        EXPECT_TRUE(!parsed && parsed.error().is(causes::kProtocol)) << type;
    }
}

TEST(SshForwardRequest, ChannelsToSockets) {
    const auto body = [](std::string_view path) {
        WireWriter out;
        put_text(out, path);
        put_text(out, "");
        out.number<std::uint32_t>(0);
        return out.take();
    };
    EXPECT_EQ(parse_direct_socket(body("/run/a")).value(), "/run/a");
    EXPECT_TRUE(parse_direct_socket(body(std::string(kSocketPathBytesMax, 'a'))));
    EXPECT_FALSE(parse_direct_socket(body(std::string(kSocketPathBytesMax + 1, 'a'))));
    EXPECT_FALSE(parse_direct_socket(text_body("/run/a")));
    EXPECT_EQ(to_bytes(forwarded_socket("/run/a")), [] {
        WireWriter out;
        put_text(out, "/run/a");
        put_text(out, "");
        return out.take();
    }());
}

}  // namespace
}  // namespace alknet::ssh
