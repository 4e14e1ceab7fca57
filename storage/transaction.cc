#include "storage/transaction.h"

#include <utility>

#include "storage/statement.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr char kBeginRead[] = "BEGIN";
constexpr char kBeginWrite[] = "BEGIN IMMEDIATE";
constexpr char kCommit[] = "COMMIT";
constexpr char kRollback[] = "ROLLBACK";

absl::Status RunNow(Database& database, const char* sql) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  return statement.Run();
}

}  // namespace

absl::StatusOr<Transaction> Transaction::Begin(Database& database, Mode mode) {
  FAULTLINE_RETURN_IF_ERROR(
      RunNow(database, mode == Mode::kRead ? kBeginRead : kBeginWrite));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ == nullptr || database_->autocommit()) return;
  // A rollback that fails leaves the transaction to the next one or to the
  // closing of the connection; either way nothing of it is committed.
  RunNow(*database_, kRollback).IgnoreError();
}

absl::Status Transaction::Commit() {
  FAULTLINE_RETURN_IF_ERROR(RunNow(*database_, kCommit));
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace faultline::storage
