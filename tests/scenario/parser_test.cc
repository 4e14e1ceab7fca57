#include "server/scenario/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/scenario/names.h"
#include "server/scenario/op_table.h"

namespace faultline::scenario {
namespace {

// Parses one line on its own; the test fails when it does not parse.
Op Line(absl::string_view line) {
  Parser parser("");
  auto op = parser.ParseLine(line);
  EXPECT_TRUE(op.ok()) << op.status();
  EXPECT_TRUE(op.ok() && op->has_value()) << "'" << line << "' gave no op";
  return op.ok() && op->has_value() ? **op : Op();
}

TEST(Parser, AnMmapLineInFull) {
  const Op op =
      Line("  @2 r1: mmap 0x1000 3p rw- SHARED|FIXED|0x100 1 2   # a comment");
  EXPECT_EQ(op.kind, OpKind::kMmap);
  EXPECT_EQ(op.process, 2);
  EXPECT_EQ(op.label, "r1");
  EXPECT_EQ(op.text, "@2 r1: mmap 0x1000 3p rw- SHARED|FIXED|0x100 1 2");
  EXPECT_EQ(op.line, 1);
  EXPECT_EQ(op.column, 10);
  EXPECT_EQ(ConstantValue(op.addr), 0x1000u);
  EXPECT_EQ(op.addr.column, 15);
  EXPECT_EQ(ConstantValue(op.length), 3u * 4096);
  EXPECT_EQ(op.prot, kProtRead | kProtWrite);
  EXPECT_EQ(op.flags, 0x111u);
  EXPECT_EQ(op.fd, 1);
  EXPECT_EQ(ConstantValue(op.offset), 2u);
}

TEST(Parser, OptionalArgumentsStayEmpty) {
  const Op anonymous = Line("mmap 0 1p r-x PRIVATE|ANON - 0");
  EXPECT_FALSE(anonymous.fd.has_value());
  EXPECT_FALSE(anonymous.offset.empty());
  const Op bare = Line("mmap 0 1p --- PRIVATE|ANON");
  EXPECT_FALSE(bare.fd.has_value());
  EXPECT_TRUE(bare.offset.empty());
  EXPECT_EQ(bare.prot, 0u);
  EXPECT_TRUE(Line("mremap 0 1p 2p MAYMOVE").new_addr.empty());
  EXPECT_FALSE(Line("mremap 0 1p 2p MAYMOVE|FIXED 9p").new_addr.empty());
  EXPECT_TRUE(Line("readr 0 9").stride.empty());
  EXPECT_EQ(ConstantValue(Line("writer 0 9 4096 7").byte), 7u);
}

TEST(Parser, AMemoryPolicyInFull) {
  const Op op = Line("mbind 0x1000 2p BIND|STATIC_NODES 0,2-3,64 MOVE 66");
  EXPECT_EQ(op.kind, OpKind::kMbind);
  EXPECT_EQ(op.mode, 0x8002u);
  EXPECT_EQ(op.nodes, (std::vector<uint64_t>{0xd, 1}));
  EXPECT_EQ(op.flags, 2u);
  EXPECT_EQ(ConstantValue(op.count), 66u);
  EXPECT_TRUE(Line("mbind 0 1p DEFAULT -").nodes.empty());
  EXPECT_EQ(Line("set_mempolicy LOCAL none").nodes,
            std::vector<uint64_t>{uint64_t{0}});
  for (const char* nodes : {"3-2", "x", "0,", "32768"}) {
    const auto bad =
        Parser("").ParseLine(absl::StrCat("set_mempolicy BIND ", nodes));
    EXPECT_TRUE(absl::StrContains(bad.status().message(), "are no nodes"))
        << nodes << ": " << bad.status();
  }
}

TEST(Parser, ProcessMadviseTakesMoreRanges) {
  EXPECT_TRUE(Line("process_madvise 1 0x1000 2p COLD").future.empty());
  const Op op = Line("process_madvise 1 0x1000 2p COLD 0 0x4000 1p 0x8000 3p");
  ASSERT_EQ(op.future.size(), 4u);
  EXPECT_EQ(ConstantValue(op.future[2]), 0x8000u);
  EXPECT_EQ(ConstantValue(op.future[3]), 0x3000u);
  const auto odd =
      Parser("").ParseLine("process_madvise 1 0x1000 2p COLD 0 0x4000");
  EXPECT_TRUE(
      absl::StrContains(odd.status().message(), "a range has no length"))
      << odd.status();
  const auto unknown =
      Parser("").ParseLine("process_madvise 1 0x1000 2p COLD 0 $later 1p");
  EXPECT_TRUE(absl::StrContains(unknown.status().message(), "'later:'"))
      << unknown.status();
}

TEST(Parser, FlagsAndProtectionMayBeNumbers) {
  EXPECT_EQ(Line("mlock2 0 1p 1").flags, 1u);
  EXPECT_EQ(Line("mlock2 0 1p ONFAULT").flags, 1u);
  EXPECT_EQ(Line("mprotect 0 1p 0x80").prot, 0x80u);
  EXPECT_EQ(Line("mprotect 0 1p rwg").prot,
            kProtRead | kProtWrite | kProtGrowsDown);
  EXPECT_EQ(Line("mprotect 0 1p rG").prot, kProtRead | kProtGrowsUp);
  EXPECT_EQ(Line("madvise 0 1p DONTNEED").flags, 4u);
  EXPECT_EQ(Line("madvise 0 1p 77").flags, 77u);
  EXPECT_EQ(Line("msync 0 1p SYNC|INVALIDATE").flags, 6u);
  EXPECT_EQ(Line("mlockall CURRENT|FUTURE").flags, 3u);
}

TEST(Parser, ExecOfAnAddressIsAFetch) {
  EXPECT_EQ(Line("exec 0x1000").kind, OpKind::kFetch);
  EXPECT_EQ(Line("exec $brk+1p").kind, OpKind::kFetch);
  EXPECT_EQ(Line("fetch 0x1000").kind, OpKind::kFetch);
  const Op exec = Line("exec /bin/ls -l");
  EXPECT_EQ(exec.kind, OpKind::kExec);
  EXPECT_EQ(exec.words, (std::vector<std::string>{"/bin/ls", "-l"}));
}

TEST(Parser, AccessesAreSeparatedBySemicolons) {
  const Op op =
      Line("accesses read $brk; write 0x1000 7 ;readr 0 9;grow $stk 1");
  EXPECT_EQ(op.kind, OpKind::kAccesses);
  ASSERT_EQ(op.accesses.size(), 4u);
  EXPECT_EQ(op.accesses[0].kind, OpKind::kRead);
  EXPECT_EQ(op.accesses[0].addr.terms[0].symbol, "brk");
  EXPECT_EQ(op.accesses[1].kind, OpKind::kWrite);
  EXPECT_EQ(op.accesses[1].column, 21);
  EXPECT_EQ(ConstantValue(op.accesses[1].byte), 7u);
  EXPECT_EQ(op.accesses[2].kind, OpKind::kReadRange);
  EXPECT_EQ(op.accesses[2].column, 37);
  EXPECT_EQ(op.accesses[3].kind, OpKind::kGrow);
}

TEST(Parser, AProcessHoldsUntilTheNextIsNamed) {
  auto script = ParseScript("s", "fork\n@1 read $brk\nread $stk\n@0 exit\n");
  ASSERT_TRUE(script.ok()) << script.status();
  std::vector<int> processes;
  for (const Op& op : script->ops) processes.push_back(op.process);
  EXPECT_EQ(processes, (std::vector<int>{0, 1, 1, 0}));
}

TEST(Parser, ALineMayNameItsOwnLabel) {
  EXPECT_EQ(Line("a: mmap $a+1p 1p r PRIVATE|ANON").label, "a");
}

TEST(Parser, BootKnobsAndDeclarations) {
  const Op boot = Line(
      "boot profile=i386 personality=linux-6.1 ram=2g swap=64m cpus=2 "
      "thp=never seed=7 e820=map.txt reserved=DMA:96,Normal:9000 "
      "swappiness=10 vm.page-cluster=0");
  EXPECT_EQ(boot.boot.profile, "i386");
  EXPECT_EQ(boot.boot.personality, "linux-6.1");
  EXPECT_EQ(boot.boot.ram_bytes, uint64_t{2} << 30);
  EXPECT_EQ(boot.boot.swap_bytes, 64u << 20);
  EXPECT_EQ(boot.boot.cpus, 2u);
  EXPECT_EQ(boot.boot.thp, "never");
  EXPECT_EQ(boot.boot.seed, 7u);
  EXPECT_EQ(boot.boot.e820_path, "map.txt");
  ASSERT_EQ(boot.boot.reserved_pages.size(), 2u);
  EXPECT_EQ(boot.boot.reserved_pages[1].first, "Normal");
  EXPECT_EQ(boot.boot.reserved_pages[1].second, 9000u);
  EXPECT_EQ(boot.boot.sysctls.at("swappiness"), "10");
  EXPECT_EQ(boot.boot.sysctls.at("page-cluster"), "0");

  const Op file = Line("file 2 7p+1000 rhc");
  EXPECT_EQ(file.file.number, 2u);
  EXPECT_EQ(file.file.size_bytes, 7u * 4096 + 1000);
  EXPECT_EQ(file.file.mode, FileDeclaration::Mode::kReadOnly);
  EXPECT_TRUE(file.file.hole && file.file.cold);
  EXPECT_EQ(Line("file 0 1p").file.mode, FileDeclaration::Mode::kReadWrite);
}

TEST(Parser, AdministrationAndKernelCalls) {
  const Op sysctl = Line("sysctl vm.swappiness=10");
  EXPECT_EQ(sysctl.words, (std::vector<std::string>{"swappiness", "10"}));
  EXPECT_EQ(Line("sysctl lowmem_reserve_ratio 256 32 0").words[1], "256 32 0");
  EXPECT_EQ(Line("sysctl swappiness").words.size(), 1u);
  const Op pages = Line("p: alloc_pages KERNEL|ZERO 3");
  EXPECT_EQ(pages.words, (std::vector<std::string>{"KERNEL", "ZERO"}));
  EXPECT_EQ(ConstantValue(pages.count), 3u);
  EXPECT_EQ(Line("kmem_cache_create inode_cache 640").name, "inode_cache");
  EXPECT_EQ(Line("cat /proc/self/maps").words[0], "/proc/self/maps");
  const Op dump = Line("dump maps,status");
  EXPECT_TRUE(dump.dump.maps && dump.dump.status);
  EXPECT_FALSE(dump.dump.smaps || dump.dump.pagemap);
  EXPECT_TRUE(Line("dump all").dump.pagemap);
  EXPECT_TRUE(Line("tick").count.empty());
}

TEST(Parser, Expectations) {
  EXPECT_EQ(Line("expect ok").expect.subject, "ok");
  const Op err = Line("expect err ENOMEM");
  EXPECT_EQ(ConstantValue(err.expect.value), 12u);
  EXPECT_EQ(err.expect.comparison, Comparison::kEq);
  EXPECT_EQ(ConstantValue(Line("expect sig SIGBUS").expect.value), 7u);
  EXPECT_EQ(ConstantValue(Line("expect code ACCERR").expect.value), 2u);
  const Op rss = Line("expect status.VmRSS >= 8");
  EXPECT_EQ(rss.expect.subject, "status.VmRSS");
  EXPECT_EQ(rss.expect.comparison, Comparison::kGe);
  const Op cat = Line("expect cat /proc/self/maps contains rw-p 0");
  EXPECT_EQ(cat.expect.path, "/proc/self/maps");
  EXPECT_EQ(cat.expect.comparison, Comparison::kContains);
  EXPECT_EQ(cat.expect.text, "rw-p 0");
}

TEST(Parser, BlankAndCommentLinesAreNoOps) {
  auto script = ParseScript("s", "\n   \n# comment\nsync # not a word\n");
  ASSERT_TRUE(script.ok());
  ASSERT_EQ(script->ops.size(), 1u);
  EXPECT_EQ(script->ops[0].line, 4);
}

TEST(Parser, EveryOpOfTheTableIsFoundByItsName) {
  for (const OpSpec& spec : OpTable()) {
    EXPECT_EQ(FindOp(spec.name), &spec) << spec.name << " is listed twice";
    EXPECT_STRNE(spec.help, "");
  }
}

struct BadLine {
  const char* text;
  const char* where;  // LINE:COLUMN of the error.
  const char* says;
};

class BadLines : public testing::TestWithParam<BadLine> {};

TEST_P(BadLines, SayWhereWhatAndTheNearestRightWord) {
  auto script = ParseScript("x.s", GetParam().text);
  ASSERT_FALSE(script.ok()) << GetParam().text;
  const std::string message(script.status().message());
  const std::string prefix = std::string("x.s:") + GetParam().where + ": ";
  EXPECT_EQ(message.substr(0, prefix.size()), prefix) << message;
  EXPECT_TRUE(absl::StrContains(message, GetParam().says)) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Parser, BadLines,
    testing::Values(
        BadLine{"mmpa 0 1p rw- PRIVATE|ANON", "1:1",
                "unknown op 'mmpa'; did you mean 'mmap'?"},
        BadLine{"sync\n  zzzzzz 1", "2:3", "unknown op 'zzzzzz'"},
        BadLine{"mmap 0 1p rw- PRIVTE|ANON", "1:15",
                "unknown mmap flag 'PRIVTE'; did you mean 'PRIVATE'?"},
        BadLine{"mmap 0 1p rw- PRIVATE|anon", "1:23", "did you mean 'ANON'?"},
        BadLine{"mmap 0 1p rw- PRIVATE||ANON", "1:23", "unknown mmap flag ''"},
        BadLine{"mmap 0 1p rq- PRIVATE|ANON", "1:12", "is not a protection"},
        BadLine{"mmap 0 1p rw-", "1:1",
                "too few arguments: 'mmap' takes ADDR LEN PROT FLAGS"},
        BadLine{"munmap 0 1p 2p", "1:13", "too many arguments"},
        BadLine{"munlockall 1", "1:12", "takes no arguments"},
        BadLine{"madvise 0 1p DONTNED", "1:14",
                "unknown madvise advice 'DONTNED'; did you mean 'DONTNEED'?"},
        BadLine{"read 0x10+", "1:11", "a number or $name is missing"},
        BadLine{"read $r1", "1:6", "no line above is labelled 'r1:'"},
        BadLine{"area: mmap 0 1p r PRIVATE|ANON\nread $aera", "2:6",
                "did you mean 'area'?"},
        BadLine{"write 0 256", "1:9", "'256' is not a byte"},
        BadLine{"accesses", "1:1", "an access is missing"},
        BadLine{"accesses read 0;", "1:17", "an access is missing"},
        BadLine{"accesses read 0 ;; read 1", "1:18", "an access is missing"},
        BadLine{"accesses read 0; mmap 0 1p", "1:18",
                "'mmap' is none of the accesses read, write"},
        BadLine{"accesses read 0; write 1", "1:18",
                "too few arguments: 'write' takes ADDR BYTE"},
        BadLine{"accesses read 0; write $b 1", "1:24",
                "no line above is labelled 'b:'"},
        BadLine{"@x read 0", "1:1", "'@x' is not a process"},
        BadLine{"@0", "1:1", "the line names no op"},
        BadLine{"brk: mmap 0 1p r PRIVATE|ANON", "1:1", "cannot be a label"},
        BadLine{"sync\nboot ram=1g", "2:1", "must be the first line"},
        BadLine{"boot rma=1g", "1:6",
                "unknown boot key 'rma'; did you mean 'ram'?"},
        BadLine{"boot swapiness=1", "1:6", "did you mean 'swappiness'?"},
        BadLine{"boot profile=x86-64", "1:14", "did you mean 'x86_64'?"},
        BadLine{"boot ram=", "1:6", "expected key=value"},
        BadLine{"boot reserved=DMA", "1:15", "is not ZONE:PAGES"},
        BadLine{"boot initmem=DMA", "1:14", "is not ZONE:PAGES"},
        BadLine{"boot reserved=DMA:1,DMA32:x", "1:27", "'x' is not a number"},
        BadLine{"sysctl swapiness=1", "1:8",
                "unknown knob 'swapiness'; did you mean 'swappiness'?"},
        BadLine{"file 0", "1:1", "too few arguments"},
        BadLine{"file 0 1p q", "1:11", "is not letters of r"},
        BadLine{"file 0 1p\nfile 0 2p", "2:1", "already declared"},
        BadLine{"file 0 $brk", "1:8", "a file's size is a number"},
        BadLine{"dump maps,smap", "1:11", "did you mean 'smaps'?"},
        BadLine{"dump maps smaps", "1:1", "join the parts by commas"},
        BadLine{"alloc_pages KERNAL 1", "1:13",
                "unknown gfp flag 'KERNAL'; did you mean 'KERNEL'?"},
        BadLine{"expect errr EINVAL", "1:8", "did you mean 'err'?"},
        BadLine{"expect err EINVALID", "1:12", "did you mean 'EINVAL'?"},
        BadLine{"expect smaps.@1 3", "1:8", "unknown subject"},
        BadLine{"expect flags@1 == lo", "1:16", "contains|lacks FLAG"},
        BadLine{"expect vec > 01", "1:12", "==|!= DIGITS"},
        BadLine{"setrlimit MEMLOC 1p", "1:11", "did you mean 'MEMLOCK'?"},
        BadLine{"expect min => 3", "1:12", "is not a comparison"},
        BadLine{"expect cat /proc/stat has x", "1:23", "contains|lacks TEXT"},
        BadLine{"----", "1:1", "recorded test"}));

TEST(Parser, ReportsEveryBadLineOfAScript) {
  auto script = ParseScript("x.s", "foo\nsync\nread\n");
  ASSERT_FALSE(script.ok());
  const std::string message(script.status().message());
  EXPECT_TRUE(absl::StrContains(message, "x.s:1:1: ")) << message;
  EXPECT_TRUE(absl::StrContains(message, "\nx.s:3:1: ")) << message;
}

TEST(Parser, AFileThatCannotBeReadIsNamed) {
  auto missing = ReadScript("/nonexistent/x.s");
  EXPECT_TRUE(
      absl::StrContains(missing.status().message(), "/nonexistent/x.s"));
  EXPECT_FALSE(ReadScript("/").ok()) << "a directory is no scenario";
}

}  // namespace
}  // namespace faultline::scenario
