// alknet_load: the two ends of tools/load/load.py.
//
//     serve DIRECTORY MILLISECONDS    an endpoint with so much time for a handshake: prints its
//                                     address, and figures for each line of standard input
//     idle ADDRESS                    holds as many connections as the last line says
//     flood PORT N                    N Initials a second; prints how many for each line
//     flows PORT N                    N addresses and ports; prints a line at the end
//
// All but the last end with their standard input.
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/rt/combine.hpp>
#include <csignal>
#include <cstdio>
#include <vector>

#include "modes.hpp"

namespace alknet::load {

namespace {

result<std::size_t> number(const std::string& text) {
    const auto value = parse_number<std::size_t>(text);
    return value ? result<std::size_t>(*value) : fail(causes::kUsage, text);
}

result<void> run(const std::vector<std::string>& words) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    if (words.size() == 2 && words[0] == "idle") {
        return block_on(*loop, hold_idle(*loop, words[1]));
    }
    if (words.size() != 3) {
        return fail(causes::kUsage, "see the top of tools/load/main.cpp");
    }
    ALKNET_TRY(const std::size_t last, number(words[2]));
    if (words[0] == "serve") {
        return serve(*loop,
                     {.directory = words[1], .handshake_timeout = std::chrono::milliseconds(last)});
    }
    ALKNET_TRY(const std::size_t port, number(words[1]));
    ALKNET_TRY(Initials initials, Initials::record(*loop));
    ALKNET_TRY(Lines lines, Lines::create(*loop));
    Strangers strangers{.lines = std::move(lines),
                        .initials = std::move(initials),
                        .port = static_cast<std::uint16_t>(port),
                        .count = last};
    auto work = words[0] == "flood" ? flood(*loop, std::move(strangers))
                                    : flows(*loop, std::move(strangers));
    return block_on(*loop, std::move(work));
}

}  // namespace

}  // namespace alknet::load

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    const auto outcome = alknet::load::run({argv + 1, argv + argc});
    if (!outcome) {
        std::fprintf(stderr, "alknet_load: %s\n", outcome.error().message().c_str());
        return 1;
    }
    return 0;
}
