// The ways in which a connection ends.
#include "connection.hpp"
#include "endpoint.hpp"
#include "native_address.hpp"

#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>
#include <alknet/tls/alert.hpp>

#include <algorithm>
#include <array>

namespace alknet::quic {

namespace {

/// How long finished streams may still be delivered after a close with code 0.
constexpr Duration kLingerMax = std::chrono::seconds(5);
/// Three probe timeouts are meant (RFC 9000 section 10.2), but one answer from a machine that was
/// asleep makes them minutes. Later packets are answered by a stateless reset.
constexpr Duration kClosingPeriodMax = std::chrono::seconds(5);
constexpr std::size_t kReasonBytesMax = 512;

/// Reasons come from strangers and go to logs and terminals.
std::string printable(const std::uint8_t* text, std::size_t size) {
    std::string out(reinterpret_cast<const char*>(text), std::min(size, kReasonBytesMax));
    std::ranges::replace_if(out, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return out;
}

ngtcp2_ccerr application_error(std::uint64_t code, std::string_view reason) noexcept {
    ngtcp2_ccerr close;
    ngtcp2_ccerr_default(&close);
    ngtcp2_ccerr_set_application_error(
        &close, code, reinterpret_cast<const std::uint8_t*>(reason.data()), reason.size());
    return close;
}

/// A failure that ngtcp2 found, as an error for people.
error transport_failure(int outcome) {
    switch (outcome) {
        case NGTCP2_ERR_VERSION_NEGOTIATION_FAILURE:
            return error(causes::kVersionMismatch);
        case NGTCP2_ERR_NO_VIABLE_PATH:
            return error(causes::kUnreachable, "no path to the peer works any more");
        case NGTCP2_ERR_NOMEM:
        case NGTCP2_ERR_INTERNAL:
        case NGTCP2_ERR_CALLBACK_FAILURE:
        case NGTCP2_ERR_INVALID_ARGUMENT:
        case NGTCP2_ERR_INVALID_STATE:
            return error(causes::kInternal, ngtcp2_strerror(outcome));
        default:
            return error(causes::kProtocol, ngtcp2_strerror(outcome));
    }
}

}  // namespace

void ConnectionImpl::fail(int outcome) {
    ngtcp2_ccerr close;
    ngtcp2_ccerr_default(&close);
    switch (outcome) {
        case NGTCP2_ERR_DRAINING:
            drain(reset_received_ ? error(causes::kStatelessReset) : peer_close());
            return;
        case NGTCP2_ERR_CLOSING:
            return;
        case NGTCP2_ERR_IDLE_CLOSE:
            drop(error(phase_ == Phase::handshake ? causes::kHandshakeTimeout
                                                  : causes::kIdleTimeout));
            return;
        case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
            drop(error(causes::kHandshakeTimeout));
            return;
        case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
            drop(error(causes::kVersionMismatch));
            return;
        case NGTCP2_ERR_DROP_CONN:
        case NGTCP2_ERR_RETRY:
            drop(error(causes::kProtocol, "the first packet was not usable"));
            return;
        case NGTCP2_ERR_CRYPTO: {
            const std::uint8_t alert = ngtcp2_conn_get_tls_alert(conn_.get());
            end(session_ != nullptr ? session_->failure(alert)
                                    : tls::alert_error(alert, tls::AlertFrom::us));
            if (alert != 0) {
                ngtcp2_ccerr_set_tls_alert(&close, alert, nullptr, 0);
            } else {
                ngtcp2_ccerr_set_liberr(&close, outcome, nullptr, 0);
            }
            break;
        }
        case NGTCP2_ERR_CALLBACK_FAILURE:
            if (refused_) {
                end(std::move(*refused_));
                ngtcp2_ccerr_set_tls_alert(&close, session_->failure_alert(), nullptr, 0);
                break;
            }
            [[fallthrough]];
        default:
            end(transport_failure(outcome));
            ngtcp2_ccerr_set_liberr(&close, outcome, nullptr, 0);
            break;
    }
    send_close(close);
}

error ConnectionImpl::peer_close() const {
    const ngtcp2_ccerr* close = ngtcp2_conn_get_ccerr(conn_.get());
    std::string reason = printable(close->reason, close->reasonlen);
    if (close->type == NGTCP2_CCERR_TYPE_APPLICATION) {
        return error(causes::kClosed, std::move(reason), close->error_code);
    }
    if (auto crypto = tls::crypto_error(close->error_code, tls::AlertFrom::peer)) {
        return std::move(*crypto);
    }
    switch (close->error_code) {
        case NGTCP2_NO_ERROR:
        case NGTCP2_APPLICATION_ERROR:  // an application close from before the handshake's end
            return error(causes::kClosed, std::move(reason));
        case NGTCP2_CONNECTION_REFUSED:
            return error(causes::kUnreachable, "the node refuses connections now",
                         close->error_code);
        default:
            return error(causes::kProtocol,
                         fmt::format("the peer closed with transport error {:#x} {}",
                                     close->error_code, reason),
                         close->error_code);
    }
}

void ConnectionImpl::close(std::uint64_t code, std::string_view reason) noexcept {
    if (ended_) {
        return;
    }
    const auto self = shared_from_this();
    close_code_ = code;
    close_text_ = reason.substr(0, kReasonBytesMax);
    const bool linger = code == close_code::kOk && phase_ == Phase::open;
    end(error(causes::kClosed, close_text_, code));
    if (linger && !all_delivered()) {
        begin_lingering();
    } else {
        close_pending_ = true;
    }
    request_flush();
}

void ConnectionImpl::send_own_close() {
    close_pending_ = false;
    send_close(application_error(close_code_, close_text_));
}

void ConnectionImpl::give_up() {
    constexpr std::string_view kWhy = "nothing that was sent is acknowledged";
    end(error(causes::kIdleTimeout, std::string(kWhy)));
    send_close(application_error(close_code::kTimeout, kWhy));
}

bool ConnectionImpl::all_delivered() const noexcept {
    return std::ranges::all_of(streams_, [](const auto& entry) {
        return !entry.second->finished() || entry.second->delivered();
    });
}

void ConnectionImpl::begin_lingering() {
    phase_ = Phase::lingering;
    linger_until_ = loop_.now() + kLingerMax;
    for (const auto& [id, stream] : streams_) {
        if (!stream->finished()) {
            stream->silence();
        }
    }
}

void ConnectionImpl::cut_lingering() noexcept {
    if (phase_ == Phase::lingering) {
        linger_until_ = std::min(linger_until_, loop_.now() + closing_period());
        request_flush();
    }
}

void ConnectionImpl::end(error why) noexcept {
    if (ended_) {
        return;
    }
    ended_ = std::move(why);
    for (StreamKind* streams : {&bidi_, &uni_}) {
        streams->acceptors.wake_all();
        streams->openers.wake_all();
    }
    for (const auto& [id, stream] : streams_) {
        stream->on_connection_end();
    }
    datagram_waiters_.wake_all();
    handshake_waiters_.wake_all();
    end_waiters_.wake_all();
    closed_.request();
    if (phase_ == Phase::handshake && endpoint_ != nullptr) {
        endpoint_->handshake_ended(*this, std::unexpected(*ended_));
    }
}

Duration ConnectionImpl::closing_period() const noexcept {
    const Duration timeout(static_cast<Duration::rep>(ngtcp2_conn_get_pto(conn_.get())));
    return std::min(3 * timeout, kClosingPeriodMax);
}

void ConnectionImpl::send_close(const ngtcp2_ccerr& close) {
    std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    const auto size = ngtcp2_conn_write_connection_close(
        conn_.get(), &path.path, &info, packet.data(), packet.size(), &close, now());
    if (size <= 0) {  // nothing was ever sent, so nobody waits to hear of it
        gone();
        return;
    }
    const auto octets_written = static_cast<std::size_t>(size);
    closing_packet_.keep(view_octets(packet.data(), octets_written),
                         {to_address(path.path.local), to_address(path.path.remote), 0});
    const Duration period = closing_period();
    enter(Phase::closing, period);
    (void)send(closing_packet_.view());
}

void ConnectionImpl::enter(Phase phase, Duration period) {
    free_state();
    phase_ = phase;
    timer_.arm_after(period);
}

void ConnectionImpl::drain(error why) {
    end(std::move(why));
    enter(Phase::draining, closing_period());
}

void ConnectionImpl::drop(error why) {
    const auto self = shared_from_this();
    end(std::move(why));
    gone();
}

void ConnectionImpl::free_state() noexcept {
    for (const ResetToken& token : peer_tokens_) {
        endpoint_->routes().remove_token(token, *this);
    }
    peer_tokens_.clear();
    if (conn_ != nullptr) {
        stats_ = stats();
    }
    for (const auto& [id, stream] : streams_) {
        stream->on_state_freed();
    }
    streams_.clear();
    unsent_packets_.clear();
    ListHook<BlockedTag>::unlink();
    conn_.reset();
    session_.reset();
    qlog_.reset();
}

void ConnectionImpl::gone() {
    if (phase_ == Phase::gone) {
        return;
    }
    const auto self = shared_from_this();
    free_state();
    phase_ = Phase::gone;
    timer_.disarm();
    for (const ngtcp2_cid& id : own_ids_) {
        endpoint_->routes().remove(view(id));
    }
    own_ids_.clear();
    retire_sockets(0);
    if (!ALKNET_MUTATION(keep_dead_connection)) {
        endpoint_->forget(*this);
    }
    endpoint_ = nullptr;
}

void ConnectionImpl::detach() noexcept {
    const auto self = shared_from_this();
    end(error(causes::kClosed, "the endpoint is gone"));
    free_state();
    phase_ = Phase::gone;
    timer_.disarm();
    ListHook<FlushTag>::unlink();
    extra_sockets_.clear();
    endpoint_ = nullptr;
}

task<result<void>> ConnectionImpl::wait_closed() {
    while (!ended_) {
        ALKNET_CO_CHECK(co_await end_waiters_.wait());
    }
    co_return result<void>{};
}

}  // namespace alknet::quic
