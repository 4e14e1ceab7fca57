// The server dies by SIGKILL at a random moment. Whoever opens the directory
// next finds every acknowledged entry, in a journal without a gap.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "storage/store.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

constexpr int kSessions = 3;
constexpr int kInFlight = 64;

struct Acknowledgement {
  int session;
  int64_t revision;
};

std::string Id(int session) { return absl::StrCat("s", session); }

// Appends to all sessions, as fast as it can, until it is killed; writes an
// Acknowledgement into the pipe for each append that was acknowledged.
[[noreturn]] void AppendForever(const std::string& path, int pipe) {
  Store::Options options;
  options.path = path;
  auto store = MustOpen(options);
  int64_t next[kSessions];
  for (int session = 0; session < kSessions; ++session) {
    const auto last = store->LastRevision(Id(session));
    if (!last.ok() && !Create(*store, Id(session)).ok()) _exit(1);
    next[session] = last.ok() ? *last + 1 : 1;
  }
  absl::Mutex mutex;
  int in_flight = 0;
  for (int turn = 0;; ++turn) {
    const int session = turn % kSessions;
    const int64_t first = next[session];
    const int64_t last = first + turn % 5;  // batches of one to five
    next[session] = last + 1;
    {
      absl::MutexLock lock(&mutex);
      mutex.Await(absl::Condition(
          +[](int* count) { return *count < kInFlight; }, &in_flight));
      ++in_flight;
    }
    const absl::Status submitted = store->Append(
        Id(session), MakeEntries(first, last),
        [&mutex, &in_flight, pipe, session, last](const absl::Status& status) {
          const Acknowledgement acknowledgement = {session, last};
          if (!status.ok() ||
              write(pipe, &acknowledgement, sizeof acknowledgement) !=
                  sizeof acknowledgement) {
            _exit(1);
          }
          absl::MutexLock lock(&mutex);
          --in_flight;
        });
    if (!submitted.ok()) _exit(1);
  }
}

// Starts the appender, kills it after `acknowledgements_min` acknowledgements,
// and notes the highest revision it acknowledged for each session.
void RunAndKill(const std::string& path, int acknowledgements_min,
                std::map<int, int64_t>& acknowledged) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    AppendForever(path, ends[1]);
  }
  close(ends[1]);
  Acknowledgement acknowledgement;
  bool killed = false;
  for (int count = 0; read(ends[0], &acknowledgement, sizeof acknowledgement) ==
                      sizeof acknowledgement;
       ++count) {
    acknowledged[acknowledgement.session] = acknowledgement.revision;
    if (count == acknowledgements_min) {
      killed = kill(child, SIGKILL) == 0;
      // The rest of the pipe was acknowledged, too.
    }
  }
  close(ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(killed);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(CrashTest, NoAcknowledgedEntryIsLost) {
  TempDirectory directory;
  std::mt19937 random(20240229);
  std::map<int, int64_t> acknowledged;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    const int acknowledgements = static_cast<int>(random() % 1500);
    RunAndKill(directory.data(), acknowledgements, acknowledged);
    if (HasFatalFailure()) return;
    Store::Options options;
    options.path = directory.data();
    auto store = MustOpen(options);
    for (const auto& [session, revision] : acknowledged) {
      const ReadResult journal = Read(*store, Id(session));
      EXPECT_TRUE(journal.status.ok()) << journal.status;
      const auto last = static_cast<int64_t>(journal.entries.size());
      EXPECT_GE(last, revision);
      EXPECT_TRUE(journal.entries == MakeEntries(1, last));
    }
  }
}

// --- Snapshots.

constexpr size_t kSnapshotBytes = 200'000;

// Neighbours have most of their bytes in common.
std::string BytesOf(int64_t number) {
  std::string bytes = MakeBytes(1, kSnapshotBytes);
  bytes.insert(static_cast<size_t>(number * 7919) % kSnapshotBytes,
               MakeBytes(static_cast<uint64_t>(number), 5000));
  return bytes;
}

std::string SnapshotId(int64_t number) { return absl::StrCat("n", number); }

// Takes snapshots and deletes those before, until it is killed; writes the
// number of each that was acknowledged into the pipe, less than zero for a
// deletion.
[[noreturn]] void SnapshotForever(const std::string& path, int pipe) {
  Store::Options options;
  options.path = path;
  auto store = MustOpen(options);
  if (!store->GetSession("a").ok() && !Create(*store, "a").ok()) _exit(1);
  const auto tell = [pipe](int64_t number) {
    if (write(pipe, &number, sizeof number) != sizeof number) _exit(1);
  };
  const auto there = store->ListSnapshots("a", -1, "", 100'000);
  int64_t number = 1;
  for (const SnapshotRecord& snapshot : *there) {
    number = std::max(number, std::stol(snapshot.id.substr(1)) + 1);
  }
  for (;; ++number) {
    const auto taken =
        Snapshot(*store, "a", BytesOf(number), {.id = SnapshotId(number)});
    if (!taken.ok()) _exit(1);
    tell(number);
    const std::string before = SnapshotId(number - 3);
    if (!store->GetSnapshot("a", before).ok()) continue;
    if (!DeleteSnapshot(*store, "a", before).ok()) _exit(1);
    tell(-(number - 3));
  }
}

void SnapshotAndKill(const std::string& path, int acknowledgements_min,
                     std::set<int64_t>& kept) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    SnapshotForever(path, ends[1]);
  }
  close(ends[1]);
  int64_t number = 0;
  bool killed = false;
  for (int count = 0; read(ends[0], &number, sizeof number) == sizeof number;
       ++count) {
    if (number > 0) {
      kept.insert(number);
    } else {
      kept.erase(-number);
    }
    if (count == acknowledgements_min) killed = kill(child, SIGKILL) == 0;
  }
  close(ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(killed);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(CrashTest, AcknowledgedSnapshotsAreThereAndNothingElseStays) {
  TempDirectory directory;
  std::mt19937 random(20240301);
  std::set<int64_t> kept;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    SnapshotAndKill(directory.data(), static_cast<int>(random() % 30), kept);
    if (HasFatalFailure()) return;
    Store::Options options;
    options.path = directory.data();
    auto store = MustOpen(options);
    const auto listed = store->ListSnapshots("a", -1, "", 100'000);
    ASSERT_TRUE(listed.ok()) << listed.status();
    std::set<int64_t> there;
    for (const SnapshotRecord& snapshot : *listed) {
      const int64_t number = std::stol(snapshot.id.substr(1));
      there.insert(number);
      const auto bytes = ReadSnapshot(*store, "a", snapshot.id);
      ASSERT_TRUE(bytes.ok()) << bytes.status();
      EXPECT_TRUE(*bytes == BytesOf(number)) << number;
    }
    // What was under way may be done: the deletion that follows the newest, or
    // the next snapshot.
    for (const int64_t number : kept) {
      if (number != *kept.rbegin() - 3) {
        EXPECT_TRUE(there.contains(number)) << number;
      }
    }
    for (const int64_t number : there) {
      EXPECT_TRUE(kept.contains(number) || number == *kept.rbegin() + 1)
          << number;
    }
    kept = there;
    Purge(*store);
    ExpectBlocksAddUp(directory.database());
    EXPECT_EQ(
        QueryOn(directory.database(), "SELECT count(*) FROM image_purges"), 0);
  }
}

}  // namespace
}  // namespace faultline::storage
