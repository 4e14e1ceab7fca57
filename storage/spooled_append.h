// What the spool holds: appends that were acknowledged before they were in the
// database.
#ifndef FAULTLINE_STORAGE_SPOOLED_APPEND_H_
#define FAULTLINE_STORAGE_SPOOLED_APPEND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/chunk.h"
#include "storage/database.h"

namespace faultline::storage {

// The record of an append is the genesis hash of its session, then this:
// session, time in microseconds since 1970, first revision, number of entries
// (varints but for the session, which has its length before it), and the
// entries as PackEntries writes them. REQUIRES: `entries` is not empty.
std::string PackAppend(absl::string_view session, absl::Time time,
                       const std::vector<Entry>& entries);

// Puts what a process that died left in the spool of `directory` into the
// database, then removes the file. What is in the database already is passed
// over, and what is of a session that is gone. After an error all is as before,
// and the appends are still there: DATA_LOSS, reason SPOOL_CORRUPT, when the
// file holds something else.
absl::Status FoldSpool(Database& database, const std::string& directory);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SPOOLED_APPEND_H_
