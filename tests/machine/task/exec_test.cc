// execve of small ELF images made by hand.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/machine/mm/mmap.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;
constexpr uint64_t kPieBase = 0x555555554000;

struct Segment {
  uint64_t vaddr, offset, filesz, memsz;
  uint32_t flags;  // R 4, W 2, X 1
};

// A 64-bit image: headers, then a byte 'A'+k at the start of each page k.
class Elf {
 public:
  explicit Elf(uint16_t type = 3) : type_(type) {}
  Elf& Load(Segment s) {
    segments_.push_back(s);
    return *this;
  }
  Elf& Interpreter(const std::string& path) {
    interp_ = path + '\0';
    return *this;
  }
  std::string Bytes() const {
    std::string b(8 * kPage, '\0');
    for (size_t k = 1; k < 8; k++) b[k * kPage] = static_cast<char>('A' + k);
    b.replace(0, 7,
              "\x7f"
              "ELF\x02\x01\x01");
    Put(b, 16, type_, 2);
    Put(b, 18, 62, 2);
    Put(b, 24, 0x1040, 8);
    Put(b, 32, 64, 8);
    Put(b, 54, 56, 2);
    Put(b, 56, segments_.size() + (interp_.empty() ? 0 : 1), 2);
    uint64_t at = 64;
    if (!interp_.empty()) {
      constexpr uint64_t kText = 0x800;
      b.replace(kText, interp_.size(), interp_);
      PutPhdr(b, at, 3, {kText, kText, interp_.size(), interp_.size(), 4});
      at += 56;
    }
    for (const Segment& s : segments_) {
      PutPhdr(b, at, 1, s);
      at += 56;
    }
    return b;
  }

 private:
  static void Put(std::string& b, uint64_t at, uint64_t v, int n) {
    for (int i = 0; i < n; i++) b[at + i] = static_cast<char>(v >> (8 * i));
  }
  static void PutPhdr(std::string& b, uint64_t at, uint32_t type, Segment s) {
    Put(b, at, type, 4);
    Put(b, at + 4, s.flags, 4);
    Put(b, at + 8, s.offset, 8);
    Put(b, at + 16, s.vaddr, 8);
    Put(b, at + 32, s.filesz, 8);
    Put(b, at + 40, s.memsz, 8);
    Put(b, at + 48, kPage, 8);
  }
  uint16_t type_;
  std::vector<Segment> segments_;
  std::string interp_;
};

// Text, read-only data, and data with 3 pages of bss.
Elf Program() {
  return Elf()
      .Load({0, 0, 0x1000, 0x1000, 4})
      .Load({0x1000, 0x1000, 0x1000, 0x1000, 5})
      .Load({0x2000, 0x2000, 0x800, 0x4000, 6});
}
Elf Loader() {
  return Elf()
      .Load({0, 0, 0x2000, 0x2000, 5})
      .Load({0x2000, 0x2000, 0x1000, 0x1000, 6});
}

class Exec : public ::testing::Test {
 protected:
  void Install(const std::string& path, const std::string& bytes,
               uint32_t mode = 0755) {
    CreateFile call;
    call.path = path;
    call.size = bytes.size();
    call.content = FileContent::kBytes;
    call.data = bytes;
    call.mode = mode;
    EXPECT_EQ(ResultOf(sim_.Do(call, 0)), "OK");
  }
  std::string Run(const std::string& path,
                  std::vector<std::string> argv = {"prog"}, Pid pid = 1) {
    return ResultOf(sim_.Do(Execve{path, std::move(argv), {"A=1"}}, pid));
  }
  int64_t Byte(uint64_t addr) {
    Outcome out = sim_.Do(Access{AccessKind::kRead, addr, 1, 1, 0});
    EXPECT_EQ(ResultOf(out), "OK");
    return out.value;
  }
  // The mapping at an address: "r-x 2 pages".
  std::string Mapping(uint64_t addr) {
    const Vma& vma = sim_.VmaOf(addr);
    std::string s;
    s += vma.Has(vm::kRead) ? 'r' : '-';
    s += vma.Has(vm::kWrite) ? 'w' : '-';
    s += vma.Has(vm::kExec) ? 'x' : '-';
    return s + ' ' + std::to_string(vma.pages().value());
  }
  Sim sim_;
};

TEST_F(Exec, WhatIsExecutedIsNotWritten) {
  Install("/ld", Loader().Bytes());
  Install("/prog", Program().Interpreter("/ld").Bytes());
  const Outcome writer = sim_.Do(Open{"/prog", kOpenWrite, -1});
  EXPECT_EQ(Run("/prog"), "ETXTBSY");
  sim_.Do(Close{static_cast<int32_t>(writer.value)});
  EXPECT_EQ(Run("/prog"), "OK");
  EXPECT_EQ(ResultOf(sim_.Do(Open{"/prog", kOpenWrite, -1})), "ETXTBSY");
  EXPECT_EQ(ResultOf(sim_.Do(Open{"/prog", kOpenRead, -1})), "OK");
}

TEST_F(Exec, APieStandsAtItsFixedBase) {
  Install("/ld", Loader().Bytes());
  Install("/prog", Program().Interpreter("/ld").Bytes());
  ASSERT_EQ(Run("/prog"), "OK");
  EXPECT_EQ(Mapping(kPieBase), "r-- 1");
  EXPECT_EQ(Mapping(kPieBase + 0x1000), "r-x 1");
  EXPECT_EQ(Mapping(kPieBase + 0x2000), "rw- 1");
  EXPECT_EQ(Mapping(kPieBase + 0x3000), "rw- 3");
  EXPECT_EQ(Byte(kPieBase + 0x1000), 'B');
  EXPECT_EQ(Byte(kPieBase + 0x2000), 'C');
  EXPECT_EQ(sim_.task().comm, "prog");
}

TEST_F(Exec, BssIsZeroAndTheBreakFollowsIt) {
  Install("/ld", Loader().Bytes());
  std::string bytes = Program().Interpreter("/ld").Bytes();
  bytes[0x2900] = 'x';  // beyond filesz, within the page
  Install("/prog", bytes);
  ASSERT_EQ(Run("/prog"), "OK");
  EXPECT_EQ(Byte(kPieBase + 0x2900), 0);
  EXPECT_EQ(Byte(kPieBase + 0x5fff), 0);
  EXPECT_EQ(sim_.mm().start_brk.value(), kPieBase + 0x6000);
}

TEST_F(Exec, TheInterpreterIsMappedBelowTheBase) {
  Install("/ld", Loader().Bytes());
  Install("/prog", Program().Interpreter("/ld").Bytes());
  ASSERT_EQ(Run("/prog"), "OK");
  uint64_t ld = sim_.mm().mmap_base.value() - 3 * kPage;
  EXPECT_EQ(Mapping(ld), "r-x 2");
  EXPECT_EQ(Byte(ld + kPage), 'B');
  EXPECT_EQ(Byte(ld + 2 * kPage), 'C');
}

TEST_F(Exec, AFixedImageStandsWhereItSays) {
  Install("/prog", Elf(2)
                       .Load({0x400000, 0, 0x1000, 0x1000, 5})
                       .Load({0x401000, 0x1000, 0x1000, 0x1000, 6})
                       .Bytes());
  ASSERT_EQ(Run("/prog"), "OK");
  EXPECT_EQ(Mapping(0x400000), "r-x 1");
  EXPECT_EQ(Byte(0x401000), 'B');
  EXPECT_EQ(sim_.mm().start_brk.value(), 0x402000u);
}

TEST_F(Exec, AStaticPieIsPlacedLikeAMapping) {
  Install("/prog", Program().Bytes());
  ASSERT_EQ(Run("/prog"), "OK");
  EXPECT_GT(sim_.mm().start_code.value(), 0x7ff000000000u);
  EXPECT_EQ(sim_.mm().start_brk.value(), kPieBase + kPage)
      << "the heap goes where a PIE would stand";
}

TEST_F(Exec, TheOldMemoryIsGoneAndFilesStayOpen) {
  int32_t fd = sim_.File("/data", 1);
  Install("/prog", Program().Bytes());
  sim_.Run("map 0-4 rw locked; write 0-4");
  ASSERT_EQ(Run("/prog"), "OK");
  EXPECT_EQ(sim_.Vmas(), "");
  EXPECT_EQ(sim_.mm().locked_vm, 0u);
  sim_.Run("map 0 r fd" + std::to_string(fd) + "; read 0 =1");
}

TEST_F(Exec, TheStackHoldsTheArguments) {
  Install("/prog", Program().Bytes());
  ASSERT_EQ(Run("/prog", {"first", "second"}), "OK");
  EXPECT_EQ(Byte(sim_.mm().arg_start.value()), 'f');
  EXPECT_EQ(Byte(sim_.mm().arg_start.value() + 6), 's');
  EXPECT_EQ(Byte(sim_.mm().env_start.value()), 'A');
  EXPECT_EQ(Byte(sim_.mm().start_stack.value()), 2) << "argc";
  EXPECT_EQ(sim_.VmaOf(0x7fffffffe000).size(), 132u << 10);
}

TEST_F(Exec, AScriptRunsItsInterpreter) {
  Install("/prog", Program().Bytes());
  Install("/script", "#! /prog -x \nrest");
  ASSERT_EQ(Run("/script", {"script", "arg"}), "OK");
  EXPECT_EQ(sim_.task().comm, "script");
  EXPECT_EQ(Byte(sim_.mm().start_stack.value()), 4) << "prog -x script arg";
}

TEST_F(Exec, ErrnosLeaveTheProcessAsItWas) {
  Install("/prog", Program().Bytes());
  Install("/plain", Program().Bytes(), 0644);
  Install("/text", "hello");
  Install("/short",
          "\x7f"
          "ELF");
  Install("/none", Elf().Bytes());
  Install("/object", Elf(1).Load({0, 0, 0x1000, 0x1000, 5}).Bytes());
  Install("/orphan", Program().Interpreter("/no-ld").Bytes());
  Install("/plain-ld", Loader().Bytes(), 0644);
  Install("/refused", Program().Interpreter("/plain-ld").Bytes());
  Install("/bad-ld", std::string(100, 'x'));
  Install("/broken", Program().Interpreter("/bad-ld").Bytes());
  Install("/loop", "#!/loop\n");
  Install("/lost", "#!/nothing\n");
  struct Row {
    const char* path;
    const char* result;
  };
  const Row rows[] = {{"/missing", "ENOENT"}, {"/plain", "EACCES"},
                      {"/text", "ENOEXEC"},   {"/short", "ENOEXEC"},
                      {"/none", "ENOEXEC"},   {"/object", "ENOEXEC"},
                      {"/orphan", "ENOENT"},  {"/refused", "EACCES"},
                      {"/broken", "ELIBBAD"}, {"/lost", "ENOENT"}};
  sim_.Run("map 0 rw; write 0 v5");
  for (const Row& row : rows) {
    EXPECT_EQ(Run(row.path), row.result) << row.path;
    sim_.Run("read 0 =5");
  }
  EXPECT_NE(Run("/loop"), "OK");
  EXPECT_EQ(Run("/prog", {std::string(200 * kPage, 'x')}), "E2BIG");
  sim_.Run("read 0 =5");
  EXPECT_EQ(sim_.task().comm, "init");
}

TEST_F(Exec, OfARandomImageIsAnErrnoOrAProgram) {
  Prng prng(4);
  std::string good = Program().Bytes();
  for (int i = 0; i < 300; i++) {
    Sim s;
    std::string bytes = good;
    for (int n = 0; n < 4; n++) {
      bytes[prng.Next() % 232] = static_cast<char>(prng.Next());
    }
    CreateFile call;
    call.path = "/x";
    call.size = bytes.size();
    call.content = FileContent::kBytes;
    call.data = bytes;
    call.mode = 0755;
    s.Do(call, 0);
    s.Do(Execve{"/x", {"x"}, {}});
  }
}

TEST_F(Exec, OneThreadEndsTheOthersAndBecomesTheLeader) {
  Install("/prog", Program().Bytes());
  sim_.Run("fork; 2: clone 0x10f00 =3; 2: clone 0x10f00 =4");
  ASSERT_EQ(Run("/prog", {"prog"}, 4), "OK");
  EXPECT_EQ(sim_.task(2).comm, "prog");
  EXPECT_FALSE(sim_.kernel().pids.contains(3));
  EXPECT_FALSE(sim_.kernel().pids.contains(4));
  sim_.Run("2: exit 3; wait =2");
}

struct Layout {
  uint64_t code, brk, mmap_base, stack;
  friend bool operator==(const Layout&, const Layout&) = default;
};

TEST_F(Exec, RandomisedAddressesComeFromTheSeed) {
  const auto layout = [&](uint64_t seed, uint64_t randomize) {
    MachineConfig config;
    config.seed = seed;
    config.sysctls = {{"kernel.randomize_va_space", randomize}};
    sim_ = Sim(config);
    Install("/ld", Loader().Bytes());
    Install("/bin/prog", Program().Interpreter("/ld").Bytes());
    EXPECT_EQ(Run("/bin/prog"), "OK");
    const Mm& mm = sim_.mm();
    return Layout{mm.start_code.value(), mm.start_brk.value(),
                  mm.mmap_base.value(), mm.start_stack.value()};
  };
  const Layout fixed = layout(1, 0);
  EXPECT_EQ(fixed.code, kPieBase + kPage);
  EXPECT_EQ(layout(2, 0), fixed);
  const Layout one = layout(1, 2), other = layout(2, 2);
  EXPECT_EQ(layout(1, 2), one);
  EXPECT_NE(one.code, fixed.code);
  EXPECT_NE(one.code, other.code);
  EXPECT_NE(one.brk - one.code, fixed.brk - fixed.code);
  EXPECT_NE(one.mmap_base, other.mmap_base);
  EXPECT_NE(one.stack, other.stack);
  // Without the heap: it follows the image.
  const Layout heap = layout(1, 1);
  EXPECT_EQ(heap.brk - heap.code, fixed.brk - fixed.code);
  EXPECT_NE(heap.code, fixed.code);
}

TEST_F(Exec, RandomisationStaysInItsBounds) {
  for (uint64_t seed = 1; seed <= 50; seed++) {
    MachineConfig config;
    config.seed = seed;
    config.sysctls = {{"kernel.randomize_va_space", 2}};
    sim_ = Sim(config);
    Install("/ld", Loader().Bytes());
    Install("/bin/prog", Program().Interpreter("/ld").Bytes());
    ASSERT_EQ(Run("/bin/prog"), "OK");
    const Mm& mm = sim_.mm();
    constexpr uint64_t kTop = 0x7ffffffff000, kGiB = uint64_t{1} << 30;
    EXPECT_LE(kTop - mm.start_stack.value(), 16 * kGiB + 3 * kPage);
    // 28 random bits of pages below the room for the stack.
    EXPECT_GE(mm.mmap_base.value(), kTop - 1024 * kGiB - 17 * kGiB);
    EXPECT_LT(mm.mmap_base.value(), mm.start_stack.value());
    EXPECT_GE(mm.start_code.value(), kPieBase);
    EXPECT_LT(mm.start_code.value(), kPieBase + 1025 * kGiB);
    EXPECT_LT(mm.start_brk - mm.end_data, kGiB + 8 * kPage);
  }
}

}  // namespace
}  // namespace faultline
