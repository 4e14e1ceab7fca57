// Each typed view, from the text that strace 6.1 writes.

#include "client/cli/strace/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace faultline::strace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `name(arguments)` to the parsed call.
ParsedCall Parse(std::string_view text) {
  const size_t open = text.find('(');
  const auto arguments = SplitArguments(text.substr(open + 1), ')');
  EXPECT_TRUE(arguments.has_value()) << text;
  return ParseCall(text.substr(0, open), arguments->slices);
}

// The typed view, which must be there and complete.
template <typename T>
T As(std::string_view text) {
  const ParsedCall parsed = Parse(text);
  EXPECT_EQ(parsed.error, "") << text;
  EXPECT_THAT(parsed.unknown_names, IsEmpty()) << text;
  const T* const call = std::get_if<T>(&parsed.call);
  EXPECT_NE(call, nullptr) << text;
  return call == nullptr ? T() : *call;
}

TEST(CallsTest, Execve) {
  const auto call = As<Execve>(
      R"(execve("/usr/bin/sh", ["sh", "-c", "a, \"b\""], 0x7fff /* 4 vars */))");
  EXPECT_EQ(call.path, "/usr/bin/sh");
  EXPECT_THAT(call.argv, ElementsAre("sh", "-c", "a, \"b\""));
  EXPECT_FALSE(call.argv_cut);
  EXPECT_EQ(call.env_count, 4U);
}

TEST(CallsTest, ExecveWithPartsLeftOutOrUnreadable) {
  EXPECT_TRUE(As<Execve>(R"(execve("/x", ["x", ...], NULL))").argv_cut);
  EXPECT_TRUE(As<Execve>(R"(execve("/x", ["xx"...], NULL))").argv_cut);
  EXPECT_EQ(As<Execve>(R"(execve("/x", NULL, 0x7 /* 1 var */))").env_count, 1U);
  EXPECT_EQ(As<Execve>(R"(execve("/x", [], ["A=1", "B=2"]))").env_count, 2U);
  EXPECT_EQ(As<Execve>(R"(execve("/x", [], ["A=1", ...]))").env_count,
            std::nullopt);
  EXPECT_EQ(As<Execve>("execve(0xdead, NULL, NULL)").path, "");
}

TEST(CallsTest, Execveat) {
  const auto call = As<Execve>(
      R"(execveat(3</bin/ls>, "", ["ls"], 0x7f /* 2 vars */, AT_EMPTY_PATH))");
  ASSERT_TRUE(call.directory.has_value());
  EXPECT_EQ(call.directory->path, "/bin/ls");
  EXPECT_EQ(call.flags, 0x1000U);
}

TEST(CallsTest, Brk) {
  EXPECT_EQ(As<Brk>("brk(NULL)").address, 0U);
  EXPECT_EQ(As<Brk>("brk(0x55555559b000)").address, 0x55555559b000U);
}

TEST(CallsTest, Mmap) {
  const auto call = As<Mmap>(
      "mmap(0x7ffff7f8c000, 110592, PROT_READ|PROT_EXEC, "
      "MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, 3</usr/lib/libselinux.so.1>, "
      "0x7000)");
  EXPECT_EQ(call.address, 0x7ffff7f8c000U);
  EXPECT_EQ(call.length, 110592U);
  EXPECT_EQ(call.prot, 5U);
  EXPECT_EQ(call.flags, 0x812U);
  EXPECT_EQ(call.fd, (Descriptor{3, "/usr/lib/libselinux.so.1", false}));
  EXPECT_EQ(call.offset, 0x7000U);
  const auto raw = As<Mmap>("mmap2(NULL, 8192, 0x3, 0x22, -1, 0)");
  EXPECT_EQ(raw.prot, 3U);
  EXPECT_EQ(raw.flags, 0x22U);
  EXPECT_EQ(raw.fd.number, -1);
}

TEST(CallsTest, MmapWithAFlagOfAnotherKernel) {
  const ParsedCall parsed =
      Parse("mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_LATER, -1, 0)");
  EXPECT_EQ(std::get<Mmap>(parsed.call).flags, 2U);
  EXPECT_THAT(parsed.unknown_names, ElementsAre("MAP_LATER"));
}

TEST(CallsTest, TheOtherMemoryCalls) {
  EXPECT_EQ(As<Munmap>("munmap(0x7ffff7fb3000, 49791)").length, 49791U);
  EXPECT_EQ(As<Mprotect>("mprotect(0x1000, 4096, PROT_READ)").prot, 1U);
  EXPECT_EQ(As<Mprotect>("pkey_mprotect(0x1000, 4096, PROT_NONE, 2)").pkey, 2);
  const auto moved = As<Mremap>("mremap(0x1000, 4096, 8192, MREMAP_MAYMOVE)");
  EXPECT_EQ(moved.new_length, 8192U);
  EXPECT_EQ(moved.new_address, std::nullopt);
  EXPECT_EQ(As<Mremap>("mremap(0x1000, 4096, 8192, "
                       "MREMAP_MAYMOVE|MREMAP_FIXED, 0x9000)")
                .new_address,
            0x9000U);
  EXPECT_EQ(As<Madvise>("madvise(0x1000, 4096, MADV_DONTNEED)").advice, 4U);
  EXPECT_EQ(As<Madvise>("madvise(NULL, 0, 0x4d /* MADV_??? */)").advice, 77U);
  EXPECT_EQ(As<Mlock>("mlock(0x1000, 4096)").flags, 0U);
  EXPECT_EQ(As<Mlock>("mlock2(0x1000, 4096, MLOCK_ONFAULT)").flags, 1U);
  EXPECT_EQ(As<Munlock>("munlock(0x1000, 4096)").address, 0x1000U);
  EXPECT_EQ(As<Mlockall>("mlockall(MCL_CURRENT|MCL_FUTURE)").flags, 3U);
  As<Munlockall>("munlockall()");
  EXPECT_EQ(As<Msync>("msync(0x1000, 4096, MS_SYNC)").flags, 4U);
  EXPECT_EQ(As<Mincore>("mincore(0x1000, 8192, [1, 0])").length, 8192U);
  EXPECT_EQ(
      As<RemapFilePages>("remap_file_pages(0x1000, 4096, PROT_NONE, 3, 0)")
          .page_offset,
      3U);
}

TEST(CallsTest, EveryWayToMakeATask) {
  EXPECT_EQ(As<Clone>("fork()").exit_signal, 17);
  EXPECT_EQ(As<Clone>("fork()").flags, 0U);
  const auto vfork = As<Clone>("vfork()");
  EXPECT_TRUE(vfork.shares_memory() && vfork.waits_for_child());
  const auto fork = As<Clone>(
      "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|"
      "SIGCHLD, child_tidptr=0x7ffff7dcea10)");
  EXPECT_EQ(fork.flags, 0x1200000U);
  EXPECT_EQ(fork.exit_signal, 17);
  EXPECT_FALSE(fork.shares_memory());
  EXPECT_EQ(As<Clone>("clone(child_stack=NULL, flags=0x1200011)").exit_signal,
            17);
  const auto thread = As<Clone>(
      "clone(child_stack=0x7f10, flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, "
      "parent_tid=[27526], tls=0x7f20, child_tidptr=0x7f30)");
  EXPECT_TRUE(thread.is_thread() && thread.shares_memory() &&
              thread.shares_files());
  EXPECT_EQ(thread.stack, 0x7f10U);
  EXPECT_EQ(thread.tls, 0x7f20U);
}

TEST(CallsTest, Clone3) {
  const auto call = As<Clone>(
      "clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, "
      "stack=0x7ffff7dc5000, stack_size=0x9000, tls=0x40} => "
      "{parent_tid=[28902]}, 88)");
  EXPECT_EQ(call.flags, kCloneVm | kCloneVfork);
  EXPECT_EQ(call.exit_signal, 17);
  EXPECT_EQ(call.stack, 0x7ffff7dc5000U);
  EXPECT_EQ(call.stack_size, 0x9000U);
  EXPECT_EQ(call.tls, 0x40U);
  EXPECT_EQ(As<Clone>("clone3({flags=0x3d0f00, exit_signal=0}, 88)").flags,
            0x3d0f00U);
  EXPECT_EQ(As<Clone>("clone3(0xdead, 88)").flags, 0U);
}

TEST(CallsTest, EndsAndWaits) {
  EXPECT_FALSE(As<Exit>("exit(0)").group);
  EXPECT_TRUE(As<Exit>("exit_group(3)").group);
  EXPECT_EQ(As<Exit>("exit_group(3)").status, 3);
  const auto exited = As<Wait>(
      "wait4(27527, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL)");
  EXPECT_EQ(exited.target, 27527);
  EXPECT_EQ(exited.exit_status, 3);
  const auto killed = As<Wait>(
      "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && "
      "WCOREDUMP(s)}], WNOHANG, NULL)");
  EXPECT_EQ(killed.target, -1);
  EXPECT_EQ(killed.term_signal, 11);
  EXPECT_EQ(killed.options, 1U);
  EXPECT_EQ(As<Wait>("waitid(P_PID, 12, {si_signo=SIGCHLD, "
                     "si_code=CLD_EXITED, si_pid=12, si_status=7}, WEXITED, "
                     "NULL)")
                .exit_status,
            7);
  EXPECT_EQ(As<Wait>("waitid(P_ALL, 0, NULL, WEXITED, NULL)").target, -1);
}

TEST(CallsTest, ProcessAttributes) {
  EXPECT_EQ(As<ArchPrctl>("arch_prctl(ARCH_SET_FS, 0x7f06800)").value,
            0x7f06800U);
  EXPECT_EQ(As<ArchPrctl>("arch_prctl(0x3001 /* ARCH_??? */, 0x7f)").code,
            0x3001U);
  EXPECT_EQ(As<ArchPrctl>("arch_prctl(ARCH_GET_FS, [0x7f00])").value, 0x7f00U);
  EXPECT_EQ(As<SetTidAddress>("set_tid_address(0x7f10)").address, 0x7f10U);
  EXPECT_EQ(As<Personality>("personality(PER_LINUX|ADDR_NO_RANDOMIZE)").persona,
            0x40000U);
  EXPECT_EQ(As<Personality>("personality(0xffffffff)").persona, 0xffffffffU);
  const auto name = As<SetVmaName>(
      "prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 0x7000, 8192, \"arena\")");
  EXPECT_EQ(name.address, 0x7000U);
  EXPECT_EQ(name.length, 8192U);
  EXPECT_EQ(name.name, "arena");
  EXPECT_EQ(As<SetVmaName>(
                "prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 0x7000, 8192, NULL)")
                .name,
            std::nullopt);
  const auto other = As<Prctl>("prctl(PR_SET_NAME, \"worker\")");
  EXPECT_EQ(other.option, 15U);
  EXPECT_THAT(other.arguments, ElementsAre(std::nullopt));
}

TEST(CallsTest, Limits) {
  const auto got = As<Rlimit>(
      "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, "
      "rlim_max=RLIM64_INFINITY})");
  EXPECT_EQ(got.resource, kRlimitStack);
  EXPECT_FALSE(got.set.has_value());
  ASSERT_TRUE(got.got.has_value());
  EXPECT_EQ(got.got->soft, 8388608U);
  EXPECT_EQ(got.got->hard, ~uint64_t{0});
  const auto set =
      As<Rlimit>("setrlimit(RLIMIT_AS, {rlim_cur=64*1024, rlim_max=0x20000})");
  ASSERT_TRUE(set.set.has_value());
  EXPECT_EQ(set.set->soft, 65536U);
  EXPECT_EQ(set.set->hard, 0x20000U);
}

TEST(CallsTest, Descriptors) {
  const auto open =
      As<Open>("openat(AT_FDCWD</root>, \"a.so\", O_RDONLY|O_CLOEXEC)");
  EXPECT_EQ(open.directory.path, "/root");
  EXPECT_EQ(open.path, "a.so");
  EXPECT_EQ(open.flags, 02000000U);
  EXPECT_EQ(As<Open>("open(\"/x\", O_RDWR|O_CREAT, 0600)").flags, 0102U);
  EXPECT_EQ(As<Open>("creat(\"/x\", 0600)").flags, 01101U);
  EXPECT_EQ(As<Close>("close(3</x>)").fd.number, 3);
  EXPECT_EQ(As<Dup>("dup2(3</x>, 0</dev/null>)").wanted, 0);
  EXPECT_EQ(As<Dup>("dup3(3, 7, O_CLOEXEC)").flags, 02000000U);
  EXPECT_EQ(As<Dup>("fcntl(3</x>, F_DUPFD_CLOEXEC, 10)").fd.path, "/x");
  EXPECT_EQ(As<Ftruncate>("ftruncate(3, 8192)").length, 8192U);
  EXPECT_EQ(As<MemfdCreate>("memfd_create(\"m\", MFD_CLOEXEC)").name, "m");
  EXPECT_TRUE(
      std::holds_alternative<std::monostate>(Parse("fcntl(3, F_GETFL)").call));
}

TEST(CallsTest, NewerCalls) {
  for (const char* name : {"mseal", "syscall_0x1ce"}) {
    const auto call = As<Mseal>(std::string(name) + "(0x7f0000, 8192, 0)");
    EXPECT_EQ(call.address, 0x7f0000U);
    EXPECT_EQ(call.length, 8192U);
  }
  const auto advice = As<ProcessMadvise>(
      "process_madvise(3<pid:77>, [{iov_base=0x1000, iov_len=4096}, "
      "{iov_base=0x3000, iov_len=8192}], 2, MADV_COLD, 0)");
  EXPECT_EQ(advice.process.path, "pid:77");
  EXPECT_EQ(advice.advice, 20U);
  ASSERT_EQ(advice.ranges.size(), 2U);
  EXPECT_EQ(advice.ranges[1].first, 0x3000U);
  EXPECT_EQ(advice.ranges[1].second, 8192U);
  EXPECT_THAT(Parse("process_madvise(3, [{x=1}], 1, MADV_COLD, 0)").error,
              HasSubstr("is not a list of ranges"));
  const auto bind = As<Mbind>(
      "mbind(0x1000, 8192, MPOL_BIND|MPOL_F_STATIC_NODES, [0x00000000000001, "
      "0000000000000000], 128, MPOL_MF_STRICT|MPOL_MF_MOVE)");
  EXPECT_EQ(bind.mode, 0x8002U);
  EXPECT_EQ(bind.nodes.words, (std::vector<uint64_t>{1, 0}));
  EXPECT_EQ(bind.nodes.maxnode, 128U);
  EXPECT_EQ(bind.flags, 3U);
  EXPECT_FALSE(
      As<Mbind>("mbind(0x1000, 4096, MPOL_BIND, 0x10, 64, 0)").nodes.shown);
  const auto none = As<SetMempolicy>("set_mempolicy(MPOL_LOCAL, NULL, 0)");
  EXPECT_EQ(none.mode, 4U);
  EXPECT_TRUE(none.nodes.shown);
  EXPECT_TRUE(none.nodes.words.empty());
  EXPECT_EQ(
      As<SetMempolicyHomeNode>("set_mempolicy_home_node(0x1000, 4096, 0, 0)")
          .length,
      4096U);
  const auto hole = As<Fallocate>(
      "fallocate(3</x>, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 0, 4096)");
  EXPECT_EQ(hole.mode, 3U);
  EXPECT_EQ(hole.length, 4096U);
  EXPECT_EQ(
      As<Prctl>("prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)").option,
      65U);
}

TEST(CallsTest, SharedMemory) {
  EXPECT_EQ(As<Shmget>("shmget(IPC_PRIVATE, 4096, IPC_CREAT|0600)").flags,
            01600U);
  EXPECT_EQ(As<Shmat>("shmat(5, NULL, SHM_RDONLY)").id, 5);
  EXPECT_EQ(As<Shmdt>("shmdt(0x7f00)").address, 0x7f00U);
}

TEST(CallsTest, ACallWithoutATypedViewIsNoError) {
  const ParsedCall parsed = Parse("write(1, \"x\", 1)");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(parsed.call));
  EXPECT_EQ(parsed.error, "");
}

TEST(CallsTest, ArgumentsThatDoNotFitAreNamed) {
  const ParsedCall missing = Parse("munmap(0x1000)");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(missing.call));
  EXPECT_THAT(missing.error, HasSubstr("argument 2 is missing"));
  EXPECT_THAT(Parse("munmap(x y, 1)").error,
              HasSubstr("argument 1 (x y) is not a number"));
  EXPECT_THAT(Parse("mprotect(0x1000, 1, {})").error,
              HasSubstr("argument 3 ({}) is not a set of flags"));
  EXPECT_THAT(Parse("close(abc)").error, HasSubstr("not a file descriptor"));
  EXPECT_THAT(Parse("execve({}, [], NULL)").error,
              HasSubstr("argument 1 ({}) is not a string"));
}

}  // namespace
}  // namespace faultline::strace
