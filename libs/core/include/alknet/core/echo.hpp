// EchoHandler: sends back what it receives, on every bidirectional stream and as datagrams
// (docs/protocol/echo.md). For `alknet ping`, and for trying out a path.
#pragma once

#include <alknet/core/stream_handler.hpp>
#include <string_view>

namespace alknet {

inline constexpr std::string_view kEchoAlpn = "alknet/echo";

struct EchoOptions {
    std::size_t streams_max = 64;  // served at a time on one connection
    /// A stream on which nothing moves for this long is reset with code 8.
    Duration stream_idle_timeout = std::chrono::seconds(60);
};

class EchoHandler final : public StreamHandler {
public:
    static constexpr std::size_t kBufferBytes = 16 << 10;  // of each stream that is served

    explicit EchoHandler(EchoOptions options = {})
        : StreamHandler({.streams_max = options.streams_max}), options_(options) {}

    [[nodiscard]] std::vector<std::string> alpns() const override {
        return {std::string(kEchoAlpn)};
    }

private:
    task<result<void>> handle_beside(Connection& connection) override;
    task<result<void>> handle_stream(BiStream& stream, const StreamContext& context) override;

    EchoOptions options_;
};

}  // namespace alknet
