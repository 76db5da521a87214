// ProgramHandler: serves an ALPN by a program, one connection to it for each stream.
#pragma once

#include <alknet/core/stream_handler.hpp>
#include <memory>
#include <string>

#include "door.hpp"

namespace alknet::exec {

struct ProgramHandlerOptions {
    std::string alpn;
    bool proxy_header = false;
};

class ProgramHandler final : public StreamHandler {
public:
    ProgramHandler(Loop& loop, std::shared_ptr<Door> door, ProgramHandlerOptions options)
        : loop_(loop), door_(std::move(door)), options_(std::move(options)) {}

    [[nodiscard]] std::vector<std::string> alpns() const override { return {options_.alpn}; }

protected:
    task<result<void>> handle_stream(BiStream& stream, const StreamContext& context) override;

private:
    Loop& loop_;
    const std::shared_ptr<Door> door_;
    const ProgramHandlerOptions options_;
};

/// What a program is told of its peer: docs/exec.md has the types.
[[nodiscard]] result<Bytes> describe_peer(const StreamContext& context, std::uint64_t stream);

}  // namespace alknet::exec
