// What a session answers by itself: the node's operations, over any SSH client.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/rt/combine.hpp>
#include <utility>

#include "forward.hpp"
#include "printable.hpp"
#include "session.hpp"

namespace alknet::ssh {

namespace {

constexpr std::uint32_t kFailed = 1;
constexpr std::uint32_t kNotUnderstood = 2;
constexpr std::uint32_t kMayNot = 126;  // as a shell has it

constexpr std::string_view kHelp =
    "help                    this\n"
    "ops                     the operations of this node that you may call\n"
    "call OPERATION [INPUT]  call one; INPUT is JSON, or - for what comes on standard input.\n"
    "                        A subscription prints a line for each item, until you leave.\n"
    "What a rule allows is forwarded: ssh -N -L, -R, -D or -W.\n";

std::uint32_t status_of(const error& why) noexcept {
    if (why.is(causes::kUsage)) {
        return kNotUnderstood;
    }
    return why.is(errc::forbidden) || why.is(errc::auth_required) ? kMayNot : kFailed;
}

std::string list_of(const std::vector<call::OperationPtr>& operations) {
    std::string text;
    for (const call::OperationPtr& one : operations) {
        text += one->name + "  " + std::string(to_string(one->kind)) + "  " +
                printable(one->about) + "\n";
    }
    return text;
}

}  // namespace

/// A line for each item, as fast as the client takes them.
class Session::CommandItems final : public call::ItemSink {
public:
    CommandItems(Session& session, Forward& forward) noexcept
        : session_(session), forward_(forward) {}
    task<result<void>> give(call::Item item) override {
        return session_.print(forward_, item.output.text() + "\n");
    }

private:
    Session& session_;
    Forward& forward_;
};

result<void> Session::may_call() const {
    if (adapter_.options_.operations == nullptr || !adapter_.options_.may_call) {
        return fail(causes::kForbidden, "this node offers no operations over SSH");
    }
    return adapter_.options_.may_call(*identity_, peer_.auth.transport);
}

bool Session::is_for_node(const Program& program) const {
    if (!program.command || !may_call()) {
        return false;
    }
    const auto command = NodeCommand::parse(*program.command);
    return !command || command->has_value();
}

task<result<void>> Session::run_command(Forward& forward) {
    forward.program->caller = *identity_;
    const auto command = NodeCommand::parse(*forward.program->command);
    result<void> done = command ? result<void>() : unexpected(command.error());
    if (command) {
        done = co_await answer_command(forward, **command);
    }
    drop_input(forward);
    if (done) {
        co_return end_program(forward, exit_status(0));
    }
    const error& why = done.error();
    if (why.is(errc::cancelled)) {
        co_return done;
    }
    ALKNET_CO_CHECK(co_await say(
        forward, in_terminal(forward, "alknet: " + printable(why.message()) + "\n"), kErrorData));
    co_return end_program(forward, exit_status(status_of(why)));
}

task<result<void>> Session::answer_command(Forward& forward, NodeCommand command) {
    if (command.kind == NodeCommand::Kind::help) {
        co_return co_await print(forward, std::string(kHelp));
    }
    ALKNET_CO_CHECK(may_call());
    const call::OperationRegistry& operations = *adapter_.options_.operations;
    if (command.kind == NodeCommand::Kind::ops) {
        co_return co_await print(forward, list_of(operations.visible_to(identity_)));
    }
    ALKNET_CO_TRY(const call::OperationPtr operation,
                  operations.find(command.operation, identity_));
    ALKNET_CO_TRY(call::Json input, co_await input_of(forward, command));
    call::CallContext context{
        .identity = identity_, .transport = peer_.auth.transport, .connected = began_};
    if (operation->kind == call::Operation::Kind::subscription) {
        CommandItems items(*this, forward);
        co_return co_await operations.subscribe(command.operation, std::move(context),
                                                std::move(input), items);
    }
    context.deadline = loop_.now() + kNodeCallTime;
    auto calling = operations.call(command.operation, std::move(context), std::move(input));
    ALKNET_CO_TRY(const call::Json output,
                  co_await with_timeout(kNodeCallTime, std::move(calling)));
    co_return co_await print(forward, output.text() + "\n");
}

// What nobody reads is dropped from the beginning.
task<result<call::Json>> Session::input_of(Forward& forward, const NodeCommand& command) {
    std::string text = command.input;
    if (command.reads_input()) {
        while (!forward.eof_in && forward.left().size() <= kNodeInputBytesMax) {
            forward.arrived.clear();
            ALKNET_CO_CHECK(co_await forward.arrived.wait());
        }
        text = as_text(forward.left());
    }
    drop_input(forward);
    if (text.size() > kNodeInputBytesMax) {
        co_return fail(causes::kLimit, "the input is too large");
    }
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
        co_return call::Json();
    }
    auto input = call::parse_json(text);
    if (!input) {
        co_return fail(causes::kUsage, "the input is no JSON: " + input.error().detail());
    }
    co_return input;
}

task<result<void>> Session::print(Forward& forward, std::string text) {
    return say(forward, in_terminal(forward, std::move(text)), kPlainData);
}

// The client's terminal is raw, and its lines end where the node says so.
std::string Session::in_terminal(const Forward& forward, std::string text) {
    if (!forward.program->terminal) {
        return text;
    }
    std::string lines;
    for (const char c : text) {
        lines += c == '\n' ? "\r\n" : std::string(1, c);
    }
    return lines;
}

}  // namespace alknet::ssh
