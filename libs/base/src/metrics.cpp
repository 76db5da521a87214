#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/base/utf8.hpp>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>
#include <variant>

namespace alknet {

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), buckets_(bounds.size() + 1) {
    ALKNET_ASSERT(std::ranges::is_sorted(bounds_, std::less_equal<>()) || bounds_.size() < 2);
    ALKNET_ASSERT(std::ranges::all_of(bounds_, [](double bound) { return std::isfinite(bound); }));
}

void Histogram::observe(double value) noexcept {
    if (std::isnan(value)) {
        return;
    }
    const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
    buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const noexcept {
    std::uint64_t total = 0;
    for (const auto& bucket : buckets_) {
        total += bucket.load(std::memory_order_relaxed);
    }
    return total;
}

template <class Metric>
MetricFamily<Metric>::MetricFamily(std::vector<std::string> labels, std::vector<double> bounds,
                                   std::size_t series_max)
    : labels_(std::move(labels)), bounds_(std::move(bounds)), series_max_(series_max) {
    if (labels_.empty()) {
        (void)member({});  // a metric without labels is there, at 0, from the start
    }
}

template <class Metric>
Metric& MetricFamily<Metric>::with(std::initializer_list<std::string_view> values) {
    ALKNET_ASSERT(values.size() == labels_.size());
    return member(Values(values.begin(), values.end()));
}

template <class Metric>
Metric& MetricFamily<Metric>::member(Values values) {
    const std::lock_guard lock(mutex_);
    auto found = members_.find(values);
    if (found == members_.end()) {
        if (members_.size() >= series_max_) {
            values.assign(labels_.size(), "other");
        }
        found = members_.try_emplace(std::move(values)).first;
    }
    if (found->second == nullptr) {
        if constexpr (std::is_same_v<Metric, Histogram>) {
            found->second = std::make_unique<Metric>(bounds_);
        } else {
            found->second = std::make_unique<Metric>();
        }
    }
    return *found->second;
}

template class MetricFamily<Counter>;
template class MetricFamily<Gauge>;
template class MetricFamily<Histogram>;

struct Metrics::Entry {
    std::string help;
    std::variant<std::unique_ptr<MetricFamily<Counter>>, std::unique_ptr<MetricFamily<Gauge>>,
                 std::unique_ptr<MetricFamily<Histogram>>>
        family;
};

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

namespace {

bool is_name(std::string_view name, bool colon_allowed) noexcept {
    const auto letter = [colon_allowed](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
               (c == ':' && colon_allowed);
    };
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return !name.empty() && !digit(name[0]) &&
           std::ranges::all_of(name, [&](char c) { return letter(c) || digit(c); });
}

bool is_label(std::string_view name) noexcept {
    return is_name(name, false) && !name.starts_with("__") && name != "le";
}

std::string number(double value) {
    if (std::isinf(value)) {
        return value > 0 ? "+Inf" : "-Inf";
    }
    std::array<char, 32> text{};
    // "0.0005" and not "5e-04": bounds are written the way people search for them.
    const double size = std::fabs(value);
    const bool plain = size == 0 || (size >= 1e-7 && size < 1e15);
    const auto form = plain ? std::chars_format::fixed : std::chars_format::general;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, form).ptr;
    return {text.data(), end};
}

/// Both kinds of text are UTF-8 with \\ and \n; label values have \" too.
std::string escaped(std::string_view text, bool quotes) {
    std::string out;
    for (const char c : to_valid_utf8(text)) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && quotes) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
    return out;
}

/// `{a="x",b="y"}`, with `le` behind them if it is given; nothing if there are no labels.
std::string label_text(const std::vector<std::string>& labels,
                       const std::vector<std::string>& values, std::string_view le = {}) {
    std::string text;
    const auto add = [&text](std::string_view label, std::string_view value) {
        text.append(text.empty() ? "{" : ",").append(label);
        text.append("=\"").append(escaped(value, true)).append("\"");
    };
    for (std::size_t i = 0; i < labels.size(); ++i) {
        add(labels[i], values[i]);
    }
    if (!le.empty()) {
        add("le", le);
    }
    return text.empty() ? text : text + "}";
}

void write_line(std::string& out, std::string_view name, std::string_view suffix,
                std::string_view labels, std::string_view value) {
    out.append(name).append(suffix).append(labels).append(" ").append(value).append("\n");
}

struct Writer {
    std::string& out;
    std::string_view name;
    const std::vector<std::string>& labels;
    const std::vector<std::string>& values;

    void write(const Counter& counter) const {
        write_line(out, name, "", label_text(labels, values), std::to_string(counter.value()));
    }
    void write(const Gauge& gauge) const {
        write_line(out, name, "", label_text(labels, values), std::to_string(gauge.value()));
    }
    void write(const Histogram& histogram) const {
        std::uint64_t below = 0;
        const auto bounds = histogram.bounds();
        for (std::size_t i = 0; i <= bounds.size(); ++i) {
            below += histogram.bucket(i);
            const std::string le = i < bounds.size() ? number(bounds[i]) : "+Inf";
            write_line(out, name, "_bucket", label_text(labels, values, le), std::to_string(below));
        }
        const std::string text = label_text(labels, values);
        write_line(out, name, "_sum", text, number(histogram.sum()));
        write_line(out, name, "_count", text, std::to_string(below));
    }
};

void read(const Counter& counter, MetricSeries& into) {
    into.value = static_cast<std::int64_t>(counter.value());
}
void read(const Gauge& gauge, MetricSeries& into) {
    into.value = gauge.value();
}
void read(const Histogram& histogram, MetricSeries& into) {
    for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
        into.buckets.push_back(histogram.bucket(i));
    }
    into.count = std::accumulate(into.buckets.begin(), into.buckets.end(), std::uint64_t{0});
    into.sum = histogram.sum();
}

constexpr std::array<std::string_view, 3> kTypes = {"counter", "gauge", "histogram"};

}  // namespace

std::string Metrics::text() const {
    std::string out;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : entries_) {
        out.append("# HELP ").append(name).append(" ").append(escaped(entry.help, false));
        out.append("\n# TYPE ").append(name).append(" ").append(kTypes[entry.family.index()]);
        out.append("\n");
        std::visit(
            [&out, &metric_name = name](const auto& family) {
                const std::lock_guard members(family->mutex_);
                for (const auto& [values, metric] : family->members_) {
                    Writer{out, metric_name, family->labels_, values}.write(*metric);
                }
            },
            entry.family);
    }
    return out;
}

std::vector<MetricSummary> Metrics::list(std::string_view prefix) const {
    std::vector<MetricSummary> all;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : entries_) {
        if (!name.starts_with(prefix)) {
            continue;
        }
        MetricSummary& summary = all.emplace_back(
            MetricSummary{.name = name, .help = entry.help, .type = kTypes[entry.family.index()]});
        std::visit(
            [&summary](const auto& family) {
                const std::lock_guard members(family->mutex_);
                summary.labels = family->labels_;
                summary.bounds = family->bounds_;
                for (const auto& [values, metric] : family->members_) {
                    read(*metric, summary.series.emplace_back(MetricSeries{.values = values}));
                }
            },
            entry.family);
    }
    return all;
}

template <class Metric>
MetricFamily<Metric>& Metrics::family(std::string_view name, std::string_view help,
                                      std::vector<std::string> labels, std::vector<double> bounds,
                                      std::size_t series_max) {
    using Family = std::unique_ptr<MetricFamily<Metric>>;
    ALKNET_ASSERT(is_name(name, true));
    ALKNET_ASSERT(std::ranges::all_of(labels, is_label));
    ALKNET_ASSERT(series_max > 0);
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
        auto made = std::make_unique<MetricFamily<Metric>>(std::move(labels), std::move(bounds),
                                                           series_max);
        MetricFamily<Metric>& reference = *made;
        entries_.emplace(name, Entry{.help = std::string(help), .family = std::move(made)});
        return reference;
    }
    ALKNET_ASSERT(std::holds_alternative<Family>(found->second.family));
    MetricFamily<Metric>& known = *std::get<Family>(found->second.family);
    ALKNET_ASSERT(known.labels_ == labels && known.bounds_ == bounds);
    return known;
}

Counter& Metrics::counter(std::string_view name, std::string_view help) {
    return family<Counter>(name, help, {}, {}, 1).with({});
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help) {
    return family<Gauge>(name, help, {}, {}, 1).with({});
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              std::span<const double> bounds) {
    return family<Histogram>(name, help, {}, {bounds.begin(), bounds.end()}, 1).with({});
}

MetricFamily<Counter>& Metrics::counters(std::string_view name, std::string_view help,
                                         std::initializer_list<std::string_view> labels,
                                         std::size_t series_max) {
    return family<Counter>(name, help, {labels.begin(), labels.end()}, {}, series_max);
}

MetricFamily<Gauge>& Metrics::gauges(std::string_view name, std::string_view help,
                                     std::initializer_list<std::string_view> labels,
                                     std::size_t series_max) {
    return family<Gauge>(name, help, {labels.begin(), labels.end()}, {}, series_max);
}

MetricFamily<Histogram>& Metrics::histograms(std::string_view name, std::string_view help,
                                             std::initializer_list<std::string_view> labels,
                                             std::span<const double> bounds,
                                             std::size_t series_max) {
    return family<Histogram>(name, help, {labels.begin(), labels.end()},
                             {bounds.begin(), bounds.end()}, series_max);
}

}  // namespace alknet
