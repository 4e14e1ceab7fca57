#include "server/session/replayer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/codec/utf8.h"
#include "server/session/record.h"
#include "server/session/snapshots.h"
#include "server/session/snapshots_check.h"

namespace faultline {
namespace {

constexpr size_t kCommandTextBytesMax = 256;

std::string Hex(uint64_t digest) { return absl::StrFormat("%016x", digest); }

absl::StatusOr<Replayer> BootFor(storage::Store& store, absl::string_view id,
                                 const MachineRunner& runner) {
  FL_ASSIGN_OR_RETURN(SessionInfo info, ReadInfo(store, id));
  return Replayer::Boot(store, std::move(info), runner);
}

ReplayReport ReportOf(const Replayer& replayer, int64_t commands) {
  ReplayReport report;
  report.commands = commands;
  report.equal = replayer.revision();
  report.divergence = replayer.divergence();
  if (replayer.machine() != nullptr) {
    const int64_t executed = replayer.revision() + (report.divergence ? 1 : 0);
    report.fingerprint = FingerprintOf(*replayer.machine(), executed);
  }
  return report;
}

VerifyReport::Check CheckReplay(const ReplayReport& report) {
  if (report.divergence) return {"replay", false, report.divergence->Say()};
  return {"replay", report.equal == report.commands,
          absl::StrCat(report.equal, " of ", report.commands,
                       " commands gave the recorded outcome")};
}

VerifyReport::Check CheckInvariants(const Machine& machine, int64_t revision) {
  const std::string broken = machine.Verify();
  if (!broken.empty()) return {"invariants", false, broken};
  return {"invariants", true,
          absl::StrCat("every invariant of the machine holds at revision ",
                       revision)};
}

VerifyReport::Check CheckLive(const FingerprintReport& live,
                              const FingerprintReport& replayed) {
  const std::string where = absl::StrCat("at revision ", live.revision);
  if (live.total == replayed.total) {
    return {"live", true,
            absl::StrCat("the machine in memory is the replayed one ", where)};
  }
  std::string differ;
  for (size_t i = 0; i < live.subsystems.size(); ++i) {
    if (live.subsystems[i].hash == replayed.subsystems[i].hash) continue;
    absl::StrAppend(&differ, differ.empty() ? "" : ", ",
                    live.subsystems[i].name);
  }
  return {"live", false,
          absl::StrCat("the machine in memory differs from the replayed one ",
                       where, " in: ", differ)};
}

}  // namespace

FingerprintReport FingerprintOf(const Machine& machine, int64_t revision) {
  return {revision, machine.Fingerprint(), machine.Fingerprints()};
}

std::string Divergence::Say() const {
  std::string text = absl::StrCat(
      "revision ", revision, ": ",
      Utf8Prefix(command.ShortDebugString(), kCommandTextBytesMax), ": ");
  switch (kind) {
    case DivergenceKind::kDifferent:
      absl::StrAppend(&text, "the recorded outcome has digest ",
                      Hex(*recorded_digest), ", the replayed one ",
                      Hex(*digest), " (value ", outcome->value, ")");
      break;
    case DivergenceKind::kMissing:
      absl::StrAppend(&text, "the recorded outcome has digest ",
                      Hex(*recorded_digest),
                      ", the replay broke the simulator (", panic, ")");
      break;
    case DivergenceKind::kExtra:
      absl::StrAppend(&text, "it broke the simulator when it was recorded, ",
                      "the replayed outcome has digest ", Hex(*digest),
                      " (value ", outcome->value, ")");
      break;
  }
  return text;
}

absl::StatusOr<Replayer> Replayer::Boot(storage::Store& store, SessionInfo info,
                                        const MachineRunner& runner) {
  FL_ASSIGN_OR_RETURN(std::unique_ptr<Machine> machine,
                      FirstMachine(store, info));
  return Replayer(store, std::move(info), runner, std::move(machine), 0);
}

absl::StatusOr<Replayer> Replayer::Near(storage::Store& store, SessionInfo info,
                                        const MachineRunner& runner,
                                        int64_t revision) {
  NearMachine near = FindNearMachine(store, info.id, revision);
  if (near.machine == nullptr) return Boot(store, std::move(info), runner);
  Replayer replayer(store, std::move(info), runner, std::move(near.machine),
                    near.revision);
  replayer.start_bytes_ = near.bytes;
  return replayer;
}

Replayer Replayer::From(storage::Store& store, SessionInfo info,
                        const MachineRunner& runner,
                        std::unique_ptr<Machine> machine, int64_t revision) {
  return Replayer(store, std::move(info), runner, std::move(machine), revision);
}

absl::Status Replayer::Run(int64_t to_revision, int64_t total,
                           const Progress& progress) {
  bool stopped = progress && !progress(revision_, total);
  if (stopped) return errors::Cancelled();
  FL_RETURN_IF_ERROR(Advance(to_revision, [&](const storage::Entry& entry) {
    stopped = progress && !progress(entry.revision, total);
    return !stopped;
  }));
  return stopped ? errors::Cancelled() : absl::OkStatus();
}

absl::Status Replayer::Advance(int64_t to_revision, const Visit& visit) {
  return Walk(to_revision, [&](const storage::StoredEntry& stored) {
    return !divergence_ && (!visit || visit(stored.entry));
  });
}

absl::Status Replayer::AdvanceObserved(int64_t to_revision,
                                       const Observe& observe) {
  event_level_ = EventLevel::kAll;
  absl::Status status = Walk(to_revision, [&](const storage::StoredEntry&
                                                  stored) {
    const bool extra =
        divergence_ && divergence_->kind == DivergenceKind::kExtra;
    if (divergence_ && !extra) return false;
    return observe({stored, command_, panic_ || extra ? nullptr : &outcome_});
  });
  event_level_ = EventLevel::kNone;
  return status;
}

absl::Status Replayer::Walk(
    int64_t to_revision,
    absl::FunctionRef<bool(const storage::StoredEntry&)> after) {
  if (divergence_ || panic_ || revision_ >= to_revision) {
    return absl::OkStatus();
  }
  absl::Status step;
  const absl::Status read = store_->ReadJournal(
      info_.id, revision_ + 1, [&](const storage::StoredEntry& stored) {
        step = Step(stored.entry);
        if (!step.ok()) return false;
        const bool more = after(stored);
        return more && !divergence_ && !panic_ && revision_ < to_revision;
      });
  if (!step.ok()) return step;
  if (!read.ok()) return StorageError(info_.id, read);
  return divergence_ || panic_ ? CheckIsTheSession() : absl::OkStatus();
}

// The journal is read by the id, and that may be another session's by now,
// whose commands have other outcomes: no damage of the first.
absl::Status Replayer::CheckIsTheSession() const {
  FL_ASSIGN_OR_RETURN(const SessionInfo now, ReadInfo(*store_, info_.id));
  return now.key == info_.key ? absl::OkStatus()
                              : errors::SessionNotFound(ResourceName(info_.id));
}

absl::Status Replayer::Step(const storage::Entry& entry) {
  FL_ASSIGN_OR_RETURN(command_, CommandOf(info_.id, entry));
  FL_ASSIGN_OR_RETURN(const absl::optional<uint64_t> recorded,
                      DigestOf(info_.id, entry));
  Executed executed = RunCommand(*runner_, *machine_, command_, event_level_);
  if (executed.ended == Ended::kOutOfMemory) {
    machine_.reset();
    return OutOfMemory();
  }
  const bool panicked = executed.ended == Ended::kPanicked;
  if (panicked) machine_.reset();
  if (panicked && !recorded) {
    panic_ = std::move(executed.what);
    revision_ = entry.revision;
    return absl::OkStatus();
  }
  const uint64_t digest = panicked ? 0 : executed.outcome.Digest();
  if (!panicked && recorded && *recorded == digest) {
    revision_ = entry.revision;
    outcome_ = std::move(executed.outcome);
    return absl::OkStatus();
  }
  Divergence divergence;
  divergence.revision = entry.revision;
  FL_ASSIGN_OR_RETURN(divergence.command, CommandMessageOf(info_.id, entry));
  divergence.recorded_digest = recorded;
  if (panicked) {
    divergence.kind = DivergenceKind::kMissing;
    divergence.panic = std::move(executed.what);
  } else {
    divergence.kind =
        recorded ? DivergenceKind::kDifferent : DivergenceKind::kExtra;
    divergence.outcome = std::move(executed.outcome);
    divergence.digest = digest;
    divergence.after = FingerprintOf(*machine_, entry.revision);
  }
  divergence_ = std::move(divergence);
  return absl::OkStatus();
}

bool VerifyReport::ok() const {
  return std::all_of(checks.begin(), checks.end(),
                     [](const Check& check) { return check.ok; });
}

absl::StatusOr<ReplayReport> Replay(storage::Store& store, absl::string_view id,
                                    const MachineRunner& runner,
                                    int64_t to_revision,
                                    const Progress& progress) {
  FL_ASSIGN_OR_RETURN(Replayer replayer, BootFor(store, id, runner));
  const int64_t recorded = replayer.info().revision;
  if (to_revision > recorded || to_revision < 0) {
    return errors::RevisionOutOfRange(ResourceName(id), "to_revision",
                                      to_revision, recorded);
  }
  const int64_t total = to_revision == 0 ? recorded : to_revision;
  FL_RETURN_IF_ERROR(replayer.Run(total, total, progress));
  return ReportOf(replayer, total);
}

absl::StatusOr<VerifyReport> Verify(storage::Store& store, absl::string_view id,
                                    const MachineRunner& runner,
                                    const MachineView* live,
                                    const Progress& progress) {
  VerifyReport report;
  const auto add_journal = [&](bool ok, std::string text) {
    report.checks.push_back({"journal", ok, std::move(text)});
  };
  absl::StatusOr<Replayer> replayer = BootFor(store, id, runner);
  if (!replayer.ok()) {
    if (!absl::IsDataLoss(replayer.status())) return replayer.status();
    add_journal(false, std::string(replayer.status().message()));
    return report;
  }
  const int64_t recorded = replayer->info().revision;
  if (live != nullptr && live->revision > recorded) live = nullptr;
  absl::optional<VerifyReport::Check> live_check;
  SnapshotsCheck snapshots(store, replayer->info());
  absl::Status status;
  // From stop to stop: at each there is something to compare with.
  for (bool more = true; more && status.ok();) {
    int64_t stop = std::min(snapshots.NextRevision(), recorded);
    if (live != nullptr && !live_check) stop = std::min(stop, live->revision);
    status = replayer->Run(stop, recorded, progress);
    if (!status.ok() || replayer->revision() != stop ||
        replayer->machine() == nullptr) {
      break;
    }
    if (live != nullptr && !live_check && live->revision == stop) {
      live_check = CheckLive(FingerprintOf(live->machine, stop),
                             FingerprintOf(*replayer->machine(), stop));
    }
    snapshots.CheckAt(*replayer->machine(), stop);
    more = stop < recorded;
  }
  if (!status.ok() && !absl::IsDataLoss(status)) return status;
  if (status.ok() && replayer->revision() < recorded) {
    // The replay stopped at a divergence; is the rest at least as written?
    const absl::Status rest =
        store.ReadJournal(id, replayer->revision() + 1,
                          [](const storage::StoredEntry&) { return true; });
    if (!rest.ok()) status = StorageError(id, rest);
  }
  add_journal(status.ok(),
              status.ok() ? absl::StrCat("the chain of hashes of ", recorded,
                                         " recorded commands holds")
                          : std::string(status.message()));
  report.replay = ReportOf(*replayer, recorded);
  report.checks.push_back(CheckReplay(*report.replay));
  if (replayer->machine() != nullptr) {
    report.checks.push_back(CheckInvariants(
        *replayer->machine(), report.replay->fingerprint->revision));
  }
  if (live_check) report.checks.push_back(*std::move(live_check));
  if (auto check = snapshots.Result()) report.checks.push_back(*check);
  return report;
}

}  // namespace faultline
