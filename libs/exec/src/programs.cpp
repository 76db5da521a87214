#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/exec/programs.hpp>
#include <alknet/rt/scope.hpp>
#include <utility>

#include "door.hpp"
#include "handler.hpp"
#include "program_calls.hpp"
#include "program_run.hpp"
#include "supervisor.hpp"

namespace alknet::exec {

namespace {

struct Kept {
    std::shared_ptr<const ProgramRunOptions> options;
    std::unique_ptr<Supervisor> supervisor;
    std::shared_ptr<call::ImportedOperations> operations{};  // null: it serves an ALPN
};

// Of one operation, as it is called there.
result<identity::Scope> scope_for(const config::Program& program, std::string_view operation) {
    std::string text = program.scope;
    if (text.empty()) {
        text = "exec:call:" + program.name + "/";
        const std::string_view own = program.name;
        const bool is_named_so = operation.starts_with(own) && operation.size() > own.size() &&
                                 operation[own.size()] == '/';
        text += operation.substr(is_named_so ? own.size() + 1 : 0);
    }
    return identity::Scope::parse_exact(text);
}

std::shared_ptr<call::ImportedOperations> make_operations(Loop& loop, ProgramRunOptions& options) {
    auto calls = std::make_shared<ProgramCalls>(loop, options.door, options.log);
    call::ImportOptions import;
    import.prefix = options.program.name;
    import.calls = calls;
    import.scope = [program = options.program](std::string_view operation) {
        return scope_for(program, operation);
    };
    auto operations = std::make_shared<call::ImportedOperations>(std::move(import));
    options.session = [calls, operations] { return calls->session(operations); };
    return operations;
}

std::string scope_of(const config::Program& program) {
    return program.scope.empty() ? "exec:use:" + program.name : program.scope;
}

class AllPrograms final : public Programs {
public:
    explicit AllPrograms(Loop& loop) : loop_(loop) {}

    result<void> add(const config::Program& program, const ProgramsOptions& options) {
        auto kept = std::make_shared<ProgramRunOptions>();
        kept->program = program;
        ALKNET_TRY(kept->user, user_of(program));
        kept->door = std::make_shared<Door>(program.name,
                                            options.directory / ("exec-" + program.name + ".sock"),
                                            program.streams_max);
        kept->log = options.log;
        std::shared_ptr<call::ImportedOperations> operations;
        if (program.operations) {
            operations = make_operations(loop_, *kept);
        }
        SupervisorOptions supervised;
        supervised.name = program.name;
        supervised.attempts_max = program.attempts_max;
        supervised.log = options.log;
        supervised.launch = [&loop = loop_, shared = kept] {
            return ProgramRun::start(loop, shared);
        };
        auto supervisor = std::make_unique<Supervisor>(loop_, std::move(supervised));
        all_.push_back({.options = std::move(kept),
                        .supervisor = std::move(supervisor),
                        .operations = std::move(operations)});
        return {};
    }

    [[nodiscard]] std::vector<ProgramService> services() const override {
        std::vector<ProgramService> services;
        for (const Kept& one : all_) {
            if (const config::Program& program = one.options->program; !program.operations) {
                services.push_back({.alpn = program.alpn, .scope = scope_of(program)});
            }
        }
        return services;
    }

    [[nodiscard]] std::vector<std::shared_ptr<const call::OperationSource>> operations()
        const override {
        std::vector<std::shared_ptr<const call::OperationSource>> sources;
        for (const Kept& one : all_) {
            if (one.operations != nullptr) {
                sources.push_back(one.operations);
            }
        }
        return sources;
    }

    [[nodiscard]] std::shared_ptr<ProtocolHandler> make_handler(std::string_view alpn,
                                                                Loop& loop) const override {
        const auto found = std::ranges::find_if(all_, [&](const Kept& one) {
            return one.options->program.alpn == alpn && !one.options->program.operations;
        });
        if (found == all_.end()) {
            return nullptr;
        }
        const ProgramRunOptions& options = *found->options;
        return std::make_shared<ProgramHandler>(
            loop, options.door,
            ProgramHandlerOptions{.alpn = options.program.alpn,
                                  .proxy_header = options.program.proxy_header});
    }

    task<result<void>> run() override {
        const TaskContext context = co_await current_context();
        TaskScope scope(loop_, context.cancel);
        for (const Kept& one : all_) {
            scope.spawn(one.supervisor->run(), "exec." + one.options->program.name);
        }
        ALKNET_CO_CHECK(co_await scope.join());
        co_return fail(causes::kCancelled);
    }

    [[nodiscard]] std::vector<ProgramStatus> status() const override {
        std::vector<ProgramStatus> all;
        for (const Kept& one : all_) {
            ProgramStatus status = one.supervisor->status();
            status.streams = one.options->door->inside();
            all.push_back(std::move(status));
        }
        return all;
    }

private:
    Loop& loop_;
    std::vector<Kept> all_;
};

}  // namespace

std::string_view to_string(ProgramState state) noexcept {
    switch (state) {
        case ProgramState::stopped:
            return "stopped";
        case ProgramState::starting:
            return "starting";
        case ProgramState::running:
            return "running";
        case ProgramState::waiting:
            return "waiting to be started again";
        case ProgramState::given_up:
            break;
    }
    return "given up";
}

result<std::unique_ptr<Programs>> Programs::create(Loop& loop, ProgramsOptions options) {
    auto programs = std::make_unique<AllPrograms>(loop);
    for (const config::Program& program : options.programs) {
        ALKNET_CHECK(programs->add(program, options));
    }
    return programs;
}

}  // namespace alknet::exec
