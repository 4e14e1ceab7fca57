// A disk that is full or broken: the Nth change of a file fails, for every N
// until none does. Nothing acknowledged is lost, nothing else appears.
#include <gtest/gtest.h>

#include <tuple>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/store.h"
#include "tests/storage/fault_vfs.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

constexpr int64_t kEntries = 6;

// What the user of a store was told.
struct Acknowledged {
  bool created = false;
  int64_t revision = 0;
};

bool IsDiskTrouble(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "DISK_FULL" || reason == "DISK_ERROR";
}

// Opens, creates a session, appends, closes; goes on after errors as the
// session layer would, by asking for the truth.
Acknowledged Work(const Store::Options& options) {
  Acknowledged acknowledged;
  auto store = Store::Open(options);
  if (!store.ok()) {
    EXPECT_TRUE(IsDiskTrouble(store.status())) << store.status();
    return acknowledged;
  }
  const absl::Status created = Create(**store, "a");
  EXPECT_TRUE(created.ok() || IsDiskTrouble(created)) << created;
  acknowledged.created = created.ok();
  if (!created.ok()) return acknowledged;
  while (acknowledged.revision < kEntries) {
    const absl::Status status =
        Append(**store, "a", MakeEntry(acknowledged.revision + 1));
    EXPECT_TRUE(status.ok() || IsDiskTrouble(status)) << status;
    if (!status.ok()) break;
    ++acknowledged.revision;
  }
  return acknowledged;
}

void ExpectNothingLost(const std::string& path,
                       const Acknowledged& acknowledged) {
  Store::Options options;
  options.path = path;
  auto store = MustOpen(options);
  if (!acknowledged.created) return;
  const ReadResult journal = Read(*store, "a");
  EXPECT_TRUE(journal.status.ok()) << journal.status;
  const auto last = static_cast<int64_t>(journal.entries.size());
  EXPECT_GE(last, acknowledged.revision);
  // At most the append that was answered with an error is there, too.
  EXPECT_LE(last, acknowledged.revision + 1);
  EXPECT_EQ(journal.entries, MakeEntries(1, last));
  EXPECT_TRUE(Append(*store, "a", MakeEntry(last + 1)).ok());
}

using Disk = std::tuple<FaultVfs::Fault, FaultVfs::Times, Store::Durability>;

std::string DiskName(const testing::TestParamInfo<Disk>& row) {
  const auto [fault, times, durability] = row.param;
  return absl::StrCat(
      fault == FaultVfs::Fault::kDiskFull ? "Full" : "Broken",
      times == FaultVfs::Times::kOnce ? "Once" : "ForGood",
      durability == Store::Durability::kPowerLoss ? "Synced" : "");
}

class FaultTest : public testing::TestWithParam<Disk> {};

INSTANTIATE_TEST_SUITE_P(
    Disks, FaultTest,
    testing::Combine(
        testing::Values(FaultVfs::Fault::kDiskFull, FaultVfs::Fault::kIoError),
        testing::Values(FaultVfs::Times::kOnce, FaultVfs::Times::kForever),
        testing::Values(Store::Durability::kProcessDeath,
                        Store::Durability::kPowerLoss)),
    DiskName);

TEST_P(FaultTest, LosesNothingWhicheverChangeFails) {
  const auto [fault, times, durability] = GetParam();
  FaultVfs vfs;
  int64_t nth = 0;
  bool failed = true;
  while (failed) {
    SCOPED_TRACE(absl::StrCat("change ", ++nth));
    ASSERT_LT(nth, 1000);
    TempDirectory directory;
    Store::Options options;
    options.path = directory.data();
    options.durability = durability;
    options.vfs = vfs.name();
    vfs.FailChange(nth, fault, times);
    const Acknowledged acknowledged = Work(options);
    failed = vfs.failed();
    vfs.Heal();
    if (!failed) {
      EXPECT_EQ(acknowledged.revision, kEntries);
    }
    ExpectNothingLost(directory.data(), acknowledged);
  }
  EXPECT_GT(nth, 10) << "the faults were not where the writes are";
}

// --- Snapshots.

constexpr size_t kSnapshotBytes = 15'000;

// What the user of a store was told of the snapshots of session "a".
struct TakenSnapshots {
  std::vector<std::string> kept;
  std::string unsure;  // whose creation or deletion failed
};

// Takes three snapshots, deletes one, restores a session from another.
TakenSnapshots TakeSnapshots(const Store::Options& options) {
  TakenSnapshots taken;
  auto store = Store::Open(options);
  if (!store.ok()) {
    EXPECT_TRUE(IsDiskTrouble(store.status())) << store.status();
    return taken;
  }
  for (const char* id : {"1", "2", "3"}) {
    const auto snapshot =
        Snapshot(**store, "a", MakeBytes(*id, kSnapshotBytes), {.id = id});
    if (!snapshot.ok()) {
      EXPECT_TRUE(IsDiskTrouble(snapshot.status())) << snapshot.status();
      taken.unsure = id;
      return taken;
    }
    taken.kept.push_back(id);
  }
  const absl::Status deleted = DeleteSnapshot(**store, "a", "2");
  EXPECT_TRUE(deleted.ok() || IsDiskTrouble(deleted)) << deleted;
  taken.kept = {"1", "3"};
  if (!deleted.ok()) taken.unsure = "2";
  const absl::Status restored = Restore(**store, "copy", "a", "3");
  EXPECT_TRUE(restored.ok() || IsDiskTrouble(restored)) << restored;
  if (restored.ok()) Purge(**store, 10);
  return taken;
}

void ExpectSnapshotsWhole(const TempDirectory& directory,
                          const TakenSnapshots& taken) {
  Store::Options options;
  options.path = directory.data();
  auto store = MustOpen(options);
  const auto listed = store->ListSnapshots("a", -1, "", 100);
  ASSERT_TRUE(listed.ok()) << listed.status();
  std::vector<std::string> kept;
  for (const SnapshotRecord& snapshot : *listed) {
    const auto bytes = ReadSnapshot(*store, "a", snapshot.id);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_TRUE(*bytes == MakeBytes(snapshot.id[0], kSnapshotBytes));
    if (snapshot.id != taken.unsure) kept.push_back(snapshot.id);
  }
  EXPECT_EQ(kept, taken.kept);
  if (store->GetSession("copy").ok()) {
    EXPECT_TRUE(*ReadBase(*store, "copy") == MakeBytes('3', kSnapshotBytes));
  }
  Purge(*store, 10);
  ExpectBlocksAddUp(directory.database());
  EXPECT_EQ(QueryOn(directory.database(), "SELECT count(*) FROM image_purges"),
            0);
}

TEST_P(FaultTest, LeavesSnapshotsWholeOrNoneWhicheverChangeFails) {
  const auto [fault, times, durability] = GetParam();
  FaultVfs vfs;
  int64_t nth = 0;
  bool failed = true;
  while (failed) {
    // With syncs there are many more changes; some of them are enough.
    nth += durability == Store::Durability::kPowerLoss ? 3 : 1;
    SCOPED_TRACE(absl::StrCat("change ", nth));
    ASSERT_LT(nth, 5000);
    TempDirectory directory;
    Store::Options options;
    options.path = directory.data();
    {
      auto store = MustOpen(options);
      ASSERT_TRUE(Create(*store, "a").ok());
    }
    options.durability = durability;
    options.vfs = vfs.name();
    vfs.FailChange(nth, fault, times);
    const TakenSnapshots taken = TakeSnapshots(options);
    failed = vfs.failed();
    vfs.Heal();
    ExpectSnapshotsWhole(directory, taken);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(nth, 20) << "the faults were not where the writes are";
}

class DiskFullTest : public testing::Test {
 protected:
  DiskFullTest() {
    options_.path = directory_.data();
    options_.vfs = vfs_.name();
  }
  TempDirectory directory_;
  FaultVfs vfs_;
  Store::Options options_;
};

TEST_F(DiskFullTest, SaysSoWhenItOpens) {
  vfs_.FailChange(1, FaultVfs::Fault::kDiskFull, FaultVfs::Times::kForever);
  const absl::Status status = Store::Open(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(ReasonOf(status), "DISK_FULL");
  EXPECT_NE(status.message().find("free some space"), absl::string_view::npos);
}

TEST_F(DiskFullTest, SaysSoWhenItAppendsAndGoesOnWhenThereIsSpace) {
  auto store = MustOpen(options_);
  ASSERT_TRUE(Create(*store, "a").ok());
  ASSERT_TRUE(Append(*store, "a", MakeEntry(1)).ok());
  vfs_.FailChange(1, FaultVfs::Fault::kDiskFull, FaultVfs::Times::kForever);
  // One that waits for the disk: too long for the spool.
  const absl::Status status =
      Append(*store, "a", MakeLongEntry(2, 2 * kSpooledBytesMax));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(ReasonOf(status), "DISK_FULL");
  EXPECT_EQ(Read(*store, "a").entries, MakeEntries(1, 1));
  vfs_.Heal();
  EXPECT_TRUE(Append(*store, "a", MakeEntry(2)).ok());
  EXPECT_EQ(Read(*store, "a").entries, MakeEntries(1, 2));
}

TEST_F(DiskFullTest, PowerLossDurabilitySyncsTheLogBeforeEachAnswer) {
  options_.durability = Store::Durability::kPowerLoss;
  auto store = MustOpen(options_);
  ASSERT_TRUE(Create(*store, "a").ok());
  for (int64_t revision = 1; revision <= 10; ++revision) {
    const int64_t before = vfs_.log_syncs();
    ASSERT_TRUE(Append(*store, "a", MakeEntry(revision)).ok());
    EXPECT_GT(vfs_.log_syncs(), before);
  }
}

TEST_F(DiskFullTest, ProcessDeathDurabilityDoesNotWaitForTheDisk) {
  auto store = MustOpen(options_);
  ASSERT_TRUE(Create(*store, "a").ok());
  const int64_t before = vfs_.log_syncs();
  for (int64_t revision = 1; revision <= 10; ++revision) {
    ASSERT_TRUE(Append(*store, "a", MakeEntry(revision)).ok());
  }
  EXPECT_EQ(vfs_.log_syncs(), before);
}

}  // namespace
}  // namespace faultline::storage
