// One connection to an SQLite database.
#ifndef FAULTLINE_STORAGE_DATABASE_H_
#define FAULTLINE_STORAGE_DATABASE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/statement.h"

struct sqlite3;
struct sqlite3_stmt;

namespace faultline::storage {

// Opens on construction, closes on destruction, and keeps the statements it has
// prepared. One thread at a time uses it, and all its Statements are gone
// before it is.
class Database {
 public:
  enum class Access { kReadWriteCreate, kReadWrite, kReadOnly, kImmutable };
  struct Options {
    std::string path;  // ":memory:" for a private database without a file
    Access access = Access::kReadWrite;
    std::string vfs;  // "" is SQLite's default; tests inject faults here
    absl::Duration busy_timeout = absl::Seconds(5);
  };

  static absl::StatusOr<std::unique_ptr<Database>> Open(const Options& options);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // `sql` must live as long as the connection: a string literal, since its
  // address is the key of the cache.
  absl::StatusOr<Statement> Prepare(const char* sql);

  // Executes one or more statements that yield nothing anyone wants to read.
  absl::Status Execute(const std::string& sql);

  // The single integer that `sql` yields, such as a pragma.
  absl::StatusOr<int64_t> QueryInt64(const char* sql);

  // Rows changed by the last INSERT, UPDATE or DELETE.
  int64_t changes() const;

  // From now on this connection does not copy the write-ahead log into the
  // database (a checkpoint) as part of its commits, and counts its pages.
  void LeaveLogToOthers();
  // In the log after the last commit.
  int64_t log_pages() const { return log_pages_; }
  // Copies what no other connection is in the way of, without waiting for one.
  absl::Status CopyLog();

  // False inside a transaction. SQLite itself ends a transaction after some
  // errors (a full disk, for one).
  bool autocommit() const;

  const std::string& path() const { return path_; }

 private:
  friend class Statement;

  Database(sqlite3* handle, std::string path)
      : handle_(handle), path_(std::move(path)) {}

  absl::Status Error(int result, absl::string_view sql) const;
  void Return(const char* sql, sqlite3_stmt* statement);

  sqlite3* const handle_;
  const std::string path_;
  int64_t log_pages_ = 0;
  // Prepared statements nobody uses now.
  absl::flat_hash_map<const char*, sqlite3_stmt*> idle_statements_;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_DATABASE_H_
