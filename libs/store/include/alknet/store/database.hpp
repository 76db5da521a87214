// Database: one SQLite file, opened with everything checked that can be wrong with it. It blocks:
// on a loop use Store.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

struct sqlite3;

namespace alknet::store {

/// No query gives more rows.
inline constexpr std::size_t kRowsMax = 1'000'000;
/// No text or blob is larger.
inline constexpr std::size_t kValueBytesMax = 16 << 20;

/// NULL, INTEGER, TEXT or BLOB.
using Value = std::variant<std::monostate, std::int64_t, std::string, Bytes>;

class Row {
public:
    explicit Row(std::vector<Value> values) noexcept : values_(std::move(values)) {}

    [[nodiscard]] bool is_null(std::size_t column) const;
    /// Views live as long as the row. 0, or empty, for a value of another kind: the schema says
    /// which it is, and STRICT tables hold nothing else.
    [[nodiscard]] std::int64_t integer(std::size_t column) const;
    [[nodiscard]] std::string_view text(std::size_t column) const;
    [[nodiscard]] BytesView blob(std::size_t column) const;

private:
    std::vector<Value> values_;
};

struct DatabaseOptions {
    /// Step i brings version i to version i + 1; a new file is at version 0. Steps are only ever
    /// added at the end.
    std::vector<std::string_view> schema;
    /// Marks the file as ours.
    std::int32_t application_id = 0;
    /// How long to wait for another program that writes.
    std::chrono::milliseconds busy_timeout = std::chrono::seconds(5);
};

/// One thread at a time.
class Database final {
public:
    /// Makes the file, with mode 0600, if it is not there; brings its schema up to date; checks it.
    /// Errors: kStoreInvalid for a file that is damaged, somebody else's, open to others, not ours
    /// or newer; kDiskFull, kDiskReadOnly, kStoreBusy, kIo.
    static result<std::unique_ptr<Database>> open(const std::filesystem::path& file,
                                                  const DatabaseOptions& options);
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    /// One statement, with its parameters. Errors: as for open; kInternal for a statement that
    /// SQLite does not understand, or that breaks a constraint.
    result<void> run(const std::string& statement, const std::vector<Value>& parameters = {});
    /// Errors: likewise; kLimit for more than kRowsMax rows.
    result<std::vector<Row>> query(const std::string& statement,
                                   const std::vector<Value>& parameters = {});

    /// `work(*this)`, which returns a result, between BEGIN IMMEDIATE and COMMIT. An error, or an
    /// exception, undoes everything.
    template <class Work>
    auto transaction(Work work) -> decltype(work(*this)) {
        ALKNET_CHECK(run("BEGIN IMMEDIATE"));
        Rollback rollback(*this);
        auto outcome = work(*this);
        if (outcome) {
            ALKNET_CHECK(run("COMMIT"));
            rollback.done();
        }
        return outcome;
    }

    /// Puts what the transaction has changed so far onto the disk, where it counts for nothing
    /// until COMMIT: a disk without space fails here. Errors: as for `run`.
    result<void> flush();
    /// Changes when another connection, in this program or in another, has committed.
    result<std::int64_t> data_version();
    /// Reads every page and index. Errors: kStoreInvalid with what SQLite found.
    result<void> check();

private:
    class Rollback {
    public:
        explicit Rollback(Database& database) noexcept : database_(&database) {}
        Rollback(const Rollback&) = delete;
        Rollback& operator=(const Rollback&) = delete;
        ~Rollback();
        void done() noexcept { database_ = nullptr; }

    private:
        Database* database_;
    };

    Database(sqlite3* handle, std::filesystem::path file) noexcept;
    result<void> set_up(const DatabaseOptions& options);
    result<void> check_owner(const DatabaseOptions& options, std::int64_t version);
    result<void> upgrade(const DatabaseOptions& options);
    result<std::int64_t> pragma(const std::string& name);
    result<std::vector<Row>> step_all(const std::string& statement,
                                      const std::vector<Value>& parameters);
    [[nodiscard]] std::unexpected<error> failure(int code) const;

    sqlite3* handle_;
    std::filesystem::path file_;
};

}  // namespace alknet::store
