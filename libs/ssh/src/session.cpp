#include "session.hpp"

#include <algorithm>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/rt/combine.hpp>
#include <utility>

#include "channel_streams.hpp"
#include "forward.hpp"
#include "messages.hpp"
#include "printable.hpp"

namespace alknet::ssh {

namespace {

// What was said last has so long to reach the peer.
constexpr Duration kFarewellTime = std::chrono::seconds(2);

Disconnect reason_of(const error& why) noexcept {
    if (why.is(causes::kNoAlgorithm)) {
        return Disconnect::key_exchange_failed;
    }
    if (why.is(causes::kLoginFailed)) {
        return Disconnect::no_more_auth_methods;
    }
    return why.is(errc::protocol) ? Disconnect::protocol_error : Disconnect::by_application;
}

std::string text_of(const error& why) {
    std::string text(why.cause().what);
    return why.detail().empty() ? text : text + ": " + why.detail();
}

TransportOptions transport_options(std::shared_ptr<const NodeKey> host_key) {
    TransportOptions transport;
    transport.role = Role::server;
    transport.host_key = std::move(host_key);
    return transport;
}

}  // namespace

Session::Session(Loop& loop, BiStream& stream, const StreamContext& peer, SshAdapter& adapter)
    : loop_(loop),
      stream_(stream),
      peer_(peer),
      adapter_(adapter),
      host_key_(adapter.host_key_),
      transport_(transport_options(host_key_)),
      began_(loop.now()) {
    adapter_.sessions_.insert(this);
    ++adapter_.logins_;
}

Session::~Session() {
    adapter_.sessions_.erase(this);
    adapter_.logins_ -= identity_ ? 0 : 1;
}

task<result<void>> Session::run(BytesView heard) {
    const TaskContext context = co_await current_context();
    TaskScope tasks(loop_, context.cancel);
    Cancel reading(context.cancel);
    tasks_ = &tasks;
    reading_ = &reading;
    tasks.spawn(write_all(), "ssh.write");
    tasks.spawn(watch_login(), "ssh.login");
    tasks.spawn(watch_exchanges(), "ssh.exchanges");
    tasks.spawn(watch_identity(), "ssh.identity");
    tasks.spawn(keep_alive(), "ssh.alive");
    tasks.spawn(answer_globals(), "ssh.globals");
    result<void> ended = co_await read_all(heard).under(reading);
    if (why_) {
        ended = unexpected(*why_);
    }
    reading_ = nullptr;
    const bool by_peer = !ended && !why_ && ended.error().is(errc::closed);
    if (!ended && !by_peer) {
        transport_.disconnect(reason_of(ended.error()), text_of(ended.error()));
        if (!identity_ && !ended.error().is(errc::cancelled)) {
            audit("ssh.refused", &ended.error());
            const std::string remote = peer_.auth.remote.to_string();
            adapter_.options_.log.warn("ssh.refused", {{"remote_addr", remote},
                                                       {"id", ended.error().cause().id},
                                                       {"detail", ended.error().detail()}});
        }
    }
    closing_ = true;
    end_streams();
    flush();
    const auto told = co_await with_timeout(kFarewellTime, farewell().under(tasks.token()));
    tasks.cancel();
    (void)co_await tasks.join();
    tasks_ = nullptr;
    if (!told) {
        co_return ended;  // and not `finish`, which waits for a peer that does not read
    }
    const auto finished = co_await with_timeout(kFarewellTime, stream_.finish());
    // Whoever has been told why needs no code, which might overtake the words.
    co_return finished ? result<void>() : std::move(ended);
}

task<result<void>> Session::farewell() {
    while (transport_.out_bytes() + writing_ > 0) {
        ALKNET_CO_CHECK(co_await written_.wait());
    }
    co_return result<void>();
}

void Session::end(error why) noexcept {
    if (!why_) {
        why_ = std::move(why);
    }
    if (reading_ != nullptr) {
        reading_->request();
    } else if (tasks_ != nullptr) {
        tasks_->cancel();  // it is about to end, and need not take its time
    }
}

void Session::check(const result<void>& sent) {
    if (!sent) {
        end(sent.error());
    }
    flush();
}

// Reads on only when what it has led to has gone out: a peer that asks and does not listen waits.
task<result<void>> Session::read_all(BytesView heard) {
    take_in(heard);
    for (;;) {
        for (;;) {
            ALKNET_CO_TRY(const std::optional<BytesView> message, transport_.next());
            if (!message) {
                break;
            }
            ALKNET_CO_CHECK(co_await take(*message));
        }
        if (transport_.ready()) {
            written_.wake_all();  // a key exchange may have ended
        }
        exchanges_.look();
        flush();
        while (transport_.out_bytes() + writing_ > 2 * kOutBytesMax) {
            ALKNET_CO_CHECK(co_await written_.wait());
        }
        const MutableBytes room = transport_.room();
        ALKNET_CO_TRY(const std::size_t size, co_await stream_.read(room));
        if (size == 0) {
            co_return fail(causes::kClosed);
        }
        transport_.filled(size);
        traffic_->received += size;
        heard_ = loop_.now();
        ++reads_;
    }
}

// No more than there is room for at once, which is less than what begins a stream.
void Session::take_in(BytesView octets) {
    if (!octets.empty()) {
        std::ranges::copy(octets, transport_.room().begin());
        transport_.filled(octets.size());
    }
}

task<result<void>> Session::take(BytesView message) {
    if (!identity_ || message_of(message) < Message::global_request) {
        co_return co_await take_login(message);
    }
    auto event = channels_.take(message);
    if (!event) {
        co_return unexpected(std::move(event).error());
    }
    co_return take_event(*event);
}

task<result<void>> Session::take_login(BytesView message) {
    if (!auth_) {
        auth_.emplace(transport_.session_id(), host_key_->id());
    }
    ALKNET_CO_TRY(UserAuth::Step step, auth_->take(message));
    if (!step.question) {
        co_return step.reply.empty() ? result<void>() : transport_.send(step.reply);
    }
    fingerprint_ = std::move(step.question->fingerprint);
    certificate_ = std::move(step.question->certificate);
    auto found = co_await adapter_.options_.identities->resolve_from_fingerprint(fingerprint_);
    if (!found) {
        co_return unexpected(std::move(found).error());
    }
    const bool held =
        certificate_holds() && (!certificate_ || certificate_->holds_from(peer_.auth.remote));
    const bool known = held && *found && !(*found)->renewal_only;
    ALKNET_CO_TRY(const Bytes reply, auth_->answer(known));
    if (auth_->done()) {
        ALKNET_CO_CHECK(log_in(*std::move(*found)));
    }
    co_return transport_.send(reply);
}

bool Session::certificate_holds() const {
    if (!certificate_) {
        return true;
    }
    const auto& is_revoked = adapter_.options_.is_revoked;
    return certificate_->holds_at(loop_.wall_now()) &&
           !(is_revoked && is_revoked(certificate_->key));
}

result<void> Session::may_forward(std::string_view scope) const {
    ALKNET_CHECK(identity::require(*identity_, *identity::Scope::parse_exact(scope)));
    if (certificate_ && !certificate_->may_forward) {
        return fail(causes::kForbidden, "the certificate does not permit forwarding");
    }
    return {};
}

result<void> Session::log_in(Identity identity) {
    if (adapter_.options_.audit != nullptr) {
        ALKNET_CHECK(adapter_.options_.audit->ready());
    }
    identity_ = std::move(identity);
    entry_ = note(SessionEntry::Kind::session, peer_.auth.remote.to_string(), [this] {
        end(error(causes::kForbidden, "somebody who looks after the node has ended it"));
    });
    --adapter_.logins_;
    transport_.set_authenticated();
    if (certificate_) {
        tasks_->spawn(watch_certificate(), "ssh.certificate");
    }
    logged_in_.set();
    audit("ssh.login", nullptr);
    const std::string remote = peer_.auth.remote.to_string();
    adapter_.options_.log.info("ssh.login", {{"remote_addr", remote},
                                             {"peer", identity_->id},
                                             {"fingerprint", fingerprint_},
                                             {"cipher", transport_.cipher()}});
    return {};
}

void Session::audit(std::string_view event, const error* why) const {
    if (adapter_.options_.audit == nullptr) {
        return;
    }
    AuditEntry entry{.event = event};
    entry.peer = identity_ ? identity_->id : std::string();
    entry.fingerprint = fingerprint_;
    entry.remote = peer_.auth.remote;
    entry.service = kSshAlpn;
    if (why != nullptr) {
        entry.reason = why->cause().id;
        entry.detail = why->detail();
    }
    if (certificate_) {
        entry.more = {{"certificate", printable(certificate_->key_id)},
                      {"serial", std::to_string(certificate_->serial)},
                      {"certified", certificate_->key}};
    }
    entry.repeats = true;
    adapter_.options_.audit->record(std::move(entry));
}

task<void> Session::write_all() {
    for (;;) {
        while (transport_.out_bytes() == 0) {
            if (closing_ || !co_await to_write_.wait()) {
                co_return;
            }
        }
        Transport::Sealed sealed = transport_.take_out();
        writing_ = sealed.size;
        const result<void> written = co_await stream_.write(sealed.view());
        traffic_->sent += std::exchange(writing_, 0);
        transport_.give_back(std::move(sealed));
        written_.wake_all();
        if (!written) {
            end(written.error());
            co_return;
        }
    }
}

task<void> Session::watch_login() {
    const auto in_time = co_await with_timeout(kLoginTime, logged_in_.wait());
    if (!in_time && in_time.error().is(errc::timeout)) {
        end(error(causes::kLoginFailed, "not in time"));
    }
}

task<void> Session::watch_exchanges() {
    const auto ended = co_await exchanges_.run([this] { flush(); });
    if (ended.error().is(errc::timeout)) {
        end(ended.error());
    }
}

// One question at a time: whoever does not answer is left to the idle time of the connection.
task<void> Session::keep_alive() {
    if (!co_await logged_in_.wait()) {
        co_return;
    }
    for (;;) {
        Duration wait = heard_ + kQuietTime - loop_.now();
        if (wait <= Duration::zero()) {
            if (!channels_.waits_for_answer()) {
                check(channels_.ask("keepalive@openssh.com"));
            }
            wait = kQuietTime;
        }
        if (!co_await loop_.sleep(wait)) {
            co_return;
        }
    }
}

task<void> Session::watch_identity() {
    for (;;) {
        // Until somebody has logged in, a recheck is owed: it may fall into the lookup of the
        // login.
        if (!co_await recheck_.wait() || !co_await logged_in_.wait()) {
            co_return;
        }
        recheck_.clear();
        auto found = co_await adapter_.options_.identities->resolve_from_fingerprint(fingerprint_);
        if (!found && found.error().is(errc::cancelled)) {
            co_return;
        }
        if (!certificate_holds() || !found || !*found || (*found)->renewal_only ||
            (*found)->id != identity_->id) {
            end(error(causes::kForbidden, "the peer is not known any more"));
            co_return;
        }
        identity_ = *std::move(*found);
        recheck_listeners();
        recheck_forwards();
    }
}

// In steps: clocks are set, and time passes while a machine sleeps.
task<void> Session::watch_certificate() {
    while (certificate_->holds_at(loop_.wall_now())) {
        const Duration left = certificate_->left_at(loop_.wall_now());
        if (!co_await loop_.sleep(std::min(left, kCertificateLookTime))) {
            co_return;
        }
    }
    end(error(causes::kForbidden, "the time of the certificate is over"));
}

}  // namespace alknet::ssh
