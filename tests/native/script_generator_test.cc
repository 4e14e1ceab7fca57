// What the random scripts consist of: every kind of operation is really made,
// and what a numbered departure of the machine is about is not.
#include "tests/native/script_generator.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/scenario/parser.h"
#include "tests/native/conformance.h"
#include "tests/native/native_runner.h"

namespace faultline::native {
namespace {

constexpr uint64_t kSeeds = 40;

// f(profile, lines) for the scripts of some seeds of each profile.
template <class F>
void ForEachScript(F f) {
  for (const ScriptProfile profile : AllScriptProfiles()) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      f(profile,
        GenerateScript({.seed = seed, .operations = 200, .profile = profile}));
    }
  }
}

TEST(ScriptGenerator, MakesEveryKindOfOperation) {
  std::map<std::string, int> made;
  ForEachScript([&](ScriptProfile, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) ++made[KindOf(line)];
  });
  constexpr int kEnough = 5;
  for (const char* kind : {"mmap",
                           "mmap HUGETLB",
                           "munmap",
                           "mprotect",
                           "mremap",
                           "brk",
                           "madvise FREE",
                           "madvise COLLAPSE",
                           "madvise GUARD_INSTALL",
                           "madvise MERGEABLE",
                           "madvise UNMERGEABLE",
                           "madvise HUGEPAGE",
                           "mlock",
                           "mlock2",
                           "mlockall",
                           "munlock",
                           "munlockall",
                           "msync",
                           "mincore",
                           "mseal",
                           "remap_file_pages",
                           "process_madvise",
                           "process_madvise of several ranges",
                           "mbind",
                           "set_mempolicy",
                           "get_mempolicy",
                           "set_mempolicy_home_node",
                           "userfaultfd",
                           "fork",
                           "vfork",
                           "clone",
                           "kill",
                           "wait",
                           "exit",
                           "setuid",
                           "getrlimit",
                           "setrlimit AS",
                           "setrlimit DATA",
                           "setrlimit STACK",
                           "setrlimit MEMLOCK",
                           "setrlimit NPROC",
                           "prctl MDWE",
                           "prctl DUMPABLE",
                           "prctl MEMORY_MERGE",
                           "prctl GET_MEMORY_MERGE",
                           "prctl THP_DISABLE",
                           "read",
                           "readr",
                           "write",
                           "writer",
                           "fetch",
                           "grow",
                           "clear_refs",
                           "ftruncate",
                           "fallocate",
                           "fsync",
                           "fdatasync",
                           "fadvise",
                           "pread",
                           "pwrite",
                           "add_seals 4",
                           "get_seals"}) {
    EXPECT_GE(made[kind], kEnough) << kind;
  }
}

TEST(ScriptGenerator, WhatItMakesCanBeRun) {
  ForEachScript([](ScriptProfile, const std::vector<std::string>& lines) {
    const auto script =
        scenario::ParseScript("script", absl::StrJoin(lines, "\n"));
    ASSERT_TRUE(script.ok()) << script.status();
    EXPECT_EQ(NativeRunner::FirstUnsupported(*script), "");
  });
}

TEST(ScriptGenerator, TheSameSeedMakesTheSameScript) {
  const ScriptOptions options{.seed = 7};
  EXPECT_EQ(GenerateScript(options), GenerateScript(options));
  EXPECT_NE(GenerateScript(options), GenerateScript({.seed = 8}));
}

TEST(ScriptGenerator, AvoidsWhatTheMachineDepartsFrom) {
  ForEachScript(
      [](ScriptProfile profile, const std::vector<std::string>& lines) {
        const bool huge = profile == ScriptProfile::kHuge;
        for (const std::string& line : lines) {
          const std::string kind = KindOf(line);
          // D7: a page of a pool that is empty.
          if (kind == "mmap HUGETLB") {
            EXPECT_FALSE(absl::StrContains(line, "NORESERVE")) << line;
          }
          // D58: large folios that are asked to move.
          if (huge && kind == "mbind") {
            EXPECT_FALSE(absl::StrContains(line, "MOVE")) << line;
          }
        }
      });
}

TEST(ScriptGenerator, SharedMemoryMayBecomeHuge) {
  int shared = 0, whole = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const ScriptOptions options{
        .seed = seed, .operations = 200, .profile = ScriptProfile::kHuge};
    for (const std::string& line : GenerateScript(options)) {
      shared += absl::StrContains(line, " 512p rw- SHARED");
      whole += absl::StrContains(line, "512p COLLAPSE");
    }
  }
  EXPECT_GT(shared, 2 * static_cast<int>(kSeeds));
  EXPECT_GT(whole, 2 * static_cast<int>(kSeeds));
}

// D46: on a disk a file is one piece, without holes.
TEST(ScriptGenerator, FilesOnADiskKeepTheirSize) {
  constexpr uint64_t kSmallest = 7 * 4096;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const ScriptOptions options{.seed = seed,
                                .operations = 200,
                                .profile = ScriptProfile::kFile,
                                .on_disk = true};
    for (const std::string& line : GenerateScript(options)) {
      const std::string kind = KindOf(line);
      if (kind == "ftruncate" || kind == "fallocate") {
        EXPECT_TRUE(absl::StrContains(line, kind + " 4 ")) << line;
      } else if (kind == "file") {
        EXPECT_FALSE(absl::StrContains(line, "h")) << line;
      } else if (kind == "pwrite") {
        const std::vector<std::string> words = absl::StrSplit(line, ' ');
        EXPECT_LT(std::stoull(words.at(3)), kSmallest) << line;
      }
    }
  }
}

TEST(KindOf, IsTheWordOrWhatSaysMore) {
  EXPECT_EQ(KindOf("@1 r5: mmap 0 1p rw- PRIVATE|ANON - 0"), "mmap");
  EXPECT_EQ(KindOf("mmap 0 1p rw- PRIVATE|HUGETLB|ANON - 0"), "mmap HUGETLB");
  EXPECT_EQ(KindOf("@0 madvise 0x1000 1p FREE"), "madvise FREE");
  EXPECT_EQ(KindOf("process_madvise 0 0x1000 1p COLD"), "process_madvise");
  EXPECT_EQ(KindOf("process_madvise 0 0x1000 1p COLD 0 0x3000 1p"),
            "process_madvise of several ranges");
  EXPECT_EQ(KindOf("setrlimit NPROC 1 64"), "setrlimit NPROC");
  EXPECT_EQ(KindOf("@3"), "");
}

}  // namespace
}  // namespace faultline::native
