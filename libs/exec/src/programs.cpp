#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/exec/programs.hpp>
#include <alknet/rt/scope.hpp>
#include <utility>

#include "door.hpp"
#include "handler.hpp"
#include "program_run.hpp"
#include "supervisor.hpp"

namespace alknet::exec {

namespace {

struct Kept {
    std::shared_ptr<const ProgramRunOptions> options;
    std::unique_ptr<Supervisor> supervisor;
};

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
        SupervisorOptions supervised;
        supervised.name = program.name;
        supervised.attempts_max = program.attempts_max;
        supervised.log = options.log;
        supervised.launch = [&loop = loop_, shared = kept] {
            return ProgramRun::start(loop, shared);
        };
        auto supervisor = std::make_unique<Supervisor>(loop_, std::move(supervised));
        all_.push_back({.options = std::move(kept), .supervisor = std::move(supervisor)});
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
