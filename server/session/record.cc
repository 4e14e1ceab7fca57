#include "server/session/record.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "faultline/v1/machine.pb.h"
#include "faultline/v1/session.pb.h"
#include "server/codec/command.h"
#include "server/codec/config.h"
#include "server/codec/errors.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "storage/reason.h"

namespace faultline {
namespace {

constexpr size_t kDigestBytes = 8;

absl::Status Corrupt(absl::string_view id, absl::string_view why) {
  return errors::HistoryCorrupt(ResourceName(id), why);
}

absl::Status CorruptEntry(absl::string_view id, const storage::Entry& entry,
                          absl::string_view why) {
  return Corrupt(id, absl::StrCat("revision ", entry.revision, ": ", why));
}

storage::SessionBase BaseOf(const SessionOrigin& origin) {
  v1::Origin message;
  message.set_snapshot(origin.snapshot);
  message.set_revision(origin.revision);
  message.set_fingerprint(origin.fingerprint);
  return {message.SerializeAsString(), origin.state_version,
          origin.fingerprint};
}

absl::StatusOr<SessionOrigin> OriginOf(const storage::SessionRecord& record) {
  v1::Origin message;
  if (!message.ParseFromString(record.base->origin)) {
    return Corrupt(record.id, "its origin cannot be read");
  }
  SessionOrigin origin;
  origin.snapshot = message.snapshot();
  origin.revision = message.revision();
  origin.fingerprint = record.base->fingerprint;
  origin.state_version = record.base->state_version;
  return origin;
}

SessionLife LifeOf(storage::SessionState state) {
  switch (state) {
    case storage::SessionState::kClosed:
      return SessionLife::kClosed;
    case storage::SessionState::kPanicked:
      return SessionLife::kPanicked;
    case storage::SessionState::kActive:
      break;
  }
  return SessionLife::kOpen;
}

}  // namespace

absl::Time NowAsStored() {
  return absl::FromUnixMicros(absl::ToUnixMicros(absl::Now()));
}

std::string ResourceName(absl::string_view id) {
  return absl::StrCat("sessions/", id);
}

absl::Status CopyOf(const absl::Status& status) {
  absl::Status copy(status.code(), status.message());
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    copy.SetPayload(url, absl::Cord(std::string(payload)));
  });
  return copy;
}

absl::Status StorageError(absl::string_view id, const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  const std::string name = ResourceName(id);
  if (reason == "SESSION_NOT_FOUND") return errors::SessionNotFound(name);
  if (reason == "SESSION_EXISTS") return errors::SessionAlreadyExists(name);
  if (reason == "JOURNAL_CORRUPT" || reason == "DATABASE_CORRUPT" ||
      status.code() == absl::StatusCode::kDataLoss) {
    return errors::HistoryCorrupt(name, status.message());
  }
  return errors::JournalUnavailable(status.message());
}

storage::SessionRecord RecordOf(const SessionInfo& info) {
  v1::CreateSessionRequest request;
  request.set_display_name(info.display_name);
  ConfigToProto(info.config, request.mutable_config());
  storage::SessionRecord record;
  record.id = info.id;
  record.create_time = info.create_time;
  record.config = request.SerializeAsString();
  if (info.origin) record.base = BaseOf(*info.origin);
  return record;
}

absl::StatusOr<SessionInfo> InfoOf(const storage::SessionRecord& record) {
  v1::CreateSessionRequest request;
  if (!request.ParseFromString(record.config)) {
    return Corrupt(record.id, "its configuration cannot be read");
  }
  const absl::StatusOr<MachineConfig> config =
      ConfigFromJournal(request.config());
  if (!config.ok()) return Corrupt(record.id, config.status().message());
  SessionInfo info;
  info.id = record.id;
  info.display_name = request.display_name();
  info.config = *config;
  info.life = LifeOf(record.state);
  info.panic = record.state_detail;
  info.revision = record.last_revision;
  info.create_time = record.create_time;
  info.update_time = record.update_time;
  info.key = record.key;
  if (record.base) {
    FL_ASSIGN_OR_RETURN(info.origin, OriginOf(record));
  }
  return info;
}

absl::StatusOr<SessionInfo> ReadInfo(storage::Store& store,
                                     absl::string_view id) {
  const absl::StatusOr<storage::SessionRecord> record = store.GetSession(id);
  if (!record.ok()) return StorageError(id, record.status());
  return InfoOf(*record);
}

absl::StatusOr<std::string> CommandBytes(const Command& command) {
  v1::Command message;
  FL_RETURN_IF_ERROR(CommandToProto(command, &message));
  return message.SerializeAsString();
}

absl::StatusOr<v1::Command> CommandMessageOf(absl::string_view id,
                                             const storage::Entry& entry) {
  v1::Command message;
  if (message.ParseFromString(entry.command)) return message;
  return CorruptEntry(id, entry, "the command cannot be read");
}

absl::StatusOr<Command> CommandOf(absl::string_view id,
                                  const storage::Entry& entry) {
  FL_ASSIGN_OR_RETURN(const v1::Command message, CommandMessageOf(id, entry));
  absl::StatusOr<Command> command = CommandFromJournal(message);
  if (command.ok()) return command;
  return CorruptEntry(id, entry, command.status().message());
}

std::string DigestBytes(uint64_t digest) {
  std::string bytes;
  for (size_t i = 0; i < kDigestBytes; ++i) {
    bytes.push_back(static_cast<char>(digest >> (8 * i) & 0xff));
  }
  return bytes;
}

absl::StatusOr<absl::optional<uint64_t>> DigestOf(absl::string_view id,
                                                  const storage::Entry& entry) {
  if (entry.digest.empty()) return absl::optional<uint64_t>();
  if (entry.digest.size() != kDigestBytes) {
    return CorruptEntry(id, entry, "the digest has the wrong size");
  }
  uint64_t digest = 0;
  for (size_t i = 0; i < kDigestBytes; ++i) {
    digest |= uint64_t{static_cast<uint8_t>(entry.digest[i])} << (8 * i);
  }
  return absl::optional<uint64_t>(digest);
}

std::string ResultBytes(const BatchResult& result) {
  v1::RunResponse response;
  response.set_revision(result.revision);
  for (const Outcome& outcome : result.outcomes) {
    // All but the events, which are not kept.
    Outcome plain{.value = outcome.value,
                  .error = outcome.error,
                  .signal = outcome.signal,
                  .exited = outcome.exited,
                  .no_process = outcome.no_process,
                  .min_flt = outcome.min_flt,
                  .maj_flt = outcome.maj_flt,
                  .accesses = outcome.accesses,
                  .cost_ns = outcome.cost_ns,
                  .data = outcome.data,
                  .faulted = outcome.faulted,
                  .tlb_misses = outcome.tlb_misses,
                  .table_loads = outcome.table_loads,
                  .victim_wanted = outcome.victim_wanted,
                  .events = {}};
    OutcomeToProto(plain, response.add_outcomes());
  }
  return response.SerializeAsString();
}

absl::StatusOr<BatchResult> ResultOf(absl::string_view id,
                                     const storage::Entry& entry) {
  v1::RunResponse response;
  if (!response.ParseFromString(entry.outcome) ||
      response.revision() != entry.revision || response.outcomes_size() == 0) {
    return CorruptEntry(id, entry, "the recorded outcome cannot be read");
  }
  BatchResult result;
  result.revision = response.revision();
  for (const v1::Outcome& message : response.outcomes()) {
    absl::StatusOr<Outcome> outcome = OutcomeFromProto(message);
    if (!outcome.ok()) {
      return CorruptEntry(id, entry, outcome.status().message());
    }
    result.outcomes.push_back(*std::move(outcome));
  }
  return result;
}

}  // namespace faultline
