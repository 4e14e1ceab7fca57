// What no row of conformance/rows/seals.rows can say: 6.1's differences, the
// seals that memfd_create begins with, and what a sealed file costs. And how
// the pages of tmpfs are charged.
#include <gtest/gtest.h>

#include <string>

#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr int32_t kAddSeals = 1033, kGetSeals = 1034;
constexpr uint32_t kAllowSealing = 2, kNoexecSeal = 8;

Sim Sim61() {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  return Sim(config);
}

class Seals : public ::testing::Test {
 protected:
  // An empty file with these MFD_* flags.
  int32_t Memfd(Sim& s, uint32_t flags = kAllowSealing) {
    return static_cast<int32_t>(s.Do(MemfdCreate{"f", flags, -1}).value);
  }
  int64_t Get(Sim& s, int32_t fd) {
    return s.Do(Fcntl{fd, kGetSeals, 0}).value;
  }
  std::string Add(Sim& s, int32_t fd, uint64_t seals) {
    return ResultOf(s.Do(Fcntl{fd, kAddSeals, seals}));
  }
  Sim s_;
};

TEST_F(Seals, WhatAFileBeginsWith) {
  EXPECT_EQ(Get(s_, Memfd(s_, 0)), int64_t{seal::kSeal});
  EXPECT_EQ(Get(s_, Memfd(s_)), 0);
  EXPECT_EQ(Get(s_, Memfd(s_, kNoexecSeal)), int64_t{seal::kExec});
  const int32_t named = s_.File("/t", 1, kOpenBoth, FsType::kTmpfs);
  EXPECT_EQ(Get(s_, named), int64_t{seal::kSeal});
  EXPECT_EQ(Add(s_, named, seal::kGrow), "EPERM");
}

TEST_F(Seals, ArgumentsInLinuxsOrder) {
  const int32_t fd = Memfd(s_);
  EXPECT_EQ(Add(s_, fd, uint64_t{1} << 32), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Fcntl{fd, 1, 0})), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Fcntl{99, kGetSeals, 0})), "EBADF");
  const int32_t read_only = s_.File("/r", 1, kOpenRead, FsType::kTmpfs);
  EXPECT_EQ(Add(s_, read_only, 0x100), "EPERM");
}

TEST_F(Seals, OlderKernelsMapNoWriteSealedFileShared) {
  Sim old = Sim61();
  for (Sim* s : {&s_, &old}) {
    const int32_t fd = Memfd(*s);
    s->Do(Truncate{fd, 4096});
    EXPECT_EQ(Add(*s, fd, seal::kWrite), "OK");
    const std::string mapped =
        ResultOf(s->Do(Mmap{At(0), 4096, kR, 0x11, fd, 0}));
    EXPECT_EQ(mapped, s == &s_ ? "OK" : "EPERM");
  }
  EXPECT_EQ(Add(old, Memfd(old), seal::kExec), "EINVAL");
}

TEST_F(Seals, AWriteStopsWhereTheFileMayNotGrow) {
  const int32_t fd = Memfd(s_);
  s_.Do(Truncate{fd, 4096});
  EXPECT_EQ(Add(s_, fd, seal::kGrow), "OK");
  EXPECT_EQ(s_.Do(Write{fd, 4090, std::string(20, 'x')}).value, 6);
  EXPECT_EQ(ResultOf(s_.Do(Write{fd, 4096, "x"})), "EPERM");
}

TEST(Fallocate, OlderKernelsCheckTheModesBitByBit) {
  Sim old = Sim61(), fresh;
  const struct {
    uint32_t mode;
    const char* before;
    const char* now;
  } rows[] = {
      {0x80, "EOPNOTSUPP", "EOPNOTSUPP"},
      {0x12, "EOPNOTSUPP", "EOPNOTSUPP"},
      {0x02, "EOPNOTSUPP", "EOPNOTSUPP"},
      {0x09, "EINVAL", "EOPNOTSUPP"},
      {0x21, "EINVAL", "EOPNOTSUPP"},
      {0x50, "EINVAL", "EOPNOTSUPP"},
      {0x03, "OK", "OK"},
  };
  for (Sim* s : {&old, &fresh}) {
    const int32_t fd = s->File("/f", 1, kOpenBoth, FsType::kTmpfs);
    for (const auto& row : rows) {
      EXPECT_EQ(ResultOf(s->Do(Fallocate{fd, row.mode, 0, 4096})),
                s == &old ? row.before : row.now)
          << row.mode;
    }
  }
}

TEST(Tmpfs, PagesAreChargedAsTheyCome) {
  Sim s;
  const auto fd =
      static_cast<int32_t>(s.Do(MemfdCreate{"f", kAllowSealing, -1}).value);
  const uint64_t before = s.kernel().vm_committed;
  const auto charged = [&] { return s.kernel().vm_committed - before; };
  s.Do(Truncate{fd, 64 * 4096});
  EXPECT_EQ(charged(), 0u);
  s.Do(Mmap{At(0), 64 * 4096, kRw, 0x11, fd, 0});
  EXPECT_EQ(charged(), 0u);
  s.Run("write 0-8 v1");
  EXPECT_EQ(charged(), 8u);
  s.Do(Write{fd, 20 * 4096, "x"});
  EXPECT_EQ(charged(), 9u);
  // A hole is read without making a page.
  EXPECT_EQ(s.Do(Read{fd, 30 * 4096, 8192}).data, std::string(8192, '\0'));
  EXPECT_EQ(charged(), 9u);
  s.Do(Fallocate{fd, 0, 40 * 4096, 4 * 4096});
  EXPECT_EQ(charged(), 13u);
  s.Do(Fallocate{fd, 3, 0, 4 * 4096});
  EXPECT_EQ(charged(), 9u);
  s.Run("unmap 0-64");
  EXPECT_EQ(charged(), 9u);
  s.Do(Close{fd});
  EXPECT_EQ(charged(), 0u);
}

TEST(Tmpfs, WhatMayNotBeChargedIsNoSpaceAndSigbus) {
  Sim s;
  const auto fd =
      static_cast<int32_t>(s.Do(MemfdCreate{"f", kAllowSealing, -1}).value);
  s.Do(Truncate{fd, 4096});
  s.Do(Mmap{At(0), 4096, kRw, 0x11, fd, 0});
  s.SetSysctl("vm.overcommit_ratio", 0);
  s.SetSysctl("vm.overcommit_memory", 2);
  s.Run("write 0 =BUS/2");
  EXPECT_EQ(ResultOf(s.Do(Write{fd, 0, "x"})), "ENOSPC");
  EXPECT_EQ(ResultOf(s.Do(Fallocate{fd, 0, 0, 4096})), "ENOSPC");
}

}  // namespace
}  // namespace faultline
