// execve of small ELF images made by hand.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/machine/task/elf_file.h"

namespace faultline {
namespace {

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
