// A scope in which several statements take effect together or not at all.
#ifndef FAULTLINE_STORAGE_TRANSACTION_H_
#define FAULTLINE_STORAGE_TRANSACTION_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/database.h"

namespace faultline::storage {

// Rolls back on destruction unless Commit succeeded. They do not nest.
class Transaction {
 public:
  enum class Mode {
    kRead,   // sees one state of the database throughout
    kWrite,  // takes the write lock at once, so that it cannot fail later
  };

  static absl::StatusOr<Transaction> Begin(Database& database, Mode mode);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // After an error nothing of the transaction is visible to anyone.
  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;  // null once committed
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_TRANSACTION_H_
