// Counters, gauges and histograms, and their text for Prometheus (exposition format 0.0.4). Metrics
// is made in main and handed down. Everything is thread-safe; increments are relaxed atomics.
//
// A family is looked up once, where an object is made; `with` takes a lock, so keep what it returns
// for as long as the label values hold (a connection, a listener).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alknet {

class Counter {
public:
    void add(std::uint64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t value() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint64_t> value_ = 0;
};

class Gauge {
public:
    void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
    void sub(std::int64_t by = 1) noexcept { value_.fetch_sub(by, std::memory_order_relaxed); }
    [[nodiscard]] std::int64_t value() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<std::int64_t> value_ = 0;
};

class Histogram {
public:
    /// Upper bounds of the buckets, finite and ascending; one for everything above is added.
    explicit Histogram(std::span<const double> bounds);

    /// NaN is not counted.
    void observe(double value) noexcept;

    [[nodiscard]] std::span<const double> bounds() const noexcept { return bounds_; }
    /// Observations in the bucket alone, not in those below; the last bucket has no bound.
    [[nodiscard]] std::uint64_t bucket(std::size_t index) const noexcept {
        return buckets_[index].load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t count() const noexcept;
    [[nodiscard]] double sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

private:
    std::vector<double> bounds_;
    std::vector<std::atomic<std::uint64_t>> buckets_;
    std::atomic<double> sum_ = 0;
};

/// Seconds, from a local round trip to a slow handshake.
inline constexpr std::array kSecondsBuckets = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                               0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};

/// The members of a metric that differ in the values of its labels.
template <class Metric>
class MetricFamily {
public:
    MetricFamily(std::vector<std::string> labels, std::vector<double> bounds,
                 std::size_t series_max);

    /// One value for each label, in the family's order. Once the family has `series_max` members,
    /// new values share the member whose values are all "other". The reference stays valid.
    Metric& with(std::initializer_list<std::string_view> values);

private:
    friend class Metrics;
    using Values = std::vector<std::string>;
    Metric& member(Values values);

    const std::vector<std::string> labels_;
    const std::vector<double> bounds_;
    const std::size_t series_max_;
    mutable std::mutex mutex_;
    std::map<Values, std::unique_ptr<Metric>> members_;
};

/// A member of a family as it is at one moment.
struct MetricSeries {
    std::vector<std::string> values;  // of the labels, in the family's order
    std::int64_t value = 0;           // of a counter or a gauge
    // Of a histogram:
    std::uint64_t count = 0;
    double sum = 0;
    std::vector<std::uint64_t> buckets{};  // in each alone; the last has no bound
};
struct MetricSummary {
    std::string name;
    std::string help;
    std::string_view type;  // "counter", "gauge", "histogram"
    std::vector<std::string> labels{};
    std::vector<double> bounds{};
    std::vector<MetricSeries> series{};  // sorted by their values
};

class Metrics {
public:
    /// Members of a family, unless it says otherwise: labels may come from outside.
    static constexpr std::size_t kSeriesMax = 200;
    static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

    Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;
    ~Metrics();

    /// Names match [a-zA-Z_:][a-zA-Z0-9_:]*; by convention they begin with "alknet_", end in their
    /// unit, and counters in "_total". The same name again gives the same metric; with another type
    /// or other labels it is a bug. References live as long as this.
    Counter& counter(std::string_view name, std::string_view help);
    Gauge& gauge(std::string_view name, std::string_view help);
    Histogram& histogram(std::string_view name, std::string_view help,
                         std::span<const double> bounds = kSecondsBuckets);

    /// With labels, whose names match [a-zA-Z_][a-zA-Z0-9_]*.
    MetricFamily<Counter>& counters(std::string_view name, std::string_view help,
                                    std::initializer_list<std::string_view> labels,
                                    std::size_t series_max = kSeriesMax);
    MetricFamily<Gauge>& gauges(std::string_view name, std::string_view help,
                                std::initializer_list<std::string_view> labels,
                                std::size_t series_max = kSeriesMax);
    MetricFamily<Histogram>& histograms(std::string_view name, std::string_view help,
                                        std::initializer_list<std::string_view> labels,
                                        std::span<const double> bounds = kSecondsBuckets,
                                        std::size_t series_max = kSeriesMax);

    /// Everything, sorted by name and label values.
    [[nodiscard]] std::string text() const;
    /// The same, of those whose names begin with `prefix`.
    [[nodiscard]] std::vector<MetricSummary> list(std::string_view prefix = {}) const;

private:
    struct Entry;
    template <class Metric>
    MetricFamily<Metric>& family(std::string_view name, std::string_view help,
                                 std::vector<std::string> labels, std::vector<double> bounds,
                                 std::size_t series_max);

    mutable std::mutex mutex_;
    std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace alknet
