// Options of several commands, spelt the same everywhere. Private to the grammar.
#pragma once

#include <alknet/rt/time.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace alknet::app {

/// Names the option's value in the help.
CLI::Option* metavar(CLI::Option* option, std::string value);

/// At most `max`; the help names the default, which `into` has.
CLI::Option* add_duration(CLI::App& command, const std::string& name, Duration& into,
                          const std::string& about, Duration max = std::chrono::hours(24));

/// From 1 to `max`; likewise.
CLI::Option* add_count(CLI::App& command, const std::string& name, std::uint32_t& into,
                       const std::string& about, std::uint32_t max = 1'000'000);

/// Several with commas, or repeated.
void add_list(CLI::App& command, const std::string& name, std::vector<std::string>& into,
              const std::string& value, const std::string& about);

}  // namespace alknet::app
