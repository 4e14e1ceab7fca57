#include "storage/store.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "storage/open_database.h"
#include "storage/reason.h"
#include "storage/spooled_append.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr char kInMemory[] = ":memory:";

absl::Status CheckDatabaseExists(const std::string& directory) {
  struct stat status;
  if (stat(absl::StrCat(directory, "/", kDatabaseFile).c_str(), &status) == 0) {
    return absl::OkStatus();
  }
  if (errno != ENOENT) return DirectoryError(errno, "read", directory);
  return ErrorWithReason(
      absl::StatusCode::kNotFound, "DATA_DIRECTORY_MISSING",
      absl::StrCat("there is no ", kDatabaseFile, " in ", directory,
                   "; check the path of the data directory"));
}

// What is spooled does not survive the loss of power. Where there is no room
// for the file, the store does without.
std::unique_ptr<Spool> SpoolFor(const Store::Options& options) {
  if (options.durability == Store::Durability::kPowerLoss) return nullptr;
  absl::StatusOr<std::unique_ptr<Spool>> spool = Spool::Create(options.path);
  return spool.ok() ? *std::move(spool) : nullptr;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const Options& options) {
  Database::Options database;
  database.vfs = options.vfs;
  if (options.access == Access::kReadOnly) {
    FAULTLINE_RETURN_IF_ERROR(CheckDatabaseExists(options.path));
    database.path = absl::StrCat(options.path, "/", kDatabaseFile);
    FAULTLINE_ASSIGN_OR_RETURN(database, ProbeForReading(database));
    return absl::WrapUnique(new Store(
        absl::nullopt, std::make_unique<Connections>(nullptr, database),
        nullptr, nullptr));
  }

  absl::optional<DirectoryLock> lock;
  database.path = kInMemory;
  if (options.path != kInMemory) {
    FAULTLINE_RETURN_IF_ERROR(EnsureDirectory(options.path));
    FAULTLINE_ASSIGN_OR_RETURN(DirectoryLock taken,
                               DirectoryLock::Acquire(options.path));
    lock.emplace(std::move(taken));
    database.path = absl::StrCat(options.path, "/", kDatabaseFile);
  }
  FAULTLINE_ASSIGN_OR_RETURN(
      std::unique_ptr<Database> database_of_writer,
      OpenForWriting(database, options.durability == Durability::kPowerLoss
                                   ? Synchronous::kFull
                                   : Synchronous::kNormal));
  std::unique_ptr<Checkpointer> checkpointer;
  std::unique_ptr<Spool> spool;
  if (options.path != kInMemory) {
    FAULTLINE_RETURN_IF_ERROR(FoldSpool(*database_of_writer, options.path));
    FAULTLINE_ASSIGN_OR_RETURN(checkpointer, Checkpointer::Open(database));
    spool = SpoolFor(options);
  }
  database.access = Database::Access::kReadOnly;
  auto connections =
      std::make_unique<Connections>(std::move(database_of_writer), database);
  auto writer = std::make_unique<Writer>(*connections, std::move(spool),
                                         checkpointer.get());
  return absl::WrapUnique(new Store(std::move(lock), std::move(connections),
                                    std::move(checkpointer),
                                    std::move(writer)));
}

Store::Store(absl::optional<DirectoryLock> lock,
             std::unique_ptr<Connections> connections,
             std::unique_ptr<Checkpointer> checkpointer,
             std::unique_ptr<Writer> writer)
    : lock_(std::move(lock)),
      connections_(std::move(connections)),
      checkpointer_(std::move(checkpointer)),
      writer_(std::move(writer)) {}

Store::~Store() = default;

absl::Status Store::CheckWritable() const {
  if (writer_ != nullptr) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kFailedPrecondition, "STORE_READ_ONLY",
      "the data directory was opened read-only; open it for writing");
}

absl::StatusOr<Connections::Lease> Store::BorrowReader(
    absl::string_view session) {
  if (writer_ != nullptr) {
    FAULTLINE_RETURN_IF_ERROR(writer_->AwaitFolded(session));
  }
  return connections_->BorrowReader();
}

absl::Status Store::Submit(Write write) {
  FAULTLINE_RETURN_IF_ERROR(CheckWritable());
  return writer_->Submit(std::move(write));
}

absl::Status Store::CreateSession(SessionRecord session, Done done) {
  std::string id = session.id;
  session.base.reset();
  return Submit({std::move(id), CreateWrite{std::move(session), "", ""},
                 std::move(done)});
}

absl::Status Store::RestoreSession(SessionRecord session,
                                   absl::string_view source_session,
                                   absl::string_view source_snapshot,
                                   Done done) {
  std::string id = session.id;
  return Submit({std::move(id),
                 CreateWrite{std::move(session), std::string(source_session),
                             std::string(source_snapshot)},
                 std::move(done)});
}

absl::Status Store::SetSessionState(absl::string_view id, SessionState state,
                                    std::string detail, Done done) {
  return Submit(
      {std::string(id), StateWrite{state, std::move(detail)}, std::move(done)});
}

absl::Status Store::DeleteSession(absl::string_view id, Done done) {
  return Submit({std::string(id), DeleteWrite{}, std::move(done)});
}

absl::StatusOr<SessionRecord> Store::GetSession(absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             BorrowReader(id));
  return ReadSession(*database, id);
}

absl::StatusOr<std::vector<SessionRecord>> Store::ListSessions(
    absl::string_view after_id, int64_t limit) {
  // What the disk does not take is missing in the last revisions only.
  if (writer_ != nullptr) writer_->AwaitFolded(absl::nullopt).IgnoreError();
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadSessions(*database, after_id, limit);
}

absl::StatusOr<int64_t> Store::CountSessions() {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return CountSessionRows(*database);
}

absl::Status Store::JoinSession(absl::string_view session,
                                ParticipantRecord participant, Done done) {
  return Submit({std::string(session), JoinWrite{std::move(participant)},
                 std::move(done)});
}

absl::Status Store::LeaveSession(absl::string_view session,
                                 absl::string_view participant, absl::Time time,
                                 Done done) {
  return Submit({std::string(session),
                 LeaveWrite{std::string(participant), time}, std::move(done)});
}

absl::StatusOr<ParticipantRecord> Store::GetParticipant(
    absl::string_view session, absl::string_view participant) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadParticipant(*database, session, participant);
}

absl::StatusOr<std::vector<ParticipantRecord>> Store::ListParticipants(
    absl::string_view session, absl::string_view after_id, WhoLeft who_left,
    int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadParticipants(*database, session, after_id, who_left, limit);
}

absl::StatusOr<int64_t> Store::CountParticipants(absl::string_view session) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return CountParticipantRows(*database, session);
}

absl::Status Store::Append(absl::string_view session, Entry entry, Done done) {
  std::vector<Entry> entries;
  entries.push_back(std::move(entry));
  return Append(session, std::move(entries), std::move(done));
}

absl::Status Store::Append(absl::string_view session,
                           std::vector<Entry> entries, Done done) {
  return Submit(
      {std::string(session), AppendWrite{std::move(entries)}, std::move(done)});
}

absl::Status Store::CheckRoom() const {
  return writer_ == nullptr ? absl::OkStatus() : writer_->CheckRoom();
}

absl::Status Store::ReadJournal(
    absl::string_view session, int64_t from_revision,
    absl::FunctionRef<bool(const StoredEntry&)> visit) {
  absl::optional<JournalCursor> cursor;
  while (true) {
    JournalCursor::Page page;
    {
      FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                                 BorrowReader(session));
      if (!cursor.has_value()) {
        FAULTLINE_ASSIGN_OR_RETURN(
            cursor, JournalCursor::Open(*database, session, from_revision));
      }
      page = cursor->NextPage(*database);
    }
    for (const StoredEntry& entry : page.entries) {
      if (!visit(entry)) return absl::OkStatus();
    }
    if (!page.status.ok() || page.entries.empty()) return page.status;
  }
}

absl::StatusOr<int64_t> Store::LastRevision(absl::string_view session) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             BorrowReader(session));
  FAULTLINE_ASSIGN_OR_RETURN(const JournalHead head,
                             ReadJournalHead(*database, session));
  return head.last_revision;
}

absl::StatusOr<absl::optional<StoredEntry>> Store::FindRequest(
    absl::string_view session, absl::string_view request_id) {
  absl::optional<int64_t> revision;
  {
    FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                               BorrowReader(session));
    FAULTLINE_ASSIGN_OR_RETURN(const JournalHead head,
                               ReadJournalHead(*database, session));
    FAULTLINE_ASSIGN_OR_RETURN(revision,
                               FindRevision(*database, head, request_id));
  }
  if (!revision.has_value()) return absl::optional<StoredEntry>();
  absl::optional<StoredEntry> found;
  FAULTLINE_RETURN_IF_ERROR(
      ReadJournal(session, *revision, [&found](const StoredEntry& entry) {
        found = entry;
        return false;
      }));
  if (found.has_value() && found->entry.request_id == request_id) return found;
  return ErrorWithReason(
      absl::StatusCode::kDataLoss, "JOURNAL_CORRUPT",
      absl::StrCat("session \"", session, "\": the request id \"", request_id,
                   "\" is recorded for revision ", *revision,
                   ", whose entry does not carry it; restore the database from "
                   "a backup"));
}

absl::StatusOr<std::vector<std::string>> Store::ListRequestIds(
    absl::string_view session, absl::string_view after_id, int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             BorrowReader(session));
  FAULTLINE_ASSIGN_OR_RETURN(const JournalHead head,
                             ReadJournalHead(*database, session));
  return ReadRequestIds(*database, head, after_id, limit);
}

absl::StatusOr<std::unique_ptr<SnapshotWriter>> Store::WriteSnapshot() {
  FAULTLINE_RETURN_IF_ERROR(CheckWritable());
  if (next_image_key_ == 0) {
    FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                               connections_->BorrowReader());
    FAULTLINE_ASSIGN_OR_RETURN(const int64_t first, NextImageKey(*database));
    int64_t unknown = 0;
    next_image_key_.compare_exchange_strong(unknown, first);
  }
  return std::make_unique<SnapshotWriter>(*writer_, *connections_,
                                          next_image_key_++);
}

absl::Status Store::DeleteSnapshot(absl::string_view session,
                                   absl::string_view id, Done done) {
  return Submit({std::string(session), SnapshotDeleteWrite{std::string(id)},
                 std::move(done)});
}

absl::StatusOr<SnapshotRecord> Store::GetSnapshot(absl::string_view session,
                                                  absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  FAULTLINE_ASSIGN_OR_RETURN(StoredSnapshot stored,
                             storage::ReadSnapshot(*database, session, id));
  return std::move(stored.record);
}

absl::StatusOr<std::vector<SnapshotRecord>> Store::ListSnapshots(
    absl::string_view session, int64_t after_revision,
    absl::string_view after_id, int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadSnapshots(*database, session, after_revision, after_id, limit);
}

absl::StatusOr<std::vector<SnapshotRecord>> Store::ListSnapshotsBefore(
    absl::string_view session, int64_t revision, int64_t state_version,
    int64_t limit) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  return ReadSnapshotsBefore(*database, session, revision, state_version,
                             limit);
}

absl::StatusOr<ImageReader> Store::ReadSnapshot(absl::string_view session,
                                                absl::string_view id) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  FAULTLINE_ASSIGN_OR_RETURN(StoredSnapshot stored,
                             storage::ReadSnapshot(*database, session, id));
  return ImageReader(*connections_, writer_.get(), stored.image_key,
                     std::move(stored.seal),
                     {std::string(session), std::string(id)});
}

absl::StatusOr<absl::optional<ImageReader>> Store::ReadBase(
    absl::string_view session) {
  FAULTLINE_ASSIGN_OR_RETURN(const Connections::Lease database,
                             connections_->BorrowReader());
  int64_t image_key = 0;
  ImageSeal seal;
  FAULTLINE_ASSIGN_OR_RETURN(
      const bool based, ReadBaseImage(*database, session, image_key, seal));
  absl::optional<ImageReader> reader;
  if (based) {
    reader.emplace(*connections_, writer_.get(), image_key, std::move(seal),
                   ImageReader::Errors{std::string(session), ""});
  }
  return reader;
}

}  // namespace faultline::storage
