#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/store/database.hpp>
#include <cerrno>

#include "failure.hpp"

namespace alknet::store {

namespace {

namespace fs = std::filesystem;

struct StatementDeleter {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, StatementDeleter>;

// What the file holds decides who is let in: nobody else may write it, or read it.
result<void> check_file(const fs::path& file) {
    struct stat status{};
    if (::lstat(file.c_str(), &status) != 0) {
        return file_fail("stat", errno, file);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(causes::kStoreInvalid, file.native() + " is not a regular file");
    }
    if (auto checked = check_owner_and_mode(status.st_mode, status.st_uid, ::geteuid()); !checked) {
        return unexpected(std::move(checked).error().within(file.native()));
    }
    return {};
}

// SQLite gives the files beside it the same mode.
result<void> make_file(const fs::path& file) {
    const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                             S_IRUSR | S_IWUSR));
    return fd || errno == EEXIST ? result<void>() : file_fail("create", errno, file);
}

struct Binder {
    sqlite3_stmt* statement;
    int index;

    int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
    int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
    int operator()(const std::string& value) const {
        return sqlite3_bind_text64(statement, index, value.data(), value.size(), SQLITE_STATIC,
                                   SQLITE_UTF8);
    }
    int operator()(const Bytes& value) const {
        // A null pointer would be NULL instead of an empty blob.
        const void* data = value.empty() ? static_cast<const void*>("") : value.data();
        return sqlite3_bind_blob64(statement, index, data, value.size(), SQLITE_STATIC);
    }
};

Value column(sqlite3_stmt* statement, int index) {
    const auto size = [&] {
        return static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
    };
    switch (sqlite3_column_type(statement, index)) {
        case SQLITE_INTEGER:
            return sqlite3_column_int64(statement, index);
        case SQLITE_TEXT: {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
            return std::string(text, size());
        }
        case SQLITE_BLOB: {
            const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement, index));
            return data == nullptr ? Bytes() : Bytes(data, data + size());
        }
        default:
            return std::monostate();
    }
}

Row row_of(sqlite3_stmt* statement) {
    std::vector<Value> values;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        values.push_back(column(statement, i));
    }
    return Row(std::move(values));
}

template <class T>
const T* value_of(const std::vector<Value>& values, std::size_t column) {
    return column < values.size() ? std::get_if<T>(&values[column]) : nullptr;
}

// SQLite says only that a file is missing which it could not make, or could not be written.
bool on_read_only_disk(const fs::path& file) {
    struct statvfs disk{};
    return ::statvfs(file.c_str(), &disk) == 0 && (disk.f_flag & ST_RDONLY) != 0;
}

}  // namespace

result<void> check_owner_and_mode(unsigned mode, unsigned owner, unsigned self) {
    if (owner != self) {
        return fail(causes::kStoreInvalid, "it belongs to another user");
    }
    if ((mode & (S_IRWXG | S_IRWXO)) != 0) {
        return fail(causes::kStoreInvalid, "others may open it; set its mode to 600");
    }
    return {};
}

std::unexpected<error> sqlite_failure(const SqliteFailure& from) {
    std::string detail = from.file.native() + ": " + from.text;
    switch (from.code & 0xff) {  // the rest says more about the same
        case SQLITE_FULL:
            return fail(causes::kDiskFull, std::move(detail));
        case SQLITE_READONLY:
            return fail(causes::kDiskReadOnly, std::move(detail));
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return fail(causes::kStoreBusy, std::move(detail));
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return fail(causes::kStoreInvalid, std::move(detail));
        case SQLITE_CANTOPEN:
        case SQLITE_IOERR:
            if (on_read_only_disk(from.file)) {
                return fail(causes::kDiskReadOnly, std::move(detail));
            }
            [[fallthrough]];
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return from.system_error == 0 ? fail(causes::kIo, std::move(detail))
                                          : file_fail(from.text, from.system_error, from.file);
        case SQLITE_TOOBIG:
            return fail(causes::kLimit, std::move(detail));
        default:
            return fail(causes::kInternal, std::move(detail));
    }
}

bool Row::is_null(std::size_t column) const {
    return column >= values_.size() || std::holds_alternative<std::monostate>(values_[column]);
}

std::int64_t Row::integer(std::size_t column) const {
    const auto* value = value_of<std::int64_t>(values_, column);
    return value == nullptr ? 0 : *value;
}

std::string_view Row::text(std::size_t column) const {
    const auto* value = value_of<std::string>(values_, column);
    return value == nullptr ? std::string_view() : *value;
}

BytesView Row::blob(std::size_t column) const {
    const auto* value = value_of<Bytes>(values_, column);
    return value == nullptr ? BytesView() : *value;
}

Database::Database(sqlite3* handle, fs::path file) noexcept
    : handle_(handle), file_(std::move(file)) {}

Database::~Database() {
    sqlite3_close_v2(handle_);
}

result<void> Database::flush() {
    const int code = sqlite3_db_cacheflush(handle_);
    return code == SQLITE_OK ? result<void>() : failure(code);
}

Database::Rollback::~Rollback() {
    if (database_ != nullptr) {
        // SQLite may have undone it already; then there is nothing to say.
        (void)database_->run("ROLLBACK");
    }
}

std::unexpected<error> Database::failure(int code) const {
    return sqlite_failure({.code = code,
                           .system_error = sqlite3_system_errno(handle_),
                           .text = sqlite3_errmsg(handle_),
                           .file = file_});
}

result<std::unique_ptr<Database>> Database::open(const fs::path& file,
                                                 const DatabaseOptions& options) {
    ALKNET_CHECK(make_file(file));
    ALKNET_CHECK(check_file(file));
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &handle,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
    std::unique_ptr<Database> database(new Database(handle, file));
    if (code != SQLITE_OK) {
        return database->failure(code);
    }
    ALKNET_CHECK(database->set_up(options));
    return database;
}

result<void> Database::set_up(const DatabaseOptions& options) {
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, static_cast<int>(options.busy_timeout.count()));
    sqlite3_limit(handle_, SQLITE_LIMIT_LENGTH, static_cast<int>(kValueBytesMax));
    // A file is data: what it says about functions and triggers is not believed.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    for (const char* setting : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                                "PRAGMA foreign_keys=ON", "PRAGMA cell_size_check=ON"}) {
        ALKNET_CHECK(step_all(setting, {}));
    }
    return upgrade(options);
}

result<std::int64_t> Database::pragma(const std::string& name) {
    ALKNET_TRY(const auto rows, step_all("PRAGMA " + name, {}));
    return rows.empty() ? 0 : rows.front().integer(0);
}

result<void> Database::check_owner(const DatabaseOptions& options, std::int64_t version) {
    ALKNET_TRY(const std::int64_t id, pragma("application_id"));
    ALKNET_TRY(const auto tables, step_all("SELECT count(*) FROM sqlite_schema", {}));
    const bool is_new = id == 0 && version == 0 && tables.front().integer(0) == 0;
    if (!is_new && id != options.application_id) {
        return fail(causes::kStoreInvalid, file_.native() + " belongs to another program");
    }
    if (version > static_cast<std::int64_t>(options.schema.size())) {
        return fail(causes::kStoreInvalid, file_.native() + " has schema version " +
                                               std::to_string(version) +
                                               ", which needs a newer alknet");
    }
    return {};
}

// All steps or none; the version is looked at again where nobody else can change it.
result<void> Database::upgrade(const DatabaseOptions& options) {
    ALKNET_TRY(std::int64_t version, pragma("user_version"));
    ALKNET_CHECK(check_owner(options, version));
    if (version > 0) {
        ALKNET_TRY(const auto found, step_all("PRAGMA quick_check(1)", {}));
        if (found.empty() || found.front().text(0) != "ok") {
            return fail(causes::kStoreInvalid, file_.native() + " is damaged");
        }
    }
    if (version == static_cast<std::int64_t>(options.schema.size())) {
        return {};
    }
    return transaction([&](Database& self) -> result<void> {
        ALKNET_TRY(version, self.pragma("user_version"));
        ALKNET_CHECK(self.check_owner(options, version));
        for (auto i = static_cast<std::size_t>(version); i < options.schema.size(); ++i) {
            if (const int code = sqlite3_exec(self.handle_, std::string(options.schema[i]).c_str(),
                                              nullptr, nullptr, nullptr);
                code != SQLITE_OK) {
                return self.failure(code);
            }
        }
        ALKNET_CHECK(self.run("PRAGMA application_id=" + std::to_string(options.application_id)));
        return self.run("PRAGMA user_version=" + std::to_string(options.schema.size()));
    });
}

result<std::vector<Row>> Database::step_all(const std::string& text,
                                            const std::vector<Value>& parameters) {
    sqlite3_stmt* raw = nullptr;
    if (const int code =
            sqlite3_prepare_v2(handle_, text.c_str(), static_cast<int>(text.size()), &raw, nullptr);
        code != SQLITE_OK) {
        return failure(code);
    }
    const Statement statement(raw);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const int code = std::visit(Binder{raw, static_cast<int>(i) + 1}, parameters[i]);
        if (code != SQLITE_OK) {
            return failure(code);
        }
    }
    std::vector<Row> rows;
    for (;;) {
        const int code = sqlite3_step(raw);
        if (code == SQLITE_DONE) {
            return rows;
        }
        if (code != SQLITE_ROW) {
            return failure(code);
        }
        if (rows.size() == kRowsMax) {
            return fail(causes::kLimit, "a query gives more than " + std::to_string(kRowsMax));
        }
        rows.push_back(row_of(raw));
    }
}

result<void> Database::run(const std::string& statement, const std::vector<Value>& parameters) {
    ALKNET_CHECK(step_all(statement, parameters));
    return {};
}

result<std::vector<Row>> Database::query(const std::string& statement,
                                         const std::vector<Value>& parameters) {
    return step_all(statement, parameters);
}

result<std::int64_t> Database::data_version() {
    return pragma("data_version");
}

result<void> Database::check() {
    ALKNET_TRY(const auto found, step_all("PRAGMA integrity_check(1)", {}));
    if (found.empty() || found.front().text(0) != "ok") {
        return fail(
            causes::kStoreInvalid,
            file_.native() + ": " + (found.empty() ? "" : std::string(found.front().text(0))));
    }
    return {};
}

}  // namespace alknet::store
