#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/config/config.hpp>
#include <tuple>

#include "fields.hpp"
#include "reading.hpp"

namespace alknet::config {

namespace {

void read_tree(Reading& in, const toml::table& tree, Config& into) {
    std::vector<std::string_view> names;
    for (const Table& table : tables()) {
        names.push_back(table.name);
    }
    for (const auto& [key, value] : tree) {
        const Reading::Below below(in, key.str());
        const auto found = std::ranges::find(tables(), key.str(), &Table::name);
        if (found == tables().end()) {
            refuse_unknown(in, key, names);
        } else {
            found->read(in, value, into);
        }
    }
}

}  // namespace

Parsed parse(std::string_view text, const ParseOptions& options) {
    Parsed parsed;
    parsed.config.fixed.key_file = options.base / parsed.config.fixed.key_file;
    Reading in(options);
    if (const auto tree = parse_toml(text)) {
        read_tree(in, *tree, parsed.config);
    } else {
        const TomlFailure& failure = tree.error();
        in.refuse_text(failure.line, failure.column, failure.reason);
    }
    if (parsed.config.dynamic.listeners.empty()) {
        parsed.config.dynamic.listeners.push_back(default_listener());
    }
    parsed.problems = std::move(in.problems());
    std::ranges::sort(parsed.problems, {}, [](const Problem& problem) {
        return std::tie(problem.line, problem.column, problem.key);
    });
    return parsed;
}

error as_error(const std::vector<Problem>& problems) {
    std::string detail = problems.empty() ? std::string() : problems.front().text();
    if (problems.size() > 1) {
        detail += fmt::format(" (and {} more: alknet config check)", problems.size() - 1);
    }
    return error(causes::kConfigInvalid, std::move(detail));
}

std::optional<NodeId> Peer::node_id() const {
    for (const std::string& key : keys) {
        if (const auto id = NodeId::parse(key)) {
            return *id;
        }
    }
    return std::nullopt;
}

}  // namespace alknet::config
