// SQLite's result codes as absl::Status, each with what to do about it.
#ifndef FAULTLINE_STORAGE_SQLITE_ERROR_H_
#define FAULTLINE_STORAGE_SQLITE_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace faultline::storage {

// Describes a failure of SQLite. `extended_code` is an extended result code
// (https://sqlite.org/rescode.html), `doing` completes "cannot ...", `database`
// is the path of the file, `detail` is SQLite's own text and may be empty.
// REQUIRES: the code is an error, not SQLITE_OK, SQLITE_ROW or SQLITE_DONE.
absl::Status SqliteError(int extended_code, absl::string_view doing,
                         absl::string_view database, absl::string_view detail);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SQLITE_ERROR_H_
