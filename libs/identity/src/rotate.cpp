#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_audit.hpp>
#include <alknet/identity/rotate.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <optional>
#include <utility>

namespace alknet::identity {

namespace {

using Type = RotateMessage::Type;

constexpr std::size_t kReadBytes = 512;

/// What one side has to say is one message.
task<result<RotateMessage>> read_message(BiStream& stream) {
    Bytes buffer;  // kRotateBytesMax and one piece at most
    for (;;) {
        ALKNET_CO_TRY(auto message, decode_rotate(buffer));
        if (message) {
            co_return *std::move(message);
        }
        std::array<std::byte, kReadBytes> piece{};
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(piece));
        if (size == 0) {
            co_return fail(causes::kProtocol, "alknet/rotate ended too early");
        }
        buffer.insert(buffer.end(), piece.begin(),
                      piece.begin() + static_cast<std::ptrdiff_t>(size));
    }
}

task<result<void>> write_message(BiStream& stream, RotateMessage message) {
    const Bytes octets = encode_rotate(message);
    ALKNET_CO_CHECK(co_await stream.write(octets));
    co_return co_await stream.finish();
}

task<result<RotateMessage>> exchange(std::shared_ptr<Connection> connection, RotateMessage say) {
    ALKNET_CO_TRY(const auto stream, co_await connection->open_bi());
    const Bytes octets = encode_rotate(say);
    ALKNET_CO_CHECK(co_await stream->write(octets));
    co_return co_await read_message(*stream);
}

/// Whoever says something of a key has it.
bool shows_one(const PeerIdentity& peer, const std::vector<Rotation>& chain) {
    return peer.kind == PeerIdentity::Kind::raw_key &&
           std::ranges::any_of(chain, [&](const Rotation& one) {
               return one.from == peer.key || one.to == peer.key;
           });
}

}  // namespace

task<result<void>> RotateHandler::handle(std::shared_ptr<Connection> connection, AuthContext auth) {
    if (running_ >= options_.connections_max) {
        co_return fail(causes::kLimit, "enough others ask for keys");
    }
    struct Count {
        explicit Count(std::size_t& counter) noexcept : counter_(counter) { ++counter_; }
        Count(const Count&) = delete;
        Count& operator=(const Count&) = delete;
        ~Count() { --counter_; }
        std::size_t& counter_;
    };
    const Count running(running_);
    co_return co_await with_timeout(options_.timeout,
                                    serve(std::move(connection), std::move(auth)));
}

task<result<void>> RotateHandler::serve(std::shared_ptr<Connection> connection, AuthContext auth) {
    ALKNET_CO_TRY(const auto stream, co_await connection->accept_bi());
    ALKNET_CO_TRY(RotateMessage message, co_await read_message(*stream));
    RotateMessage reply;
    switch (message.type) {
        case Type::ask:
            reply.type = Type::answer;
            reply.chain = options_.own();
            break;
        case Type::tell:
            ALKNET_CO_CHECK(co_await hear(std::move(auth), std::move(message.chain)));
            reply.type = Type::heard;
            break;
        default:
            co_return fail(causes::kProtocol, "alknet/rotate: only the node says that");
    }
    co_return co_await write_message(*stream, std::move(reply));
}

task<result<void>> RotateHandler::hear(AuthContext auth, std::vector<Rotation> chain) {
    result<AcceptedChange> accepted =
        fail(causes::kRotationInvalid, "it is not about a key that the connection shows");
    if (shows_one(auth.peer, chain)) {
        const TaskContext context = co_await current_context();
        accepted = co_await options_.state->transact(
            [fixed = options_.fixed, chain = std::move(chain), now = context.loop->wall_now()](
                store::Database& state) { return accept_key_change(state, *fixed(), chain, now); });
    }
    if (!accepted && !accepted.error().is(causes::kRotationInvalid)) {
        co_return unexpected(std::move(accepted).error());
    }
    AuditEntry entry = accepted ? audit_entry(*accepted) : AuditEntry{.event = "peer.key_refused"};
    entry.fingerprint = auth.peer.fingerprint();
    entry.remote = auth.remote;
    entry.service = kRotateAlpn;
    if (!accepted) {
        entry.reason = accepted.error().cause().id;
        entry.detail = accepted.error().detail();
        entry.repeats = true;
        options_.log.warn("peer.key_refused", {{"key", entry.fingerprint},
                                               {"reason", entry.detail},
                                               {"remote_addr", auth.remote.to_string()}});
    } else if (accepted->changed) {
        options_.log.info("peer.key_changed", {{"peer", accepted->name},
                                               {"from", accepted->from.fingerprint()},
                                               {"to", accepted->to.fingerprint()}});
    }
    if (options_.audit != nullptr && (!accepted || accepted->changed)) {
        options_.audit->record(std::move(entry));
    }
    if (accepted && accepted->changed && options_.changed) {
        options_.changed();
    }
    co_return result<void>();
}

AuditEntry audit_entry(const AcceptedChange& change) {
    AuditEntry entry{.event = "peer.key_changed"};
    entry.peer = change.id;
    entry.more = {{"name", change.name},
                  {"from", change.from.fingerprint()},
                  {"to", change.to.fingerprint()}};
    return entry;
}

task<result<std::vector<Rotation>>> ask_rotations(std::shared_ptr<Connection> connection,
                                                  Duration timeout) {
    RotateMessage question;
    ALKNET_CO_TRY(RotateMessage reply,
                  co_await with_timeout(timeout, exchange(connection, std::move(question))));
    if (reply.type != Type::answer) {
        co_return fail(causes::kProtocol, "no answer on alknet/rotate");
    }
    co_return std::move(reply.chain);
}

task<result<void>> tell_rotations(std::shared_ptr<Connection> connection,
                                  std::vector<Rotation> chain, Duration timeout) {
    RotateMessage news{.type = Type::tell, .chain = std::move(chain)};
    ALKNET_CO_TRY(const RotateMessage reply,
                  co_await with_timeout(timeout, exchange(connection, std::move(news))));
    if (reply.type != Type::heard) {
        co_return fail(causes::kProtocol, "no answer on alknet/rotate");
    }
    co_return result<void>();
}

}  // namespace alknet::identity
