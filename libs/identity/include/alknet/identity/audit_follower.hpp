// AuditFollower: reads the audit log as it grows, record by record, also where a file of it is
// finished and another one begins.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/identity/audit_record.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

namespace alknet::identity {

/// Everything here blocks. For one thread at a time.
class AuditFollower final {
public:
    /// Of records with numbers above `after`.
    AuditFollower(std::filesystem::path home, std::uint64_t after)
        : home_(std::move(home)), after_(after) {}

    /// The next ones, in order, at most so many. None: there are no more yet. What is no record is
    /// passed over. Errors: kIo.
    [[nodiscard]] result<std::vector<AuditRecord>> next(std::size_t most);

private:
    result<bool> open_next();
    result<bool> read_piece(std::vector<AuditRecord>& into, std::size_t most);
    void take_line(std::string_view line, std::vector<AuditRecord>& into);
    [[nodiscard]] bool finished() const;

    std::filesystem::path home_;
    std::uint64_t after_;
    UniqueFd file_;      // none: not opened yet
    bool done_ = false;  // it is read, and no longer written to
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
    std::uint64_t offset_ = 0;   // where a line begins, unless it is too long
    bool in_long_line_ = false;  // no record is: its rest is passed over
};

/// The number of the last record that is on the disk; 0: none, or it cannot be read.
[[nodiscard]] std::uint64_t last_audit_record(const std::filesystem::path& home);

}  // namespace alknet::identity
