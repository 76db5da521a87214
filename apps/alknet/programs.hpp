// The programs of [[exec]], for the node that starts them. Of the two sources of this, one is
// built: programs.cpp where the exec room is.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/config/config.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <filesystem>
#include <memory>
#include <vector>

#include "node.hpp"
#include "node_info.hpp"

namespace alknet::app {

class NodePrograms {
public:
    virtual ~NodePrograms() = default;
    /// For the node, which may outlive this.
    [[nodiscard]] virtual std::vector<FurtherService> services() const = 0;
    /// For the node's operations, which may outlive this.
    [[nodiscard]] virtual std::vector<std::shared_ptr<const call::OperationSource>> operations()
        const = 0;
    /// Runs them until it is cancelled; then they have ended. Errors: kCancelled.
    virtual task<result<void>> run() = 0;
    [[nodiscard]] virtual std::vector<ProgramInfo> info() const = 0;
};

/// Null: there are none. Errors: kProgramUser; kNotSupported where this build has no exec room.
result<std::unique_ptr<NodePrograms>> make_programs(Loop& loop,
                                                    const std::vector<config::Program>& programs,
                                                    const std::filesystem::path& home, Log log);

}  // namespace alknet::app
