// `alknet doctor --bundle`: one file that a person can send to somebody who helps.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/doctor/check.hpp>
#include <optional>
#include <vector>

#include "cli.hpp"
#include "json.hpp"

namespace alknet::app {

struct BundleContents {
    std::vector<doctor::Check> checks;
    std::optional<Json> pair;  // what `alknet doctor ADDRESS --json` prints
};

/// Writes the file that `options.bundle` names, which must not exist, readable by its owner alone;
/// `-` is standard output. Says what it has left out. Errors: kIo; those of reading the log.
result<void> write_bundle(const CommandLine& line, const DoctorOptions& options,
                          const BundleContents& contents);

}  // namespace alknet::app
