#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <array>
#include <chrono>

#include "carry.hpp"
#include "cpu_time.hpp"
#include "frame_stream.hpp"

namespace alknet::doctor {

namespace {

constexpr std::uint64_t kCountEach = 16 << 10;                       // for the first
constexpr std::uint64_t kCountEachLater = 4 << 20;                   // after kBulkBytes
constexpr Duration kCountInterval = std::chrono::milliseconds(250);  // at the latest
constexpr std::size_t kGiveBytes = 16 << 10;                         // of each data frame

std::uint64_t us(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

struct Mapping {
    const Cause* cause;
    Outcome outcome;
};

constexpr std::array kOutcomeOfCause = {
    Mapping{&causes::kHandshakeTimeout, Outcome::silent},
    Mapping{&causes::kTimeout, Outcome::silent},
    Mapping{&causes::kIdleTimeout, Outcome::silent},
    Mapping{&causes::kUnreachable, Outcome::refused},
    Mapping{&causes::kNoCommonAlpn, Outcome::no_service},
    Mapping{&causes::kPeerKeyMismatch, Outcome::wrong_key},
    Mapping{&causes::kTlsOpened, Outcome::wrong_key},
    Mapping{&causes::kPeerUnverified, Outcome::unverified},
    Mapping{&causes::kTls, Outcome::tls},
    Mapping{&causes::kVersionMismatch, Outcome::tls},
    Mapping{&causes::kReset, Outcome::reset},
    Mapping{&causes::kStatelessReset, Outcome::reset},
    Mapping{&causes::kAuthRequired, Outcome::stranger},
    Mapping{&causes::kProxyAuth, Outcome::proxy_auth},
    Mapping{&causes::kProxyRefused, Outcome::proxy_refused},
};

}  // namespace

Outcome outcome_of(const error& why) noexcept {
    const auto found = std::ranges::find(kOutcomeOfCause, &why.cause(), &Mapping::cause);
    return found == kOutcomeOfCause.end() ? Outcome::other : found->outcome;
}

DoctorHandlerOptions bench_handler_options() {
    DoctorHandlerOptions options;
    options.alpn = std::string(kBenchAlpn);
    options.bytes_max = 64ULL << 30;
    options.duration_max = std::chrono::minutes(3);
    options.connections_max = 4;
    options.connections_each_max = 2;
    return options;
}

namespace {

// Frames of two tasks on one stream: one after the other, in the order in which they ask.
class WriteTurn {
public:
    explicit WriteTurn(Loop& loop) noexcept : loop_(loop) {}

    task<result<void>> write(BiStream& stream, BytesView frame) {
        while (taken_) {
            ALKNET_CO_CHECK(co_await waiting_.wait());
        }
        taken_ = true;
        const auto written = co_await stream.write(frame);
        taken_ = false;
        const bool others = !waiting_.empty();
        waiting_.wake_one();
        if (others) {
            co_await loop_.yield();  // or whoever writes without a pause keeps the turn
        }
        co_return written;
    }

private:
    Loop& loop_;
    bool taken_ = false;
    WaitList waiting_;
};

}  // namespace

struct DoctorHandler::Patient {
    std::shared_ptr<Connection> connection;
    Loop& loop;
    const PeerIdentity& peer;
    WriteTurn turn;
    std::unique_ptr<BiStream> stream{};
    FrameReader reader{};
    std::uint32_t datagrams = 0;
    std::uint64_t bytes = 0;
    std::size_t looks = 0;
    std::size_t reports = 0;
    std::size_t orders = 0;
    bool giving = false;
    WaitList given{};
    TaskScope work;  // what answers, and what sends on order

    task<result<void>> write(Bytes frame) { co_return co_await turn.write(*stream, frame); }
    /// What is sent on order has been sent.
    task<result<void>> idle() {
        while (giving) {
            ALKNET_CO_CHECK(co_await given.wait());
        }
        co_return result<void>();
    }
};

// What a transfer costs this end, from when the meter was made.
struct DoctorHandler::Meter {
    const Patient& patient;
    const DoctorHandlerOptions& options;
    TimePoint began{};
    std::uint64_t processor = 0;
    std::uint64_t drops = 0;
    ConnectionStats stats{};

    [[nodiscard]] std::uint64_t processor_now() const {
        return options.processor_time ? options.processor_time() : cpu_microseconds();
    }
    [[nodiscard]] std::uint64_t drops_now() const {
        return options.udp_drops ? options.udp_drops() : 0;
    }
    void read(Counted& into) const {
        const ConnectionStats now = patient.connection->stats();
        into.microseconds = us(patient.loop.refresh_now() - began);
        into.cpu_microseconds = processor_now() - processor;
        into.packets_sent = now.packets_sent - stats.packets_sent;
        into.packets_lost = now.packets_lost - stats.packets_lost;
        into.udp_drops = drops_now() - drops;
        into.rtt_us = now.smoothed_rtt == Duration() ? 0 : us32(now.smoothed_rtt);
    }
};

DoctorHandler::Meter DoctorHandler::meter(const Patient& patient) const {
    Meter meter{.patient = patient, .options = options_};
    meter.began = patient.loop.refresh_now();
    meter.processor = meter.processor_now();
    meter.drops = meter.drops_now();
    meter.stats = patient.connection->stats();
    return meter;
}

namespace {

// Until the bytes of the connection are used up; then they are taken and not sent back.
task<result<void>> echo_datagrams(std::shared_ptr<Connection> connection, std::uint32_t& count,
                                  std::uint64_t& bytes, std::uint64_t bytes_max) {
    for (;;) {
        ALKNET_CO_TRY(const Bytes datagram, co_await connection->recv_datagram());
        ++count;
        if (bytes + datagram.size() <= bytes_max) {
            bytes += datagram.size();
            (void)connection->send_datagram(datagram);
        }
    }
}

}  // namespace

task<result<void>> DoctorHandler::handle(std::shared_ptr<Connection> connection, AuthContext auth) {
    if (!auth.identity) {
        co_return fail(causes::kAuthRequired);
    }
    const auto same = running_of_.find(auth.identity->id);
    if (running_ >= options_.connections_max) {
        co_return fail(causes::kLimit, "enough others are being served");
    }
    if (same != running_of_.end() && same->second >= options_.connections_each_max) {
        co_return fail(causes::kLimit, "this peer is being served often enough");
    }
    const TaskContext context = co_await current_context();
    Patient patient{.connection = connection,
                    .loop = *context.loop,
                    .peer = auth.peer,
                    .turn = WriteTurn(*context.loop),
                    .work = TaskScope(*context.loop, context.cancel)};
    ++running_;
    ++running_of_[auth.identity->id];
    TaskScope beside(*context.loop, context.cancel);
    if (connection->datagram_bytes_max() > 0) {
        beside.spawn(
            echo_datagrams(connection, patient.datagrams, patient.bytes, options_.bytes_max),
            context.name);
    }
    auto served = co_await with_timeout(options_.duration_max, serve(patient));
    if (!served && served.error().is(causes::kTimeout)) {
        served = fail(causes::kLimit, "a diagnosis ends after a while");
    }
    --running_;
    if (--running_of_[auth.identity->id] == 0) {
        running_of_.erase(auth.identity->id);
    }
    beside.cancel();
    (void)co_await beside.join();
    co_return served;
}

void DoctorHandler::set_tls(std::shared_ptr<const tls::TlsContext> tls) {
    if (options_.dialer != nullptr) {
        options_.dialer->set_tls(std::move(tls));
    }
}

task<void> DoctorHandler::shutdown() {
    if (options_.dialer != nullptr) {
        co_await options_.dialer->shutdown();
    }
}

task<result<void>> DoctorHandler::serve(Patient& patient) {
    ALKNET_CO_TRY(patient.stream, co_await patient.connection->accept_bi());
    patient.work.spawn(answer_all(patient), "doctor.answer");
    ALKNET_CO_CHECK(co_await patient.work.join());
    const TaskContext context = co_await current_context();
    if (context.cancel != nullptr && context.cancel->requested()) {
        co_return fail(causes::kCancelled);
    }
    co_return result<void>();
}

task<result<void>> DoctorHandler::answer_all(Patient& patient) {
    for (;;) {
        ALKNET_CO_TRY(const auto frame, co_await read_frame(patient.reader, *patient.stream));
        if (!frame) {
            ALKNET_CO_CHECK(co_await patient.idle());
            co_return co_await patient.stream->finish();
        }
        ALKNET_CO_CHECK(co_await answer(patient, *frame));
    }
}

task<result<void>> DoctorHandler::answer(Patient& patient, Frame frame) {
    switch (frame.type) {
        case FrameType::look:
            co_return co_await look(patient);
        case FrameType::data:
            co_return co_await take(patient, frame.body.size());
        case FrameType::download:
            co_return co_await order(patient, frame.body);
        case FrameType::report: {
            const Bytes body = to_bytes(frame.body);
            co_return co_await exchange(patient, body);
        }
        default:
            co_return fail(causes::kProtocol, "a frame that only the node sends");
    }
}

task<result<void>> DoctorHandler::look(Patient& patient) {
    if (++patient.looks > options_.looks_max) {
        co_return fail(causes::kLimit, "a diagnosis has looked often enough");
    }
    const SocketAddress observed = patient.connection->remote();
    const auto wall = patient.loop.wall_now().time_since_epoch();
    const Seen seen{.observed = observed,
                    .unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count(),
                    .beginnings = options_.beginnings ? options_.beginnings(observed) : 0,
                    .datagrams = patient.datagrams};
    co_return co_await patient.write(encode(seen));
}

// Counts what comes, and says so now and then, until its end.
task<result<void>> DoctorHandler::take(Patient& patient, std::size_t first) {
    const Meter meter = this->meter(patient);
    Counted counted{.bytes = first};
    patient.bytes += first;
    std::uint64_t told = 0;
    TimePoint told_at = meter.began;
    for (bool ended = false; !ended;) {
        const std::uint64_t step = counted.bytes < kBulkBytes ? kCountEach : kCountEachLater;
        const TimePoint before = patient.loop.refresh_now();
        if (counted.bytes - told >= step || before - told_at >= kCountInterval) {
            told = counted.bytes;
            told_at = before;
            meter.read(counted);
            ALKNET_CO_CHECK(co_await patient.write(encode(counted)));
        }
        const TimePoint waits = patient.loop.refresh_now();
        ALKNET_CO_TRY(const auto frame, co_await read_frame(patient.reader, *patient.stream));
        counted.waited_microseconds += us(patient.loop.refresh_now() - waits);
        ended = frame && frame->type == FrameType::end;
        if (frame && frame->type == FrameType::download) {
            ALKNET_CO_CHECK(co_await order(patient, frame->body));
            continue;
        }
        if (!frame || (!ended && frame->type != FrameType::data)) {
            co_return fail(causes::kProtocol, "data without an end");
        }
        counted.bytes += frame->body.size();
        patient.bytes += frame->body.size();
        if (patient.bytes > options_.bytes_max) {
            co_return fail(causes::kLimit, "a diagnosis takes no more octets");
        }
    }
    meter.read(counted);
    co_return co_await patient.write(encode(counted, FrameType::end));
}

// What is ordered is sent while other frames are answered; one order after the other.
task<result<void>> DoctorHandler::order(Patient& patient, BytesView body) {
    ALKNET_CO_TRY(const Download order, decode_download(body));
    if (++patient.orders > options_.orders_max) {
        co_return fail(causes::kLimit, "a diagnosis has ordered often enough");
    }
    ALKNET_CO_CHECK(co_await patient.idle());
    patient.giving = true;
    patient.work.spawn(give(patient, order), "doctor.give");
    co_return result<void>();
}

task<result<void>> DoctorHandler::give(Patient& patient, Download order) {
    const Bytes frame = encode_frame(FrameType::data, Bytes(kGiveBytes));
    const Meter meter = this->meter(patient);
    const TimePoint ends = meter.began + std::chrono::milliseconds(order.milliseconds);
    Counted counted;
    counted.given = true;
    while (counted.bytes < order.bytes && patient.loop.refresh_now() < ends) {
        const std::uint64_t left = order.bytes - counted.bytes;
        const std::size_t size = std::min<std::uint64_t>(left, kGiveBytes);
        if (patient.bytes + size > options_.bytes_max) {
            co_return fail(causes::kLimit, "a diagnosis sends no more octets");
        }
        const TimePoint before = patient.loop.now();
        if (size == kGiveBytes) {
            ALKNET_CO_CHECK(co_await patient.turn.write(*patient.stream, frame));
        } else {
            ALKNET_CO_CHECK(co_await patient.write(encode_frame(FrameType::data, Bytes(size))));
        }
        counted.waited_microseconds += us(patient.loop.refresh_now() - before);
        counted.bytes += size;
        patient.bytes += size;
    }
    meter.read(counted);
    ALKNET_CO_CHECK(co_await patient.write(encode(counted, FrameType::end)));
    patient.giving = false;
    patient.given.wake_all();
    co_return result<void>();
}

task<result<void>> DoctorHandler::exchange(Patient& patient, BytesView body) {
    ALKNET_CO_TRY(const Report theirs, decode_report(body));
    if (++patient.reports > options_.reports_max) {
        co_return fail(causes::kLimit, "a diagnosis has exchanged enough reports");
    }
    const SocketAddress remote = patient.connection->remote();
    const auto wall = patient.loop.wall_now().time_since_epoch();
    Report ours;
    ours.program = options_.program;
    ours.unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
    ours.beginnings = options_.beginnings ? options_.beginnings(remote) : 0;
    if (options_.checks) {
        ours.checks = checks_to_tell(options_.checks());
    }
    const bool v6 = remote.family() == SocketAddress::Family::v6;
    if (theirs.listens_udp != 0) {
        ours.ways.push_back(
            co_await dial_back(patient, v6 ? Way::quic_v6 : Way::quic_v4, theirs.listens_udp));
    }
    if (theirs.listens_tcp != 0) {
        ours.ways.push_back(
            co_await dial_back(patient, v6 ? Way::tcp_v6 : Way::tcp_v4, theirs.listens_tcp));
    }
    std::erase_if(ours.ways,
                  [](const WayReport& way) { return way.outcome == Outcome::not_tried; });
    const Bytes encoded = encode_report(ours);
    co_return co_await patient.write(encode_frame(FrameType::report, encoded));
}

// Only ever to the address that the peer has proven to be at, by its handshake: a client of QUIC
// can claim to have moved to any other. Only if its own key answers, and only where this node would
// dial the peer that way.
task<WayReport> DoctorHandler::dial_back(const Patient& patient, Way way, std::uint16_t port) {
    WayReport report;
    report.way = way;
    const SocketAddress& proven = patient.connection->info().remote;
    if (options_.dialer == nullptr || patient.peer.kind != PeerIdentity::Kind::raw_key ||
        patient.connection->remote().ip() != proven.ip()) {
        co_return report;
    }
    if (options_.may_dial && !options_.may_dial(patient.peer, way)) {
        co_return report;
    }
    report.remote = proven.with_port(port);
    const NodeAddress address{
        .id = patient.peer.key, .host = report.remote.ip_text(), .port = port};
    DialOptions options;
    options.alpns = {std::string(kDoctorAlpn), "alknet/echo"};
    options.quic = is_quic(way);
    options.tcp = !is_quic(way);
    options.proxy = false;
    options.transport.handshake_timeout = options_.dial_back_timeout;
    const TimePoint began = patient.loop.refresh_now();
    auto dialled = co_await options_.dialer->dial(address, std::move(options));
    if (dialled) {
        report.outcome = Outcome::connected;
        report.handshake_us = static_cast<std::uint32_t>(us(patient.loop.refresh_now() - began));
        (*dialled)->close(close_code::kOk, {});
    } else {
        report.outcome = outcome_of(dialled.error());
    }
    co_return report;
}

}  // namespace alknet::doctor
