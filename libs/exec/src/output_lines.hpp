// OutputLines: what a program says, as lines for the log. Sans-I/O. A program that says more than
// the log can take loses lines, which are counted, and not the node its time.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/rt/time.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace alknet::exec {

class OutputLines {
public:
    /// Longer ones are several.
    static constexpr std::size_t kLineBytesMax = 1000;
    static constexpr std::uint64_t kLinesPerSecond = 20;
    static constexpr std::uint64_t kLinesBurst = 100;

    using Take = std::function<void(std::string_view line)>;
    explicit OutputLines(Take take) : take_(std::move(take)) {}

    void push(BytesView octets, TimePoint now);
    /// What stands at the end without an end of line.
    void end(TimePoint now);
    /// How many were left out since this was asked last.
    [[nodiscard]] std::uint64_t take_dropped() noexcept { return std::exchange(dropped_, 0); }

private:
    void line(TimePoint now);

    Take take_;
    std::string line_;
    std::uint64_t dropped_ = 0;
    std::uint64_t tokens_ = kLinesBurst;
    TimePoint refilled_{};
};

}  // namespace alknet::exec
