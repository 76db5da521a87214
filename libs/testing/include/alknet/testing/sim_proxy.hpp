// An HTTP proxy in the simulated world: takes CONNECT, answers and connects as a test says.
#pragma once

#include <alknet/rt/scope.hpp>
#include <alknet/testing/sim_world.hpp>
#include <memory>
#include <string>
#include <utility>

namespace alknet::sim {

/// Ends its connections when it is destroyed, before `process`.
class SimProxy {
public:
    SimProxy(SimProcess& process, SocketAddress at) : process_(process), scope_(process.loop()) {
        listener_ = process.network()->listen_tcp(process.loop(), at).value();
        scope_.spawn(accept(), "proxy");
    }

    std::string answer = "HTTP/1.1 200 Connection established\r\n\r\n";
    SocketAddress target;  // whatever it is asked for
    std::string request;   // the last one
    int connected = 0;

private:
    task<void> accept() {
        for (;;) {
            auto client = co_await listener_->accept();
            if (!client) {
                co_return;
            }
            scope_.spawn(serve(std::move(client->stream)), "proxy.client");
        }
    }
    task<void> serve(std::unique_ptr<ByteStream> client) {
        std::string head;
        Bytes buffer(4096);
        while (head.find("\r\n\r\n") == std::string::npos) {
            const auto count = co_await client->read(buffer);
            if (!count || *count == 0) {
                co_return;
            }
            head += as_text(BytesView(buffer).first(*count));
        }
        request = head;
        if (!answer.starts_with("HTTP/1.1 200")) {
            (void)co_await client->write(as_bytes(answer));
            (void)co_await client->read(buffer);  // until the other side has had enough
            co_return;
        }
        auto node = co_await process_.network()->connect_tcp(process_.loop(), target);
        if (!node || !co_await client->write(as_bytes(answer))) {
            co_return;
        }
        ++connected;
        TaskScope both(process_.loop());
        both.spawn(copy(*client, *node->stream), "proxy.up");
        both.spawn(copy(*node->stream, *client), "proxy.down");
        (void)co_await both.join();
    }
    static task<void> copy(ByteStream& from, ByteStream& to) {
        Bytes buffer(16 << 10);
        for (;;) {
            const auto count = co_await from.read(buffer);
            if (!count || *count == 0) {
                (void)co_await to.finish();
                co_return;
            }
            if (!co_await to.write(BytesView(buffer).first(*count))) {
                co_return;
            }
        }
    }

    SimProcess& process_;
    std::unique_ptr<net::TcpListener> listener_;
    TaskScope scope_;
};

}  // namespace alknet::sim
