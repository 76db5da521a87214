#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_invitation.hpp>
#include <alknet/identity/join.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <optional>
#include <utility>

namespace alknet::identity {

namespace {

using Kind = ClaimOutcome::Kind;

constexpr std::size_t kReadBytes = 1024;
constexpr Duration kAdmitInterval = std::chrono::milliseconds(20);
/// What the node may take longer than it said.
constexpr Duration kWaitSlack = std::chrono::seconds(15);

// Reads until a message is there; what is behind it is kept for the next.
class MessageReader {
public:
    task<result<JoinMessage>> read(BiStream& stream) {
        for (;;) {
            ALKNET_CO_TRY(auto frame, decode_join(buffer_));
            if (frame) {
                buffer_.erase(buffer_.begin(),
                              buffer_.begin() + static_cast<std::ptrdiff_t>(frame->size));
                co_return std::move(frame->message);
            }
            std::array<std::byte, kReadBytes> piece{};
            ALKNET_CO_TRY(const std::size_t size, co_await stream.read(piece));
            if (size == 0) {
                co_return fail(causes::kProtocol, "alknet/join ended too early");
            }
            buffer_.insert(buffer_.end(), piece.begin(),
                           piece.begin() + static_cast<std::ptrdiff_t>(size));
        }
    }

private:
    Bytes buffer_;  // less than one frame and one piece
};

task<result<void>> write_message(BiStream& stream, JoinMessage message) {
    const Bytes frame = encode_join(message);
    co_return co_await stream.write(frame);
}

result<std::string> code_of(const Connection& connection, const NodeId& node,
                            const NodeId& joiner) {
    std::array<std::byte, kJoinExporterBytes> exported{};
    ALKNET_CHECK(connection.export_keying_material(kJoinExporterLabel, {}, exported));
    return join_code(node, joiner, exported);
}

std::uint32_t whole_seconds(Duration duration) {
    return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

// One more of something, for as long as this lives.
class Count {
public:
    explicit Count(std::size_t& counter) noexcept : counter_(counter) { ++counter_; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    ~Count() { --counter_; }

private:
    std::size_t& counter_;
};

}  // namespace

bool GuessLimit::exceeded(const SocketAddress& remote, TimePoint now) const {
    const auto found = guesses_.find(remote.limit_group());
    return found != guesses_.end() && now - found->second.began < kWindow &&
           found->second.count >= kGuessesMax;
}

void GuessLimit::count(const SocketAddress& remote, TimePoint now) {
    const SocketAddress group = remote.limit_group();
    if (!guesses_.contains(group) && guesses_.size() >= kAddressesMax) {
        guesses_.erase(std::ranges::min_element(
            guesses_, {}, [](const auto& entry) { return entry.second.began; }));
    }
    const auto [entry, added] = guesses_.try_emplace(group);
    if (added || now - entry->second.began >= kWindow) {
        entry->second = {.count = 0, .began = now};
    }
    ++entry->second.count;
}

struct JoinHandler::Guest {
    std::shared_ptr<Connection> connection;
    AuthContext auth;
    Loop& loop;
    std::unique_ptr<BiStream> stream{};
    std::string code{};
};

task<result<void>> JoinHandler::handle(std::shared_ptr<Connection> connection, AuthContext auth) {
    if (running_ >= options_.connections_max) {
        co_return fail(causes::kLimit, "enough others are joining");
    }
    const Count running(running_);
    const TaskContext context = co_await current_context();
    Guest guest{
        .connection = std::move(connection), .auth = std::move(auth), .loop = *context.loop};
    co_return co_await serve(guest);
}

namespace {

task<result<JoinAsk>> read_ask(std::shared_ptr<Connection> connection,
                               std::unique_ptr<BiStream>& stream) {
    ALKNET_CO_TRY(stream, co_await connection->accept_bi());
    MessageReader reader;
    ALKNET_CO_TRY(JoinMessage message, co_await reader.read(*stream));
    JoinAsk* const ask = std::get_if<JoinAsk>(&message);
    if (ask == nullptr) {
        co_return fail(causes::kProtocol, "a message of alknet/join that only the node sends");
    }
    co_return std::move(*ask);
}

}  // namespace

task<result<void>> JoinHandler::serve(Guest& guest) {
    ALKNET_CO_TRY(JoinAsk ask, co_await with_timeout(options_.ask_timeout,
                                                     read_ask(guest.connection, guest.stream)));
    ALKNET_CO_TRY(JoinMessage message, co_await answer(guest, std::move(ask)));
    ALKNET_CO_CHECK(co_await write_message(*guest.stream, std::move(message)));
    co_return co_await guest.stream->finish();
}

task<result<JoinMessage>> JoinHandler::answer(Guest& guest, JoinAsk ask) {
    ClaimOutcome outcome;
    if (guest.auth.peer.kind != PeerIdentity::Kind::raw_key) {
        outcome.why = "it shows no node's key";
        co_return refuse(guest, outcome);
    }
    if (guesses_.exceeded(guest.connection->remote(), guest.loop.now())) {
        outcome.why = "too many were refused from this address within a minute";
        co_return refuse(guest, outcome);
    }
    const NodeId joiner = guest.auth.peer.key;
    ALKNET_CO_TRY(guest.code, code_of(*guest.connection, options_.node(), joiner));
    const ClaimAttempt attempt{.secret = ask.secret,
                               .joiner = joiner,
                               .name = std::move(ask.name),
                               .code = guest.code,
                               .now = guest.loop.wall_now()};
    ALKNET_CO_TRY(outcome, co_await options_.state->transact(
                               [fixed = options_.fixed, attempt](store::Database& state) {
                                   return claim_invitation(state, fixed(), attempt);
                               }));
    co_return co_await settle(guest, std::move(outcome));
}

task<result<JoinMessage>> JoinHandler::settle(Guest& guest, ClaimOutcome outcome) {
    if (outcome.kind == Kind::waiting) {
        ALKNET_CO_TRY(outcome, co_await wait_for_owner(guest, std::move(outcome)));
    }
    switch (outcome.kind) {
        case Kind::granted: {
            audit(guest, "invitation.joined", outcome);
            options_.log.info("invitation.joined", {{"invitation", outcome.invitation},
                                                    {"peer", outcome.name},
                                                    {"key", guest.auth.peer.fingerprint()}});
            if (options_.changed) {
                options_.changed();
            }
            ALKNET_CO_CHECK(co_await wait_until_admitted(guest));
            JoinWelcome welcome;
            welcome.name = outcome.name;
            welcome.scopes = outcome.scopes;
            co_return JoinMessage(std::move(welcome));
        }
        case Kind::known:
            audit(guest, "invitation.known", outcome);
            options_.log.info("invitation.known", {{"invitation", outcome.invitation},
                                                   {"key", guest.auth.peer.fingerprint()}});
            co_return JoinMessage(JoinKnown());
        default:
            co_return refuse(guest, outcome);
    }
}

// Until the owner has confirmed the digits in another program: the state tells.
task<result<ClaimOutcome>> JoinHandler::wait_for_owner(Guest& guest, ClaimOutcome waiting) {
    if (waiting_ >= options_.waiting_max) {
        waiting.kind = Kind::refused;
        waiting.why = "enough others wait to be confirmed";
        co_return waiting;
    }
    const Count count(waiting_);
    const Duration most =
        std::min(options_.confirm_timeout, waiting.expires - guest.loop.wall_now());
    options_.log.warn("invitation.waiting",
                      {{"invitation", waiting.invitation},
                       {"key", guest.auth.peer.fingerprint()},
                       {"remote_addr", guest.connection->remote().to_string()},
                       {"digits", guest.code}});
    ALKNET_CO_CHECK(
        co_await write_message(*guest.stream, JoinWait{.seconds = whole_seconds(most)}));
    const TimePoint end = time_after(guest.loop.now(), most);
    const std::string fingerprint = guest.auth.peer.fingerprint();
    ClaimOutcome outcome = std::move(waiting);
    while (outcome.kind == Kind::waiting) {
        if (guest.loop.now() >= end) {
            outcome.kind = Kind::refused;
            outcome.why = "nobody has confirmed the digits";
            break;
        }
        ALKNET_CO_CHECK(co_await guest.loop.sleep(options_.confirm_interval));
        ALKNET_CO_TRY(outcome, co_await options_.state->transact(
                                   [invitation = outcome.invitation, fingerprint,
                                    now = guest.loop.wall_now()](store::Database& state) {
                                       return look_at_claim(state, invitation, fingerprint, now);
                                   }));
    }
    co_return outcome;
}

task<result<void>> JoinHandler::wait_until_admitted(const Guest& guest) {
    const std::string fingerprint = guest.auth.peer.fingerprint();
    const TimePoint end = time_after(guest.loop.now(), options_.admit_timeout);
    while (!options_.admitted(fingerprint) && guest.loop.now() < end) {
        ALKNET_CO_CHECK(co_await guest.loop.sleep(kAdmitInterval));
    }
    co_return result<void>();
}

void JoinHandler::audit(const Guest& guest, std::string_view event,
                        const ClaimOutcome& outcome) const {
    if (options_.audit == nullptr) {
        return;
    }
    AuditEntry entry{.event = event};
    entry.level = outcome.alarm ? AuditLevel::alarm : AuditLevel::info;
    entry.fingerprint = guest.auth.peer.fingerprint();
    entry.remote = guest.connection->remote();
    entry.service = kJoinAlpn;
    entry.detail = outcome.why;
    entry.repeats = outcome.kind == Kind::refused;
    entry.more = {{"invitation", outcome.invitation}, {"name", outcome.name}};
    options_.audit->record(std::move(entry));
}

JoinMessage JoinHandler::refuse(const Guest& guest, const ClaimOutcome& outcome) {
    guesses_.count(guest.connection->remote(), guest.loop.now());
    audit(guest, outcome.alarm ? "invitation.alarm" : "invitation.refused", outcome);
    options_.log(outcome.alarm ? LogLevel::error : LogLevel::warn,
                 outcome.alarm ? "invitation.alarm" : "invitation.refused",
                 {{"invitation", outcome.invitation},
                  {"reason", outcome.why},
                  {"key", guest.auth.peer.fingerprint()},
                  {"remote_addr", guest.connection->remote().to_string()}});
    return JoinRefused();
}

namespace {

result<Joined> joined(const JoinMessage& message) {
    if (const auto* welcome = std::get_if<JoinWelcome>(&message)) {
        return Joined{.known_before = false, .name = welcome->name, .scopes = welcome->scopes};
    }
    if (std::holds_alternative<JoinKnown>(message)) {
        return Joined{.known_before = true, .name = {}, .scopes = {}};
    }
    if (std::holds_alternative<JoinRefused>(message)) {
        return fail(causes::kInvitationRefused);
    }
    return fail(causes::kProtocol, "an unexpected message of alknet/join");
}

task<result<JoinMessage>> ask(std::shared_ptr<Connection> connection, JoinAsk question,
                              MessageReader& reader, std::unique_ptr<BiStream>& stream) {
    ALKNET_CO_TRY(stream, co_await connection->open_bi());
    ALKNET_CO_CHECK(co_await write_message(*stream, std::move(question)));
    co_return co_await reader.read(*stream);
}

}  // namespace

task<result<Joined>> spend_invitation(std::shared_ptr<Connection> connection, Invitation invitation,
                                      Joiner joiner) {
    MessageReader reader;
    std::unique_ptr<BiStream> stream;
    JoinAsk question{.secret = invitation.secret, .name = joiner.name};
    ALKNET_CO_TRY(JoinMessage message,
                  co_await with_timeout(joiner.answer_timeout,
                                        ask(connection, std::move(question), reader, stream)));
    if (const auto* wait = std::get_if<JoinWait>(&message)) {
        if (!invitation.confirm) {
            co_return fail(causes::kProtocol, "the line says that no digits are compared");
        }
        const Duration most = std::chrono::seconds(wait->seconds) + kWaitSlack;
        ALKNET_CO_TRY(const std::string code, code_of(*connection, invitation.node, joiner.id));
        ALKNET_CO_CHECK(joiner.compare(code));
        ALKNET_CO_TRY(message, co_await with_timeout(most, reader.read(*stream)));
    }
    ALKNET_CO_TRY(Joined answer, joined(message));
    (void)co_await stream->finish();  // the node has said everything, and may have let go of it
    co_return answer;
}

}  // namespace alknet::identity
