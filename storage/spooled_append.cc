#include "storage/spooled_append.h"

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/packing.h"
#include "storage/reason.h"
#include "storage/sha256.h"
#include "storage/spool.h"
#include "storage/status_macros.h"
#include "storage/transaction.h"
#include "storage/write.h"

namespace faultline::storage {
namespace {

absl::Status Corrupt(const std::string& directory) {
  return ErrorWithReason(
      absl::StatusCode::kDataLoss, "SPOOL_CORRUPT",
      absl::StrCat(directory, "/", kSpoolFile,
                   " holds what this faultline did not write; move it away to "
                   "go on without what was recorded last"));
}

bool TakeAppend(absl::string_view record, Write& write) {
  if (record.size() < Sha256::kDigestBytes) return false;
  AppendWrite append;
  append.genesis = std::string(record.substr(0, Sha256::kDigestBytes));
  record.remove_prefix(Sha256::kDigestBytes);
  if (!TakeBytes(record, write.session)) return false;
  const absl::optional<uint64_t> time = TakeVarint(record);
  const absl::optional<uint64_t> first = TakeVarint(record);
  const absl::optional<uint64_t> count = TakeVarint(record);
  // Each entry takes bytes.
  if (!time || !first || !count || *count > record.size()) return false;
  append.time = absl::FromUnixMicros(static_cast<int64_t>(*time));
  const auto first_revision = static_cast<int64_t>(*first);
  absl::StatusOr<std::vector<Entry>> entries =
      UnpackEntries(record, first_revision,
                    first_revision + static_cast<int64_t>(*count) - 1);
  if (!entries.ok()) return false;
  append.entries = *std::move(entries);
  write.what = std::move(append);
  return true;
}

absl::Status FoldAll(Database& database, absl::Span<const Write> writes) {
  FAULTLINE_ASSIGN_OR_RETURN(
      Transaction transaction,
      Transaction::Begin(database, Transaction::Mode::kWrite));
  const JournalHeads unknown;
  WriteGroup group(database, unknown, absl::Now());
  FAULTLINE_RETURN_IF_ERROR(group.Execute(writes).status());
  return transaction.Commit();
}

}  // namespace

std::string PackAppend(absl::string_view session, absl::Time time,
                       const std::vector<Entry>& entries) {
  std::string packed;
  PutBytes(session, packed);
  PutVarint(static_cast<uint64_t>(absl::ToUnixMicros(time)), packed);
  PutVarint(static_cast<uint64_t>(entries.front().revision), packed);
  PutVarint(entries.size(), packed);
  std::vector<const Entry*> pointers;
  pointers.reserve(entries.size());
  for (const Entry& entry : entries) pointers.push_back(&entry);
  PackEntries(pointers, packed);
  return packed;
}

absl::Status FoldSpool(Database& database, const std::string& directory) {
  FAULTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> records,
                             ReadSpool(directory));
  std::vector<Write> writes(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    if (!TakeAppend(records[i], writes[i])) return Corrupt(directory);
  }
  if (!writes.empty()) {
    FAULTLINE_RETURN_IF_ERROR(FoldAll(database, writes));
  }
  return RemoveSpool(directory);
}

}  // namespace faultline::storage
