// execve of images and scripts that are out of the ordinary. What is expected
// was seen on Linux 6.18.
#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <vector>

#include "server/machine/mm/vma_tree.h"
#include "tests/machine/task/elf_file.h"

namespace faultline {
namespace {

constexpr uint64_t kBase = 0x400000;

// A program at a fixed address: one page of text, and what else.
Elf Fixed() { return Elf(2).Load({kBase, 0, 0x1000, 0x1000, 5}); }

class ExecImages : public Exec {
 protected:
  // A name that no file has yet.
  std::string NewPath() { return "/" + std::to_string(files_++) + "/prog"; }
  // Installs and executes it.
  std::string RunImage(const Elf& elf) {
    const std::string path = NewPath();
    Install(path, elf.Bytes());
    return Run(path);
  }
  bool IsMapped(uint64_t addr) {
    const Id<Vma> above = LookupVma(sim_.kernel(), sim_.mm(), VirtAddr(addr));
    return above && sim_.kernel().vmas[above].start.value() <= addr;
  }
  std::string StackMapping() { return Mapping(sim_.mm().start_stack.value()); }
  int files_ = 0;
};

TEST_F(ExecImages, TheStackIsExecutableWhenTheImageSaysSo) {
  ASSERT_EQ(RunImage(Fixed()), "OK");
  EXPECT_EQ(StackMapping(), "rw- 33") << "no PT_GNU_STACK, 64 bits";
  ASSERT_EQ(RunImage(Fixed().Stack(6)), "OK");
  EXPECT_EQ(StackMapping(), "rw- 33");
  ASSERT_EQ(RunImage(Fixed().Stack(7)), "OK");
  EXPECT_EQ(StackMapping(), "rwx 33");
  ASSERT_EQ(RunImage(Fixed().Stack(5)), "OK");
  EXPECT_EQ(StackMapping(), "rwx 33") << "a stack is always writable";
  ASSERT_EQ(RunImage(Fixed().Stack(0)), "OK");
  EXPECT_EQ(StackMapping(), "rw- 33");
}

TEST_F(ExecImages, AnInterpreterDoesNotDecideOnTheStack) {
  Install("/ld", Loader().Stack(7).Bytes());
  ASSERT_EQ(RunImage(Program().Interpreter("/ld").Stack(6)), "OK");
  EXPECT_EQ(StackMapping(), "rw- 33");
}

TEST_F(ExecImages, TheZerosBehindText) {
  ASSERT_EQ(RunImage(Elf(2).Load({kBase, 0, 0x900, 0x3000, 5})), "OK");
  EXPECT_EQ(Mapping(kBase), "r-x 1");
  EXPECT_EQ(Mapping(kBase + 0x1000), "rwx 2");
  ASSERT_EQ(RunImage(Elf(2).Load({kBase, 0, 0x900, 0x3000, 4})), "OK");
  EXPECT_EQ(Mapping(kBase), "r-- 1");
  EXPECT_EQ(Mapping(kBase + 0x1000), "rw- 2");
}

TEST_F(ExecImages, AStaticPieIsAlignedWithinTheMmapRegion) {
  const auto code = [&](uint64_t align) {
    Elf elf = Elf()
                  .Load({0, 0, 0x1000, 0x1000, 5, align})
                  .Load({0x1000, 0x1000, 0x800, 0x1800, 6, align});
    EXPECT_EQ(RunImage(elf), "OK");
    return sim_.mm().start_code.value();
  };
  EXPECT_EQ(code(0x1000), 0x7ffff7ffc000u);
  EXPECT_EQ(code(0x3000), 0x7ffff7ffc000u) << "no power of two";
  EXPECT_EQ(code(0x10000), 0x7ffff7ff0000u);
  EXPECT_EQ(Mapping(0x7ffff7ff0000), "r-x 1");
  EXPECT_EQ(Mapping(0x7ffff7ff1000), "rw- 1");
  EXPECT_EQ(Mapping(0x7ffff7ff2000), "rw- 1");
  EXPECT_EQ(Byte(0x7ffff7ff1000), 'B');
  EXPECT_EQ(Mapping(0x7ffff7ffd000), "r-x 2") << "the vdso, where it was tried";
  EXPECT_EQ(code(0x400000), 0x7ffff7c00000u);
  EXPECT_EQ(code(0x40000000), 0x7fffc0000000u);
}

TEST_F(ExecImages, ASegmentWithoutFileBeginsAtItsPage) {
  ASSERT_EQ(RunImage(Fixed().Load({0x405100, 0, 0, 0x2000, 6})), "OK");
  EXPECT_EQ(Mapping(0x405000), "rw- 3");
  EXPECT_EQ(sim_.mm().start_brk.value(), 0x408000u);
  ASSERT_EQ(RunImage(Fixed().Load({0x405ff0, 0, 0, 0x10, 6})), "OK");
  EXPECT_EQ(Mapping(0x405000), "rw- 1");
}

TEST_F(ExecImages, ASegmentWithoutFileReplacesThePageBelowIt) {
  ASSERT_EQ(RunImage(Fixed()
                         .Load({0x401000, 0x1000, 0x800, 0x800, 6})
                         .Load({0x401900, 0, 0, 0x100, 6})),
            "OK");
  EXPECT_EQ(Mapping(0x401000), "rw- 1");
  EXPECT_FALSE(sim_.VmaOf(0x401000).file);
  EXPECT_EQ(Byte(0x401000), 0);
}

TEST_F(ExecImages, AFixedInterpreterReplacesTheProgram) {
  Install("/ld", Elf(2).Load({kBase, 0x1000, 0x1000, 0x1000, 4}).Bytes());
  ASSERT_EQ(RunImage(Fixed().Interpreter("/ld")), "OK");
  EXPECT_EQ(Mapping(kBase), "r-- 1");
  EXPECT_EQ(Byte(kBase), 'B');
}

TEST_F(ExecImages, BesideAFixedProgramTheInterpretersAddressIsAHint) {
  Install("/ld", Elf().Load({0x10000, 0, 0x1000, 0x1000, 5}).Bytes());
  ASSERT_EQ(RunImage(Fixed().Interpreter("/ld")), "OK");
  EXPECT_EQ(Mapping(0x10000), "r-x 1");
  ASSERT_EQ(RunImage(Program().Interpreter("/ld")), "OK");
  EXPECT_FALSE(IsMapped(0x10000));
  EXPECT_EQ(Mapping(0x7ffff7ffe000), "r-x 1");
}

TEST_F(ExecImages, APieThatBeginsWithinAPageStandsAPageLower) {
  Install("/ld", Loader().Bytes());
  ASSERT_EQ(RunImage(Elf()
                         .Load({0x100, 0x100, 0xf00, 0xf00, 5})
                         .Load({0x1000, 0x1000, 0x800, 0x1800, 6})
                         .Interpreter("/ld")),
            "OK");
  EXPECT_EQ(Mapping(kPieBase - kPage), "r-x 1");
  EXPECT_EQ(Byte(kPieBase), 'B');
}

TEST_F(ExecImages, WhatCannotBeMappedEndsTheProcess) {
  const Elf bad[] = {
      // More in the file than in memory.
      Fixed().Load({0x401000, 0x1000, 0x1000, 0x800, 6}),
      // Above user space, and as large as that.
      Fixed().Load({uint64_t{1} << 47, 0, 0, 0, 6}),
      Fixed().Load({0x401000, 0x1000, 0, ~uint64_t{0} - 0x500000, 6}),
      // The file's offset and the address differ within the page.
      Fixed().Load({0x401000, 0x1100, 0x800, 0x800, 6})};
  const char* const results[] = {"EINVAL", "EINVAL", "ENOMEM", "EINVAL"};
  for (size_t i = 0; i < std::size(bad); i++) {
    sim_ = Sim();
    Install("/prog", bad[i].Bytes());
    sim_.Run("fork =2");
    const Outcome out = sim_.Do(Execve{"/prog", {"prog"}, {}}, 2);
    EXPECT_EQ(ErrnoName(out.error), results[i]) << i;
    EXPECT_TRUE(out.exited) << i;
  }
}

TEST_F(ExecImages, AProgramWithoutSegmentsIsExecuted) {
  ASSERT_EQ(RunImage(Elf(2).Stack(6)), "OK");
  EXPECT_EQ(sim_.task().comm, "prog");
  EXPECT_EQ(StackMapping(), "rw- 33");
  EXPECT_FALSE(IsMapped(kBase));
  // As an interpreter it is refused, when it is too late.
  Install("/none", Elf(2).Stack(6).Bytes());
  Install("/prog", Fixed().Interpreter("/none").Bytes());
  sim_.Run("fork =2");
  const Outcome out = sim_.Do(Execve{"/prog", {"prog"}, {}}, 2);
  EXPECT_EQ(ErrnoName(out.error), "EINVAL");
  EXPECT_TRUE(out.exited);
}

TEST_F(ExecImages, TheFileIsAskedForBeforeTheArguments) {
  Install("/prog", Program().Bytes());
  Install("/plain", Program().Bytes(), 0644);
  Install("/text", "hello");
  const std::vector<std::string> argv = {"prog", std::string(140000, 'x')};
  EXPECT_EQ(Run("/missing", argv), "ENOENT");
  EXPECT_EQ(Run("/plain", argv), "EACCES");
  EXPECT_EQ(Run("/text", argv), "E2BIG");
  EXPECT_EQ(Run("/prog", argv), "E2BIG");
  EXPECT_EQ(Run(""), "ENOENT");
}

TEST_F(ExecImages, FiveScriptsMayFollowEachOther) {
  Install("/s0", Program().Bytes());
  for (int i = 1; i <= 7; i++) {
    Install("/s" + std::to_string(i), "#!/s" + std::to_string(i - 1) + "\n");
  }
  constexpr int kEloop = 40;
  Install("/loop", "#!/loop\n");
  for (const char* path : {"/s6", "/s7", "/loop"}) {
    const Outcome out = sim_.Do(Execve{path, {"x"}, {}});
    EXPECT_EQ(static_cast<int>(out.error), kEloop) << path;
    EXPECT_EQ(out.value, -kEloop);
    EXPECT_FALSE(out.exited);
  }
  ASSERT_EQ(Run("/s5"), "OK");
  EXPECT_EQ(Byte(sim_.mm().start_stack.value()), 6) << "argc";
}

TEST_F(ExecImages, TheLineOfAScript) {
  Install("/prog", Program().Bytes());
  std::string path;
  const auto run = [&](const std::string& text) {
    path = NewPath();
    Install(path, text);
    return Run(path);
  };
  const std::string name(400, 'a');
  EXPECT_EQ(run("#!/" + name), "ENOEXEC") << "the path may go on";
  EXPECT_EQ(run("#!/" + name + "\n"), "ENOEXEC");
  EXPECT_EQ(run("#!"), "EACCES");
  EXPECT_EQ(run("#!\n"), "ENOEXEC");
  EXPECT_EQ(run("#! \t \n/prog"), "ENOEXEC");
  EXPECT_EQ(run("#!" + std::string(300, ' ')), "ENOEXEC");
  const auto argument = [&](const std::string& text) {
    EXPECT_EQ(run(text), "OK");
    uint64_t at = sim_.mm().arg_start.value() + std::string("/prog").size() + 1;
    std::string s;
    while (const int64_t c = Byte(at++)) s += static_cast<char>(c);
    return s;
  };
  EXPECT_EQ(argument("#!/prog"), path) << "none";
  EXPECT_EQ(argument("#! /prog  \n"), path) << "none";
  EXPECT_EQ(argument("#!/prog -x  y \n"), "-x  y");
  EXPECT_EQ(argument("#!/prog  "), "") << "no newline: one that is empty";
  // 256 bytes were read; the last became the NUL.
  EXPECT_EQ(argument("#!/prog " + name), name.substr(0, 255 - 8));
}

}  // namespace
}  // namespace faultline
