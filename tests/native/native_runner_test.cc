// Runs the program `native` on the kernel under this test. Where that is
// refused (no root, no ptrace) the tests are skipped and say so.

#include "tests/native/native_runner.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/native/compare.h"

namespace faultline::native {
namespace {

struct Finished {
  int exit_code = -1;
  std::string out;
  std::string err;
};

std::string Slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Temporary(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "native_test_", getpid(), "_", name);
}

Finished RunNative(const std::string& arguments) {
  const char* bin = std::getenv("FAULTLINE_BIN");
  const std::string out = Temporary("out");
  const std::string err = Temporary("err");
  const std::string command = absl::StrCat(
      bin != nullptr ? bin : ".", "/native ", arguments, " >", out, " 2>", err);
  const int status = std::system(command.c_str());
  Finished finished{WIFEXITED(status) ? WEXITSTATUS(status) : -1, Slurp(out),
                    Slurp(err)};
  unlink(out.c_str());
  unlink(err.c_str());
  return finished;
}

Finished RunText(const std::string& script) {
  const std::string path = Temporary("script.s");
  std::ofstream(path) << script;
  Finished finished = RunNative(path);
  unlink(path.c_str());
  return finished;
}

class NativeRunner : public testing::Test {
 protected:
  void SetUp() override {
    probe_ = RunText("dump smaps\n");
    if (probe_.exit_code == 2 && absl::StrContains(probe_.err, "native: ")) {
      GTEST_SKIP() << "the real kernel cannot be asked here: " << probe_.err;
    }
    ASSERT_EQ(probe_.exit_code, 0) << probe_.err;
  }

  // A scenario whose own expectations must hold.
  static void ExpectHolds(const std::string& script) {
    const Finished run = RunText(script);
    EXPECT_EQ(run.exit_code, 0) << run.err << "\n" << run.out;
  }

  Finished probe_;
};

TEST_F(NativeRunner, ABareProcessHasOnlyItsStack) {
  EXPECT_TRUE(absl::StrContains(
      probe_.out, R"("smaps":[{"s":"7ffffffde000","e":"7ffffffff000","Rss":4)"))
      << probe_.out;
  ExpectHolds(
      "sync\n"
      "expect vmas 1\n"
      "a: brk 0\n"
      "expect ret 0x555555555000\n"
      "b: mmap 0 1p r PRIVATE|ANON\n"
      "expect ret 0x7ffff7ffe000\n"
      "expect vmas 2\n"
      "expect status.VmStk == 132\n"
      "expect cat /proc/self/maps lacks vdso\n");
}

TEST_F(NativeRunner, FaultsSignalsAndBytes) {
  ExpectHolds(
      "a: mmap 0x10000000 4p rw- PRIVATE|ANON\n"
      "read $a\n"
      "expect val 0\n"
      "expect min 1\n"
      "writer $a 4 4096 9\n"
      "expect min 4\n"
      "read $a+1p\n"
      "expect val 9\n"
      "expect min 0\n"
      "readr $a+3p 2\n"
      "expect sig SIGSEGV\n"
      "expect code MAPERR\n"
      "expect addr $a+4p\n"
      "mprotect $a 1p r\n"
      "write $a 1\n"
      "expect code ACCERR\n"
      "fetch $a\n"
      "expect fetchfault 1\n"
      "grow $stk-8 7\n"
      "expect ok\n"
      "read $stk\n"
      "expect min 0\n");
}

TEST_F(NativeRunner, SeveralAccessesAreOneOperation) {
  ExpectHolds(
      "a: mmap 0x10000000 4p rw- PRIVATE|ANON\n"
      "accesses read $a; write $a 7; writer $a+2p 2 1p 9\n"
      "expect ok\n"
      "expect min 4\n"
      "accesses write $a 8; readr $a+2p 3; write $a 9\n"
      "expect sig SIGSEGV\n"
      "expect addr $a+4p\n"
      "read $a\n"
      "expect val 8\n"
      "read $a+3p\n"
      "expect val 9\n");
}

TEST_F(NativeRunner, AForkedChildHasACopy) {
  ExpectHolds(
      "a: mmap 0x10000000 1p rw- PRIVATE|ANON\n"
      "write $a 5\n"
      "fork\n"
      "expect child 1\n"
      "@1 read $a\n"
      "expect val 5\n"
      "expect min 0\n"
      "@1 write $a 6\n"
      "expect min 1\n"
      "@0 read $a\n"
      "expect val 5\n"
      "@1 exit\n"
      "expect exited 1\n"
      "@1 read $a\n"
      "expect skip 1\n");
}

TEST_F(NativeRunner, FilesHaveTheirPattern) {
  ExpectHolds(
      "file 2 2p+10\n"
      "file 3 4p h\n"
      "file 4 1p r\n"
      "a: mmap 0x10000000 4p rw- SHARED 2 0\n"
      "read $a+1p\n"
      "expect val 82\n"  // 2*37 + 1*7 + 1
      "read $a+3p\n"
      "expect sig SIGBUS\n"
      "expect code ADRERR\n"
      "write $a+5 200\n"
      "pread 2 5\n"
      "expect ret 200\n"
      "pread 2 2p+10\n"
      "expect ret 0-1000\n"
      "pread 3 0\n"
      "expect ret 0\n"
      "pwrite 4 0 1\n"
      "expect ret 0-9\n"
      "mmap 0 1p rw- SHARED 4 0\n"
      "expect err EACCES\n"
      "mmap 0 1p r PRIVATE 77 0\n"
      "expect err EBADF\n"
      "fsync 2\n"
      "expect ret 0\n"
      "ftruncate 3 1p\n"
      "expect ret 0\n");
}

TEST_F(NativeRunner, MincoreLeavesNothingBehind) {
  ExpectHolds(
      "a: mmap 0x10000000 4p rw- PRIVATE|ANON\n"
      "mincore $a 4p\n"
      "expect ret 0\n"
      "expect min 0\n"
      "expect vmas 2\n"
      "mincore $a+8p 1p\n"
      "expect err ENOMEM\n"
      "mincore $a+1 1p\n"
      "expect err EINVAL\n");
}

TEST_F(NativeRunner, AFailedExpectationEndsTheRun) {
  const Finished run = RunText("munmap 1 1p\nexpect ok\nsync\n");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(run.err, ":2: expected ok")) << run.err;
  EXPECT_FALSE(absl::StrContains(run.out, "sync")) << run.out;
}

TEST(NativeUsage, WhatOnlyASimulatedMachineCanDoIsRefused) {
  const Finished kernel = RunText("sync\nkmalloc 64 KERNEL\n");
  EXPECT_EQ(kernel.exit_code, 2);
  EXPECT_TRUE(absl::StrContains(kernel.err, ":2:1: ")) << kernel.err;
  EXPECT_TRUE(absl::StrContains(kernel.err, "only a simulated machine"));
  const Finished boot = RunText("boot profile=i386\n");
  EXPECT_TRUE(absl::StrContains(boot.err, "this machine is x86_64"));
  EXPECT_EQ(RunText("mmpa\n").exit_code, 2);
  EXPECT_EQ(RunNative("/nonexistent.s").exit_code, 2);
}

// The recordings are of this kernel series; another one may differ.
class Recorded : public NativeRunner {
 protected:
  void SetUp() override {
    NativeRunner::SetUp();
    if (IsSkipped()) return;
    utsname name;
    ASSERT_EQ(uname(&name), 0);
    if (!absl::StartsWith(name.release, "6.18.")) {
      GTEST_SKIP() << "recorded on Linux 6.18, this is " << name.release;
    }
    // Soft-dirty bits are a choice of the kernel's build.
    if (absl::StrContains(probe_.out, " sd")) {
      std::string error;
      options_.fields =
          *ParseCompareFields("ret,err,sig,val,faults,maps,status", &error);
    }
  }

  void ExpectAsRecorded(const std::string& arguments,
                        const std::string& recording) {
    const Finished run = RunNative(arguments);
    ASSERT_EQ(run.exit_code, 0) << arguments << ": " << run.err;
    std::istringstream now(run.out);
    std::ifstream then(recording);
    ASSERT_TRUE(then) << recording;
    const CompareResult result = CompareRuns(now, then, options_);
    EXPECT_FALSE(result.difference)
        << arguments << ": " << result.difference->Text();
  }

  CompareOptions options_;
};

TEST_F(Recorded, EveryScriptRunsAsItDid) {
  const std::string root = "tests/scenarios/recorded/";
  int scripts = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(root + "scripts")) {
    const std::string script = entry.path().string();
    const std::string name =
        root + "linux-6.18/" + entry.path().stem().string();
    ExpectAsRecorded(script, name + ".jsonl");
    ExpectAsRecorded("--maps-each " + script, name + ".maps.jsonl");
    ++scripts;
  }
  EXPECT_EQ(scripts, 60);
  for (const char* name : {"diff61", "faround"}) {
    ExpectAsRecorded(absl::StrCat(root, "special/", name, ".s"),
                     absl::StrCat(root, "linux-6.18/special/", name, ".jsonl"));
  }
}

TEST_F(Recorded, EveryScriptOfHugePagesRunsAsItDid) {
  const std::string mode = faultline::native::NativeRunner::KernelThpMode();
  if (mode != "madvise") {
    GTEST_SKIP() << "this kernel has huge pages " << mode;
  }
  const std::string root = "tests/scenarios/recorded/";
  int scripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root + "huge")) {
    ExpectAsRecorded(entry.path().string(),
                     absl::StrCat(root, "linux-6.18/huge/",
                                  entry.path().stem().string(), ".jsonl"));
    ++scripts;
  }
  EXPECT_EQ(scripts, 8);
}

}  // namespace
}  // namespace faultline::native
