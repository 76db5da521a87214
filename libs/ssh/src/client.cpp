#include <alknet/base/causes_ssh.hpp>
#include <alknet/rt/combine.hpp>
#include <utility>

#include "client_driver.hpp"
#include "messages.hpp"

namespace alknet::ssh {

namespace {

// What was said last has so long to reach the server.
constexpr Duration kFarewellTime = std::chrono::seconds(2);

Disconnect reason_of(const error& why) noexcept {
    if (why.is(causes::kNoAlgorithm)) {
        return Disconnect::key_exchange_failed;
    }
    if (why.is(errc::forbidden)) {
        return Disconnect::host_key_not_verifiable;
    }
    return why.is(errc::protocol) ? Disconnect::protocol_error : Disconnect::by_application;
}

TransportOptions transport_options(const SshClientOptions& options) {
    TransportOptions transport;
    transport.role = Role::client;
    transport.rekey_bytes = options.rekey_bytes;
    return transport;
}

std::vector<LoginKey> login_keys(const std::vector<std::shared_ptr<Signer>>& signers) {
    std::vector<LoginKey> keys;
    for (const auto& signer : signers) {
        keys.push_back({.blob = to_bytes(signer->key()),
                        .algorithm = std::string(signer->algorithm()),
                        .ask_first = signer->is_dear()});
    }
    return keys;
}

}  // namespace

task<result<std::unique_ptr<SshClient>>> SshClient::connect(Loop& loop,
                                                            std::unique_ptr<BiStream> stream,
                                                            SshClientOptions options) {
    auto driver = std::make_unique<ClientDriver>(loop, std::move(stream), std::move(options));
    auto started = co_await with_timeout(kLoginTime, driver->start());
    if (!started) {
        co_await driver->close();
        co_return unexpected(std::move(started).error());
    }
    co_return driver;
}

ClientDriver::ClientDriver(Loop& loop, std::unique_ptr<BiStream> stream, SshClientOptions options)
    : loop_(loop),
      stream_(std::move(stream)),
      options_(std::move(options)),
      transport_(transport_options(options_)),
      tasks_(loop) {}

ClientDriver::~ClientDriver() {
    fail_all(error(causes::kClosed, "the connection is gone"));
}

task<result<void>> ClientDriver::start() {
    heard_ = loop_.now();
    tasks_.spawn(read_all(), "ssh.read");
    tasks_.spawn(write_all(), "ssh.write");
    tasks_.spawn(watch_exchanges(), "ssh.exchanges");
    tasks_.spawn(keep_alive(), "ssh.alive");
    ALKNET_CO_CHECK(co_await settled_.wait());
    co_return why_ ? result<void>(unexpected(*why_)) : result<void>();
}

task<result<void>> ClientDriver::wait_closed() {
    ALKNET_CO_CHECK(co_await ended_.wait());
    co_return unexpected(*why_);
}

task<void> ClientDriver::close() {
    end(error(causes::kClosed, "by us"));
    co_await ended_.wait_uncancellable();
    closing_ = true;
    flush();
    Cancel own;  // whoever is cancelled says goodbye too
    const auto told = co_await with_timeout(kFarewellTime, farewell().under(own));
    tasks_.cancel();
    (void)co_await tasks_.join();
    if (told) {
        (void)co_await with_timeout(kFarewellTime, stream_->finish().under(own));
    }
}

task<result<void>> ClientDriver::farewell() {
    while (!mute_ && transport_.out_bytes() + writing_ > 0) {
        ALKNET_CO_CHECK(co_await written_.wait());
    }
    co_return mute_ ? fail(causes::kClosed) : result<void>();
}

void ClientDriver::end(error why) noexcept {
    if (!why_) {
        why_ = std::move(why);
    }
    if (reading_ != nullptr) {
        reading_->request();
    }
}

void ClientDriver::check(const result<void>& sent) {
    if (!sent) {
        end(sent.error());
    }
    flush();
}

task<void> ClientDriver::read_all() {
    Cancel reading((co_await current_context()).cancel);
    reading_ = &reading;
    if (why_) {
        reading.request();
    }
    const result<void> ended = co_await read_until_end().under(reading);
    reading_ = nullptr;
    const bool by_server = !why_ && ended.error().is(errc::closed);
    if (!why_) {
        why_ = ended.error();
    }
    if (!by_server) {
        transport_.disconnect(reason_of(*why_), why_->cause().what);
    }
    flush();
    fail_all(*why_);
    settled_.set();
    ended_.set();
}

void ClientDriver::fail_all(const error& why) {
    for (const auto& [id, channel] : std::exchange(states_, {})) {
        channel->driver = nullptr;
        channel->why = why;
        channel->wake();
    }
    for (const auto& question : std::exchange(questions_, {})) {
        question->outcome = unexpected(why);
        question->answered.wake_all();
    }
    written_.wake_all();
}

// Reads on only when what it has led to has gone out.
task<result<void>> ClientDriver::read_until_end() {
    for (;;) {
        for (;;) {
            ALKNET_CO_TRY(const std::optional<BytesView> message, transport_.next());
            if (!login_ && transport_.keyed()) {
                ALKNET_CO_CHECK(begin_login());
            }
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
        ALKNET_CO_TRY(const std::size_t size, co_await stream_->read(room));
        if (size == 0) {
            co_return fail(causes::kClosed);
        }
        transport_.filled(size);
        heard_ = loop_.now();
        asked_ = 0;
    }
}

result<void> ClientDriver::begin_login() {
    if (!options_.trust) {
        return fail(causes::kPeerUnverified, "nobody says which host is meant");
    }
    ALKNET_CHECK(options_.trust(*transport_.host_key()));
    login_.emplace(options_.user, transport_.session_id(), login_keys(options_.keys));
    return transport_.send(login_->begin());
}

task<result<void>> ClientDriver::take(BytesView message) {
    if (!logged_in_) {
        co_return co_await take_login(message);
    }
    if (message_of(message) == Message::userauth_banner) {
        co_return result<void>();
    }
    auto event = channels_.take(message);
    if (!event) {
        co_return unexpected(std::move(event).error());
    }
    co_return take_event(*event);
}

task<result<void>> ClientDriver::take_login(BytesView message) {
    ALKNET_CO_TRY(Login::Step step, login_->take(message));
    if (!step.banner.empty() && options_.banner) {
        options_.banner(step.banner);
    }
    while (step.sign) {
        Signer& signer = *options_.keys[login_->current()];
        flush();
        auto signature = co_await signer.sign(login_->to_sign());
        if (signature) {
            step = {.message = login_->signed_with(*signature)};
        } else if (signature.error().is(errc::cancelled)) {
            co_return unexpected(std::move(signature).error());
        } else {
            ALKNET_CO_TRY(step, login_->skip());
        }
    }
    if (login_->done()) {
        logged_in_ = true;
        transport_.set_authenticated();
        settled_.set();
        ALKNET_CO_CHECK(ask_for_streams());
    }
    co_return step.message.empty() ? result<void>() : transport_.send(step.message);
}

task<void> ClientDriver::write_all() {
    for (;;) {
        while (transport_.out_bytes() == 0) {
            if (closing_ || !co_await to_write_.wait()) {
                co_return;
            }
        }
        Transport::Sealed sealed = transport_.take_out();
        writing_ = sealed.size;
        const result<void> written = co_await stream_->write(sealed.view());
        writing_ = 0;
        transport_.give_back(std::move(sealed));
        mute_ = !written;
        written_.wake_all();
        if (mute_) {
            end(written.error());
            co_return;
        }
    }
}

task<void> ClientDriver::watch_exchanges() {
    const auto ended = co_await exchanges_.run([this] { flush(); });
    if (ended.error().is(errc::timeout)) {
        end(ended.error());
    }
}

// A server that has gone without a word is noticed, also where nothing is sent.
task<void> ClientDriver::keep_alive() {
    if (!co_await settled_.wait()) {
        co_return;
    }
    while (!ended_.is_set()) {
        const Duration patience = kServerQuietTime * static_cast<Duration::rep>(asked_ + 1);
        const Duration wait = heard_ + patience - loop_.now();
        if (wait > Duration::zero()) {
            if (!co_await loop_.sleep(wait)) {
                co_return;
            }
            continue;
        }
        if (asked_ >= kServerQuestions) {
            end(error(causes::kTimeout, "the SSH server does not answer any more"));
            co_return;
        }
        ++asked_;
        check(channels_.ask("keepalive@openssh.com"));
    }
}

}  // namespace alknet::ssh
