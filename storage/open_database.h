// Opens faultline.db: whose it is, which version, and with which settings.
#ifndef FAULTLINE_STORAGE_OPEN_DATABASE_H_
#define FAULTLINE_STORAGE_OPEN_DATABASE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "storage/database.h"

namespace faultline::storage {

enum class Synchronous { kNormal, kFull };

// Opens or creates the database for its one writer and migrates it. `options`
// gives the path and the vfs.
absl::StatusOr<std::unique_ptr<Database>> OpenForWriting(
    Database::Options options, Synchronous synchronous);

// How connections that only read are to be opened: as a live database beside
// its writer, or, on a medium where SQLite cannot put its shared memory, as
// one that does not change. Fails when there is no database that we can read.
absl::StatusOr<Database::Options> ProbeForReading(Database::Options options);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_OPEN_DATABASE_H_
