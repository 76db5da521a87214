#include "foreign.hpp"

#include "context_impl.hpp"

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <cerrno>

namespace alknet::tls {

namespace {

ssize_t pull(gnutls_transport_ptr_t lower, void* into, size_t size) {
    const auto taken =
        static_cast<ByteStream*>(lower)->try_read({static_cast<std::byte*>(into), size});
    if (taken && *taken) {
        return static_cast<ssize_t>(**taken);
    }
    errno = taken ? EAGAIN : EIO;
    return -1;
}

ssize_t push(gnutls_transport_ptr_t lower, const void* data, size_t size) {
    const auto given =
        static_cast<ByteStream*>(lower)->try_write({static_cast<const std::byte*>(data), size});
    if (given && *given != 0) {
        return static_cast<ssize_t>(*given);
    }
    errno = given ? EAGAIN : EIO;
    return -1;
}

int on_ticket(gnutls_session_t session, unsigned, unsigned, unsigned incoming,
              const gnutls_datum_t* message) {
    // lifetime (4), age_add (4), nonce (1 + n), ticket (2 + ...)
    const std::string_view body = as_text(view_octets(message->data, message->size));
    const std::size_t ticket = 8U + 1U + static_cast<unsigned char>(body.at(8)) + 2U;
    if (incoming != 0) {
        *static_cast<std::string*>(gnutls_db_get_ptr(session)) = body.substr(ticket, 16);
    }
    return 0;
}

}  // namespace

ForeignClient::ForeignClient(std::unique_ptr<ByteStream> lower, const ForeignOptions& options)
    : lower_(std::move(lower)) {
    gnutls_certificate_credentials_t credentials = nullptr;
    gnutls_certificate_allocate_credentials(&credentials);
    credentials_.reset(credentials);
    if (options.key != nullptr) {
        EXPECT_TRUE(add_node_key(credentials, *options.key));
    }
    gnutls_session_t session = nullptr;
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | options.flags);
    session_.reset(session);
    EXPECT_EQ(gnutls_priority_set_direct(session, options.priority.c_str(), nullptr), 0)
        << options.priority;
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    std::vector<gnutls_datum_t> names;
    for (const std::string& alpn : options.alpns) {
        names.push_back(datum_of(as_bytes(alpn)));
    }
    if (!names.empty()) {
        EXPECT_EQ(gnutls_alpn_set_protocols(session, names.data(),
                                            static_cast<unsigned>(names.size()), 0),
                  0);
    }
    if (!options.server_name.empty()) {
        gnutls_server_name_set(session, GNUTLS_NAME_DNS, options.server_name.data(),
                               options.server_name.size());
    }
    gnutls_transport_set_ptr(session, lower_.get());
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_push_function(session, push);
    gnutls_db_set_ptr(session, &ticket_key_name_);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
                                       GNUTLS_HOOK_PRE, on_ticket);
}

task<result<void>> ForeignClient::await_edge() {
    if (gnutls_record_get_direction(session_.get()) == 0) {
        co_return co_await lower_->readable();
    }
    co_return co_await lower_->writable();
}

task<int> ForeignClient::handshake() {
    for (;;) {
        const int code = gnutls_handshake(session_.get());
        if (code != GNUTLS_E_AGAIN) {
            co_return code;
        }
        const result<void> edge = co_await await_edge();
        if (!edge) {
            co_return GNUTLS_E_PULL_ERROR;
        }
    }
}

task<result<std::string>> ForeignClient::read() {
    std::string buffer(1 << 14, '\0');
    for (;;) {
        const ssize_t count = gnutls_record_recv(session_.get(), buffer.data(), buffer.size());
        if (count >= 0) {
            buffer.resize(static_cast<std::size_t>(count));
            co_return buffer;
        }
        if (count != GNUTLS_E_AGAIN) {
            co_return fail(causes::kTls, reason(static_cast<int>(count)));
        }
        ALKNET_CO_CHECK(co_await await_edge());
    }
}

task<result<void>> ForeignClient::write(std::string text) {
    const char* data = text.data();
    for (std::size_t size = text.size(); size > 0;) {
        const ssize_t count = gnutls_record_send(session_.get(), data, size);
        if (count >= 0) {
            size -= static_cast<std::size_t>(count);
            data = text.data() + (text.size() - size);
        } else if (count != GNUTLS_E_AGAIN) {
            co_return fail(causes::kTls, reason(static_cast<int>(count)));
        } else {
            ALKNET_CO_CHECK(co_await await_edge());
        }
    }
    co_return result<void>();
}

std::string ForeignClient::peer() const {
    unsigned count = 0;
    const gnutls_datum_t* const list = gnutls_certificate_get_peers(session_.get(), &count);
    return count == 0 ? std::string()
                      : std::string(as_text(view_octets(list[0].data, list[0].size)));
}

gnutls_certificate_type_t ForeignClient::peer_type() const {
    return gnutls_certificate_type_get2(session_.get(), GNUTLS_CTYPE_PEERS);
}

}  // namespace alknet::tls
