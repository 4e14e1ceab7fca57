#include "tests/session/session_testing.h"

#include <algorithm>
#include <thread>

#include "server/codec/errors.h"
#include "server/machine/base/bug.h"

namespace faultline::testing {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kReadWrite = 0x3;            // PROT_READ | PROT_WRITE
constexpr uint64_t kFixedPrivateAnon = 0x32;    // MAP_FIXED | _PRIVATE | _ANON
constexpr uint64_t kBreakingTick = 0xdeadbeef;  // no test lets this much pass

}  // namespace

Command MapPages(uint64_t pages, uint64_t addr) {
  return {1, Mmap{.addr = addr,
                  .length = pages * kPage,
                  .prot = kReadWrite,
                  .flags = kFixedPrivateAnon}};
}

Command Unmap(uint64_t pages, uint64_t addr) {
  return {1, Munmap{.addr = addr, .length = pages * kPage}};
}

Command Poke(uint64_t page, uint8_t value) {
  return {1, Access{.kind = AccessKind::kWrite,
                    .addr = kArea + page * kPage,
                    .value = value}};
}

std::vector<Command> SomeCommands(int stores) {
  std::vector<Command> commands = {MapPages(static_cast<uint64_t>(stores))};
  for (int i = 0; i < stores; ++i) {
    commands.push_back(Poke(static_cast<uint64_t>(i)));
  }
  return commands;
}

Command Breaker() { return {0, Tick{kBreakingTick}}; }

MachineRunner BreakingRunner() {
  return [](Machine& machine, const Command& command, EventLevel level) {
    const auto* tick = std::get_if<Tick>(&command.op);
    VM_BUG_ON(tick != nullptr && tick->nanoseconds == kBreakingTick);
    return machine.Apply(command, level);
  };
}

MachineRunner CountingRunner(std::shared_ptr<std::atomic<int64_t>> executed) {
  return [executed, inner = BreakingRunner()](
             Machine& machine, const Command& command, EventLevel level) {
    ++*executed;
    return inner(machine, command, level);
  };
}

MachineConfig SmallConfig(uint64_t seed) {
  return {.ram_bytes = uint64_t{64} << 20, .seed = seed, .sysctls = {}};
}

void SessionTest::UseDisk(const std::string& vfs) {
  store_options_ = {.path = directory_.data(), .vfs = vfs};
}

void SessionTest::UseSyncedDisk(const std::string& vfs) {
  UseDisk(vfs);
  store_options_.durability = storage::Store::Durability::kPowerLoss;
}

void SessionTest::Open(SessionTable::Options options) {
  if (store_ == nullptr) store_ = storage::MustOpen(store_options_);
  table_ = std::make_unique<SessionTable>(*store_, std::move(options));
}

void SessionTest::Stop() {
  table_.reset();
  if (store_options_.path != ":memory:") store_.reset();
}

void SessionTest::Restart(SessionTable::Options options) {
  Stop();
  Open(std::move(options));
}

absl::StatusOr<SessionInfo> SessionTest::Create(const std::string& id,
                                                MachineConfig config) {
  PendingInfo pending;
  table().Create(id, "for " + id, std::move(config), pending.answer());
  return pending.Wait();
}

absl::StatusOr<ExecuteResult> SessionTest::Run(const std::string& id,
                                               Command command,
                                               ExecuteOptions options) {
  PendingRun pending;
  table().Execute(id, std::move(command), std::move(options), pending.answer());
  return pending.Wait();
}

absl::StatusOr<BatchResult> SessionTest::RunBatch(const std::string& id,
                                                  std::vector<Command> commands,
                                                  ExecuteOptions options) {
  PendingBatch pending;
  table().ExecuteBatch(id, std::move(commands), std::move(options),
                       pending.answer());
  return pending.Wait();
}

absl::StatusOr<std::shared_ptr<const MachineView>> SessionTest::Look(
    const std::string& id, absl::optional<int64_t> expected_revision) {
  PendingView pending;
  table().Look(id, expected_revision, pending.answer());
  return pending.Wait();
}

absl::StatusOr<SessionInfo> SessionTest::Close(const std::string& id) {
  PendingInfo pending;
  table().Close(id, pending.answer());
  return pending.Wait();
}

absl::Status SessionTest::Delete(const std::string& id) {
  PendingStatus pending;
  table().Delete(id, pending.answer());
  return pending.Wait();
}

uint64_t SessionTest::FingerprintOfLive(const std::string& id) {
  const auto view = Look(id);
  if (!view.ok()) {
    ADD_FAILURE() << view.status();
    return 0;
  }
  return (*view)->machine.Fingerprint();
}

absl::StatusOr<SnapshotInfo> SessionTest::Snapshot(
    const std::string& id, const std::string& snapshot,
    absl::optional<int64_t> revision) {
  return table().CreateSnapshot(
      id, {.id = snapshot, .display_name = "of " + id, .revision = revision},
      {});
}

absl::StatusOr<SessionInfo> SessionTest::Restore(const std::string& id,
                                                 const std::string& new_id,
                                                 const std::string& snapshot) {
  return table().RestoreSnapshot(id, snapshot, new_id, "restored");
}

absl::StatusOr<std::shared_ptr<const MachineView>> SessionTest::LookAt(
    const std::string& id, int64_t revision) {
  return table().LookAt(id, revision, "at_revision", {});
}

std::vector<SnapshotInfo> SessionTest::Snapshots(const std::string& id) {
  const auto snapshots = table().ListSnapshots(id, -1, "", 1000);
  EXPECT_TRUE(snapshots.ok()) << snapshots.status();
  return snapshots.value_or(std::vector<SnapshotInfo>());
}

void SessionTest::AwaitAutomatic(const std::string& id, size_t count) {
  size_t there = 0;
  while (there < count && !HasFailure()) {
    std::this_thread::yield();
    const std::vector<SnapshotInfo> snapshots = Snapshots(id);
    there = static_cast<size_t>(
        std::count_if(snapshots.begin(), snapshots.end(),
                      [](const SnapshotInfo& s) { return s.automatic; }));
  }
}

VerifyReport::Check SessionTest::Verified(const std::string& id,
                                          const std::string& check) {
  const auto report = table().Verify(id, {});
  if (!report.ok())
    return {check, false, std::string(report.status().message())};
  for (const VerifyReport::Check& c : report->checks) {
    if (c.name == check) return c;
  }
  return {check, false, "was not made"};
}

SessionTest::WriterStop::WriterStop(storage::Store& store)
    : go_(std::make_shared<absl::Notification>()) {
  auto stopped = std::make_shared<absl::Notification>();
  const absl::Status submitted =
      store.SetSessionState("no such session", storage::SessionState::kClosed,
                            "", [stopped, go = go_](const absl::Status&) {
                              stopped->Notify();
                              go->WaitForNotification();
                            });
  EXPECT_TRUE(submitted.ok()) << submitted;
  stopped->WaitForNotification();
}

SessionTest::WriterStop::~WriterStop() { Release(); }

void SessionTest::WriterStop::Release() {
  if (!go_->HasBeenNotified()) go_->Notify();
}

std::string Reason(const absl::Status& status) {
  return status.ok() ? "" : errors::ReasonOf(status);
}

ExecuteOptions WithId(std::string request_id) {
  ExecuteOptions options;
  options.request_id = std::move(request_id);
  return options;
}

ExecuteOptions AtRevision(int64_t revision) {
  ExecuteOptions options;
  options.expected_revision = revision;
  return options;
}

}  // namespace faultline::testing
