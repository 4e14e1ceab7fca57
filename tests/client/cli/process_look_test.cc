#include "client/cli/process_look.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/client/cli/recorded_machine.h"

namespace faultline::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using S = PageState;

constexpr int kColumns = 16;
constexpr uint64_t kFourPages = 4 * kShownPageSize;

std::vector<ProcessLook> LookAt(RecordedMachine& machine,
                                const std::vector<uint32_t>& pids) {
  auto processes =
      LookAtProcesses(machine, machine.session().revision(), pids, kColumns);
  EXPECT_TRUE(processes.ok()) << processes.status();
  return processes.ok() ? *std::move(processes) : std::vector<ProcessLook>();
}

const VmaLook& VmaAt(const ProcessLook& process, uint64_t start) {
  static const VmaLook kNone;
  for (const VmaLook& vma : process.vmas) {
    if (vma.smaps.vma.start == start) return vma;
  }
  ADD_FAILURE() << "no VMA at " << std::hex << start;
  return kNone;
}

TEST(ProcessLookTest, EveryStateOfAPage) {
  RecordedMachine machine(
      "file 1 4p\n"
      "mmap 0x10000000 5p rw- PRIVATE|ANON|FIXED\n"
      "write 0x10001000 1\n"
      "fork\n"
      "read 0x10000000\n"
      "write 0x10002000 1\n"
      "mmap 0x20000000 4p rw- SHARED|FIXED 1\n"
      "write 0x20002000 1\n"
      "read 0x20000000\n"
      "mmap 0x30000000 4p rw- PRIVATE|FIXED 1\n"
      "write 0x30003000 1\n");
  const auto processes = LookAt(machine, {1});
  ASSERT_THAT(processes, SizeIs(1));
  EXPECT_THAT(VmaAt(processes[0], 0x10000000).cells,
              ElementsAre(S::kZeroPage, S::kAnonShared, S::kAnon, S::kAbsent,
                          S::kAbsent));
  EXPECT_EQ(VmaAt(processes[0], 0x10000000).zero_pages, 1u);
  EXPECT_EQ(VmaAt(processes[0], 0x20000000).cells[0], S::kFileDirty)
      << "a file that is only in memory is always dirty";
  EXPECT_EQ(VmaAt(processes[0], 0x30000000).cells[3], S::kAnon)
      << "a private copy";
}

TEST(ProcessLookTest, APageOfAFileOnADiskIsCleanUntilItIsWritten) {
  RecordedMachine machine("");
  v1::Command command;
  v1::CreateFile* file = command.mutable_create_file();
  file->set_path("/disk");
  file->set_size(kFourPages);
  file->set_fs(v1::FS_TYPE_EXT4);
  machine.Apply(command);
  command.set_pid(1);
  command.mutable_open()->set_path("/disk");
  command.mutable_open()->set_flags(2);
  const auto fd =
      static_cast<int32_t>(machine.Apply(command).outcome().value());
  v1::Mmap* mmap = command.mutable_mmap();
  mmap->set_addr(0x10000000);
  mmap->set_length(kFourPages);
  mmap->set_prot(3);
  mmap->set_flags(0x11);  // MAP_SHARED | MAP_FIXED
  mmap->set_fd(fd);
  machine.Apply(command);
  command.mutable_access()->set_kind(v1::ACCESS_KIND_READ);
  command.mutable_access()->set_addr(0x10000000);
  machine.Apply(command);
  command.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
  command.mutable_access()->set_addr(0x10002000);
  machine.Apply(command);
  const auto processes = LookAt(machine, {1});
  ASSERT_THAT(processes, SizeIs(1));
  EXPECT_THAT(VmaAt(processes[0], 0x10000000).cells,
              ElementsAre(S::kFile, S::kFile, S::kFileDirty, S::kFile));
}

TEST(ProcessLookTest, TellsWhichFramesProcessesShare) {
  RecordedMachine machine(
      "mmap 0x10000000 4p rw- PRIVATE|ANON|FIXED\n"
      "writer 0x10000000 3\n"
      "fork\n"
      "fork\n"
      "@1 write 0x10000000 1\n");
  const auto processes = LookAt(machine, {3, 1, 2});
  ASSERT_THAT(processes, SizeIs(3));
  EXPECT_EQ(processes[0].pid, 1u);
  EXPECT_EQ(processes[1].parent, 1u);
  EXPECT_THAT(VmaAt(processes[0], 0x10000000).shared_with,
              ElementsAre(Pair(2, 2), Pair(3, 3)));
  EXPECT_THAT(VmaAt(processes[1], 0x10000000).shared_with,
              ElementsAre(Pair(1, 2), Pair(3, 2)));
}

TEST(ProcessLookTest, WhatIsNotThereIsLeftOut) {
  RecordedMachine machine("fork\nfork\n@1 exit\n");
  v1::Command clone;
  clone.set_pid(1);
  clone.mutable_clone()->set_flags(0x10000 | 0x800 | 0x100);
  const v1::Change& thread = machine.Apply(clone);
  ASSERT_EQ(thread.outcome().value(), 4);
  const auto processes = LookAt(machine, {1, 2, 3, 4, 5});
  ASSERT_THAT(processes, SizeIs(3)) << "4 is a thread, 5 is nobody";
  EXPECT_TRUE(processes[1].zombie);
  EXPECT_THAT(processes[1].vmas, IsEmpty());
  EXPECT_FALSE(processes[2].zombie);
}

TEST(ProcessLookTest, AVmaOfMorePagesThanAreReadIsSampled) {
  // 1 GiB: each of the 192 cells is 1365 pages, of which 64 are read.
  RecordedMachine machine(
      "mmap 0x10000000 1g rw- PRIVATE|ANON|FIXED|NORESERVE\n"
      "write 0x10000000 1\n"
      "write 0x4ffff000 1\n");
  const auto processes = LookAt(machine, {1});
  ASSERT_THAT(processes, SizeIs(1));
  const VmaLook& vma = VmaAt(processes[0], 0x10000000);
  EXPECT_TRUE(vma.sampled);
  ASSERT_EQ(vma.cells.size(), vma.layout.cells);
  EXPECT_EQ(vma.cells.front(), S::kAnon);
  EXPECT_EQ(std::count(vma.cells.begin(), vma.cells.end(), S::kAnon), 1)
      << "the last page is in no sample";
}

TEST(ProcessLookTest, AHugeAddressSpaceTakesFewReads) {
  std::string scenario;
  for (int i = 0; i < 1000; ++i) {
    // Every second VMA is read-only, so that none merge.
    scenario +=
        absl::StrCat("mmap 0x", absl::Hex(0x10000000 + i * 0x4000), " 4p r-",
                     i % 2 == 0 ? "-" : "x", " PRIVATE|ANON|FIXED\n");
  }
  RecordedMachine machine(scenario);
  const auto processes = LookAt(machine, {1});
  ASSERT_THAT(processes, SizeIs(1));
  EXPECT_GT(processes[0].vmas.size(), 1000u);
  EXPECT_LT(machine.reads(), 10);
}

TEST(ProcessLookTest, TheFirstProcessIsAlwaysTried) {
  SessionTally tally;
  v1::Session session;
  EXPECT_THAT(PidsThatMayBe(tally, session), ElementsAre(1));
  session.mutable_origin();
  EXPECT_THAT(PidsThatMayBe(tally, session), SizeIs(kPidsTriedMax));
}

}  // namespace
}  // namespace faultline::cli
