// ProgramCalls: the operations of a program that speaks alknet/call: learnt when it starts, called
// over one connection, each subscription over one of its own.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/imported.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <memory>
#include <string>

#include "door.hpp"

namespace alknet::exec {

class ProgramCalls final : public call::RemoteCalls {
public:
    /// How long a program that has started has to say what it offers.
    static constexpr Duration kDiscoveryTimeout = std::chrono::seconds(20);

    ProgramCalls(Loop& loop, std::shared_ptr<Door> door, Log log)
        : loop_(loop), door_(std::move(door)), log_(std::move(log)) {}

    /// One life of the program: what it offers becomes `operations`, and calls get there until its
    /// connection ends. Errors: why it is of no use; kCancelled.
    task<result<void>> session(std::shared_ptr<call::ImportedOperations> operations);

    /// Errors: those that the program tells; kProgramDown; kLimit; kCancelled.
    task<result<call::Json>> call(std::string operation, call::CallContext context,
                                  call::Json input) override;
    task<result<void>> subscribe(std::string operation, call::CallContext context, call::Json input,
                                 call::ItemSink& items) override;

private:
    class Link;
    task<result<void>> offer(Link& link, call::ImportedOperations& operations);
    [[nodiscard]] error explain(const Link& link, error why) const;

    Loop& loop_;
    const std::shared_ptr<Door> door_;
    const Log log_;
    std::shared_ptr<Link> link_;  // null: the program is not there
};

}  // namespace alknet::exec
