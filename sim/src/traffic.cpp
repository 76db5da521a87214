#include "traffic.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <cstring>

#include "pattern.hpp"

namespace alknet::sim {

namespace {

constexpr Duration kPoll = std::chrono::milliseconds(20);

enum class StreamKind : std::uint64_t { exchange, request, one_way, abandon, goodbye };

}  // namespace

/// What every stream begins with.
struct Traffic::Header {
    StreamKind kind = StreamKind::exchange;
    std::uint64_t up = 0;  // numbers of transfers in the ledger
    std::uint64_t down = 0;
};

std::vector<Operation> make_plan(Random& random, std::size_t count, std::uint64_t bytes_max,
                                 bool quic) {
    using Kind = Operation::Kind;
    const auto size = [&]() -> std::uint64_t {
        const std::uint64_t die = random.below(10);
        if (die == 0) {
            return 0;
        }
        const std::uint64_t most = die < 5 ? 2'000 : die < 8 ? bytes_max / 8 : bytes_max;
        return random.below(most + 1);
    };
    std::vector<Operation> plan;
    for (std::size_t i = 0; i < count; ++i) {
        Operation operation{.up = size(), .down = size()};
        operation.after = random.duration({}, std::chrono::milliseconds(800));
        constexpr std::array kKinds = {
            Kind::exchange, Kind::exchange,  Kind::request,    Kind::request, Kind::one_way,
            Kind::one_way,  Kind::datagrams, Kind::key_update, Kind::abandon, Kind::rest};
        operation.kind = quic ? kKinds[random.below(kKinds.size())]
                              : (random.chance(0.5) ? Kind::exchange : Kind::request);
        if (operation.kind == Kind::datagrams) {
            operation.up = random.between(1, 40);
        } else if (operation.kind == Kind::rest) {
            operation.after = random.duration({}, std::chrono::seconds(12));
        }
        plan.push_back(operation);
    }
    return plan;
}

Traffic::Traffic(Ledger& ledger, Loop& loop, TrafficOptions options)
    : ledger_(ledger),
      loop_(loop),
      options_(std::move(options)),
      random_(ledger.context().random().fork()),
      quic_(!options_.resumable && options_.connection->info().transport == Transport::quic),
      scope_(loop) {}

void Traffic::ended(std::string_view where, const error& why) {
    if (options_.on_failure) {
        options_.on_failure(why);
        return;
    }
    bool forgiven = why.is(errc::cancelled) || (ledger_.roaming() && (!quic_ || !heard_));
    // One end gives up, and may be heard saying so.
    const bool given_up = why.is(causes::kIdleTimeout) ||
                          (why.is(causes::kClosed) && why.code() == close_code::kTimeout);
    if (!forgiven && ledger_.roaming() && given_up) {
        ledger_.lost_roaming(options_.connection->info().trace_id);
        forgiven = true;
    }
    ledger_.ended_with(where, why, forgiven);
}

// ---- the two sides ----

task<void> Traffic::lead() {
    if (quic_) {
        scope_.spawn(accept_bi_streams(), "sim.accept_bi");
        scope_.spawn(accept_uni_streams(), "sim.accept_uni");
        scope_.spawn(receive_datagrams(), "sim.datagrams");
    }
    scope_.spawn(run_plan(), "sim.plan");
    while (!plan_done_) {
        if (!co_await changed_.wait()) {
            break;
        }
    }
    if (plan_done_ && quic_ && !options_.connection->closed().requested()) {
        const auto parted = co_await with_timeout(options_.operation_limit, say_goodbye());
        if (!parted) {
            ended("goodbye", parted.error());
        } else {
            co_await empty_buffers();
        }
    }
    if (options_.resumable) {
        co_await wait_delivered();
    }
    options_.connection->close(close_code::kOk, "done");
    scope_.cancel();
    (void)co_await scope_.join();
}

task<void> Traffic::follow() {
    scope_.spawn(accept_bi_streams(), "sim.accept_bi");
    if (quic_) {
        scope_.spawn(accept_uni_streams(), "sim.accept_uni");
        scope_.spawn(receive_datagrams(), "sim.datagrams");
    }
    scope_.spawn(run_plan(), "sim.plan");
    const auto over = co_await options_.connection->wait_closed();
    if (over && quic_) {
        const std::optional<error> why = options_.connection->close_reason();
        if (!why) {
            ledger_.context().fail("a connection ended without a reason");
        } else if (!why->is(causes::kClosed) || why->code() != close_code::kOk) {
            ended("connection", *why);
        }
    }
    scope_.cancel();
    (void)co_await scope_.join();
}

task<void> Traffic::run_plan() {
    for (const Operation& operation : options_.plan) {
        if (!co_await loop_.sleep(operation.after)) {
            break;
        }
        if (operation.kind != Operation::Kind::rest) {
            ++running_;
            scope_.spawn(perform(operation), "sim.operation");
        }
    }
    while (running_ > 0) {
        (void)co_await changed_.wait_uncancellable();
    }
    plan_done_ = true;
    changed_.wake_all();
}

task<void> Traffic::perform(Operation operation) {
    ++ledger_.counts.operations;
    const auto outcome = co_await with_timeout(options_.operation_limit, attempt(operation));
    if (outcome) {
        ++ledger_.counts.operations_done;
        if (options_.on_success) {
            options_.on_success();
        }
    } else if (outcome.error().is(causes::kTimeout)) {
        ledger_.context().fail(fmt::format("operation {} (up {}, down {}) is stuck",
                                           static_cast<int>(operation.kind), operation.up,
                                           operation.down));
    } else {
        ended("operation", outcome.error());
    }
    --running_;
    changed_.wake_all();
}

task<result<void>> Traffic::attempt(Operation operation) {
    using Kind = Operation::Kind;
    switch (operation.kind) {
        case Kind::exchange:
            co_return co_await exchange(operation, false);
        case Kind::request:
            co_return co_await exchange(operation, true);
        case Kind::one_way:
            co_return co_await one_way(operation);
        case Kind::abandon:
            co_return co_await abandon(operation);
        case Kind::datagrams:
            co_return co_await send_datagrams(operation);
        case Kind::key_update:
            co_return update_key();
        case Kind::migrate:
            co_return migrate();
        case Kind::rest:
            break;
    }
    co_return result<void>{};
}

// ---- operations ----

namespace {

task<void> keep(task<result<void>> work, result<void>& into) {
    into = co_await std::move(work);
}

task<result<void>> then_finish(task<result<void>> work, SendStream& stream) {
    ALKNET_CO_CHECK(co_await std::move(work));
    co_return co_await stream.finish();
}

/// Both to their ends; the first error of the two.
task<result<void>> both(Loop& loop, task<result<void>> one, task<result<void>> other) {
    const TaskContext context = co_await current_context();
    TaskScope scope(loop, context.cancel);
    result<void> first;
    result<void> second;
    scope.spawn(keep(std::move(one), first), context.name);
    scope.spawn(keep(std::move(other), second), context.name);
    (void)co_await scope.join();
    co_return first ? second : first;
}

}  // namespace

task<result<void>> Traffic::exchange(Operation operation, bool in_turn) {
    ALKNET_CO_TRY(const auto stream, co_await options_.connection->open_bi());
    Header header{.up = ledger_.add(operation.up), .down = ledger_.add(operation.down)};
    header.kind = in_turn ? StreamKind::request : StreamKind::exchange;
    ALKNET_CO_CHECK(co_await write_header(*stream, header));
    if (!in_turn) {
        co_return co_await both(loop_, then_finish(send(*stream, header.up, operation.up), *stream),
                                receive(*stream, header.down));
    }
    ALKNET_CO_CHECK(co_await send(*stream, header.up, operation.up));
    ALKNET_CO_CHECK(co_await stream->finish());
    ALKNET_CO_CHECK(co_await receive(*stream, header.down));
    if (!ledger_.transfer(header.up).finished) {
        ledger_.context().fail(fmt::format("transfer {} was answered and never ended", header.up));
    }
    co_return result<void>{};
}

task<result<void>> Traffic::one_way(Operation operation) {
    ALKNET_CO_TRY(const auto stream, co_await options_.connection->open_uni());
    const Header header{.kind = StreamKind::one_way, .up = ledger_.add(operation.up)};
    ALKNET_CO_CHECK(co_await write_header(*stream, header));
    ALKNET_CO_CHECK(co_await send(*stream, header.up, operation.up));
    ALKNET_CO_CHECK(co_await stream->finish());
    co_return co_await wait_finished(header.up);
}

/// What was written must arrive, as long as the connection lives.
task<result<void>> Traffic::wait_finished(std::uint64_t id) {
    while (!ledger_.transfer(id).finished) {
        if (const std::optional<error> why = options_.connection->close_reason()) {
            co_return unexpected(*why);
        }
        ALKNET_CO_CHECK(co_await loop_.sleep(kPoll));
    }
    co_return result<void>{};
}

task<result<void>> Traffic::abandon(Operation operation) {
    ALKNET_CO_TRY(const auto stream, co_await options_.connection->open_bi());
    const Header header{.kind = StreamKind::abandon,
                        .up = ledger_.add(operation.up + 1),
                        .down = ledger_.add(operation.down)};
    ALKNET_CO_CHECK(co_await write_header(*stream, header));
    ALKNET_CO_CHECK(co_await send(*stream, header.up, random_.below(operation.up + 1)));
    if (random_.chance(0.7)) {  // else dropping it does the same
        stream->stop(7);
        stream->reset(7);
    }
    co_return result<void>{};
}

task<result<void>> Traffic::send_datagrams(Operation operation) {
    for (std::uint64_t i = 0; i < operation.up; ++i) {
        const std::size_t most = options_.connection->datagram_bytes_max();
        if (most < 2 * sizeof(std::uint64_t)) {
            break;  // the peer takes none
        }
        const std::uint64_t number = ledger_.add(0);
        Bytes datagram(random_.between(2 * sizeof number, most));
        fill_pattern(number, 0, datagram);
        const std::uint64_t tag = number << 1;
        std::memcpy(datagram.data(), &tag, sizeof tag);
        if (const auto sent = options_.connection->send_datagram(datagram); !sent) {
            if (!sent.error().is(errc::limit)) {
                co_return sent;
            }
        }
        if (random_.chance(0.3)) {
            ALKNET_CO_CHECK(
                co_await loop_.sleep(random_.duration({}, std::chrono::milliseconds(50))));
        }
    }
    co_return result<void>{};
}

result<void> Traffic::update_key() {
    auto* const connection = dynamic_cast<quic::Connection*>(options_.connection.get());
    const auto updated = connection == nullptr ? result<void>{} : connection->initiate_key_update();
    if (!updated && updated.error().is(errc::limit)) {
        return {};  // the last one is too fresh
    }
    return updated;
}

result<void> Traffic::migrate() {
    auto* const connection = dynamic_cast<quic::Connection*>(options_.connection.get());
    if (connection == nullptr || options_.make_socket == nullptr) {
        return {};
    }
    auto socket = options_.make_socket();
    if (socket == nullptr) {
        return {};
    }
    const auto migrated = connection->migrate(std::move(socket));
    if (!migrated && migrated.error().is(errc::limit)) {
        return {};  // no spare connection ids
    }
    return migrated;
}

/// The other side answers when its own plan is done.
task<result<void>> Traffic::say_goodbye() {
    ALKNET_CO_TRY(const auto stream, co_await options_.connection->open_bi());
    const Header header{.kind = StreamKind::goodbye, .up = ledger_.add(0), .down = ledger_.add(0)};
    ALKNET_CO_CHECK(co_await write_header(*stream, header));
    ALKNET_CO_CHECK(co_await stream->finish());
    co_return co_await receive(*stream, header.down);
}

/// When nothing is under way, nothing is held.
task<void> Traffic::empty_buffers() {
    const TimePoint end = loop_.now() + options_.operation_limit;
    for (;;) {
        const ConnectionStats stats = options_.connection->stats();
        if ((stats.buffered_bytes == 0 && stats.streams_open == 0) ||
            options_.connection->closed().requested()) {
            co_return;
        }
        if (loop_.now() > end) {
            ledger_.context().fail(fmt::format("a connection at rest holds {} octets, {} streams",
                                               stats.buffered_bytes, stats.streams_open));
            co_return;
        }
        if (!co_await loop_.sleep(kPoll)) {
            co_return;
        }
    }
}

/// A resumable stream ends when both of its directions have arrived; closing would give them up.
task<void> Traffic::wait_delivered() {
    const auto over =
        co_await with_timeout(options_.operation_limit, options_.connection->wait_closed());
    const std::optional<error> why =
        over ? options_.connection->close_reason() : std::optional<error>(over.error());
    if (why && !why->is(causes::kClosed)) {
        ended("resumable stream", *why);
    }
}

// ---- what the other side opens ----

task<void> Traffic::accept_bi_streams() {
    for (;;) {
        auto stream = co_await options_.connection->accept_bi();
        if (!stream) {
            co_return;  // the end of the connection is looked at elsewhere
        }
        scope_.spawn(serve_bi(std::move(*stream)), "sim.serve_bi");
    }
}

task<void> Traffic::accept_uni_streams() {
    for (;;) {
        auto stream = co_await options_.connection->accept_uni();
        if (!stream) {
            co_return;
        }
        scope_.spawn(serve_uni(std::move(*stream)), "sim.serve_uni");
    }
}

task<void> Traffic::serve_bi(std::unique_ptr<BiStream> stream) {
    const auto outcome = co_await with_timeout(options_.operation_limit, answer(*stream));
    if (!outcome) {
        ended("stream", outcome.error());
    }
}

task<result<void>> Traffic::answer(BiStream& stream) {
    const auto read = co_await read_header(stream);
    if (!read) {
        // An abandoned stream may be reset before anything of it has come.
        const bool abandoned = read.error().is(errc::reset);
        co_return abandoned ? result<void>{} : result<void>(unexpected(read.error()));
    }
    const Header header = *read;
    switch (header.kind) {
        case StreamKind::goodbye:
            while (!plan_done_) {
                ALKNET_CO_CHECK(co_await changed_.wait());
            }
            ALKNET_CO_CHECK(co_await receive(stream, header.up));
            co_return co_await stream.finish();
        case StreamKind::request:
            ALKNET_CO_CHECK(co_await receive(stream, header.up));
            ALKNET_CO_CHECK(co_await send(stream, header.down, ledger_.transfer(header.down).size));
            co_return co_await stream.finish();
        case StreamKind::abandon: {
            const auto outcome =
                co_await both(loop_, send(stream, header.down, ledger_.transfer(header.down).size),
                              receive(stream, header.up));
            if (!outcome && outcome.error().is(errc::reset)) {
                co_return result<void>{};
            }
            co_return outcome;
        }
        default:
            co_return co_await both(
                loop_,
                then_finish(send(stream, header.down, ledger_.transfer(header.down).size), stream),
                receive(stream, header.up));
    }
}

task<void> Traffic::serve_uni(std::unique_ptr<RecvStream> stream) {
    const auto outcome = co_await with_timeout(options_.operation_limit, read_uni(*stream));
    if (!outcome) {
        ended("stream", outcome.error());
    }
}

task<result<void>> Traffic::read_uni(RecvStream& stream) {
    ALKNET_CO_TRY(const Header header, co_await read_header(stream));
    co_return co_await receive(stream, header.up);
}

task<void> Traffic::receive_datagrams() {
    for (;;) {
        auto datagram = co_await options_.connection->recv_datagram();
        if (!datagram) {
            co_return;
        }
        std::uint64_t tag = 0;
        if (datagram->size() < 2 * sizeof tag) {
            ledger_.context().fail("a datagram that is too short");
            continue;
        }
        std::memcpy(&tag, datagram->data(), sizeof tag);
        const BytesView rest = BytesView(*datagram).subspan(sizeof tag);
        if (!matches_pattern(tag >> 1, sizeof tag, rest)) {
            ledger_.context().fail("a datagram with wrong bytes");
        }
        if (++datagrams_seen_[tag] > 1) {
            ledger_.context().fail(fmt::format("datagram {} came twice", tag));
        }
        if ((tag & 1) != 0) {
            ++ledger_.counts.datagrams_echoed;
            continue;
        }
        tag |= 1;
        std::memcpy(datagram->data(), &tag, sizeof tag);
        (void)options_.connection->send_datagram(*datagram);
    }
}

// ---- bytes ----

task<result<void>> Traffic::write_header(SendStream& stream, Header header) {
    const std::array<std::uint64_t, 3> words = {static_cast<std::uint64_t>(header.kind), header.up,
                                                header.down};
    co_return co_await stream.write(std::as_bytes(std::span(words)));
}

task<result<Traffic::Header>> Traffic::read_header(RecvStream& stream) {
    std::array<std::uint64_t, 3> words{};
    MutableBytes rest = std::as_writable_bytes(std::span(words));
    while (!rest.empty()) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(rest));
        if (count == 0) {
            ledger_.context().fail("a stream ended within its header");
            co_return fail(causes::kClosed);
        }
        rest = rest.subspan(count);
    }
    co_return Header{static_cast<StreamKind>(words[0]), words[1], words[2]};
}

task<result<void>> Traffic::send(SendStream& stream, std::uint64_t id, std::uint64_t until) {
    Bytes buffer;
    for (std::uint64_t sent = 0; sent < until;) {
        buffer.resize(std::min(until - sent, random_.between(1, 20'000)));
        fill_pattern(id, sent, buffer);
        ALKNET_CO_CHECK(co_await stream.write(buffer));
        sent += buffer.size();
        if (options_.pace > Duration::zero()) {
            ALKNET_CO_CHECK(co_await loop_.sleep(random_.duration({}, options_.pace)));
        }
    }
    co_return result<void>{};
}

task<result<void>> Traffic::receive(RecvStream& stream, std::uint64_t id) {
    const bool slow = random_.chance(options_.slow_readers);
    Bytes buffer(random_.between(1'000, 40'000));
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            heard_ = true;
            ledger_.finished(id);
            co_return result<void>{};
        }
        heard_ = true;
        ledger_.received(id, BytesView(buffer).first(count));
        if (slow) {
            ALKNET_CO_CHECK(
                co_await loop_.sleep(random_.duration({}, std::chrono::milliseconds(40))));
        }
    }
}

}  // namespace alknet::sim
