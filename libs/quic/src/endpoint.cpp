#include "endpoint.hpp"

#include <sodium.h>

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>
#include <utility>

namespace alknet::quic {

namespace {

constexpr std::uint32_t kResetsPerSecond = 200;
constexpr std::uint32_t kResetsBurst = 50;

}  // namespace

// ---- sockets ----

LocalSocket::LocalSocket(EndpointImpl& endpoint, std::unique_ptr<net::UdpSocket> socket)
    : endpoint_(endpoint), socket_(std::move(socket)), address_(socket_->local_address()) {
    socket_->set_receiver(this);
}

LocalSocket::~LocalSocket() {
    socket_->set_receiver(nullptr);
}

net::SendStatus LocalSocket::send(const net::DatagramBatch& batch,
                                  ConnectionImpl& connection) noexcept {
    const auto status = blocked_ ? net::SendStatus::would_block : socket_->send(batch);
    if (status == net::SendStatus::would_block) {
        blocked_ = true;
        if (!connection.ListHook<BlockedTag>::linked()) {
            waiting_.push_back(connection);
        }
    }
    return status;
}

void LocalSocket::send(const net::DatagramBatch& batch) noexcept {
    if (!blocked_) {
        (void)socket_->send(batch);
    }
}

void LocalSocket::on_datagrams(std::span<const net::DatagramBatch> batches) noexcept {
    endpoint_.on_datagrams(*this, batches);
}

void LocalSocket::on_writable() noexcept {
    blocked_ = false;
    if (ALKNET_MUTATION(forget_blocked_packets)) {
        return;
    }
    while (!blocked_) {
        ConnectionImpl* connection = waiting_.pop_front();
        if (connection == nullptr) {
            return;
        }
        connection->on_writable();
    }
}

void LocalSocket::on_unreachable(const SocketAddress& remote) noexcept {
    endpoint_.on_unreachable(remote);
}

// ---- the endpoint ----

result<std::unique_ptr<Endpoint>> Endpoint::create(Loop& loop,
                                                   std::unique_ptr<net::UdpSocket> socket,
                                                   EndpointOptions options) {
    if (sodium_init() < 0) {
        return fail(causes::kInternal, "libsodium cannot be initialised");
    }
    ALKNET_ASSERT(options.loop_count > 0 && options.loop_count <= 256 &&
                  options.loop_index < options.loop_count);
    ALKNET_ASSERT(options.steering == nullptr || options.steering->size() == options.loop_count);
    return std::make_unique<EndpointImpl>(loop, std::move(socket), std::move(options));
}

EndpointSecrets make_secrets() {
    EndpointSecrets secrets;
    randombytes_buf(secrets.token.data(), secrets.token.size());
    randombytes_buf(secrets.stateless_reset.data(), secrets.stateless_reset.size());
    return secrets;
}

EndpointImpl::EndpointImpl(Loop& loop, std::unique_ptr<net::UdpSocket> socket,
                           EndpointOptions options)
    : loop_(loop),
      options_(std::move(options)),
      tokens_(options_.secrets.token),
      packet_buffer_(net::UdpSocket::kBatchBytesMax + NGTCP2_DEFAULT_MAX_RECV_UDP_PAYLOAD_SIZE),
      resets_(kResetsPerSecond, kResetsBurst) {
    add_socket(std::move(socket));
    if (options_.steering != nullptr) {
        options_.steering->enter(options_.loop_index, local_address(), *this);
    }
}

EndpointImpl::~EndpointImpl() {
    if (options_.steering != nullptr) {
        options_.steering->leave(options_.loop_index, local_address());
    }
    const auto connections = std::exchange(connections_, {});
    for (const auto& [serial, connection] : connections) {
        connection->detach();
    }
    sodium_memzero(&options_.secrets, sizeof options_.secrets);
}

LocalSocket& EndpointImpl::add_socket(std::unique_ptr<net::UdpSocket> socket) {
    return *sockets_.emplace_back(std::make_unique<LocalSocket>(*this, std::move(socket)));
}

void EndpointImpl::remove_socket(const LocalSocket& socket) noexcept {
    const auto found = std::ranges::find(sockets_, &socket, &std::unique_ptr<LocalSocket>::get);
    if (found != sockets_.end()) {
        // It may be the one whose datagrams are being read just now.
        retired_.push_back(std::move(*found));
        sockets_.erase(found);
        loop_.request_flush(*this);
    }
}

void EndpointImpl::flush() noexcept {
    retired_.clear();
}

ngtcp2_cid EndpointImpl::add_route(ConnectionImpl& connection) {
    for (;;) {
        const ngtcp2_cid id = draw_connection_id({options_.loop_index, options_.loop_count});
        if (routes_.add(view(id), connection)) {
            return id;
        }
    }
}

ResetToken EndpointImpl::reset_token(const ngtcp2_cid& id) const noexcept {
    return derive_reset_token(options_.secrets.stateless_reset, view(id));
}

EndpointStats EndpointImpl::stats() const noexcept {
    EndpointStats stats = stats_;
    stats.connections = connections_.size();
    stats.half_open = half_open_;
    return stats;
}

void EndpointImpl::add(std::shared_ptr<ConnectionImpl> connection) {
    connections_.emplace(connection->serial(), std::move(connection));
}

void EndpointImpl::forget(ConnectionImpl& connection) noexcept {
    connections_.erase(connection.serial());
    if (connections_.empty()) {
        drained_.wake_all();
    }
}

void EndpointImpl::on_unreachable(const SocketAddress& remote) noexcept {
    if (dialling_ == 0) {
        return;
    }
    std::vector<std::shared_ptr<ConnectionImpl>> waiting;
    for (const auto& [serial, connection] : connections_) {
        if (connection->phase() == ConnectionImpl::Phase::handshake && !connection->server()) {
            waiting.push_back(connection);
        }
    }
    for (const auto& connection : waiting) {
        connection->on_unreachable(remote);
    }
}

void EndpointImpl::handshake_ended(ConnectionImpl& connection, const result<void>& outcome) {
    if (!connection.server()) {
        --dialling_;
        return;
    }
    --half_open_;
    options_.server->handshake_ended(connection.incoming(), outcome);
    if (outcome && stopping_) {
        connection.close(close_code::kShutdown, "shutting down");
    } else if (outcome) {
        accepted_.push_back(connection.shared_from_this());
        acceptors_.wake_one();
    }
}

task<result<std::shared_ptr<Connection>>> EndpointImpl::accept() {
    for (;;) {
        if (stopping_) {
            co_return fail(causes::kShuttingDown);
        }
        if (!accepted_.empty()) {
            const auto connection = std::move(accepted_.front());
            accepted_.pop_front();
            co_return connection->make_handle();
        }
        ALKNET_CO_CHECK(co_await acceptors_.wait());
    }
}

void EndpointImpl::stop_accepting() noexcept {
    stopping_ = true;
    acceptors_.wake_all();
}

task<void> EndpointImpl::shutdown(std::uint64_t code, std::string reason) {
    stop_accepting();
    accepted_.clear();
    // Copied: a connection that has nothing to say goodbye to is gone at once.
    const auto connections = connections_;
    for (const auto& [serial, connection] : connections) {
        connection->close(code, reason);
        connection->cut_lingering();
    }
    while (!connections_.empty()) {
        (void)co_await drained_.wait_uncancellable();
    }
}

// ---- dialling ----

namespace {

/// Closes a connection that nobody waits for any more.
class Attempt {
public:
    explicit Attempt(std::shared_ptr<ConnectionImpl> connection) noexcept
        : connection_(std::move(connection)) {}
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;
    ~Attempt() {
        if (connection_ != nullptr) {
            connection_->close(close_code::kOk, {});
        }
    }
    ConnectionImpl* operator->() const noexcept { return connection_.get(); }
    std::shared_ptr<Connection> succeed() {
        return std::exchange(connection_, nullptr)->make_handle();
    }

private:
    std::shared_ptr<ConnectionImpl> connection_;
};

}  // namespace

task<result<std::shared_ptr<Connection>>> EndpointImpl::connect(ConnectOptions options) {
    std::uint32_t version = 0;
    std::uint32_t original_version = 0;
    for (;;) {
        const TransportOptions& transport =
            options.transport ? *options.transport : options_.transport;
        if (stopping_) {
            co_return fail(causes::kShuttingDown);
        }
        if (connections_.size() >= options_.connections_max) {
            co_return fail(causes::kLimit, "connections_max");
        }
        auto connection =
            std::make_shared<ConnectionImpl>(*this, ++serial_, *sockets_.front(), transport, false);
        add(connection);
        ++dialling_;
        const auto started =
            connection->start_client(options.remote, options.tls, version, original_version);
        if (!started) {
            connection->drop(started.error());
            co_return std::unexpected(started.error());
        }
        Attempt attempt(std::move(connection));
        ALKNET_CO_CHECK(co_await attempt->wait_handshake());
        const auto failure = attempt->close_reason();
        if (!failure) {
            co_return attempt.succeed();
        }
        // The server speaks another of our versions: once more with that one (RFC 9368
        // section 2.2).
        if (original_version != 0 || attempt->negotiable_version() == 0) {
            co_return std::unexpected(*failure);
        }
        original_version = attempt->first_version();
        version = attempt->negotiable_version();
    }
}

}  // namespace alknet::quic
