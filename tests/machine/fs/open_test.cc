// Files, descriptors and the page cache behind read and write.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/machine/mm/filemap.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;
constexpr uint64_t kTrunc = 01000, kPath = 010000000;

std::string Create(Sim& s, CreateFile call) {
  return ResultOf(s.Do(std::move(call), 0));
}
int64_t OpenAt(Sim& s, const std::string& path, uint64_t flags,
               int32_t at = -1) {
  return s.Do(Open{path, flags, at}).value;
}
std::string ReadAt(Sim& s, int64_t fd, uint64_t offset, uint64_t length) {
  return s.Do(Read{static_cast<int32_t>(fd), offset, length}).data;
}

TEST(CreateFile, Errnos) {
  struct Row {
    const char* name;
    CreateFile call;
    const char* result;
  };
  std::vector<Row> rows(5);
  rows[0] = {"no path", {}, "EINVAL"};
  rows[1] = {"a relative path", {}, "EINVAL"};
  rows[1].call.path = "f";
  rows[2] = {"too large", {}, "EFBIG"};
  rows[2].call.path = "/f";
  rows[2].call.size = kMaxFileBytes + 1;
  rows[3] = {"more data than size", {}, "EINVAL"};
  rows[3].call.path = "/f";
  rows[3].call.content = FileContent::kBytes;
  rows[3].call.data = "xx";
  rows[4] = {"the largest", {}, "OK"};
  rows[4].call.path = "/f";
  rows[4].call.size = kMaxFileBytes;
  for (const Row& row : rows) {
    Sim s;
    EXPECT_EQ(Create(s, row.call), row.result) << row.name;
  }
}

TEST(CreateFile, WithoutMemoryLeavesNothing) {
  MachineConfig config;
  config.ram_bytes = uint64_t{8} << 20;
  Sim s(config);
  uint64_t free = s.free_pages();
  CreateFile call;
  call.path = "/f";
  call.size = uint64_t{32} << 20;
  call.content = FileContent::kPattern;
  EXPECT_EQ(Create(s, call), "ENOMEM");
  EXPECT_EQ(s.free_pages(), free);
  EXPECT_TRUE(s.kernel().names.empty());
}

TEST(CreateFile, ReplacesAFileNobodyUses) {
  Sim s;
  s.File("/f", 4);
  CreateFile call;
  call.path = "/f";
  EXPECT_EQ(Create(s, call), "EEXIST");
  s.Run("map 0 r fd3; close 3");
  EXPECT_EQ(Create(s, call), "EEXIST") << "still mapped";
  s.Run("unmap 0");
  EXPECT_EQ(Create(s, call), "OK");
  EXPECT_EQ(s.kernel().inodes.count(), 1u);
}

TEST(CreateFile, AHugeFileCostsNothing) {
  Sim s;
  uint64_t free = s.free_pages();
  CreateFile call;
  call.path = "/f";
  call.size = uint64_t{100} << 30;
  call.content = FileContent::kPattern;
  call.cached = false;
  EXPECT_EQ(Create(s, call), "OK");
  EXPECT_EQ(s.free_pages(), free);
  int64_t fd = OpenAt(s, "/f", kOpenRead);
  uint64_t page = (uint64_t{99} << 30) / kPage;
  EXPECT_EQ(ReadAt(s, fd, page * kPage, 1)[0],
            static_cast<char>(Sim::PatternByte(page)));
}

TEST(Open, GivesTheLowestFreeDescriptor) {
  Sim s;
  EXPECT_EQ(s.File("/f", 1), 3);
  EXPECT_EQ(s.File("/f", 1), 4);
  s.Run("close 3");
  EXPECT_EQ(s.File("/f", 1), 3);
}

TEST(Open, AtReplacesWhatIsThere) {
  Sim s;
  s.File("/f", 1);
  s.File("/g", 1);
  EXPECT_EQ(OpenAt(s, "/g", kOpenRead, 3), 3);
  EXPECT_EQ(s.kernel().inodes[s.kernel().names.at("/f")].opens, 0u);
  EXPECT_EQ(OpenAt(s, "/g", kOpenRead, 1), 1);
  EXPECT_EQ(ResultOf(s.Do(Open{"/g", 0, 1024})), "EBADF");
}

TEST(Open, Errnos) {
  Sim s;
  EXPECT_EQ(ResultOf(s.Do(Open{"/missing", 0, -1})), "ENOENT");
  EXPECT_EQ(ResultOf(s.Do(Close{3})), "EBADF");
  EXPECT_EQ(ResultOf(s.Do(Close{-1})), "EBADF");
  s.File("/f", 1);
  for (int i = 4; i < 1024; i++) s.Apply(Open{"/f", 0, -1});
  EXPECT_EQ(ResultOf(s.Do(Open{"/f", 0, -1})), "EMFILE");
}

TEST(Open, WhatSwapUsesIsNotWritten) {
  MachineConfig config;
  config.personality = Personality::kLinux618;
  Sim s(config);
  s.File("/swap", 64, kOpenBoth, FsType::kExt4, false);
  EXPECT_EQ(ResultOf(s.Do(Swapon{"/swap", 0, 0})), "OK");
  s.Run("map 0-4 rw shared fd3 =ETXTBSY; map 0-4 r shared fd3; map 4-8 rw fd3");
  EXPECT_EQ(ResultOf(s.Do(Write{3, 0, "x"})), "ETXTBSY");
  EXPECT_EQ(ResultOf(s.Do(Truncate{3, 0})), "ETXTBSY");
  EXPECT_EQ(ResultOf(s.Do(Fallocate{3, 0, 0, 4096})), "ETXTBSY");
  EXPECT_EQ(ResultOf(s.Do(Open{"/swap", 2 | kTrunc, -1})), "ETXTBSY");
  EXPECT_EQ(ResultOf(s.Do(Swapoff{"/swap", 0})), "OK");
  EXPECT_EQ(ResultOf(s.Do(Write{3, 0, "x"})), "OK");
}

TEST(Open, TruncatesWhenAsked) {
  Sim s;
  s.File("/f", 4);
  s.Run("map 0-4 r fd3; read 0-4");
  OpenAt(s, "/f", kOpenWrite | kTrunc);
  s.Run("read 0 =BUS/2");
}

TEST(Descriptors, PermitWhatTheyWereOpenedFor) {
  Sim s;
  s.File("/f", 4, kOpenRead);
  s.File("/f", 4, kOpenWrite);
  s.File("/f", 4, kPath);
  struct Row {
    const char* name;
    Operation op;
    const char* result;
  };
  const Row rows[] = {
      {"read of write-only", Read{4, 0, 1}, "EBADF"},
      {"write of read-only", Write{3, 0, "x"}, "EBADF"},
      {"write of O_PATH", Write{5, 0, "x"}, "EBADF"},
      {"truncate of read-only", Truncate{3, 0}, "EINVAL"},
      {"truncate of O_PATH", Truncate{5, 0}, "EBADF"},
      {"truncate below 0", Truncate{99, -1}, "EINVAL"},
      {"truncate of nothing", Truncate{99, 0}, "EBADF"},
      {"fsync of O_PATH", Fsync{5}, "EBADF"},
      {"fsync of read-only", Fsync{3}, "OK"},
      {"write beyond the largest file", Write{4, kMaxFileBytes, "x"}, "EFBIG"},
      {"truncate beyond it",
       Truncate{4, static_cast<int64_t>(kMaxFileBytes) + 1}, "EFBIG"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ResultOf(s.Do(row.op)), row.result) << row.name;
  }
}

TEST(ReadWrite, ReadsStopAtTheEnd) {
  Sim s;
  CreateFile call;
  call.path = "/f";
  call.size = 5;
  call.content = FileContent::kBytes;
  call.data = "hello";
  Create(s, call);
  int64_t fd = OpenAt(s, "/f", kOpenBoth);
  EXPECT_EQ(ReadAt(s, fd, 0, 100), "hello");
  EXPECT_EQ(ReadAt(s, fd, 3, 1), "l");
  EXPECT_EQ(ReadAt(s, fd, 5, 1), "");
  EXPECT_EQ(ReadAt(s, fd, ~uint64_t{0}, 1), "");
}

TEST(ReadWrite, AWriteBeyondTheEndLeavesZeros) {
  Sim s;
  s.File("/f", 1);
  EXPECT_EQ(s.Do(Write{3, 3 * kPage - 1, "ab"}).value, 2);
  EXPECT_EQ(ReadAt(s, 3, 3 * kPage - 2, 10), std::string("\0ab", 3));
  EXPECT_EQ(ReadAt(s, 3, kPage, 2), std::string(2, '\0'));
}

TEST(ReadWrite, MappingsAndCallsSeeTheSameBytes) {
  Sim s;
  s.File("/f", 4);
  s.Run("map 0-4 rw shared fd3; write 1 v65");
  EXPECT_EQ(ReadAt(s, 3, kPage, 1), "A");
  s.Do(Write{3, kPage, "B"});
  s.Run("read 1 =66");
}

TEST(ReadWrite, TheTailBeyondTheEndIsZeroAfterTruncation) {
  Sim s;
  s.File("/f", 2);
  s.Do(Truncate{3, 100});
  s.Do(Truncate{3, 200});
  EXPECT_EQ(ReadAt(s, 3, 99, 2), std::string("\1\0", 2));
}

TEST(PageCache, DirtyPagesReachTheDiskByFsync) {
  Sim s;
  s.File("/f", 2, kOpenBoth, FsType::kExt4);
  s.Do(Write{3, 0, "x"});
  EXPECT_EQ(s.kernel().vmstat.node[kNrFileDirty], 1);
  s.Run("fsync 3");
  EXPECT_EQ(s.kernel().vmstat.node[kNrFileDirty], 0);
  s.Do(Truncate{3, 0});
  EXPECT_EQ(s.kernel().vmstat.node[kNrFilePages], 0);
}

TEST(PageCache, SharedAnonymousMemoryEndsWithItsLastMapping) {
  Sim s;
  uint64_t free = s.free_pages();
  s.Run("map 0-8 rw shared; write 0-8; fork =2; unmap 0-8; 2: read 0 =1");
  EXPECT_EQ(s.kernel().inodes.count(), 1u);
  s.Run("2: exit; wait");
  EXPECT_EQ(s.kernel().inodes.count(), 0u);
  EXPECT_EQ(s.kernel().vmstat.node[kNrShmem], 0);
  EXPECT_EQ(s.free_pages(), free);
}

TEST(PageCache, AFileOutlivesItsDescriptorsWhileMapped) {
  Sim s;
  s.File("/f", 2);
  s.Run("map 0-2 r fd3; close 3; read 0 =1; fork =2; unmap 0-2; 2: read 1 =8");
}

}  // namespace
}  // namespace faultline
