// The verbs the session tests are written in.
#ifndef FAULTLINE_TESTS_SESSION_SESSION_TESTING_H_
#define FAULTLINE_TESTS_SESSION_SESSION_TESTING_H_

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "server/session/session_table.h"
#include "storage/store.h"
#include "tests/storage/storage_testing.h"

namespace faultline::testing {

// Calls what answers through a callback, and waits for the answer.
template <class T>
class Pending {
 public:
  // For a callback parameter.
  std::function<void(T)> answer() const {
    return [state = state_](T result) {
      EXPECT_FALSE(state->given.HasBeenNotified()) << "answered twice";
      state->result = std::make_unique<T>(std::move(result));
      state->given.Notify();
    };
  }
  bool given() const { return state_->given.HasBeenNotified(); }
  T Wait() {
    state_->given.WaitForNotification();
    return std::move(*state_->result);
  }

 private:
  struct State {
    absl::Notification given;
    std::unique_ptr<T> result;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

using PendingRun = Pending<absl::StatusOr<ExecuteResult>>;
using PendingBatch = Pending<absl::StatusOr<BatchResult>>;
using PendingView = Pending<absl::StatusOr<std::shared_ptr<const MachineView>>>;
using PendingInfo = Pending<absl::StatusOr<SessionInfo>>;
using PendingStatus = Pending<absl::Status>;

// Commands of process 1. They change the machine, so that order matters.
inline constexpr uint64_t kArea = 0x10000000;
Command MapPages(uint64_t pages, uint64_t addr = kArea);
Command Unmap(uint64_t pages, uint64_t addr = kArea);
Command Poke(uint64_t page, uint8_t value = 1);  // to a page of the area
// What the command above needs, then `stores` writes.
std::vector<Command> SomeCommands(int stores);
// A command that BreakingRunner breaks the simulator with.
Command Breaker();
MachineRunner BreakingRunner();
// Counts the commands that were executed, by whomever.
MachineRunner CountingRunner(std::shared_ptr<std::atomic<int64_t>> executed);

MachineConfig SmallConfig(uint64_t seed = 1);

// A table over a store, either of which can be taken down and built again.
class SessionTest : public ::testing::Test {
 protected:
  // The default is a store in memory.
  void UseDisk(const std::string& vfs = "");
  // One where every append waits for its commit: none is spooled.
  void UseSyncedDisk(const std::string& vfs = "");
  void Open(SessionTable::Options options = {});  // as a server would start
  void Stop();                                    // as a server would stop
  void Restart(SessionTable::Options options = {});

  SessionTable& table() { return *table_; }
  storage::Store& store() { return *store_; }

  // The answers, waited for.
  absl::StatusOr<SessionInfo> Create(const std::string& id,
                                     MachineConfig config = SmallConfig());
  absl::StatusOr<ExecuteResult> Run(const std::string& id, Command command,
                                    ExecuteOptions options = {});
  absl::StatusOr<BatchResult> RunBatch(const std::string& id,
                                       std::vector<Command> commands,
                                       ExecuteOptions options = {});
  absl::StatusOr<std::shared_ptr<const MachineView>> Look(
      const std::string& id,
      absl::optional<int64_t> expected_revision = absl::nullopt);
  absl::StatusOr<SessionInfo> Close(const std::string& id);
  absl::Status Delete(const std::string& id);
  uint64_t FingerprintOfLive(const std::string& id);
  absl::StatusOr<SnapshotInfo> Snapshot(
      const std::string& id, const std::string& snapshot = "snap",
      absl::optional<int64_t> revision = absl::nullopt);
  absl::StatusOr<SessionInfo> Restore(const std::string& id,
                                      const std::string& new_id,
                                      const std::string& snapshot = "snap");
  absl::StatusOr<std::shared_ptr<const MachineView>> LookAt(
      const std::string& id, int64_t revision);
  std::vector<SnapshotInfo> Snapshots(const std::string& id);
  // Waits until the session has so many automatic snapshots.
  void AwaitAutomatic(const std::string& id, size_t count);
  // A check of Verify by its name; one that was not made is not ok.
  VerifyReport::Check Verified(const std::string& id, const std::string& check);
  // The database's file.
  std::string database() const { return directory_.database(); }

  // Keeps the store from writing anything until Release().
  class WriterStop {
   public:
    explicit WriterStop(storage::Store& store);
    ~WriterStop();
    void Release();

   private:
    std::shared_ptr<absl::Notification> go_;
  };

 private:
  storage::TempDirectory directory_;
  storage::Store::Options store_options_ = {.path = ":memory:", .vfs = ""};
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<SessionTable> table_;
};

// The reason of an error, "" for OK.
std::string Reason(const absl::Status& status);
template <class T>
std::string Reason(const absl::StatusOr<T>& result) {
  return Reason(result.status());
}

ExecuteOptions WithId(std::string request_id);
ExecuteOptions AtRevision(int64_t revision);

}  // namespace faultline::testing

#endif  // FAULTLINE_TESTS_SESSION_SESSION_TESTING_H_
