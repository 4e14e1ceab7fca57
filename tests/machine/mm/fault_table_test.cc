// Every row of the table of fault outcomes (x86 arch/x86/mm/fault.c,
// mm/memory.c, mm/filemap.c): what was there, which access, and then the error
// codes that the CPU pushed, the signal with its si_code, the faults counted
// and how the kernel resolved the last. Error codes, signals and counts were
// seen on Linux 6.18 (tracepoint exceptions:page_fault_user).
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <string>

#include "server/machine/hw/pte.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr auto kRead = AccessKind::kRead;
constexpr auto kWrite = AccessKind::kWrite;
constexpr auto kFetch = AccessKind::kFetch;

// The error codes in hexadecimal, as the tracepoint shows them.
constexpr const char* kNone = "";
constexpr const char* kAbsentRead = "4";
constexpr const char* kAbsentWrite = "6";
constexpr const char* kForbiddenWrite = "7";
constexpr const char* kAbsentFetch = "14";

struct Row {
  const char* name;
  const char* prepare;
  AccessKind kind;
  uint64_t page;
  const char* codes;
  const char* result;  // "OK", "SEGV/1" …
  uint64_t min_flt;
  uint64_t maj_flt;
  std::optional<FaultResolution> how;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

using How = FaultResolution;

// Descriptor 3: a ramfs file of 64 cached pages; 4: the same, read-only; 5: a
// disk file of 64 pages, not cached; 6: a cached disk file of 4 pages.
const Row kRows[] = {
    // Which VMA, and may it be grown.
    {"NoVma", "", kRead, 0, kAbsentRead, "SEGV/1", 0, 0, {}},
    {"NoVmaWrite", "", kWrite, 0, kAbsentWrite, "SEGV/1", 0, 0, {}},
    {"NoVmaFetch", "", kFetch, 0, kAbsentFetch, "SEGV/1", 0, 0, {}},
    {"BelowAVma", "map 8 rw", kRead, 7, kAbsentRead, "SEGV/1", 0, 0, {}},
    {"BelowAStack", "map 8 rw growsdown", kWrite, 7, kAbsentWrite, "OK", 1, 0,
     How::kAnonPage},
    {"BelowAStackRead", "map 8 rw growsdown", kRead, 7, kAbsentRead, "OK", 1, 0,
     How::kAnonZeroPage},
    {"BelowAStackInAGap",
     "map 300 rw growsdown; map 44 rw",
     kWrite,
     299,
     kAbsentWrite,
     "SEGV/1",
     0,
     0,
     {}},
    // Permission.
    {"WriteToReadOnly", "map 0 r", kWrite, 0, kAbsentWrite, "SEGV/2", 0, 0, {}},
    {"WriteToReadOnlyPresent",
     "map 0 rw; write 0; protect 0 r",
     kWrite,
     0,
     kForbiddenWrite,
     "SEGV/2",
     0,
     0,
     {}},
    {"WriteToReadOnlyZeroPage",
     "map 0 r; read 0",
     kWrite,
     0,
     kForbiddenWrite,
     "SEGV/2",
     0,
     0,
     {}},
    {"ReadOfNone", "map 0 -", kRead, 0, kAbsentRead, "SEGV/2", 0, 0, {}},
    {"ReadOfNonePresent",
     "map 0 rw; write 0; protect 0 -",
     kRead,
     0,
     kAbsentRead,
     "SEGV/2",
     0,
     0,
     {}},
    {"WriteOfNonePresent",
     "map 0 rw; write 0; protect 0 -",
     kWrite,
     0,
     kAbsentWrite,
     "SEGV/2",
     0,
     0,
     {}},
    {"FetchOfNonePresent",
     "map 0 rw; write 0; protect 0 -",
     kFetch,
     0,
     kAbsentFetch,
     "SEGV/2",
     0,
     0,
     {}},
    {"ReadOfWriteOnly", "map 0 w", kRead, 0, kAbsentRead, "OK", 1, 0,
     How::kAnonZeroPage},
    {"ReadOfExecOnly", "map 0 x", kRead, 0, kAbsentRead, "OK", 1, 0,
     How::kAnonZeroPage},
    {"FetchOfExecutable", "map 0 rx", kFetch, 0, kAbsentFetch, "OK", 1, 0,
     How::kAnonZeroPage},
    {"FetchOfDataPresent",
     "map 0 rw; write 0",
     kFetch,
     0,
     "15",
     "SEGV/2",
     0,
     0,
     {}},
    // An absent page is brought before the CPU finds that it may not execute.
    {"FetchOfDataAbsent", "map 0 rw", kFetch, 0, "14 15", "SEGV/2", 1, 0,
     How::kAnonZeroPage},
    // By the state of the entry: none, anonymous.
    {"AnonRead", "map 0 rw", kRead, 0, kAbsentRead, "OK", 1, 0,
     How::kAnonZeroPage},
    {"AnonWrite", "map 0 rw", kWrite, 0, kAbsentWrite, "OK", 1, 0,
     How::kAnonPage},
    {"ZeroPageWrite", "map 0 rw; read 0", kWrite, 0, kForbiddenWrite, "OK", 1,
     0, How::kCowZeroPage},
    // None, of a file.
    {"FileReadAround", "map 0-16 r fd3", kRead, 0, kAbsentRead, "OK", 1, 0,
     How::kFileAround},
    {"FileReadMajor", "map 0 r fd5", kRead, 0, kAbsentRead, "OK", 0, 1,
     How::kFileAround},
    {"PrivateWrite", "map 0 rw fd3", kWrite, 0, kAbsentWrite, "OK", 1, 0,
     How::kFileCow},
    {"PrivateWriteMajor", "map 0 rw fd5", kWrite, 0, kAbsentWrite, "OK", 0, 1,
     How::kFileCow},
    {"SharedWrite", "map 0 rw shared fd3", kWrite, 0, kAbsentWrite, "OK", 1, 0,
     How::kFileShared},
    {"SharedWriteMajor", "map 0 rw shared fd5", kWrite, 0, kAbsentWrite, "OK",
     0, 1, How::kFileShared},
    {"SharedAnonRead", "map 0 rw shared", kRead, 0, kAbsentRead, "OK", 1, 0,
     How::kFileRead},
    // Present and read-only.
    {"SharedReadThenWrite", "map 0 rw shared fd3; read 0", kWrite, 0,
     kForbiddenWrite, "OK", 1, 0, How::kSharedMkwrite},
    {"SharedWriteAfterWriteback", "map 0 rw shared fd6; write 0; fsync 6",
     kWrite, 0, kForbiddenWrite, "OK", 1, 0, How::kSharedMkwrite},
    {"PrivateFileReadThenWrite", "map 0 rw fd3; read 0", kWrite, 0,
     kForbiddenWrite, "OK", 1, 0, How::kCowCopy},
    {"AnonSharedByFork", "map 0 rw; write 0; fork", kWrite, 0, kForbiddenWrite,
     "OK", 1, 0, How::kCowCopy},
    {"AnonLeftByTheChild", "map 0 rw; write 0; fork; 2: exit; wait", kWrite, 0,
     kForbiddenWrite, "OK", 1, 0, How::kCowReuse},
    // An exclusive page is made writable by mprotect itself: no fault.
    {"AnonExclusive",
     "map 0 rw; write 0; protect 0 r; protect 0 rw",
     kWrite,
     0,
     kNone,
     "OK",
     0,
     0,
     {}},
    {"PresentRead", "map 0 rw; write 0", kRead, 0, kNone, "OK", 0, 0, {}},
    // Beyond the end of the file, and what truncation leaves.
    {"BeyondTheEnd",
     "map 0-80 r shared fd3",
     kRead,
     64,
     kAbsentRead,
     "BUS/2",
     0,
     0,
     {}},
    {"BeyondTheEndWrite",
     "map 0-80 rw shared fd3",
     kWrite,
     64,
     kAbsentWrite,
     "BUS/2",
     0,
     0,
     {}},
    {"BeyondTheEndPrivate",
     "map 0-80 rw fd3",
     kRead,
     64,
     kAbsentRead,
     "BUS/2",
     0,
     0,
     {}},
    {"BeyondTheEndPrivateWrite",
     "map 0-80 rw fd3",
     kWrite,
     64,
     kAbsentWrite,
     "BUS/2",
     0,
     0,
     {}},
    {"TruncatedShared",
     "map 0-8 rw shared fd3; write 0-8; truncate 3 4",
     kRead,
     4,
     kAbsentRead,
     "BUS/2",
     0,
     0,
     {}},
    {"TruncatedPrivateCopy",
     "map 0-8 rw fd3; write 0-8; truncate 3 4",
     kWrite,
     4,
     kAbsentWrite,
     "BUS/2",
     0,
     0,
     {}},
    {"GrownAgain", "map 0-8 rw fd3; write 0-8; truncate 3 4; truncate 3 8",
     kRead, 4, kAbsentRead, "OK", 0, 1, How::kFileAround},
};

struct Seen {
  std::string codes;
  std::optional<FaultResolution> how;
};
Seen SeenIn(const Outcome& out) {
  Seen seen;
  for (const Event& event : out.events) {
    if (const auto* fault = std::get_if<PageFaultUser>(&event.body)) {
      char hex[20];
      std::snprintf(hex, sizeof hex, "%s%llx", seen.codes.empty() ? "" : " ",
                    static_cast<unsigned long long>(fault->error_code));
      seen.codes += hex;
    } else if (const auto* done = std::get_if<FaultResolved>(&event.body)) {
      seen.how = done->how;
    }
  }
  return seen;
}

class FaultTable : public ::testing::TestWithParam<Row> {};
TEST_P(FaultTable, AsLinuxDoes) {
  const Row& row = GetParam();
  Sim s;
  s.File("/ram", 64);
  s.File("/ram", 64, kOpenRead);
  s.File("/disk", 64, kOpenBoth, FsType::kExt4, false);
  s.File("/cached", 4, kOpenBoth, FsType::kExt4);
  s.Run(row.prepare);
  Outcome out = s.Do(Access{row.kind, At(row.page), 1, kPageSize, 1});
  EXPECT_EQ(ResultOf(out), row.result);
  EXPECT_EQ(out.signal.addr, out.signal.signal == 0 ? 0 : At(row.page));
  EXPECT_EQ(out.min_flt, row.min_flt);
  EXPECT_EQ(out.maj_flt, row.maj_flt);
  const Seen seen = SeenIn(out);
  EXPECT_EQ(seen.codes, row.codes);
  EXPECT_EQ(seen.how, row.how);
}
INSTANTIATE_TEST_SUITE_P(Rows, FaultTable, ::testing::ValuesIn(kRows),
                         [](const auto& info) { return info.param.name; });

// No page table of the process is asked: what lies above its half of the
// addresses belongs to the kernel.
TEST(FaultTable, AddressesOfTheKernel) {
  struct Row {
    const char* name;
    AccessKind kind;
    uint64_t addr;
    const char* codes;
    const char* result;
  };
  constexpr uint64_t kDirectMap = 0xffff888000000000;
  const Row rows[] = {
      {"the direct map is there, for the kernel", kRead, kDirectMap, "5",
       "SEGV/1"},
      {"… to be written", kWrite, kDirectMap, "7", "SEGV/1"},
      {"… and never to be executed", kFetch, kDirectMap, "15", "SEGV/1"},
      {"the last page of the process's half", kRead, 0x7ffffffff000, "4",
       "SEGV/1"},
      {"… to be executed", kFetch, 0x7ffffffff000, "14", "SEGV/1"},
      {"no canonical address: #GP, not #PF", kRead, 0x800000000000, "",
       "SEGV/128"},
  };
  Sim s;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Outcome out = s.Do(Access{row.kind, row.addr, 1, 1, 0});
    EXPECT_EQ(ResultOf(out), row.result);
    EXPECT_EQ(SeenIn(out).codes, row.codes);
  }
}

// The kernel's own access to a bad address of the process is an errno.
TEST(FaultTable, TheKernelsOwnAccessIsEfault) {
  Sim s;
  s.Run(
      "map 0-4 r; advise 0-4 23 =EINVAL; map 8-12 rw; unmap 10;"
      "advise 8-12 23 =ENOMEM; read 8 =0 +0");
  s.File("/f", 4);
  s.Run("map 20-30 rw shared fd3; advise 20-30 23 =EFAULT");
}

}  // namespace
}  // namespace faultline
