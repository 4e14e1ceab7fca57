#include "server/session/snapshots_check.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/limits.h"
#include "server/session/snapshots.h"

namespace faultline {
namespace {

bool IsForeign(const storage::SnapshotRecord& record) {
  return record.state_version != static_cast<int64_t>(kStateVersion);
}

absl::Status ReadAll(absl::StatusOr<storage::ImageReader> reader) {
  if (!reader.ok()) return reader.status();
  while (true) {
    const absl::StatusOr<absl::string_view> piece = reader->Next();
    if (!piece.ok()) return piece.status();
    if (piece->empty()) return absl::OkStatus();
  }
}

}  // namespace

SnapshotsCheck::SnapshotsCheck(storage::Store& store, const SessionInfo& info)
    : store_(store), session_(info.id) {
  auto records = store.ListSnapshots(session_, -1, "", limits::kSnapshotsMax);
  if (!records.ok()) {
    problems_.push_back(absl::StrCat("the snapshots cannot be listed: ",
                                     records.status().message()));
    return;
  }
  for (storage::SnapshotRecord& record : *records) {
    if (!record.whole) {
      Fail(record, "what is recorded of it is not what was written");
    } else if (record.revision <= info.revision) {  // not one of just now
      records_.push_back(std::move(record));
    }
  }
}

int64_t SnapshotsCheck::NextRevision() const {
  return next_ < records_.size() ? records_[next_].revision
                                 : std::numeric_limits<int64_t>::max();
}

void SnapshotsCheck::CheckAt(const Machine& replayed, int64_t revision) {
  absl::optional<uint64_t> fingerprint;
  for (; NextRevision() == revision; ++next_) {
    const storage::SnapshotRecord& record = records_[next_];
    if (IsForeign(record)) {
      CheckForeign(record);
      continue;
    }
    if (!fingerprint) fingerprint = replayed.Fingerprint();
    CheckMachine(record, *fingerprint);
  }
}

// One that was deleted meanwhile is none any more.
void SnapshotsCheck::CheckForeign(const storage::SnapshotRecord& record) {
  const absl::Status read = ReadAll(store_.ReadSnapshot(session_, record.id));
  if (read.ok()) {
    ++foreign_;
  } else if (!absl::IsNotFound(read)) {
    Fail(record, read.message());
  }
}

void SnapshotsCheck::CheckMachine(const storage::SnapshotRecord& record,
                                  uint64_t replayed_fingerprint) {
  const auto machine = LoadSnapshot(store_, session_, record.id);
  if (absl::IsNotFound(machine.status())) return;
  if (!machine.ok()) return Fail(record, machine.status().message());
  const uint64_t loaded = (*machine)->Fingerprint();
  if (loaded == record.fingerprint && loaded == replayed_fingerprint) {
    ++good_;
    return;
  }
  Fail(record, absl::StrFormat(
                   "its machine has fingerprint %016x, %016x is recorded, the "
                   "replay has %016x",
                   loaded, record.fingerprint, replayed_fingerprint));
}

void SnapshotsCheck::Fail(const storage::SnapshotRecord& record,
                          absl::string_view why) {
  problems_.push_back(absl::StrCat("snapshot ", record.id, " at revision ",
                                   record.revision, ": ", why));
}

absl::optional<VerifyReport::Check> SnapshotsCheck::Result() const {
  const auto left = static_cast<int64_t>(records_.size() - next_);
  if (good_ + foreign_ + left == 0 && problems_.empty()) return absl::nullopt;
  std::string text =
      absl::StrCat(good_, " snapshots are the machine of their revision");
  if (foreign_ > 0) {
    absl::StrAppend(&text, "; of ", foreign_,
                    " by another version of the simulator only the bytes were "
                    "checked");
  }
  if (left > 0) {
    absl::StrAppend(&text, "; ", left, " are past the end of the replay");
  }
  if (problems_.empty()) return VerifyReport::Check{"snapshots", true, text};
  return VerifyReport::Check{"snapshots", false,
                             absl::StrCat(problems_.size(), " damaged: ",
                                          problems_.front(), "; ", text)};
}

}  // namespace faultline
