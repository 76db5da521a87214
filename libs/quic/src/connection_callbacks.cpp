#include "connection_callbacks.hpp"

#include "connection.hpp"
#include "endpoint.hpp"
#include "frame_scan.hpp"

#include <ngtcp2/ngtcp2_crypto.h>
#include <sodium.h>

#include <algorithm>
#include <alknet/base/mutation.hpp>

namespace alknet::quic {

namespace {

/// Whose packet this thread is opening: ngtcp2's decrypt callback is not told.
thread_local ConnectionImpl* opening = nullptr;

/// The TLS alert for a message that does not belong here.
constexpr std::uint8_t kUnexpectedMessage = 10;

}  // namespace

OpeningScope::OpeningScope(ConnectionImpl& connection) noexcept {
    opening = &connection;
}

OpeningScope::~OpeningScope() {
    opening = nullptr;
}

/// The user data of a connection is its ConnectionImpl, that of a stream its Stream.
struct Callbacks {
    static ConnectionImpl& self(void* user) noexcept { return *static_cast<ConnectionImpl*>(user); }
    static Stream* stream(void* user) noexcept { return static_cast<Stream*>(user); }

    static void random(std::uint8_t* into, std::size_t size, const ngtcp2_rand_ctx*) noexcept {
        randombytes_buf(into, size);
    }
    static int challenge(ngtcp2_conn*, std::uint8_t* into, void*) noexcept {
        randombytes_buf(into, NGTCP2_PATH_CHALLENGE_DATALEN);
        return 0;
    }

    static int decrypt(std::uint8_t* into, const ngtcp2_crypto_aead* aead,
                       const ngtcp2_crypto_aead_ctx* context, const std::uint8_t* sealed,
                       std::size_t size, const std::uint8_t* nonce, std::size_t nonce_size,
                       const std::uint8_t* header, std::size_t header_size) noexcept {
        const int outcome = ngtcp2_crypto_decrypt_cb(into, aead, context, sealed, size, nonce,
                                                     nonce_size, header, header_size);
        if (outcome == 0 && opening != nullptr) {
            FrameScan scan(view_octets(into, size - aead->max_overhead));
            while (const auto stop = scan.next()) {
                opening->stops_.push_back(*stop);
            }
        }
        return outcome;
    }

    static int new_id(ngtcp2_conn*, ngtcp2_cid* id, std::uint8_t* token, std::size_t size,
                      void* user) noexcept {
        ConnectionImpl& connection = self(user);
        if (size != kConnectionIdBytes) {
            return NGTCP2_ERR_CALLBACK_FAILURE;
        }
        *id = connection.endpoint_->add_route(connection);
        connection.own_ids_.push_back(*id);
        const ResetToken derived = connection.endpoint_->reset_token(*id);
        std::ranges::copy(derived, reinterpret_cast<std::byte*>(token));
        return 0;
    }
    static int remove_id(ngtcp2_conn*, const ngtcp2_cid* id, void* user) noexcept {
        ConnectionImpl& connection = self(user);
        connection.endpoint_->routes().remove(view(*id));
        std::erase_if(connection.own_ids_,
                      [id](const ngtcp2_cid& own) { return ngtcp2_cid_eq(&own, id) != 0; });
        return 0;
    }
    static int peer_id_status(ngtcp2_conn*, ngtcp2_connection_id_status_type type, std::uint64_t,
                              const ngtcp2_cid*, const std::uint8_t* token, void* user) noexcept {
        if (token == nullptr) {
            return 0;
        }
        ConnectionImpl& connection = self(user);
        ResetToken copy;
        std::ranges::copy(view_octets(token, kResetTokenBytes), copy.begin());
        std::erase(connection.peer_tokens_, copy);
        if (ALKNET_MUTATION(forget_reset_token)) {
            return 0;
        }
        if (type == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE) {
            connection.peer_tokens_.push_back(copy);
            connection.endpoint_->routes().add_token(copy, connection);
        } else {
            connection.endpoint_->routes().remove_token(copy, connection);
        }
        return 0;
    }

    static int crypto_data(ngtcp2_conn* conn, ngtcp2_encryption_level level, std::uint64_t offset,
                           const std::uint8_t* data, std::size_t size, void* user) noexcept {
        if (self(user).session_ == nullptr) {
            ngtcp2_conn_set_tls_alert(conn, kUnexpectedMessage);
            return NGTCP2_ERR_CRYPTO;
        }
        return ngtcp2_crypto_recv_crypto_data_cb(conn, level, offset, data, size, user);
    }
    static int handshake_completed(ngtcp2_conn* conn, void* user) noexcept {
        take_more_ids_than_promised(conn);
        return self(user).finish_handshake();
    }
    /// ngtcp2 1.11 goes on counting an id of the peer's that it has retired: when a new path is
    /// validated while the one before still is, it retires the id that it may fall back to. The
    /// peer's replacement then looks like one too many, and the connection would end with
    /// CONNECTION_ID_LIMIT_ERROR. The peer has been told the true limit by now; ngtcp2 itself never
    /// keeps more than eight.
    static void take_more_ids_than_promised(ngtcp2_conn* conn) noexcept {
        constexpr std::uint64_t kAny = 64;
        const ngtcp2_transport_params* params = ngtcp2_conn_get_local_transport_params(conn);
        const_cast<ngtcp2_transport_params*>(params)->active_connection_id_limit = kAny;
    }
    static int version_negotiation_received(ngtcp2_conn*, const ngtcp2_pkt_hd*,
                                            const std::uint32_t* versions, std::size_t count,
                                            void* user) noexcept {
        ConnectionImpl& connection = self(user);
        const std::span offered(versions, count);
        for (const Version ours : connection.options_.versions) {
            if (std::ranges::find(offered, to_native(ours)) != offered.end()) {
                connection.negotiable_version_ = to_native(ours);
                break;
            }
        }
        return 0;
    }
    static int stateless_reset(ngtcp2_conn*, const ngtcp2_pkt_stateless_reset*,
                               void* user) noexcept {
        self(user).reset_received_ = true;
        return 0;
    }
    static int new_token(ngtcp2_conn*, const std::uint8_t* token, std::size_t size,
                         void* user) noexcept {
        if (self(user).session_ != nullptr) {
            self(user).session_->keep_address_token(view_octets(token, size));
        }
        return 0;
    }

    static int stream_open(ngtcp2_conn*, std::int64_t id, void* user) noexcept {
        self(user).on_stream_open(id);
        return 0;
    }
    static int stream_data(ngtcp2_conn*, std::uint32_t flags, std::int64_t, std::uint64_t,
                           const std::uint8_t* data, std::size_t size, void* user,
                           void* stream_user) noexcept {
        self(user).stats_.bytes_received += size;
        stream(stream_user)
            ->on_data(view_octets(data, size), (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
        return 0;
    }
    static int stream_acknowledged(ngtcp2_conn*, std::int64_t, std::uint64_t offset,
                                   std::uint64_t size, void*, void* stream_user) noexcept {
        stream(stream_user)->on_acknowledged(offset + size, size > 0);
        return 0;
    }
    static int stream_reset(ngtcp2_conn*, std::int64_t, std::uint64_t, std::uint64_t code, void*,
                            void* stream_user) noexcept {
        stream(stream_user)->on_peer_reset(code);
        return 0;
    }
    static int stream_credit(ngtcp2_conn*, std::int64_t, std::uint64_t, void*,
                             void* stream_user) noexcept {
        stream(stream_user)->on_more_credit();
        return 0;
    }
    static int stream_close(ngtcp2_conn* conn, std::uint32_t flags, std::int64_t id,
                            std::uint64_t code, void* user, void*) noexcept {
        std::optional<std::uint64_t> reason;
        if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) != 0) {
            reason = code;
        }
        self(user).stats_.packets_lost += ngtcp2_conn_get_stream_loss_count(conn, id);
        self(user).on_stream_close(id, reason);
        return 0;
    }
    static int more_bidi(ngtcp2_conn*, std::uint64_t, void* user) noexcept {
        self(user).bidi_.openers.wake_all();
        return 0;
    }
    static int more_uni(ngtcp2_conn*, std::uint64_t, void* user) noexcept {
        self(user).uni_.openers.wake_all();
        return 0;
    }

    static int datagram(ngtcp2_conn*, std::uint32_t, const std::uint8_t* data, std::size_t size,
                        void* user) noexcept {
        ConnectionImpl& connection = self(user);
        if (!connection.ended_ && connection.datagrams_in_.push(view_octets(data, size))) {
            connection.stats_.bytes_received += size;
            connection.datagram_waiters_.wake_one();
            if (ALKNET_MUTATION(double_datagram)) {
                (void)connection.datagrams_in_.push(view_octets(data, size));
            }
        }
        return 0;
    }
};

ngtcp2_callbacks make_callbacks(bool server) noexcept {
    ngtcp2_callbacks callbacks{};
    if (server) {
        callbacks.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    } else {
        callbacks.client_initial = ngtcp2_crypto_client_initial_cb;
        callbacks.recv_retry = ngtcp2_crypto_recv_retry_cb;
        callbacks.recv_version_negotiation = Callbacks::version_negotiation_received;
        callbacks.recv_new_token = Callbacks::new_token;
    }
    callbacks.recv_crypto_data = Callbacks::crypto_data;
    callbacks.encrypt = ngtcp2_crypto_encrypt_cb;
    callbacks.decrypt = Callbacks::decrypt;
    callbacks.hp_mask = ngtcp2_crypto_hp_mask_cb;
    callbacks.update_key = ngtcp2_crypto_update_key_cb;
    callbacks.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    callbacks.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    callbacks.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    callbacks.rand = Callbacks::random;
    callbacks.get_path_challenge_data = Callbacks::challenge;
    callbacks.get_new_connection_id = Callbacks::new_id;
    callbacks.remove_connection_id = Callbacks::remove_id;
    callbacks.dcid_status = Callbacks::peer_id_status;
    callbacks.handshake_completed = Callbacks::handshake_completed;
    callbacks.recv_stateless_reset = Callbacks::stateless_reset;
    callbacks.stream_open = Callbacks::stream_open;
    callbacks.recv_stream_data = Callbacks::stream_data;
    callbacks.acked_stream_data_offset = Callbacks::stream_acknowledged;
    callbacks.stream_reset = Callbacks::stream_reset;
    callbacks.extend_max_stream_data = Callbacks::stream_credit;
    callbacks.stream_close = Callbacks::stream_close;
    callbacks.extend_max_local_streams_bidi = Callbacks::more_bidi;
    callbacks.extend_max_local_streams_uni = Callbacks::more_uni;
    callbacks.recv_datagram = Callbacks::datagram;
    return callbacks;
}

}  // namespace alknet::quic
