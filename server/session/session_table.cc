#include "server/session/session_table.h"

#include <utility>

#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/session/random_id.h"
#include "server/session/record.h"
#include "server/session/wait_for.h"

namespace faultline {
namespace {

constexpr int kChosenIdLength = 12;

SessionTable::Options WithRunner(SessionTable::Options options) {
  if (!options.runner) options.runner = ApplyRunner();
  return options;
}

absl::Status CheckConfig(const SessionInfo& info) {
  const Booted booted = BootMachine(info.config);
  switch (booted.ended) {
    case Ended::kWell:
      return absl::OkStatus();
    case Ended::kConfigRefused:
      return errors::InvalidField("config", booted.what);
    case Ended::kOutOfMemory:
      return OutOfMemory();
    case Ended::kPanicked:
      break;
  }
  return errors::SimulatorBug(ResourceName(info.id), booted.what);
}

}  // namespace

SessionTable::SessionTable(storage::Store& store)
    : SessionTable(store, Options()) {}

SessionTable::SessionTable(storage::Store& store, Options options)
    : store_(store),
      options_(WithRunner(std::move(options))),
      past_(store_, options_.runner),
      snapshots_(store_, options_.snapshots),
      sessions_(options_.machines_max),
      watches_(
          store_, options_.runner,
          [this](absl::string_view id, auto answer) {
            LookInMemory(id, std::move(answer));
          },
          options_.watching),
      wakers_(options_.wakers),
      workers_(options_.workers),
      context_{store_,   options_.runner, sessions_, outstanding_,
               workers_, wakers_,         watches_,  snapshots_} {}

SessionTable::~SessionTable() {
  sessions_.Clear();
  outstanding_.AwaitNone();
}

void SessionTable::Submit(absl::string_view id, Session::Request request) {
  while (true) {
    const std::shared_ptr<Session> session = sessions_.FindOrMake(context_, id);
    if (session->Enqueue(request)) return;
    sessions_.Remove(*session);
  }
}

SessionInfo SessionTable::NewInfo(std::string id, std::string display_name,
                                  MachineConfig config) {
  SessionInfo info;
  info.id = id.empty() ? RandomId(kChosenIdLength) : std::move(id);
  info.display_name = std::move(display_name);
  info.config = std::move(config);
  info.create_time = NowAsStored();
  info.update_time = info.create_time;
  return info;
}

absl::Status SessionTable::CheckRoomForSession(absl::string_view id) {
  const absl::StatusOr<int64_t> count = store_.CountSessions();
  if (!count.ok()) return StorageError(id, count.status());
  return *count < options_.sessions_max
             ? absl::OkStatus()
             : errors::SessionsLimit(options_.sessions_max);
}

void SessionTable::Create(std::string id, std::string display_name,
                          MachineConfig config, Answer<SessionInfo> answer) {
  SessionInfo info =
      NewInfo(std::move(id), std::move(display_name), std::move(config));
  auto token = std::make_shared<Outstanding::Token>(outstanding_);
  workers_.Submit([this, info = std::move(info), answer = std::move(answer),
                   token = std::move(token)]() mutable {
    CreateNow(std::move(info), [token, answer](absl::StatusOr<SessionInfo> i) {
      answer(std::move(i));
    });
  });
}

void SessionTable::CreateNow(SessionInfo info,
                             const Answer<SessionInfo>& answer) {
  absl::Status room = CheckRoomForSession(info.id);
  if (!room.ok()) return answer(std::move(room));
  absl::Status config = CheckConfig(info);
  if (!config.ok()) return answer(std::move(config));
  storage::SessionRecord record = RecordOf(info);
  const std::string id = info.id;
  const absl::Status refused = store_.CreateSession(
      std::move(record),
      [info = std::move(info), answer](const absl::Status& status) {
        if (status.ok()) return answer(info);
        answer(StorageError(info.id, status));
      });
  if (!refused.ok()) answer(StorageError(id, refused));
}

void SessionTable::Close(absl::string_view id, Answer<SessionInfo> answer) {
  Submit(id, Session::Close{std::move(answer)});
}

void SessionTable::Delete(absl::string_view id,
                          std::function<void(absl::Status)> answer) {
  Submit(id, Session::Delete{std::move(answer)});
}

void SessionTable::Join(absl::string_view id, Participant participant,
                        Answer<Joined> answer) {
  if (participant.id.empty()) participant.id = RandomId(kChosenIdLength);
  participant.join_time = NowAsStored();
  Submit(id, Session::Join{std::move(participant), std::move(answer)});
}

void SessionTable::Leave(absl::string_view id, absl::string_view participant,
                         Answer<Participant> answer) {
  Submit(id, Session::Leave{std::string(participant), std::move(answer)});
}

void SessionTable::Execute(absl::string_view id, Command command,
                           ExecuteOptions options,
                           Answer<ExecuteResult> answer) {
  std::vector<Command> commands;
  commands.push_back(std::move(command));
  ExecuteBatch(id, std::move(commands), std::move(options),
               [answer = std::move(answer)](absl::StatusOr<BatchResult> batch) {
                 if (!batch.ok()) return answer(std::move(batch).status());
                 answer(ExecuteResult{batch->revision,
                                      std::move(batch->outcomes.front())});
               });
}

void SessionTable::ExecuteBatch(absl::string_view id,
                                std::vector<Command> commands,
                                ExecuteOptions options,
                                Answer<BatchResult> answer,
                                std::vector<std::string> encoded) {
  if (commands.empty()) {
    return answer(errors::MissingField("commands", "must not be empty"));
  }
  Submit(id, Session::Run{std::move(commands), std::move(encoded),
                          std::move(options), std::move(answer)});
}

void SessionTable::Look(absl::string_view id,
                        absl::optional<int64_t> expected_revision,
                        Answer<std::shared_ptr<const MachineView>> answer) {
  Submit(id, Session::Look{expected_revision, std::move(answer)});
}

absl::StatusOr<SessionInfo> SessionTable::Get(absl::string_view id) {
  return ReadInfo(store_, id);
}

absl::StatusOr<std::vector<SessionInfo>> SessionTable::List(
    absl::string_view after_id, int64_t limit) {
  const absl::StatusOr<std::vector<storage::SessionRecord>> records =
      store_.ListSessions(after_id, limit);
  if (!records.ok()) return StorageError(after_id, records.status());
  std::vector<SessionInfo> infos;
  for (const storage::SessionRecord& record : *records) {
    FL_ASSIGN_OR_RETURN(SessionInfo info, InfoOf(record));
    infos.push_back(std::move(info));
  }
  return infos;
}

absl::StatusOr<std::vector<Participant>> SessionTable::ListParticipants(
    absl::string_view id, absl::string_view after_id, WhoLeft who_left,
    int64_t limit) {
  const absl::StatusOr<std::vector<storage::ParticipantRecord>> records =
      store_.ListParticipants(id, after_id, who_left, limit);
  if (!records.ok()) return StorageError(id, records.status());
  std::vector<Participant> participants;
  for (const storage::ParticipantRecord& record : *records) {
    FL_ASSIGN_OR_RETURN(Participant participant, ParticipantOf(id, record));
    participants.push_back(std::move(participant));
  }
  return participants;
}

absl::StatusOr<CommandPage> SessionTable::ListCommands(absl::string_view id,
                                                       int64_t start_revision,
                                                       int64_t limit,
                                                       size_t bytes_max) {
  CommandPage page;
  const absl::StatusOr<int64_t> revision = store_.LastRevision(id);
  if (!revision.ok()) return StorageError(id, revision.status());
  page.revision = *revision;
  if (start_revision > page.revision + 1 || start_revision < 1) {
    return errors::RevisionOutOfRange(ResourceName(id), "start_revision",
                                      start_revision, page.revision);
  }
  size_t bytes = 0;
  absl::Status status;
  const auto take = [&](const storage::StoredEntry& stored) -> absl::Status {
    const storage::Entry& entry = stored.entry;
    FL_ASSIGN_OR_RETURN(v1::Command command, CommandMessageOf(id, entry));
    FL_ASSIGN_OR_RETURN(const absl::optional<uint64_t> digest,
                        DigestOf(id, entry));
    page.commands.push_back({entry.revision, std::move(command), digest,
                             entry.sender, stored.time});
    return absl::OkStatus();
  };
  const absl::Status read = store_.ReadJournal(
      id, start_revision, [&](const storage::StoredEntry& stored) {
        if (stored.entry.revision > page.revision ||
            static_cast<int64_t>(page.commands.size()) >= limit) {
          return false;
        }
        bytes += stored.entry.command.size();
        if (!page.commands.empty() && bytes > bytes_max) return false;
        status = take(stored);
        return status.ok();
      });
  FL_RETURN_IF_ERROR(status);
  if (!read.ok()) return StorageError(id, read);
  return page;
}

std::shared_ptr<Watcher> SessionTable::Watch(absl::string_view id,
                                             WatchRequest request,
                                             std::shared_ptr<WatchSink> sink) {
  std::shared_ptr<Watcher> watcher =
      watches_.Make(id, std::move(request), std::move(sink));
  auto token = std::make_shared<Outstanding::Token>(outstanding_);
  workers_.Submit(
      [this, watcher, token = std::move(token)] { watches_.Open(watcher); });
  return watcher;
}

void SessionTable::LookInMemory(
    absl::string_view id, Answer<std::shared_ptr<const MachineView>> answer) {
  if (sessions_.Find(id) == nullptr) {
    return answer(errors::SessionNotFound(ResourceName(id)));
  }
  Look(id, absl::nullopt, std::move(answer));
}

absl::StatusOr<std::shared_ptr<const MachineView>> SessionTable::WaitForLook(
    absl::string_view id) {
  return WaitForAnswer<std::shared_ptr<const MachineView>>(
      [&](auto answer) { Look(id, absl::nullopt, std::move(answer)); });
}

std::shared_ptr<const MachineView> SessionTable::LookIfInMemory(
    absl::string_view id) {
  if (sessions_.Find(id) == nullptr) return nullptr;
  return WaitForLook(id).value_or(nullptr);
}

absl::StatusOr<ReplayReport> SessionTable::Replay(absl::string_view id,
                                                  int64_t to_revision,
                                                  const Progress& progress) {
  return faultline::Replay(store_, id, options_.runner, to_revision, progress);
}

absl::StatusOr<VerifyReport> SessionTable::Verify(absl::string_view id,
                                                  const Progress& progress) {
  const std::shared_ptr<const MachineView> live = LookIfInMemory(id);
  return faultline::Verify(store_, id, options_.runner, live.get(), progress);
}

absl::StatusOr<FingerprintReport> SessionTable::Fingerprint(
    absl::string_view id, absl::optional<int64_t> revision,
    const Progress& progress) {
  if (!revision) {
    const std::shared_ptr<const MachineView> live = LookIfInMemory(id);
    if (live != nullptr) return FingerprintOf(live->machine, live->revision);
  }
  if (!revision) {
    FL_ASSIGN_OR_RETURN(const SessionInfo info, Get(id));
    revision = info.revision;
  }
  FL_ASSIGN_OR_RETURN(const std::shared_ptr<const MachineView> view,
                      LookAt(id, *revision, "revision", progress));
  return FingerprintOf(view->machine, view->revision);
}

size_t SessionTable::live_machines() const { return sessions_.machines(); }

}  // namespace faultline
