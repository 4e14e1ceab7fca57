#include "tests/storage/storage_testing.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"

namespace faultline::storage {

TempDirectory::TempDirectory() {
  std::string pattern = testing::TempDir() + "faultline_storage_XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::Status Wait(const std::function<absl::Status(Done)>& submit) {
  // Shared: the writer may still be inside the callback when we return.
  struct Answer {
    absl::Notification given;
    absl::Status status;
  };
  auto answer = std::make_shared<Answer>();
  absl::Status refused = submit([answer](absl::Status status) {
    answer->status = std::move(status);
    answer->given.Notify();
  });
  if (!refused.ok()) return refused;
  answer->given.WaitForNotification();
  return std::move(answer->status);
}

absl::Status Create(Store& store, const std::string& id,
                    const std::string& config) {
  SessionRecord record;
  record.id = id;
  record.create_time = absl::FromUnixMicros(1'700'000'000'000'000);
  record.config = config;
  return Wait(
      [&](Done done) { return store.CreateSession(record, std::move(done)); });
}

absl::Status Append(Store& store, const std::string& id, Entry entry) {
  return Wait([&](Done done) {
    return store.Append(id, std::move(entry), std::move(done));
  });
}

absl::Status Append(Store& store, const std::string& id,
                    std::vector<Entry> entries) {
  return Wait([&](Done done) {
    return store.Append(id, std::move(entries), std::move(done));
  });
}

absl::Status Delete(Store& store, const std::string& id) {
  return Wait(
      [&](Done done) { return store.DeleteSession(id, std::move(done)); });
}

Entry MakeEntry(int64_t revision, std::string request_id) {
  Entry entry;
  entry.revision = revision;
  entry.command = absl::StrCat("command ", revision);
  entry.digest = absl::StrCat("digest ", revision * 7919);
  if (!request_id.empty()) entry.outcome = absl::StrCat("outcome ", revision);
  entry.request_id = std::move(request_id);
  return entry;
}

std::vector<Entry> MakeEntries(int64_t first, int64_t last) {
  std::vector<Entry> entries;
  for (int64_t revision = first; revision <= last; ++revision) {
    entries.push_back(MakeEntry(revision));
  }
  return entries;
}

Entry MakeLongEntry(int64_t revision, size_t bytes) {
  Entry entry = MakeEntry(revision);
  entry.command.clear();
  auto state = static_cast<uint64_t>(revision);
  while (entry.command.size() < bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    entry.command.push_back(static_cast<char>(state >> 56));
  }
  return entry;
}

void PrintTo(const Entry& entry, std::ostream* out) {
  *out << entry.revision << " \"" << entry.request_id << "\" \""
       << entry.command.substr(0, 40) << "\"";
}

ReadResult Read(Store& store, const std::string& id, int64_t from) {
  ReadResult result;
  result.status =
      store.ReadJournal(id, from, [&result](const StoredEntry& stored) {
        result.entries.push_back(stored.entry);
        return true;
      });
  return result;
}

std::string MakeBytes(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

absl::StatusOr<SnapshotRecord> Snapshot(Store& store,
                                        const std::string& session,
                                        const std::string& bytes,
                                        const SnapshotSpec& spec) {
  const auto owner = store.GetSession(session);
  if (!owner.ok()) return owner.status();
  auto writer = store.WriteSnapshot();
  if (!writer.ok()) return writer.status();
  // Pieces that have nothing to do with where blocks end.
  for (size_t at = 0; at < bytes.size(); at += 10'000) {
    (*writer)->Add(absl::string_view(bytes).substr(at, 10'000)).IgnoreError();
  }
  SnapshotRecord record;
  record.id = spec.id;
  record.kind = spec.kind;
  record.revision = spec.revision;
  record.display_name = "named " + spec.id;
  record.create_time = absl::FromUnixMicros(1'700'000'000'000'000);
  record.state_version = spec.state_version;
  record.fingerprint = 0xfedcba9876543210;
  return (*writer)->Finish(session, record,
                           {.session_key = owner->key,
                            .count_max = spec.count_max,
                            .active_only = spec.active_only});
}

absl::Status DeleteSnapshot(Store& store, const std::string& session,
                            const std::string& id) {
  return Wait([&](Done done) {
    return store.DeleteSnapshot(session, id, std::move(done));
  });
}

absl::Status Restore(Store& store, const std::string& id,
                     const std::string& source_session,
                     const std::string& source_snapshot) {
  SessionRecord record;
  record.id = id;
  record.create_time = absl::FromUnixMicros(1'700'000'000'000'000);
  record.config = "config";
  record.base = SessionBase{"from " + source_session, 1, 0xfedcba9876543210};
  return Wait([&](Done done) {
    return store.RestoreSession(record, source_session, source_snapshot,
                                std::move(done));
  });
}

absl::StatusOr<std::string> ReadBytes(absl::StatusOr<ImageReader> reader) {
  if (!reader.ok()) return reader.status();
  std::string bytes;
  while (true) {
    const absl::StatusOr<absl::string_view> piece = reader->Next();
    if (!piece.ok()) return piece.status();
    if (piece->empty()) return bytes;
    bytes.append(piece->data(), piece->size());
  }
}

absl::StatusOr<std::string> ReadSnapshot(Store& store,
                                         const std::string& session,
                                         const std::string& id) {
  return ReadBytes(store.ReadSnapshot(session, id));
}

absl::StatusOr<std::string> ReadBase(Store& store, const std::string& session) {
  auto reader = store.ReadBase(session);
  if (!reader.ok()) return reader.status();
  if (!reader->has_value()) return absl::NotFoundError("it has no base");
  return ReadBytes(**std::move(reader));
}

void Purge(Store& store, int steps) {
  // Each write lets the writer take one more step.
  for (int step = 0; step < steps; ++step) {
    Wait([&](Done done) {
      return store.SetSessionState("no such session", SessionState::kClosed, "",
                                   std::move(done));
    }).IgnoreError();
  }
}

int64_t QueryOn(const std::string& path, const char* sql) {
  Database::Options options;
  options.path = path;
  options.access = Database::Access::kReadOnly;
  auto database = Database::Open(options);
  EXPECT_TRUE(database.ok()) << database.status();
  const auto value = (*database)->QueryInt64(sql);
  EXPECT_TRUE(value.ok()) << value.status();
  return value.value_or(-1);
}

void ExpectBlocksAddUp(const std::string& path) {
  EXPECT_EQ(QueryOn(path, R"sql(
      SELECT count(*) FROM blocks AS b
       WHERE refs <> (SELECT count(*) FROM image_blocks AS i
                       WHERE i.block_key = b.block_key)
          OR NOT EXISTS (SELECT 1 FROM block_bodies AS c
                          WHERE c.block_key = b.block_key))sql"),
            0);
  EXPECT_EQ(QueryOn(path, "SELECT count(*) FROM blocks WHERE refs = 0"), 0);
  EXPECT_EQ(QueryOn(path, "SELECT count(*) FROM block_bodies"),
            QueryOn(path, "SELECT count(*) FROM blocks"));
  EXPECT_EQ(QueryOn(path, R"sql(
      SELECT count(*) FROM image_blocks
       WHERE block_key NOT IN (SELECT block_key FROM blocks))sql"),
            0);
  EXPECT_EQ(QueryOn(path, R"sql(
      SELECT count(*) FROM images AS i
       WHERE image_key NOT IN (SELECT image_key FROM image_purges)
         AND (blocks <> (SELECT count(*) FROM image_blocks AS b
                          WHERE b.image_key = i.image_key)
              OR (image_key NOT IN (SELECT image_key FROM snapshots) AND
                  image_key NOT IN (SELECT image_key FROM session_bases))))sql"),
            0);
}

std::unique_ptr<Store> MustOpen(const Store::Options& options) {
  auto store = Store::Open(options);
  EXPECT_TRUE(store.ok()) << store.status();
  if (!store.ok()) std::abort();
  return *std::move(store);
}

void ExecuteOn(const std::string& path, const std::string& sql) {
  Database::Options options;
  options.path = path;
  options.access = Database::Access::kReadWriteCreate;
  auto database = Database::Open(options);
  ASSERT_TRUE(database.ok()) << database.status();
  const absl::Status status = (*database)->Execute(sql);
  ASSERT_TRUE(status.ok()) << status;
}

}  // namespace faultline::storage
