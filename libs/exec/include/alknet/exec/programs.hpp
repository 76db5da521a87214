// Programs: the services that are programs of their own ([[exec]] of alknet.toml). One object for a
// node, on its own loop; the handlers that it makes are for any loop.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/config/config.hpp>
#include <alknet/core/handler.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::exec {

enum class ProgramState : std::uint8_t { stopped, starting, running, waiting, given_up };
[[nodiscard]] std::string_view to_string(ProgramState state) noexcept;

struct ProgramStatus {
    std::string name;
    ProgramState state = ProgramState::stopped;
    std::int64_t process = 0;  // its id; 0: there is none
    std::uint64_t ends = 0;    // since the node started
    std::string last_end;      // how the last one came about
    std::uint64_t streams = 0;
};

/// A program that serves an ALPN, and what a peer needs for it.
struct ProgramService {
    std::string alpn;
    std::string scope;
};

struct ProgramsOptions {
    std::vector<config::Program> programs;
    std::filesystem::path directory;  // where their sockets are: for the node's user alone
    Log log{};
};

class Programs {
public:
    /// Nothing runs yet. Errors: kProgramUser.
    [[nodiscard]] static result<std::unique_ptr<Programs>> create(Loop& loop,
                                                                  ProgramsOptions options);
    virtual ~Programs() = default;

    [[nodiscard]] virtual std::vector<ProgramService> services() const = 0;
    /// The operations of those that have some: one source for each. They run on the loop of this,
    /// and may be called for as long as this is there.
    [[nodiscard]] virtual std::vector<std::shared_ptr<const call::OperationSource>> operations()
        const = 0;
    /// For one of `services`; it outlives this object.
    [[nodiscard]] virtual std::shared_ptr<ProtocolHandler> make_handler(std::string_view alpn,
                                                                        Loop& loop) const = 0;
    /// Runs them all until it is cancelled; then they have ended. Once. Errors: kCancelled.
    virtual task<result<void>> run() = 0;
    /// In the order of the configuration.
    [[nodiscard]] virtual std::vector<ProgramStatus> status() const = 0;
};

}  // namespace alknet::exec
