#include "storage/sqlite_error.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"

namespace faultline::storage {
namespace {

// What a class of result codes means to the person who runs the server.
struct Meaning {
  int code;  // extended when it has a meaning of its own, else primary
  absl::StatusCode status;
  const char* reason;
  const char* text;
};

constexpr Meaning kMeanings[] = {
    {SQLITE_CONSTRAINT_PRIMARYKEY, absl::StatusCode::kAlreadyExists,
     "ROW_EXISTS", "a row with this key exists already"},
    {SQLITE_CONSTRAINT_UNIQUE, absl::StatusCode::kAlreadyExists, "ROW_EXISTS",
     "a row with this key exists already"},
    {SQLITE_IOERR_NOMEM, absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY",
     "out of memory; close sessions or give the server more"},
    {SQLITE_FULL, absl::StatusCode::kResourceExhausted, "DISK_FULL",
     "the disk is full; free some space (nothing acknowledged is lost)"},
    // The log's index, faultline.db-shm, is allocated when it is opened.
    {SQLITE_IOERR_SHMSIZE, absl::StatusCode::kResourceExhausted, "DISK_FULL",
     "the disk is full; free some space (nothing acknowledged is lost)"},
    {SQLITE_IOERR, absl::StatusCode::kUnavailable, "DISK_ERROR",
     "the disk reported an error; look into the kernel log (dmesg) and check "
     "the disk"},
    {SQLITE_CORRUPT, absl::StatusCode::kDataLoss, "DATABASE_CORRUPT",
     "the database file is damaged; restore it from a backup, or save what can "
     "be read with `sqlite3 faultline.db .recover`"},
    {SQLITE_NOTADB, absl::StatusCode::kFailedPrecondition, "NOT_A_DATABASE",
     "the file is not an SQLite database; choose another data directory, or "
     "move the file away"},
    {SQLITE_BUSY, absl::StatusCode::kUnavailable, "DATABASE_BUSY",
     "another program holds the database locked; close it (perhaps a sqlite3 "
     "shell with an open transaction)"},
    {SQLITE_LOCKED, absl::StatusCode::kUnavailable, "DATABASE_BUSY",
     "another connection holds the table locked; try again"},
    {SQLITE_READONLY, absl::StatusCode::kFailedPrecondition,
     "DATA_DIRECTORY_NOT_WRITABLE",
     "the database cannot be written; check the permissions of the file and of "
     "its directory, or open it read-only"},
    {SQLITE_CANTOPEN, absl::StatusCode::kFailedPrecondition,
     "DATA_DIRECTORY_NOT_WRITABLE",
     "the file cannot be opened or created; check the permissions of the file "
     "and of its directory"},
    {SQLITE_PERM, absl::StatusCode::kFailedPrecondition,
     "DATA_DIRECTORY_NOT_WRITABLE",
     "permission denied; check the owner and mode of the data directory"},
    {SQLITE_NOMEM, absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY",
     "out of memory; close sessions or give the server more"},
    {SQLITE_TOOBIG, absl::StatusCode::kInvalidArgument, "ENTRY_TOO_LARGE",
     "a value is larger than the database takes; split it"},
};

Meaning MeaningOf(int extended_code) {
  for (const Meaning& meaning : kMeanings) {
    if (meaning.code == extended_code) return meaning;
  }
  for (const Meaning& meaning : kMeanings) {
    if (meaning.code == (extended_code & 0xff)) return meaning;
  }
  return {extended_code, absl::StatusCode::kInternal, "DATABASE_ERROR",
          "the database refused a statement; this is a bug of faultline, "
          "please report it"};
}

}  // namespace

absl::Status SqliteError(int extended_code, absl::string_view doing,
                         absl::string_view database, absl::string_view detail) {
  const Meaning meaning = MeaningOf(extended_code);
  return ErrorWithReason(
      meaning.status, meaning.reason,
      absl::StrCat("cannot ", doing, " (", database, "): ", meaning.text,
                   " [SQLite ", extended_code, ": ",
                   detail.empty() ? sqlite3_errstr(extended_code) : detail,
                   "]"));
}

}  // namespace faultline::storage
