#include "storage/statement.h"

#include <sqlite3.h>

#include <cassert>
#include <utility>

#include "storage/database.h"
#include "storage/sqlite_error.h"
#include "storage/status_macros.h"

namespace faultline::storage {

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      sql_(other.sql_),
      statement_(std::exchange(other.statement_, nullptr)),
      bind_result_(other.bind_result_) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  Reset();
  database_->Return(sql_, statement_);
}

Statement& Statement::Bind(int parameter, int64_t value) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ = sqlite3_bind_int64(statement_, parameter, value);
  }
  return *this;
}

Statement& Statement::BindText(int parameter, absl::string_view value) {
  if (bind_result_ == SQLITE_OK) {
    // A null pointer would bind NULL; an empty text is not NULL.
    const char* text = value.data() == nullptr ? "" : value.data();
    bind_result_ = sqlite3_bind_text64(
        statement_, parameter, text, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  return *this;
}

Statement& Statement::BindBlob(int parameter, absl::string_view value) {
  if (bind_result_ == SQLITE_OK) {
    const char* bytes = value.data() == nullptr ? "" : value.data();
    bind_result_ = sqlite3_bind_blob64(statement_, parameter, bytes,
                                       value.size(), SQLITE_STATIC);
  }
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (bind_result_ != SQLITE_OK) {
    return database_->Error(bind_result_, sql_);
  }
  switch (const int result = sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return database_->Error(result, sql_);
  }
}

absl::Status Statement::Run() {
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, Step());
  assert(!row);
  static_cast<void>(row);
  return absl::OkStatus();
}

void Statement::Reset() {
  // The result repeats the error of the last Step, which was reported.
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bind_result_ = SQLITE_OK;
}

int64_t Statement::Int64(int column) const {
  return sqlite3_column_int64(statement_, column);
}

absl::string_view Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr) return "";
  return absl::string_view(static_cast<const char*>(bytes),
                           static_cast<size_t>(size));
}

}  // namespace faultline::storage
