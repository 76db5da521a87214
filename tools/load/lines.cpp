#include "lines.hpp"

#include <alknet/net/stdio_stream.hpp>
#include <array>

namespace alknet::load {

result<Lines> Lines::create(Loop& loop) {
    ALKNET_TRY(auto stream, net::make_stdio_stream(loop));
    return Lines(std::move(stream));
}

task<result<std::optional<std::string>>> Lines::next() {
    for (;;) {
        const std::size_t end = read_.find('\n');
        if (end != std::string::npos) {
            std::string line = read_.substr(0, end);
            read_.erase(0, end + 1);
            co_return line;
        }
        std::array<std::byte, 256> buffer{};
        ALKNET_CO_TRY(const std::size_t count, co_await stream_->read(buffer));
        if (count == 0) {
            co_return std::nullopt;
        }
        read_ += as_text(BytesView(buffer).first(count));
    }
}

task<result<void>> Lines::print(std::string line) {
    line += '\n';
    co_return co_await stream_->write(as_bytes(line));
}

}  // namespace alknet::load
