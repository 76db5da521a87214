#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/known_nodes_file.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "trust.hpp"

namespace alknet::app {

namespace {

result<ExitCode> list(const CommandLine& line, const KnownNodesFile& file) {
    ALKNET_TRY(const KnownNodes known, file.load());
    if (line.json) {
        Json::Array nodes;
        for (const KnownNodes::Entry& entry : known.entries()) {
            nodes.push_back(Json::object({{"name", entry.name},
                                          {"identity", entry.identity.to_string()},
                                          {"line", std::uint64_t{known.line_of(entry.name)}}}));
        }
        ALKNET_CHECK(print_line(
            Json::object({{"file", file.path().native()}, {"known", std::move(nodes)}}).text()));
        return ExitCode::ok;
    }
    for (const KnownNodes::Entry& entry : known.entries()) {
        ALKNET_CHECK(print_line(fmt::format("{} {}", entry.name, entry.identity.to_string())));
    }
    return ExitCode::ok;
}

std::string nearest(const std::string& name, const KnownNodes& known) {
    std::vector<std::string_view> names;
    for (const KnownNodes::Entry& entry : known.entries()) {
        names.push_back(entry.name);
    }
    return std::string(config::nearest_name(name, names));
}

result<ExitCode> remove(const CommandLine& line, const KnownNodesFile& file,
                        const std::string& host) {
    auto address = NodeAddress::parse(host);
    if (!address || address->id) {
        return fail(causes::kAddressInvalid, "a known node is named as HOST[:PORT], not " + host);
    }
    const std::string name = known_name(*address);
    const auto forget = [&name](KnownNodes& known) -> result<void> {
        if (known.remove(name)) {
            return {};
        }
        const std::string meant = nearest(name, known);
        return fail(causes::kUnknownPeer,
                    "nothing is known of " + name +
                        (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
    };
    SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    ALKNET_CHECK(block_on(*loop, file.change(*loop, forget), "known.remove"));
    ALKNET_CHECK(print_line(line.json ? Json::object({{"done", "removed"}, {"name", name}}).text()
                                      : "removed " + name));
    return ExitCode::ok;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const KnownOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    const KnownNodesFile file(home.directory() / kKnownNodesFile);
    return options.action == KnownOptions::Action::list ? list(line, file)
                                                        : remove(line, file, options.name);
}

}  // namespace alknet::app
