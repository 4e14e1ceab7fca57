// The tables of faultline.db and the steps that lead to them.
#ifndef FAULTLINE_STORAGE_SCHEMA_H_
#define FAULTLINE_STORAGE_SCHEMA_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/database.h"

namespace faultline::storage {

// "Falt" in ASCII: what `file faultline.db` and SQLite's header call us.
inline constexpr int64_t kApplicationId = 0x46616c74;

// One step forward. `sql` turns a database of version - 1 into one of
// `version`. A step that has been released never changes.
struct Migration {
  int64_t version;
  const char* sql;
};

// All steps, in order, from the empty database on.
absl::Span<const Migration> Migrations();

// Whose file is it, and which version? An empty database has version 0.
// FAILED_PRECONDITION with reason FOREIGN_DATABASE or SCHEMA_TOO_NEW, where
// `newest` is the highest version that we can use.
absl::StatusOr<int64_t> CheckVersion(Database& database, int64_t newest);

// Takes the database through the steps it has not seen, each in a transaction
// of its own together with its version number: a crash leaves a whole version.
absl::Status Migrate(Database& database,
                     absl::Span<const Migration> migrations);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SCHEMA_H_
