// How the node is, for programs of this machine: /healthz and /metrics over plain HTTP, on loopback
// addresses alone.
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/crypto/digest.hpp>
#include <array>
#include <utility>

#include "node.hpp"

namespace alknet::app {

namespace {

/// At a time; further ones are closed.
constexpr std::size_t kStatusConnectionsMax = 32;
constexpr Duration kAgainDelay = std::chrono::seconds(1);

}  // namespace

void Node::apply_status(const config::HttpStatus& wanted) {
    if (status_ != wanted) {
        status_ = wanted;
        status_changed_.set();
    }
}

task<result<void>> Node::accept_status(SocketAddress address, TaskScope& connections) {
    ALKNET_CO_TRY(const auto listener, options_.network->listen_tcp(loop_, address));
    auto bound = *status_bound_.get();
    bound.push_back(listener->local_address());
    status_bound_.set(std::make_shared<const std::vector<SocketAddress>>(std::move(bound)));
    log_.info("http.status_listening", {{"local_addr", listener->local_address().to_string()}});
    for (;;) {
        auto accepted = co_await listener->accept();
        if (!accepted && accepted.error().is(errc::cancelled)) {
            co_return unexpected(std::move(accepted).error());
        }
        if (!accepted) {
            log_.warn("http.status_failed", {{"detail", accepted.error().detail()}});
            ALKNET_CO_CHECK(co_await loop_.sleep(kAgainDelay));
            continue;
        }
        if (connections.size() >= kStatusConnectionsMax) {
            continue;
        }
        std::array<std::byte, 8> trace{};
        crypto::fill_random(trace);
        StreamConnectionOptions options;
        options.info.alpn = "http/1.1";
        options.info.transport = Transport::tcp;
        options.info.server_side = true;
        options.info.local = accepted->local;
        options.info.remote = accepted->remote;
        options.info.trace_id = hex_encode(trace);
        connections.spawn(http_->serve_status(make_stream_connection(
                              loop_, std::move(accepted->stream), std::move(options))),
                          "status.connection");
    }
}

task<void> Node::listen_status(SocketAddress address, TaskScope& connections) {
    for (;;) {
        const auto ended = co_await accept_status(address, connections);
        if (ended.error().is(errc::cancelled)) {
            co_return;
        }
        log_.error("http.status_failed", {{"local_addr", address.to_string()},
                                          {"id", ended.error().cause().id},
                                          {"detail", ended.error().detail()}});
        if (!co_await loop_.sleep(kAgainDelay)) {
            co_return;
        }
    }
}

// A change closes the listeners and opens those that are wanted then; connections live on.
task<result<void>> Node::serve_status() {
    TaskScope connections(loop_);
    result<void> told;
    while (told) {
        status_changed_.clear();
        status_bound_.set(std::make_shared<const std::vector<SocketAddress>>());
        TaskScope listeners(loop_);
        for (const SocketAddress& address : status_.listen) {
            listeners.spawn(listen_status(address, connections), "status.listener");
        }
        told = co_await status_changed_.wait();
        listeners.cancel();
        (void)co_await listeners.join();
    }
    connections.cancel();
    (void)co_await connections.join();
    co_return told;
}

}  // namespace alknet::app
