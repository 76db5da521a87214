#include "output_lines.hpp"

#include <algorithm>

namespace alknet::exec {

void OutputLines::push(BytesView octets, TimePoint now) {
    std::string_view text = as_text(octets);
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::size_t taken = std::min(end, kLineBytesMax - line_.size());
        line_.append(text.substr(0, taken));
        text.remove_prefix(taken);
        if (text.empty()) {
            return;
        }
        if (text.front() == '\n') {
            text.remove_prefix(1);
        }
        line(now);
    }
}

void OutputLines::end(TimePoint now) {
    line(now);
}

void OutputLines::line(TimePoint now) {
    if (line_.empty()) {
        return;
    }
    constexpr Duration kEach = std::chrono::nanoseconds(std::chrono::seconds(1)) / kLinesPerSecond;
    const auto fresh = static_cast<std::uint64_t>((now - refilled_) / kEach);
    if (fresh > 0) {
        tokens_ = fresh >= kLinesBurst ? kLinesBurst : std::min(tokens_ + fresh, kLinesBurst);
        refilled_ = now;
    }
    if (tokens_ == 0) {
        ++dropped_;
    } else {
        --tokens_;
        take_(line_);
    }
    line_.clear();
}

}  // namespace alknet::exec
