// Numbers and texts as octets, big-endian. Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace alknet {

class WireWriter {
public:
    template <class Number>
    void number(Number value) {
        const auto bits = static_cast<std::uint64_t>(value);
        for (std::size_t i = sizeof(Number); i > 0; --i) {
            out_.push_back(static_cast<std::byte>(bits >> (8 * (i - 1))));
        }
    }
    void append(BytesView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }
    /// Its length comes first, as a `Size`, which it fits.
    template <class Size>
    void text(std::string_view value) {
        number(static_cast<Size>(value.size()));
        append(as_bytes(value));
    }
    [[nodiscard]] BytesView view() const noexcept { return out_; }
    [[nodiscard]] Bytes take() noexcept { return std::move(out_); }

private:
    Bytes out_;
};

/// Once something is missing everything is, and nothing is left, so that a loop to the end has one:
/// `ok` or `complete` is asked there.
class WireReader {
public:
    explicit WireReader(BytesView bytes) noexcept : rest_(bytes) {}

    template <class Number>
    Number number() noexcept {
        std::uint64_t bits = 0;
        for (const std::byte octet : take(sizeof(Number))) {
            bits = bits << 8 | static_cast<std::uint8_t>(octet);
        }
        return static_cast<Number>(bits);
    }
    template <class Size>
    std::string text() {
        return std::string(as_text(take(number<Size>())));
    }
    /// Fewer than asked for only when nothing of it is left.
    BytesView take(std::size_t size) noexcept {
        if (!ok_ || size > rest_.size()) {
            refuse();
            return {};
        }
        const BytesView taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    /// As if something was missing: what was read makes no sense.
    void refuse() noexcept {
        ok_ = false;
        rest_ = {};
    }
    /// Everything was there, and nothing else.
    [[nodiscard]] bool complete() const noexcept { return ok_ && rest_.empty(); }

private:
    BytesView rest_;
    bool ok_ = true;
};

}  // namespace alknet
