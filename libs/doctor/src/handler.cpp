#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <array>
#include <chrono>

#include "cpu_time.hpp"
#include "frame_stream.hpp"

namespace alknet::doctor {

namespace {

constexpr std::uint64_t kCountEach = 16 << 10;      // for the first
constexpr std::uint64_t kCountEachLater = 4 << 20;  // after kBulkBytes
constexpr std::size_t kGiveBytes = 16 << 10;        // of each data frame

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
    Mapping{&causes::kPeerUnverified, Outcome::unverified},
    Mapping{&causes::kTls, Outcome::tls},
    Mapping{&causes::kVersionMismatch, Outcome::tls},
    Mapping{&causes::kReset, Outcome::reset},
    Mapping{&causes::kStatelessReset, Outcome::reset},
    Mapping{&causes::kAuthRequired, Outcome::stranger},
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
    options.connections_max = 2;
    return options;
}

struct DoctorHandler::Patient {
    std::shared_ptr<Connection> connection;
    Loop& loop;
    const PeerIdentity& peer;
    FrameReader reader;
    std::uint32_t datagrams = 0;
    std::uint64_t bytes = 0;
};

namespace {

task<result<void>> echo_datagrams(std::shared_ptr<Connection> connection, std::uint32_t& count) {
    for (;;) {
        ALKNET_CO_TRY(const Bytes datagram, co_await connection->recv_datagram());
        ++count;
        (void)connection->send_datagram(datagram);
    }
}

}  // namespace

task<result<void>> DoctorHandler::handle(std::shared_ptr<Connection> connection, AuthContext auth) {
    if (!auth.identity) {
        co_return fail(causes::kAuthRequired);
    }
    if (running_ >= options_.connections_max) {
        co_return fail(causes::kLimit, "enough others are being served");
    }
    const TaskContext context = co_await current_context();
    Patient patient{.connection = connection,
                    .loop = *context.loop,
                    .peer = auth.peer,
                    .reader = {},
                    .datagrams = 0,
                    .bytes = 0};
    ++running_;
    TaskScope beside(*context.loop, context.cancel);
    if (connection->datagram_bytes_max() > 0) {
        beside.spawn(echo_datagrams(connection, patient.datagrams), context.name);
    }
    auto served = co_await with_timeout(options_.duration_max, serve(patient));
    if (!served && served.error().is(causes::kTimeout)) {
        served = fail(causes::kLimit, "a diagnosis ends after a while");
    }
    --running_;
    beside.cancel();
    (void)co_await beside.join();
    co_return served;
}

task<void> DoctorHandler::shutdown() {
    if (options_.dialer != nullptr) {
        co_await options_.dialer->shutdown();
    }
}

task<result<void>> DoctorHandler::serve(Patient& patient) {
    ALKNET_CO_TRY(const auto stream, co_await patient.connection->accept_bi());
    for (;;) {
        ALKNET_CO_TRY(const auto frame, co_await read_frame(patient.reader, *stream));
        if (!frame) {
            co_return co_await stream->finish();
        }
        ALKNET_CO_CHECK(co_await answer(patient, *stream, *frame));
    }
}

task<result<void>> DoctorHandler::answer(Patient& patient, BiStream& stream, Frame frame) {
    switch (frame.type) {
        case FrameType::look: {
            const SocketAddress observed = patient.connection->remote();
            const auto wall = patient.loop.wall_now().time_since_epoch();
            const Seen seen{
                .observed = observed,
                .unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count(),
                .beginnings = options_.beginnings ? options_.beginnings(observed) : 0,
                .datagrams = patient.datagrams};
            co_return co_await write_frame(stream, encode(seen));
        }
        case FrameType::data:
            co_return co_await take(patient, stream, frame.body.size());
        case FrameType::download: {
            ALKNET_CO_TRY(const Download order, decode_download(frame.body));
            co_return co_await give(patient, stream, order);
        }
        case FrameType::report: {
            const Bytes body = to_bytes(frame.body);
            co_return co_await exchange(patient, stream, body);
        }
        default:
            co_return fail(causes::kProtocol, "a frame that only the node sends");
    }
}

// Counts what comes, and says so now and then, until its end.
task<result<void>> DoctorHandler::take(Patient& patient, BiStream& stream, std::size_t first) {
    const TimePoint began = patient.loop.refresh_now();
    const std::uint64_t cpu = cpu_microseconds();
    Counted counted{
        .bytes = first, .microseconds = 0, .cpu_microseconds = 0, .waited_microseconds = 0};
    patient.bytes += first;
    std::uint64_t told = 0;
    for (bool ended = false; !ended;) {
        const std::uint64_t step = counted.bytes < kBulkBytes ? kCountEach : kCountEachLater;
        if (counted.bytes - told >= step) {
            told = counted.bytes;
            counted.microseconds = us(patient.loop.refresh_now() - began);
            counted.cpu_microseconds = cpu_microseconds() - cpu;
            ALKNET_CO_CHECK(co_await write_frame(stream, encode(counted)));
        }
        const TimePoint before = patient.loop.refresh_now();
        ALKNET_CO_TRY(const auto frame, co_await read_frame(patient.reader, stream));
        counted.waited_microseconds += us(patient.loop.refresh_now() - before);
        ended = frame && frame->type == FrameType::end;
        if (!frame || (!ended && frame->type != FrameType::data)) {
            co_return fail(causes::kProtocol, "data without an end");
        }
        counted.bytes += frame->body.size();
        patient.bytes += frame->body.size();
        if (patient.bytes > options_.bytes_max) {
            co_return fail(causes::kLimit, "a diagnosis takes no more octets");
        }
    }
    counted.microseconds = us(patient.loop.refresh_now() - began);
    counted.cpu_microseconds = cpu_microseconds() - cpu;
    co_return co_await write_frame(stream, encode(counted, FrameType::end));
}

task<result<void>> DoctorHandler::give(Patient& patient, BiStream& stream, Download order) {
    const Bytes frame = encode_frame(FrameType::data, Bytes(kGiveBytes));
    const TimePoint began = patient.loop.refresh_now();
    const TimePoint ends = began + std::chrono::milliseconds(order.milliseconds);
    const std::uint64_t cpu = cpu_microseconds();
    Counted counted;
    while (counted.bytes < order.bytes && patient.loop.refresh_now() < ends) {
        const std::uint64_t left = order.bytes - counted.bytes;
        const std::size_t size = std::min<std::uint64_t>(left, kGiveBytes);
        if (patient.bytes + size > options_.bytes_max) {
            co_return fail(causes::kLimit, "a diagnosis sends no more octets");
        }
        const TimePoint before = patient.loop.now();
        if (size == kGiveBytes) {
            ALKNET_CO_CHECK(co_await stream.write(frame));
        } else {
            ALKNET_CO_CHECK(
                co_await write_frame(stream, encode_frame(FrameType::data, Bytes(size))));
        }
        counted.waited_microseconds += us(patient.loop.refresh_now() - before);
        counted.bytes += size;
        patient.bytes += size;
    }
    counted.microseconds = us(patient.loop.refresh_now() - began);
    counted.cpu_microseconds = cpu_microseconds() - cpu;
    co_return co_await write_frame(stream, encode(counted, FrameType::end));
}

task<result<void>> DoctorHandler::exchange(Patient& patient, BiStream& stream, BytesView body) {
    ALKNET_CO_TRY(const Report theirs, decode_report(body));
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
    co_return co_await write_frame(stream, encode_frame(FrameType::report, encoded));
}

// Only ever to the address that the peer has proven to be at, and only if its own key answers.
task<WayReport> DoctorHandler::dial_back(const Patient& patient, Way way, std::uint16_t port) {
    WayReport report;
    report.way = way;
    if (options_.dialer == nullptr || patient.peer.kind != PeerIdentity::Kind::raw_key) {
        co_return report;
    }
    report.remote = patient.connection->remote().with_port(port);
    const NodeAddress address{
        .id = patient.peer.key, .host = report.remote.ip_text(), .port = port};
    DialOptions options;
    options.alpns = {std::string(kDoctorAlpn), "alknet/echo"};
    options.quic = is_quic(way);
    options.tcp = !is_quic(way);
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
