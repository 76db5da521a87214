// What one connection carries: round trips, single datagrams, a bulk of octets in each direction.
#pragma once

#include <alknet/doctor/frames.hpp>
#include <alknet/doctor/report.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <memory>
#include <optional>

namespace alknet::doctor {

/// Microseconds, at least one, at most what fits.
[[nodiscard]] std::uint32_t us32(Duration duration);

/// Sends single datagrams to a service that sends them back, so slowly that no queue fills, and
/// counts them into `way`, whose round trip is known. Nothing where there are no datagrams.
/// Errors: kCancelled.
task<result<void>> exchange_datagrams(Loop& loop, Connection& connection, WayReport& way);

/// A diagnosis under way on one stream.
class Carrying {
public:
    static constexpr std::uint32_t kDatagrams = 30;
    static constexpr std::size_t kDatagramBytes = 100;
    static constexpr Duration kDatagramInterval = std::chrono::milliseconds(10);
    static constexpr int kLooks = 3;
    /// For answers that are a few octets.
    static constexpr Duration kAnswerTimeout = std::chrono::seconds(8);

    Carrying(Loop& loop, std::shared_ptr<Connection> connection, WayReport& way)
        : loop_(loop), connection_(std::move(connection)), way_(way) {}

    /// Opens the stream and fills in the way, as far as it gets. Errors: kAuthRequired and others
    /// before the first answer, kCancelled.
    task<result<void>> run();
    /// Errors: kProtocol, kTimeout, those of the stream.
    task<result<Report>> exchange(Report ours);

    [[nodiscard]] const std::optional<Seen>& seen() const noexcept { return seen_; }
    /// Our wall clock when `seen` was made there, in milliseconds since 1970.
    [[nodiscard]] std::int64_t unix_ms() const noexcept { return unix_ms_; }

private:
    task<result<void>> look();
    task<result<void>> carry();
    task<result<void>> send_datagrams();
    task<result<void>> upload();
    task<result<void>> send_bulk();
    task<result<void>> read_counts(TimePoint began);
    task<result<void>> download();
    task<result<void>> read_bulk(TimePoint began);
    task<result<Report>> read_report(Report ours);

    Loop& loop_;
    std::shared_ptr<Connection> connection_;
    WayReport& way_;
    std::unique_ptr<BiStream> stream_;
    FrameReader reader_;
    std::optional<Seen> seen_;
    std::int64_t unix_ms_ = 0;
};

}  // namespace alknet::doctor
