#include <alknet/rt/scope.hpp>
#include <alknet/tls/stream.hpp>

#include "context.hpp"

namespace alknet::sim {

namespace {

struct OneName final : tls::AlpnSelector {
    std::string select_alpn(const tls::ClientHello&) override { return "sim/1"; }
};

task<result<void>> serve(SimProcess& process, net::TcpListener& listener,
                         std::shared_ptr<const tls::TlsContext> context, OneName& selector) {
    for (;;) {
        ALKNET_CO_TRY(auto tcp, co_await listener.accept());
        ALKNET_CO_TRY(auto stream, co_await tls::accept_tls(process.loop(), std::move(tcp.stream),
                                                            context, selector));
        Bytes buffer(4096);
        for (;;) {
            ALKNET_CO_TRY(const std::size_t count, co_await stream->read(buffer));
            if (count == 0) {
                break;
            }
            ALKNET_CO_CHECK(co_await stream->write(BytesView(buffer).first(count)));
        }
        ALKNET_CO_CHECK(co_await stream->finish());
    }
}

task<result<void>> dial(SimProcess& process, SocketAddress to, tls::ClientOptions options,
                        Context& context) {
    ALKNET_CO_TRY(auto tcp, co_await process.network()->connect_tcp(process.loop(), to));
    ALKNET_CO_TRY(auto stream,
                  co_await tls::connect_tls(process.loop(), std::move(tcp.stream), options));
    Bytes sent(20'000);
    context.random().fill(sent);
    ALKNET_CO_CHECK(co_await stream->write(sent));
    ALKNET_CO_CHECK(co_await stream->finish());
    Bytes received;
    Bytes buffer(4096);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream->read(buffer));
        if (count == 0) {
            break;
        }
        received.insert(received.end(), buffer.begin(),
                        buffer.begin() + static_cast<std::ptrdiff_t>(count));
    }
    context.expect(received == sent, "the echo is what was sent");
    context.note("echo done");
    co_return result<void>{};
}

void tls_scenario(Context& context) {
    SimWorld& world = context.world();
    auto left = world.add_host("left").start();
    auto right = world.add_host("right").start();
    const auto make = [] {
        tls::ContextOptions options;
        options.key = NodeKey::generate();
        return *tls::TlsContext::create(options);
    };
    const auto left_tls = make();
    const auto right_tls = make();
    OneName selector;
    auto listener = *right->network()->listen_tcp(right->loop(), right->host().v4(443));
    TaskScope serving(right->loop());
    serving.spawn(serve(*right, *listener, right_tls, selector), "serve");
    TaskScope dialling(left->loop());
    auto store = tls::make_resumption_store();
    for (int i = 0; i < 3; ++i) {
        tls::ClientOptions options;
        options.context = left_tls;
        options.alpns = {"sim/1"};
        options.verify = tls::VerifyPin{right_tls->key().id()};
        options.resumption = store;
        dialling.spawn(dial(*left, right->host().v4(443), options, context), "dial");
        context.expect(
            world.run_until([&] { return dialling.size() == 0; }, std::chrono::seconds(10)),
            "the dial ends");
    }
    serving.cancel();
    context.expect(world.run_until([&] { return serving.size() == 0; }, std::chrono::seconds(10)),
                   "the server ends");
}

}  // namespace

const std::vector<Scenario>& scenarios() {
    static const std::vector<Scenario> all = {{"tls", "TLS over TCP", tls_scenario}};
    return all;
}

}  // namespace alknet::sim
