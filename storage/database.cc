#include "storage/database.h"

#include <sqlite3.h>

#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "storage/sqlite_error.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

int OpenFlags(Database::Access access) {
  const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                     SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE;
  switch (access) {
    case Database::Access::kReadWriteCreate:
      return common | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case Database::Access::kReadWrite:
      return common | SQLITE_OPEN_READWRITE;
    case Database::Access::kReadOnly:
    case Database::Access::kImmutable:
      return common | SQLITE_OPEN_READONLY;
  }
  return common;
}

// `path` as an SQLite URI: the characters that a URI gives a meaning are
// escaped.
std::string Uri(const Database::Options& options) {
  if (options.path == ":memory:") return options.path;
  std::string uri = absl::StrCat(
      "file:", absl::StrReplaceAll(options.path,
                                   {{"%", "%25"}, {"?", "%3f"}, {"#", "%23"}}));
  if (options.access == Database::Access::kImmutable) uri += "?immutable=1";
  return uri;
}

// The beginning of a statement, for a message.
std::string OneLine(absl::string_view sql) {
  std::string line(sql.substr(0, 80));
  absl::RemoveExtraAsciiWhitespace(&line);
  return line;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const Options& options) {
  sqlite3* handle = nullptr;
  const int result =
      sqlite3_open_v2(Uri(options).c_str(), &handle, OpenFlags(options.access),
                      options.vfs.empty() ? nullptr : options.vfs.c_str());
  // Even after an error the handle must be closed.
  auto database = absl::WrapUnique(new Database(handle, options.path));
  if (result != SQLITE_OK) return database->Error(result, "open the database");
  sqlite3_busy_timeout(
      handle,
      static_cast<int>(absl::ToInt64Milliseconds(options.busy_timeout)));
  return database;
}

Database::~Database() {
  for (const auto& [sql, statement] : idle_statements_) {
    sqlite3_finalize(statement);
  }
  sqlite3_close(handle_);
}

absl::StatusOr<Statement> Database::Prepare(const char* sql) {
  if (auto idle = idle_statements_.extract(sql); !idle.empty()) {
    return Statement(*this, sql, idle.mapped());
  }
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(
      handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return Error(result, sql);
  return Statement(*this, sql, statement);
}

absl::Status Database::Execute(const std::string& sql) {
  const int result =
      sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : Error(result, sql);
}

absl::StatusOr<int64_t> Database::QueryInt64(const char* sql) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return Error(SQLITE_INTERNAL, sql);
  return statement.Int64(0);
}

int64_t Database::changes() const { return sqlite3_changes64(handle_); }

void Database::LeaveLogToOthers() {
  // SQLite's own hook is what would begin a checkpoint.
  sqlite3_wal_hook(
      handle_,
      +[](void* log_pages, sqlite3*, const char*, int pages) {
        *static_cast<int64_t*>(log_pages) = pages;
        return SQLITE_OK;
      },
      &log_pages_);
}

absl::Status Database::CopyLog() {
  const int result = sqlite3_wal_checkpoint_v2(
      handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus()
                             : Error(result, "checkpoint the log");
}

bool Database::autocommit() const {
  return sqlite3_get_autocommit(handle_) != 0;
}

absl::Status Database::Error(int result, absl::string_view sql) const {
  std::string detail = handle_ == nullptr ? "" : sqlite3_errmsg(handle_);
  const int error = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  const int primary = result & 0xff;
  if (error != 0 && (primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR)) {
    absl::StrAppend(&detail, ", ", strerror(error));
  }
  return SqliteError(result, absl::StrCat("execute \"", OneLine(sql), "\""),
                     path_, detail);
}

void Database::Return(const char* sql, sqlite3_stmt* statement) {
  if (!idle_statements_.emplace(sql, statement).second) {
    sqlite3_finalize(statement);  // a nested use of the same statement
  }
}

}  // namespace faultline::storage
