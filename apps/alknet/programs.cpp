#include "programs.hpp"

#include <alknet/exec/programs.hpp>
#include <utility>

namespace alknet::app {

namespace {

class Running final : public NodePrograms {
public:
    explicit Running(std::shared_ptr<exec::Programs> programs) : programs_(std::move(programs)) {}

    [[nodiscard]] std::vector<FurtherService> services() const override {
        std::vector<FurtherService> all;
        for (const exec::ProgramService& one : programs_->services()) {
            const auto make = [programs = programs_, alpn = one.alpn](Loop& loop) {
                return programs->make_handler(alpn, loop);
            };
            all.push_back({.alpn = one.alpn, .scope = one.scope, .make = make});
        }
        return all;
    }

    [[nodiscard]] std::vector<std::shared_ptr<const call::OperationSource>> operations()
        const override {
        return programs_->operations();
    }

    task<result<void>> run() override { return programs_->run(); }

    [[nodiscard]] std::vector<ProgramInfo> info() const override {
        std::vector<ProgramInfo> all;
        for (exec::ProgramStatus& one : programs_->status()) {
            all.push_back(
                {.name = std::move(one.name),
                 .state = std::string(to_string(one.state)),
                 .process = one.process == 0 ? std::nullopt : std::optional(one.process),
                 .streams = one.streams,
                 .ends = one.ends,
                 .last_end = one.last_end.empty() ? std::nullopt : std::optional(one.last_end)});
        }
        return all;
    }

private:
    std::shared_ptr<exec::Programs> programs_;
};

}  // namespace

result<std::unique_ptr<NodePrograms>> make_programs(Loop& loop,
                                                    const std::vector<config::Program>& programs,
                                                    const std::filesystem::path& home, Log log) {
    if (programs.empty()) {
        return nullptr;
    }
    ALKNET_TRY(auto made,
               exec::Programs::create(loop, {.programs = programs, .directory = home, .log = log}));
    return std::make_unique<Running>(std::move(made));
}

}  // namespace alknet::app
