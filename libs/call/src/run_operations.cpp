#include <alknet/base/causes_call.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/call/typed_operation.hpp>
#include <utility>

#include "runs.hpp"

namespace alknet::call {

namespace {

constexpr std::size_t kRunIdBytesMax = 64;

struct RunInput {
    Text<kRunIdBytesMax> run;
    static constexpr std::array<std::string_view, 1> kAbout = {"as the detached call was answered"};
};
struct RunFailure {
    std::string code;
    std::string message;
    bool retryable = false;
    Json details;
};
struct RunReport {
    std::string run;
    std::string operation;
    std::string state;
    std::optional<Json> output{};
    std::optional<RunFailure> error{};
};

RunReport report(const RunTable::Run& run) {
    RunReport told{.run = run.id, .operation = "/" + run.operation, .state = "running"};
    if (run.outcome && *run.outcome) {
        told.state = "done";
        told.output = **run.outcome;
    } else if (run.outcome) {
        Failed failed = to_failed(run.outcome->error());
        told.state = "failed";
        told.error = RunFailure{.code = std::move(failed.code),
                                .message = std::move(failed.message),
                                .retryable = failed.retryable,
                                .details = std::move(failed.details)};
    }
    return told;
}

enum class What : std::uint8_t { get, wait, cancel };

task<result<RunReport>> look(std::shared_ptr<RunTable> runs, What what, CallContext context,
                             RunInput input) {
    const TaskContext here = co_await current_context();
    const auto run = runs->find(input.run.value, context.identity, here.loop->now());
    if (run == nullptr) {
        co_return fail(causes::kNoRun, input.run.value);
    }
    if (what == What::cancel) {
        run->cancel.request();
    }
    if (what != What::get) {
        ALKNET_CO_CHECK(co_await run->ended.wait());
    }
    co_return report(*run);
}

}  // namespace

void add_run_operations(OperationRegistry& registry, std::shared_ptr<RunTable> runs) {
    const auto add = [&](std::string_view name, std::string_view about, What what) {
        Operation operation;
        operation.name = std::string(name);
        operation.kind = what == What::cancel ? Operation::Kind::mutation : Operation::Kind::query;
        operation.known_only = true;
        operation.about = std::string(about);
        set_function<RunInput, RunReport>(
            operation, [runs, what](CallContext context, RunInput input) {
                return look(runs, what, std::move(context), std::move(input));
            });
        ALKNET_ASSERT(registry.add(std::move(operation)).has_value());
    };
    add("runs/get", "what has become of a detached run of one's own", What::get);
    add("runs/wait", "the same, once it has ended", What::wait);
    add("runs/cancel", "ends it, and gives the same", What::cancel);
}

}  // namespace alknet::call
