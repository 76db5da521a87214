// What went wrong, apart from any file: for the tests, which cannot become another user or mount a
// disk.
#pragma once

#include <alknet/base/result.hpp>
#include <filesystem>
#include <string>

namespace alknet::store {

/// `mode` and `owner` as stat() gives them, `self` the effective user. Errors: kStoreInvalid.
result<void> check_owner_and_mode(unsigned mode, unsigned owner, unsigned self);

struct SqliteFailure {
    int code = 0;          // a result code, extended or not
    int system_error = 0;  // errno, 0 if there was none
    std::string text;
    std::filesystem::path file;
};

[[nodiscard]] std::unexpected<error> sqlite_failure(const SqliteFailure& from);

}  // namespace alknet::store
