#include "tests/storage/storage_testing.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
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
