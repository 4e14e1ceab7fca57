// The write-ahead log is copied beside the writer, whatever happens meanwhile,
// and does not grow without a bound.
#include "storage/checkpointer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "storage/open_database.h"
#include "tests/storage/fault_vfs.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

constexpr int64_t kPageBytes = 4096;

// A writer with a table of its own, each row of which takes a page or two, and
// the checkpointer beside it.
class CheckpointerTest : public testing::Test {
 protected:
  CheckpointerTest() {
    std::filesystem::create_directory(directory_.data());
    options_.path = directory_.database();
    options_.vfs = vfs_.name();
    Open();
    EXPECT_TRUE(writer_->Execute("CREATE TABLE t (a BLOB NOT NULL)").ok());
  }
  void Open() {
    writer_ = *OpenForWriting(options_, Synchronous::kNormal);
    checkpointer_ = *Checkpointer::Open(options_);
  }
  void Close() {
    checkpointer_.reset();
    writer_.reset();
  }
  void Insert(int rows) {
    for (int i = 0; i < rows; ++i) {
      EXPECT_TRUE(
          writer_->Execute("INSERT INTO t VALUES (zeroblob(3900))").ok());
    }
    rows_ += rows;
  }
  // The next commit puts its pages where the log begins.
  bool BeginsAnew() {
    const int64_t before = writer_->log_pages();
    Insert(1);
    return writer_->log_pages() < before;
  }
  int64_t FilePages() const {
    return static_cast<int64_t>(
        std::filesystem::file_size(directory_.database()) / kPageBytes);
  }
  static void AwaitTrue(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }

  TempDirectory directory_;
  FaultVfs vfs_;
  Database::Options options_;
  int rows_ = 0;
  std::unique_ptr<Database> writer_;
  std::unique_ptr<Checkpointer> checkpointer_;
};

TEST_F(CheckpointerTest, TheWriterCopiesNothingItself) {
  Insert(100);
  EXPECT_GE(writer_->log_pages(), 100);
  EXPECT_LT(FilePages(), 50);
  EXPECT_FALSE(BeginsAnew());
}

TEST_F(CheckpointerTest, ALongLogIsCopiedWhileTheWriterGoesOn) {
  Insert(100);
  const int64_t pages = writer_->log_pages();
  checkpointer_->LogHas(kCheckpointPages);
  AwaitTrue([&] { return FilePages() >= 100; });
  // And what came behind it when nothing more comes.
  Insert(50);
  checkpointer_->LogHas(kCheckpointPages + writer_->log_pages() - pages);
  AwaitTrue([&] { return FilePages() >= 150; });
}

TEST_F(CheckpointerTest, WhenItIsTooLongTheWriterWaitsUntilItBeginsAnew) {
  Insert(100);
  checkpointer_->LogHas(kLogPagesMax);
  EXPECT_GE(FilePages(), 100);
  EXPECT_TRUE(BeginsAnew());
  EXPECT_LT(writer_->log_pages(), 10);
}

TEST_F(CheckpointerTest, AReaderInTheWayIsNotWaitedFor) {
  Insert(10);
  Database::Options options = options_;
  options.access = Database::Access::kReadOnly;
  const auto reader = *Database::Open(options);
  ASSERT_TRUE(reader->Execute("BEGIN; SELECT count(*) FROM t").ok());
  Insert(100);
  checkpointer_->LogHas(kLogPagesMax);
  EXPECT_FALSE(BeginsAnew());
  // For so many more pages there is no further wait.
  checkpointer_->LogHas(kLogPagesMax + kCheckpointPages - 1);
  ASSERT_TRUE(reader->Execute("COMMIT").ok());
  checkpointer_->LogHas(kLogPagesMax + kCheckpointPages);
  EXPECT_TRUE(BeginsAnew());
}

TEST_F(CheckpointerTest, AFullDiskIsNotWaitedFor) {
  Insert(100);
  vfs_.FailChange(1, FaultVfs::Fault::kDiskFull, FaultVfs::Times::kForever);
  checkpointer_->LogHas(kLogPagesMax);
  EXPECT_TRUE(vfs_.failed());
  vfs_.Heal();
  EXPECT_FALSE(BeginsAnew());
  checkpointer_->LogHas(kLogPagesMax + kCheckpointPages);
  EXPECT_TRUE(BeginsAnew());
}

TEST_F(CheckpointerTest, NothingIsLostWhicheverChangeOfACopyFails) {
  for (const auto fault :
       {FaultVfs::Fault::kDiskFull, FaultVfs::Fault::kIoError}) {
    bool failed = true;
    int64_t nth = 0;
    while (failed) {
      SCOPED_TRACE(absl::StrCat("change ", ++nth));
      ASSERT_LT(nth, 1000);
      Insert(10);
      vfs_.FailChange(nth, fault, FaultVfs::Times::kOnce);
      checkpointer_->LogHas(kLogPagesMax);
      failed = vfs_.failed();
      vfs_.Heal();
      Insert(10);
      Close();
      Open();
      ASSERT_EQ(*writer_->QueryInt64("SELECT count(*) FROM t"), rows_);
      ASSERT_EQ(*writer_->QueryInt64("SELECT count(*) FROM pragma_integrity_"
                                     "check WHERE integrity_check <> 'ok'"),
                0);
    }
    EXPECT_GT(nth, 10) << "the faults were not where the copy is";
  }
}

TEST_F(CheckpointerTest, TheLastToCloseLeavesNoLog) {
  Insert(100);
  Close();
  EXPECT_FALSE(std::filesystem::exists(directory_.database() + "-wal"));
  EXPECT_GE(FilePages(), 100);
}

// --- With a store on top.

constexpr int kInFlight = 32;
constexpr size_t kEntryBytes = 64 << 10;

// Appends long entries to session "a", from `revision` on, several at a time,
// and tells `acknowledged` of each; until `last`, and until all are answered.
void AppendFast(Store& store, int64_t revision, int64_t last,
                const std::function<void(int64_t)>& acknowledged) {
  absl::Mutex mutex;
  int in_flight = 0;
  for (; revision <= last; ++revision) {
    {
      absl::MutexLock lock(&mutex);
      mutex.Await(absl::Condition(
          +[](int* count) { return *count < kInFlight; }, &in_flight));
      ++in_flight;
    }
    const absl::Status submitted =
        store.Append("a", MakeLongEntry(revision, kEntryBytes),
                     [&, revision](const absl::Status& status) {
                       EXPECT_TRUE(status.ok()) << status;
                       acknowledged(revision);
                       absl::MutexLock lock(&mutex);
                       --in_flight;
                     });
    ASSERT_TRUE(submitted.ok()) << submitted;
  }
  absl::MutexLock lock(&mutex);
  mutex.Await(absl::Condition(
      +[](int* count) { return *count == 0; }, &in_flight));
}

TEST(CheckpointedStoreTest, TheLogStaysShortWhileCommitsComeWithoutAPause) {
  TempDirectory directory;
  Store::Options options;
  options.path = directory.data();
  auto store = MustOpen(options);
  ASSERT_TRUE(Create(*store, "a").ok());
  constexpr int64_t kLast = 3 * kLogPagesMax * kPageBytes / kEntryBytes;
  AppendFast(*store, 1, kLast, [](int64_t) {});
  const auto log = std::filesystem::file_size(directory.database() + "-wal");
  // What one group adds: what was in flight, and the pages of the tables.
  EXPECT_LE(log, (kLogPagesMax + 1000) * (kPageBytes + 24));
  EXPECT_EQ(*store->LastRevision("a"), kLast);
}

// Appends until it is killed; writes each revision that was acknowledged into
// the pipe.
[[noreturn]] void AppendForever(const std::string& path, int pipe) {
  Store::Options options;
  options.path = path;
  auto store = MustOpen(options);
  const auto last = store->LastRevision("a");
  if (!last.ok()) _exit(1);
  AppendFast(*store, *last + 1, INT64_MAX, [pipe](int64_t revision) {
    if (write(pipe, &revision, sizeof revision) != sizeof revision) _exit(1);
  });
  _exit(1);
}

TEST(CheckpointedStoreTest, ASigkillAmongCopiesLosesNothing) {
  TempDirectory directory;
  Store::Options options;
  options.path = directory.data();
  ASSERT_TRUE(Create(*MustOpen(options), "a").ok());
  int64_t acknowledged = 0;
  for (const int64_t more : {300, 500, 410, 777}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const int64_t killed_at = acknowledged + more;
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      AppendForever(directory.data(), ends[1]);
    }
    close(ends[1]);
    while (read(ends[0], &acknowledged, sizeof acknowledged) ==
           sizeof acknowledged) {
      if (acknowledged == killed_at) kill(child, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    auto store = MustOpen(options);
    const ReadResult journal = Read(*store, "a");
    ASSERT_TRUE(journal.status.ok()) << journal.status;
    ASSERT_GE(static_cast<int64_t>(journal.entries.size()), acknowledged);
    for (const Entry& entry : journal.entries) {
      ASSERT_TRUE(entry == MakeLongEntry(entry.revision, kEntryBytes));
    }
  }
}

}  // namespace
}  // namespace faultline::storage
