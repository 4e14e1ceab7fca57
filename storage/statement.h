// One prepared SQL statement, borrowed from its connection's cache.
#ifndef FAULTLINE_STORAGE_STATEMENT_H_
#define FAULTLINE_STORAGE_STATEMENT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3_stmt;

namespace faultline::storage {

class Database;

// Parameters are bound by number from 1, columns are read by number from 0, as
// in SQLite. A failed bind is reported by the next Step, so that a chain of
// binds reads as one. When it is destroyed the statement is reset and goes back
// to its connection.
//
// Bound text and blobs are not copied: they must outlive the last Step.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& Bind(int parameter, int64_t value);
  Statement& BindText(int parameter, absl::string_view value);
  Statement& BindBlob(int parameter, absl::string_view value);

  // Advances to the next row; false when there is none.
  [[nodiscard]] absl::StatusOr<bool> Step();
  // Executes a statement that yields no rows.
  [[nodiscard]] absl::Status Run();
  // Makes the statement ready for other parameters.
  void Reset();

  // The columns of the current row. Views live until the next Step or Reset.
  int64_t Int64(int column) const;
  absl::string_view Bytes(int column) const;

 private:
  friend class Database;
  Statement(Database& database, const char* sql, sqlite3_stmt* statement)
      : database_(&database), sql_(sql), statement_(statement) {}

  Database* database_;
  const char* sql_;
  sqlite3_stmt* statement_;
  int bind_result_ = 0;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_STATEMENT_H_
