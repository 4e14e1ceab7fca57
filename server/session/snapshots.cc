#include "server/session/snapshots.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/session/execute.h"
#include "server/session/record.h"
#include "storage/reason.h"

namespace faultline {
namespace {

constexpr auto kOurVersion = static_cast<int64_t>(kStateVersion);

int64_t CountMax(storage::SnapshotKind kind) {
  // The one that is too many is taken before another goes.
  return kind == storage::SnapshotKind::kUser
             ? limits::kUserSnapshotsMax
             : limits::kAutomaticSnapshotsMax + 1;
}

// What is wrong with the bytes of a machine, as errors of the service.
struct LoadErrors {
  std::function<absl::Status(const absl::Status&)> of_store;
  std::function<absl::Status(absl::string_view)> corrupt;
};

absl::StatusOr<std::unique_ptr<Machine>> Load(storage::ImageReader& reader,
                                              const LoadErrors& error) {
  absl::Status read;
  Booted loaded = LoadMachine(
      static_cast<uint64_t>(reader.bytes()), [&]() -> std::string_view {
        const absl::StatusOr<absl::string_view> piece = reader.Next();
        if (piece.ok()) return {piece->data(), piece->size()};
        read = piece.status();
        throw ArchiveError("its bytes cannot be read");
      });
  if (!read.ok()) return error.of_store(read);
  if (loaded.ended == Ended::kOutOfMemory) return OutOfMemory();
  if (loaded.ended != Ended::kWell) return error.corrupt(loaded.what);
  return std::move(loaded.machine);
}

absl::StatusOr<std::unique_ptr<Machine>> BootFirst(const SessionInfo& info) {
  Booted booted = BootMachine(info.config);
  switch (booted.ended) {
    case Ended::kWell:
      return std::move(booted.machine);
    case Ended::kOutOfMemory:
      return OutOfMemory();
    case Ended::kPanicked:
    case Ended::kConfigRefused:
      break;
  }
  return errors::SimulatorBug(ResourceName(info.id), booted.what);
}

}  // namespace

std::string SnapshotName(absl::string_view session, absl::string_view id) {
  return absl::StrCat(ResourceName(session), "/snapshots/", id);
}

absl::Status SnapshotError(absl::string_view session, absl::string_view id,
                           const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  const std::string name = SnapshotName(session, id);
  if (reason == "SNAPSHOT_NOT_FOUND") return errors::SnapshotNotFound(name);
  if (reason == "SNAPSHOT_EXISTS") return errors::SnapshotAlreadyExists(name);
  if (reason == "SNAPSHOT_CORRUPT") {
    return errors::SnapshotCorrupt(name, status.message());
  }
  if (reason == "SNAPSHOTS_LIMIT") {
    return errors::SnapshotsLimit(ResourceName(session),
                                  limits::kUserSnapshotsMax);
  }
  if (reason == "SESSION_NOT_ACTIVE") {
    return errors::SessionClosed(ResourceName(session));
  }
  return StorageError(session, status);
}

SnapshotInfo InfoOf(absl::string_view session,
                    const storage::SnapshotRecord& record) {
  SnapshotInfo info;
  info.session = std::string(session);
  info.id = record.id;
  info.automatic = record.kind == storage::SnapshotKind::kAutomatic;
  info.revision = record.revision;
  info.display_name = record.display_name;
  info.create_time = record.create_time;
  info.bytes = record.bytes;
  info.stored_bytes = record.stored_bytes;
  info.fingerprint = record.fingerprint;
  return info;
}

absl::StatusOr<SnapshotInfo> StoreSnapshot(storage::Store& store,
                                           absl::string_view session,
                                           const MachineView& view,
                                           const SnapshotSpec& spec) {
  absl::StatusOr<std::unique_ptr<storage::SnapshotWriter>> writer =
      store.WriteSnapshot();
  if (!writer.ok()) return SnapshotError(session, spec.id, writer.status());
  bool cancelled = false;
  const Saved saved = SaveMachine(view.machine, [&](std::string_view piece) {
    cancelled = cancelled || (spec.cancelled && spec.cancelled());
    // Finish says what went wrong.
    if (!cancelled) {
      (*writer)->Add({piece.data(), piece.size()}).IgnoreError();
    }
  });
  if (cancelled) return errors::Cancelled();
  if (saved.ended == Ended::kOutOfMemory) return OutOfMemory();
  if (saved.ended != Ended::kWell) {
    return errors::SimulatorBug(ResourceName(session), saved.what);
  }
  storage::SnapshotRecord record;
  record.id = spec.id;
  record.kind = spec.kind;
  record.revision = view.revision;
  record.display_name = spec.display_name;
  record.create_time = absl::Now();
  record.state_version = kOurVersion;
  record.fingerprint = saved.fingerprint;
  const absl::StatusOr<storage::SnapshotRecord> stored = (*writer)->Finish(
      session, record,
      {.session_key = view.session_key,
       .count_max = CountMax(spec.kind),
       .active_only = spec.kind == storage::SnapshotKind::kAutomatic});
  if (!stored.ok()) return SnapshotError(session, spec.id, stored.status());
  SnapshotInfo info = InfoOf(session, *stored);
  info.session_pause = view.session_pause;
  return info;
}

absl::StatusOr<std::unique_ptr<Machine>> LoadSnapshot(storage::Store& store,
                                                      absl::string_view session,
                                                      absl::string_view id) {
  const std::string name = SnapshotName(session, id);
  const auto record = store.GetSnapshot(session, id);
  if (!record.ok()) return SnapshotError(session, id, record.status());
  if (record->state_version != kOurVersion) {
    return errors::StateVersionMismatch(name, record->state_version,
                                        kOurVersion);
  }
  absl::StatusOr<storage::ImageReader> reader = store.ReadSnapshot(session, id);
  if (!reader.ok()) return SnapshotError(session, id, reader.status());
  return Load(*reader, {.of_store =
                            [&](const absl::Status& status) {
                              return SnapshotError(session, id, status);
                            },
                        .corrupt =
                            [&](absl::string_view why) {
                              return errors::SnapshotCorrupt(name, why);
                            }});
}

absl::StatusOr<std::unique_ptr<Machine>> FirstMachine(storage::Store& store,
                                                      const SessionInfo& info) {
  if (!info.origin) return BootFirst(info);
  const std::string name = ResourceName(info.id);
  if (info.origin->state_version != kOurVersion) {
    return errors::StateVersionMismatch(name, info.origin->state_version,
                                        kOurVersion);
  }
  absl::StatusOr<absl::optional<storage::ImageReader>> reader =
      store.ReadBase(info.id);
  if (!reader.ok()) return StorageError(info.id, reader.status());
  if (!*reader) return errors::SessionNotFound(name);  // another has its id now
  const auto corrupt = [&](absl::string_view why) {
    return errors::HistoryCorrupt(
        name, absl::StrCat("the machine that it started from: ", why));
  };
  FL_ASSIGN_OR_RETURN(std::unique_ptr<Machine> machine,
                      Load(**reader, {.of_store =
                                          [&](const absl::Status& status) {
                                            return StorageError(info.id,
                                                                status);
                                          },
                                      .corrupt = corrupt}));
  if (machine->Fingerprint() == info.origin->fingerprint) return machine;
  return corrupt("it is another one");
}

NearMachine FindNearMachine(storage::Store& store, absl::string_view session,
                            int64_t revision) {
  NearMachine near;
  const auto found = store.ListSnapshotsBefore(session, revision, kOurVersion,
                                               limits::kSnapshotTriesMax);
  // Without snapshots there is still the journal.
  if (!found.ok()) return near;
  for (const storage::SnapshotRecord& record : *found) {
    auto machine = LoadSnapshot(store, session, record.id);
    if (!machine.ok()) continue;
    near.machine = *std::move(machine);
    near.revision = record.revision;
    near.bytes = record.bytes;
    break;
  }
  return near;
}

}  // namespace faultline
