#include "storage/open_database.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/schema.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

// What a burst left of the write-ahead log beyond 64 MiB is given back. The
// schema is ours: nothing in it may call functions. Cells are checked as they
// are read, so that a damaged page is an error and not a wrong answer.
constexpr char kSettings[] =
    "PRAGMA journal_size_limit = 67108864;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON";

constexpr char kSynchronousNormal[] = "PRAGMA synchronous = NORMAL";
constexpr char kSynchronousFull[] = "PRAGMA synchronous = FULL";
constexpr char kWriteAheadLog[] = "PRAGMA journal_mode = WAL";

int64_t NewestVersion() { return Migrations().back().version; }

absl::Status UseWriteAheadLog(Database& database) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement pragma,
                             database.Prepare(kWriteAheadLog));
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, pragma.Step());
  if (row && (pragma.Bytes(0) == "wal" || pragma.Bytes(0) == "memory")) {
    return absl::OkStatus();
  }
  return ErrorWithReason(
      absl::StatusCode::kFailedPrecondition, "DISK_ERROR",
      absl::StrCat(
          database.path(),
          ": this file system cannot keep a write-ahead log (is it a "
          "network file system?); choose a directory on a local disk"));
}

absl::Status CheckReadable(Database& database) {
  FAULTLINE_ASSIGN_OR_RETURN(const int64_t version,
                             CheckVersion(database, NewestVersion()));
  if (version == NewestVersion()) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kFailedPrecondition, "SCHEMA_TOO_OLD",
      absl::StrCat(database.path(), " has schema version ", version,
                   ", this faultline reads version ", NewestVersion(),
                   "; open it once for writing (faultline serve), which brings "
                   "it up to date"));
}

absl::Status TryReading(const Database::Options& options) {
  FAULTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                             Database::Open(options));
  return CheckReadable(*database);
}

// True when all of the database is in its main file.
bool LogIsEmpty(const std::string& path) {
  struct stat status;
  return stat(absl::StrCat(path, "-wal").c_str(), &status) != 0 ||
         status.st_size == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> OpenForWriting(
    Database::Options options, Synchronous synchronous) {
  options.access = Database::Access::kReadWriteCreate;
  FAULTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                             Database::Open(options));
  // Look before changing anything: the file may not be ours.
  FAULTLINE_RETURN_IF_ERROR(CheckVersion(*database, NewestVersion()).status());
  FAULTLINE_RETURN_IF_ERROR(UseWriteAheadLog(*database));
  FAULTLINE_RETURN_IF_ERROR(database->Execute(synchronous == Synchronous::kFull
                                                  ? kSynchronousFull
                                                  : kSynchronousNormal));
  FAULTLINE_RETURN_IF_ERROR(database->Execute(kSettings));
  database->LeaveLogToOthers();
  FAULTLINE_RETURN_IF_ERROR(Migrate(*database, Migrations()));
  return database;
}

absl::StatusOr<Database::Options> ProbeForReading(Database::Options options) {
  options.access = Database::Access::kReadOnly;
  const absl::Status live = TryReading(options);
  if (live.ok()) return options;
  if (ReasonOf(live) != "DATA_DIRECTORY_NOT_WRITABLE" ||
      access(options.path.c_str(), R_OK) != 0) {
    return live;
  }
  if (!LogIsEmpty(options.path)) {
    return ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_READ_ONLY",
        absl::StrCat(options.path,
                     " has a write-ahead log and its directory cannot be "
                     "written; copy the directory to a writable place and open "
                     "the copy"));
  }
  options.access = Database::Access::kImmutable;
  FAULTLINE_RETURN_IF_ERROR(TryReading(options));
  return options;
}

}  // namespace faultline::storage
