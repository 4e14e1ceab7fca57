// The verbs the storage tests are written in.
#ifndef FAULTLINE_TESTS_STORAGE_STORAGE_TESTING_H_
#define FAULTLINE_TESTS_STORAGE_STORAGE_TESTING_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/database.h"
#include "storage/store.h"

namespace faultline::storage {

// A new directory, removed with its contents at the end.
class TempDirectory {
 public:
  TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory();

  const std::string& path() const { return path_; }
  // The data directory that the tests put into it.
  std::string data() const { return path_ + "/data"; }
  std::string database() const { return data() + "/faultline.db"; }

 private:
  std::string path_;
};

// Submits a write and waits for its result.
absl::Status Wait(const std::function<absl::Status(Done)>& submit);

absl::Status Create(Store& store, const std::string& id,
                    const std::string& config = "config");
absl::Status Append(Store& store, const std::string& id, Entry entry);
absl::Status Append(Store& store, const std::string& id,
                    std::vector<Entry> entries);
absl::Status Delete(Store& store, const std::string& id);

// An entry whose contents follow from its revision.
Entry MakeEntry(int64_t revision, std::string request_id = "");
std::vector<Entry> MakeEntries(int64_t first, int64_t last);
// One whose `bytes` bytes cannot be compressed.
Entry MakeLongEntry(int64_t revision, size_t bytes);

// For messages of GoogleTest.
void PrintTo(const Entry& entry, std::ostream* out);

struct ReadResult {
  std::vector<Entry> entries;
  absl::Status status;
};
ReadResult Read(Store& store, const std::string& id, int64_t from = 1);

// Bytes without a pattern that follow from the seed.
std::string MakeBytes(uint64_t seed, size_t size);

// Takes a snapshot with these bytes, which must be new to the session. With the
// defaults it fits any session.
struct SnapshotSpec {
  std::string id = "snap";
  int64_t revision = 0;
  SnapshotKind kind = SnapshotKind::kUser;
  int64_t state_version = 1;
  int64_t count_max = 1000;
  bool active_only = false;
};
absl::StatusOr<SnapshotRecord> Snapshot(Store& store,
                                        const std::string& session,
                                        const std::string& bytes,
                                        const SnapshotSpec& spec = {});
absl::Status DeleteSnapshot(Store& store, const std::string& session,
                            const std::string& id);
// A session that starts from a snapshot.
absl::Status Restore(Store& store, const std::string& id,
                     const std::string& source_session,
                     const std::string& source_snapshot);
// Their bytes.
absl::StatusOr<std::string> ReadBytes(absl::StatusOr<ImageReader> reader);
absl::StatusOr<std::string> ReadSnapshot(Store& store,
                                         const std::string& session,
                                         const std::string& id);
absl::StatusOr<std::string> ReadBase(Store& store, const std::string& session);

// Lets the writer delete what nobody refers to any more.
void Purge(Store& store, int steps = 100);
// Every block of a database is there once, with a body, and counts who refers
// to it; every image that is not being purged is referred to. REQUIRES: the
// database is in a file.
void ExpectBlocksAddUp(const std::string& path);
int64_t QueryOn(const std::string& path, const char* sql);

// Opens a store that must open.
std::unique_ptr<Store> MustOpen(const Store::Options& options);

// Executes SQL on a database file behind the store's back.
void ExecuteOn(const std::string& path, const std::string& sql);

}  // namespace faultline::storage

#endif  // FAULTLINE_TESTS_STORAGE_STORAGE_TESTING_H_
