// TLS records over a ByteStream. GnuTLS pulls and pushes straight on the stream's non-blocking
// edges; when it says "again", the coroutine that called it awaits the edge that it missed. One
// reader and one writer may do so at the same time: they never run at the same time.

#include "plain_http.hpp"
#include "session_impl.hpp"

#include <sys/uio.h>
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/tls/stream.hpp>
#include <array>
#include <cerrno>

namespace alknet::tls {

namespace {

/// After a refused handshake the server reads on for a moment: closing a socket with unread bytes
/// would cut off the alert, or the page, that says why.
constexpr Duration kLingerTime = std::chrono::seconds(1);
constexpr std::size_t kLingerBytesMax = 64 << 10;
/// Records without application data after which a reader lets others run.
constexpr unsigned kIdleRecordsPerTurn = 16;

/// A warning of the peer's changes nothing either.
bool wants_more(int code) noexcept {
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED ||
           code == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

class Stream final : public TlsStream {
public:
    Stream(Loop& loop, std::unique_ptr<ByteStream> lower, std::unique_ptr<SessionBase> session,
           bool server)
        : loop_(loop), lower_(std::move(lower)), session_(std::move(session)), server_(server) {
        gnutls_transport_set_ptr(session_->native(), this);
        gnutls_transport_set_pull_function(session_->native(), pull);
        gnutls_transport_set_vec_push_function(session_->native(), push);
    }

    task<result<void>> handshake();

    task<result<std::size_t>> read(MutableBytes into) override;
    void stop(std::uint64_t code) noexcept override;
    task<result<void>> write(BytesView data) override;
    task<result<void>> finish() override;
    void reset(std::uint64_t code) noexcept override;
    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }

    [[nodiscard]] const ConnectionInfo& info() const noexcept override { return established_.info; }
    result<void> export_keying_material(std::string_view label, BytesView context,
                                        MutableBytes out) const override;
    task<void> deny() override;
    [[nodiscard]] std::uint64_t bytes_sent() const noexcept override { return bytes_sent_; }
    [[nodiscard]] std::uint64_t bytes_received() const noexcept override { return bytes_received_; }

private:
    static ssize_t pull(gnutls_transport_ptr_t self, void* into, size_t size) noexcept;
    static ssize_t push(gnutls_transport_ptr_t self, const giovec_t* parts, int count) noexcept;
    ssize_t take_octets(MutableBytes into);
    ssize_t give_octets(std::span<const giovec_t> parts);
    ssize_t lower_failed(error why) noexcept;
    ssize_t keep_first(BytesView got);

    /// Makes a GnuTLS call that may say "again", and notes which edge it missed.
    template <class Call>
    auto native_call(Call call) {
        missed_read_ = missed_write_ = false;
        return call(native());
    }
    task<result<void>> await_edge();
    task<result<void>> shake_hands();
    task<void> refuse();
    task<result<void>> answer_foreigner();
    task<result<void>> send_alert(std::uint8_t alert);
    task<result<void>> send_ticket();
    task<result<void>> linger();
    /// The same for writing: where the stream below no longer takes anything, it may still give.
    error broken_writing(int code);
    /// The error for a fatal code; the stream is of no use afterwards.
    error broken(int code);
    [[nodiscard]] gnutls_session_t native() const noexcept { return session_->native(); }

    Loop& loop_;
    std::unique_ptr<ByteStream> lower_;
    std::unique_ptr<SessionBase> session_;
    const bool server_;
    Established established_;
    std::optional<error> lower_error_;
    std::optional<error> write_error_;  // what had come before can still be read
    std::optional<error> failed_;
    std::optional<std::uint8_t> alert_;                       // to be sent for `failed_`
    std::array<std::byte, kHttpPrefixBytes> first_octets_{};  // of what the peer sent
    std::size_t first_count_ = 0;
    std::uint64_t bytes_sent_ = 0;
    std::uint64_t bytes_received_ = 0;
    unsigned idle_records_ = 0;
    bool missed_read_ = false;
    bool missed_write_ = false;
    bool lower_ended_ = false;  // without close_notify, unless `read_ended_`
    bool foreigner_ = false;    // a client whose first octet begins no TLS record
    bool ticket_owed_ = false;
    bool read_ended_ = false;
    bool read_stopped_ = false;
    bool write_ended_ = false;
};

ssize_t Stream::pull(gnutls_transport_ptr_t self, void* into, size_t size) noexcept {
    auto& stream = *static_cast<Stream*>(self);
    try {
        return stream.take_octets({static_cast<std::byte*>(into), size});
    } catch (...) {
        return stream.lower_failed(error(causes::kInternal, "reading below TLS threw"));
    }
}

ssize_t Stream::push(gnutls_transport_ptr_t self, const giovec_t* parts, int count) noexcept {
    auto& stream = *static_cast<Stream*>(self);
    try {
        return stream.give_octets({parts, static_cast<std::size_t>(count)});
    } catch (...) {
        return stream.lower_failed(error(causes::kInternal, "writing below TLS threw"));
    }
}

ssize_t Stream::lower_failed(error why) noexcept {
    lower_error_ = std::move(why);
    gnutls_transport_set_errno(native(), EIO);
    return -1;
}

ssize_t Stream::take_octets(MutableBytes into) {
    result<std::optional<std::size_t>> taken = lower_->try_read(into);
    if (!taken) {
        return lower_failed(std::move(taken).error());
    }
    // Of the end GnuTLS is not told: it would refuse to write from then on.
    lower_ended_ = lower_ended_ || *taken == std::size_t{0};
    if (!*taken || lower_ended_) {
        missed_read_ = true;
        gnutls_transport_set_errno(native(), EAGAIN);
        return -1;
    }
    return keep_first(into.first(**taken));
}

ssize_t Stream::keep_first(BytesView got) {
    const BytesView kept = got.first(std::min(got.size(), first_octets_.size() - first_count_));
    std::ranges::copy(kept, first_octets_.begin() + static_cast<std::ptrdiff_t>(first_count_));
    first_count_ += kept.size();
    if (server_ && first_octets_.front() != kHandshakeRecord) {
        foreigner_ = true;
        return lower_failed(error(causes::kTls, "the client does not speak TLS"));
    }
    return static_cast<ssize_t>(got.size());
}

ssize_t Stream::give_octets(std::span<const giovec_t> parts) {
    ssize_t total = 0;
    for (const giovec_t& part : parts) {
        const BytesView data{static_cast<const std::byte*>(part.iov_base), part.iov_len};
        result<std::size_t> given = lower_->try_write(data);
        if (!given) {
            write_error_ = given.error();
            return lower_failed(std::move(given).error());
        }
        total += static_cast<ssize_t>(*given);
        if (*given < data.size()) {
            break;
        }
    }
    if (total == 0) {
        missed_write_ = true;
        gnutls_transport_set_errno(native(), EAGAIN);
        return -1;
    }
    return total;
}

/// "Again" without a missed edge means that a record was no application data: go on, but not for
/// ever at the expense of others.
task<result<void>> Stream::await_edge() {
    if (missed_write_) {
        co_return co_await lower_->writable();
    }
    if (missed_read_) {
        if (lower_ended_) {
            co_return fail(causes::kReset, "the connection was cut without a TLS close_notify");
        }
        idle_records_ = 0;
        co_return co_await lower_->readable();
    }
    if (++idle_records_ % kIdleRecordsPerTurn == 0) {
        co_await loop_.yield();
    }
    co_return result<void>();
}

error Stream::broken(int code) {
    if (failed_) {
        return *failed_;
    }
    if (lower_error_ && !session_->refused()) {
        failed_ = *lower_error_;
    } else {
        failed_ = session_->failure_of(code);
        alert_ = session_->alert_for(code);
    }
    return *failed_;
}

error Stream::broken_writing(int code) {
    if (!write_error_) {
        return broken(code);
    }
    lower_error_.reset();
    return *write_error_;
}

task<result<void>> Stream::send_alert(std::uint8_t alert) {
    const auto call = [alert](gnutls_session_t native) {
        return gnutls_alert_send(native, GNUTLS_AL_FATAL,
                                 static_cast<gnutls_alert_description_t>(alert));
    };
    while (wants_more(native_call(call))) {
        ALKNET_CO_CHECK(co_await await_edge());
    }
    co_return result<void>();
}

task<result<void>> Stream::linger() {
    std::array<std::byte, 4096> rest;
    for (std::size_t total = 0; total < kLingerBytesMax;) {
        ALKNET_CO_TRY(const std::size_t count, co_await lower_->read(rest));
        if (count == 0) {
            break;
        }
        total += count;
    }
    co_return result<void>();
}

/// A client that speaks something else.
task<result<void>> Stream::answer_foreigner() {
    while (first_count_ < first_octets_.size()) {
        ALKNET_CO_TRY(const std::size_t count,
                      co_await lower_->read(MutableBytes(first_octets_).subspan(first_count_)));
        if (count == 0) {
            break;
        }
        first_count_ += count;
    }
    if (looks_like_http(BytesView(first_octets_).first(first_count_))) {
        failed_ = error(causes::kTls, "the client speaks plain HTTP on the TLS port");
        co_return co_await lower_->write(as_bytes(kPlainHttpAnswer));
    }
    co_return co_await lower_->write(as_bytes(kUnexpectedMessageAlert));
}

/// Says why, as far as the peer still listens.
task<void> Stream::refuse() {
    if (foreigner_) {
        (void)co_await answer_foreigner();
    } else if (alert_) {
        (void)co_await send_alert(*alert_);
    } else {
        co_return;
    }
    (void)co_await lower_->finish();
    if (server_) {
        (void)co_await with_timeout(kLingerTime, linger());
    }
}

task<void> Stream::deny() {
    if (!failed_ && !write_ended_) {
        failed_ = error(causes::kForbidden, "by this side", kAlertAccessDenied);
        alert_ = kAlertAccessDenied;
        write_ended_ = true;
        co_await refuse();
    }
}

task<result<void>> Stream::send_ticket() {
    const auto call = [this](gnutls_session_t) { return session_->try_send_ticket(); };
    while (ticket_owed_) {
        ticket_owed_ = wants_more(native_call(call));
        if (ticket_owed_) {
            ALKNET_CO_CHECK(co_await await_edge());
        }
    }
    co_return result<void>();  // a ticket that cannot be made is no reason to fail
}

task<result<void>> Stream::shake_hands() {
    for (;;) {
        const int code = native_call(gnutls_handshake);
        if (code == 0) {
            break;
        }
        if (!wants_more(code)) {
            co_return std::unexpected(broken(code));
        }
        ALKNET_CO_CHECK(co_await await_edge());
    }
    result<Established> established = session_->finish();
    if (!established) {
        failed_ = std::move(established).error();
        alert_ = session_->failure_alert();
        co_return std::unexpected(*failed_);
    }
    established_ = std::move(*established);
    // What does not fit now goes out before the first write: the client may be waiting for us to
    // read.
    ticket_owed_ = server_ && wants_more(session_->try_send_ticket());
    co_return result<void>();
}

task<result<void>> Stream::handshake() {
    result<void> done = co_await shake_hands();
    if (done || !failed_) {  // !failed_: cancelled, or the stream below has failed
        co_return done;
    }
    co_await refuse();
    co_return std::unexpected(*failed_);
}

task<result<std::size_t>> Stream::read(MutableBytes into) {
    ALKNET_ASSERT(!into.empty());
    const auto call = [into](gnutls_session_t native) {
        return gnutls_record_recv(native, into.data(), into.size());
    };
    while (!failed_ && !read_ended_ && !read_stopped_) {
        const ssize_t got = native_call(call);
        if (got > 0) {
            idle_records_ = 0;
            bytes_received_ += static_cast<std::uint64_t>(got);
            co_return static_cast<std::size_t>(got);
        }
        const int code = static_cast<int>(got);
        // HTTP frames its messages itself, and browsers just hang up.
        const bool hung_up =
            wants_more(code) && lower_ended_ && is_web_alpn(established_.info.alpn);
        if (code == 0 || hung_up) {
            read_ended_ = true;
        } else if (wants_more(code)) {
            ALKNET_CO_CHECK(co_await await_edge());
        } else {
            (void)broken(code);
        }
    }
    if (read_stopped_) {
        co_return fail(causes::kClosed, "reading was stopped");
    }
    if (failed_) {
        if (alert_) {
            (void)co_await send_alert(*std::exchange(alert_, std::nullopt));
        }
        co_return std::unexpected(*failed_);
    }
    co_return std::size_t{0};
}

void Stream::stop(std::uint64_t) noexcept {
    read_stopped_ = true;
    lower_->stop(0);
}

task<result<void>> Stream::write(BytesView data) {
    ALKNET_CO_CHECK(co_await send_ticket());
    // GnuTLS keeps a record that it could not send whole, and wants to be called without data until
    // it has.
    bool pending = false;
    while (!data.empty()) {
        if (failed_ || write_error_) {
            co_return std::unexpected(failed_ ? *failed_ : *write_error_);
        }
        if (write_ended_) {
            co_return fail(causes::kClosed, "writing has ended");
        }
        const BytesView part = pending ? BytesView() : data;
        const auto call = [part](gnutls_session_t native) {
            return gnutls_record_send(native, part.data(), part.size());
        };
        const ssize_t sent = native_call(call);
        if (sent > static_cast<ssize_t>(data.size())) {
            co_return std::unexpected(broken_writing(GNUTLS_E_INTERNAL_ERROR));  // of another write
        }
        if (sent >= 0) {
            pending = false;
            bytes_sent_ += static_cast<std::uint64_t>(sent);
            data = data.subspan(static_cast<std::size_t>(sent));
        } else if (wants_more(static_cast<int>(sent))) {
            pending = true;
            ALKNET_CO_CHECK(co_await await_edge());
        } else {
            co_return std::unexpected(broken_writing(static_cast<int>(sent)));
        }
    }
    co_return result<void>();
}

task<result<void>> Stream::finish() {
    if (failed_ || write_error_) {
        co_return std::unexpected(failed_ ? *failed_ : *write_error_);
    }
    if (write_ended_) {
        co_return result<void>();
    }
    ALKNET_CO_CHECK(co_await send_ticket());
    const auto call = [](gnutls_session_t native) { return gnutls_bye(native, GNUTLS_SHUT_WR); };
    for (;;) {
        const int code = native_call(call);
        if (code == 0) {
            break;
        }
        if (!wants_more(code)) {
            co_return std::unexpected(broken_writing(code));
        }
        ALKNET_CO_CHECK(co_await await_edge());
    }
    write_ended_ = true;
    co_return co_await lower_->finish();
}

void Stream::reset(std::uint64_t) noexcept {
    write_ended_ = true;
    lower_->reset(0);
}

result<void> Stream::export_keying_material(std::string_view label, BytesView context,
                                            MutableBytes out) const {
    return established_.exporter != nullptr
               ? established_.exporter->export_keying_material(label, context, out)
               : session_->export_live(label, context, out);
}

task<result<std::unique_ptr<TlsStream>>> start(Loop& loop, std::unique_ptr<ByteStream> lower,
                                               result<std::unique_ptr<SessionBase>> session,
                                               bool server) {
    if (!session) {
        co_return std::unexpected(std::move(session).error());
    }
    auto stream = std::make_unique<Stream>(loop, std::move(lower), std::move(*session), server);
    ALKNET_CO_CHECK(co_await stream->handshake());
    co_return std::move(stream);
}

}  // namespace

task<result<std::unique_ptr<TlsStream>>> accept_tls(Loop& loop, std::unique_ptr<ByteStream> lower,
                                                    std::shared_ptr<const TlsContext> context,
                                                    AlpnSelector& selector) {
    auto session = make_server_session(std::move(context), Carrier::tcp, selector);
    return start(loop, std::move(lower), std::move(session), true);
}

task<result<std::unique_ptr<TlsStream>>> connect_tls(Loop& loop, std::unique_ptr<ByteStream> lower,
                                                     ClientOptions options) {
    auto session = make_client_session(std::move(options), Carrier::tcp);
    return start(loop, std::move(lower), std::move(session), false);
}

}  // namespace alknet::tls
