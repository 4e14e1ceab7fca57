// Paths and errors, and the files of a process.
#include <string>

#include "tests/machine/proc/machine_testing.h"

namespace faultline {
namespace {

constexpr uint64_t kBrk = 0x555555555000;

MachineConfig Linux61() {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  return config;
}

MachineConfig I386() {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  return config;
}

// A static program of one page of text at 0x400000.
std::string TinyElf() {
  std::string image(kPageSize, '\0');
  auto put = [&](size_t at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
      image[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i));
    }
  };
  image.replace(0, 7,
                "\x7f"
                "ELF\x02\x01\x01");
  put(16, 2, 2);         // ET_EXEC
  put(18, 62, 2);        // x86-64
  put(20, 1, 4);         // version
  put(24, 0x400080, 8);  // entry
  put(32, 64, 8);        // program headers
  put(52, 64, 2);        // e_ehsize
  put(54, 56, 2);        // e_phentsize
  put(56, 1, 2);         // e_phnum
  put(64, 1, 4);         // PT_LOAD
  put(68, 5, 4);         // r-x
  put(64 + 16, 0x400000, 8);
  put(64 + 24, 0x400000, 8);
  put(64 + 32, kPageSize, 8);
  put(64 + 40, kPageSize, 8);
  put(64 + 48, kPageSize, 8);
  return image;
}

Driver AfterExec(const MachineConfig& config = {}) {
  Driver d(config);
  CreateFile file;
  file.path = "/bin/tiny";
  file.size = kPageSize;
  file.content = FileContent::kBytes;
  file.data = TinyElf();
  file.mode = 0755;
  file.dev_major = 0xfe;
  file.inode = 247134;
  d.Do(file);
  d.Do(Execve{"/bin/tiny", {"tiny"}, {}});
  return d;
}

struct PathRow {
  const char* name;
  const char* path;
  Errno error;
};
class Paths : public testing::TestWithParam<PathRow> {};
TEST_P(Paths, ErrnoIsLinuxs) {
  EXPECT_EQ(ErrnoName(Driver().CatError(GetParam().path)),
            ErrnoName(GetParam().error));
}
INSTANTIATE_TEST_SUITE_P(
    ReadProc, Paths,
    testing::Values(PathRow{"NobodyIsSelf", "/proc/self/maps", Errno::kENOENT},
                    PathRow{"NoProcess", "/proc/2/maps", Errno::kENOENT},
                    PathRow{"NoFile", "/proc/1/environ", Errno::kENOENT},
                    PathRow{"NoRootFile", "/proc/loadavg", Errno::kENOENT},
                    PathRow{"LeadingZero", "/proc/01/maps", Errno::kENOENT},
                    PathRow{"TooLarge", "/proc/99999999999/maps",
                            Errno::kENOENT},
                    PathRow{"Trailing", "/proc/1/maps/", Errno::kENOENT},
                    PathRow{"NoPid", "/proc//maps", Errno::kENOENT},
                    PathRow{"Elsewhere", "/sys/1/maps", Errno::kENOENT},
                    PathRow{"Relative", "proc/1/maps", Errno::kENOENT},
                    PathRow{"Empty", "", Errno::kENOENT},
                    PathRow{"Directory", "/proc/1", Errno::kEISDIR},
                    PathRow{"TooLargeToCat", "/proc/1/pagemap", Errno::kEFBIG}),
    [](const auto& row) { return row.param.name; });

TEST(ReadProcAt, CutsATextAnywhere) {
  Driver d;
  std::string all = d.Cat("/proc/1/maps");
  EXPECT_EQ(ReadProcAt(d.kernel(), "/proc/1/maps", 5, 10).value(),
            all.substr(5, 10));
  EXPECT_EQ(ReadProcAt(d.kernel(), "/proc/1/maps", all.size(), 10).value(), "");
}

TEST(ReadProcAt, WantsWholeEntriesOfBinaryFiles) {
  Driver d;
  for (const char* path :
       {"/proc/1/pagemap", "/proc/kpageflags", "/proc/kpagecount"}) {
    EXPECT_EQ(ReadProcAt(d.kernel(), path, 4, 8).error(), Errno::kEINVAL);
    EXPECT_EQ(ReadProcAt(d.kernel(), path, 8, 12).error(), Errno::kEINVAL);
    EXPECT_EQ(ReadProcAt(d.kernel(), path, uint64_t{1} << 60, 8).value(), "");
    EXPECT_EQ(ReadProcAt(d.kernel(), path, 0, 800).value().size(), 800u);
  }
}

TEST(ReadProcAt, PagemapEndsWithTheAddressSpace) {
  Driver d;
  uint64_t last = (0x7ffffffff000 / kPageSize - 1) * 8;
  EXPECT_EQ(ReadProcAt(d.kernel(), "/proc/1/pagemap", last, 16).value().size(),
            8u);
}

TEST(Maps, OfTheBareProcessIsItsStack) {
  EXPECT_EQ(Driver().Cat("/proc/1/maps"),
            "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0"
            "                          [stack]\n");
}

TEST(Maps, HasNarrowColumnsOnI386) {
  EXPECT_EQ(Driver(I386()).Cat("/proc/1/maps"),
            "bffdf000-c0000000 rw-p 00000000 00:00 0          [stack]\n");
}

TEST(Maps, OfAnElfProgramEndsWithVsyscall) {
  EXPECT_EQ(AfterExec().Cat("/proc/1/maps"),
            "00400000-00401000 r-xp 00000000 fe:00 247134"
            "                             /bin/tiny\n"
            "7ffff7ff7000-7ffff7ffb000 r--p 00000000 00:00 0"
            "                          [vvar]\n"
            "7ffff7ffb000-7ffff7ffd000 r--p 00000000 00:00 0"
            "                          [vvar_vclock]\n"
            "7ffff7ffd000-7ffff7fff000 r-xp 00000000 00:00 0"
            "                          [vdso]\n"
            "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0"
            "                          [stack]\n"
            "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0"
            "                  [vsyscall]\n");
}

TEST(Maps, HasNoVsyscallOnDebians61) {
  std::string maps = AfterExec(Linux61()).Cat("/proc/1/maps");
  EXPECT_EQ(maps.find("vsyscall"), std::string::npos);
  EXPECT_EQ(maps.find("vvar_vclock"), std::string::npos);
  EXPECT_NE(maps.find("[vdso]"), std::string::npos);
}

TEST(Maps, CallsHeapWhatOverlapsTheBreak) {
  for (const MachineConfig& config : {MachineConfig(), Linux61()}) {
    Driver d(config);
    d.Do(Brk{kBrk + 4 * kPageSize});
    d.Do(Mprotect{kBrk + kPageSize, kPageSize, kProtRead});
    EXPECT_EQ(d.Cat("/proc/1/maps").find("555555558000-555555559000"),
              std::string::npos);
    EXPECT_EQ(LinesWith(d.Cat("/proc/1/maps"), "5555"),
              "555555555000-555555556000 rw-p 00000000 00:00 0"
              "                          [heap]\n"
              "555555556000-555555557000 r--p 00000000 00:00 0"
              "                          [heap]\n"
              "555555557000-555555559000 rw-p 00000000 00:00 0"
              "                          [heap]\n");
  }
}

TEST(Maps, CallsHeapWhatTouchesTheBreakOnlyOn61) {
  const std::string line = "555555554000-555555555000 rw-p 00000000 00:00 0 ";
  Driver now, then(Linux61());
  now.MapAnon(kBrk - kPageSize, 1);
  then.MapAnon(kBrk - kPageSize, 1);
  EXPECT_EQ(LinesWith(now.Cat("/proc/1/maps"), "5555"), line + "\n");
  EXPECT_EQ(LinesWith(then.Cat("/proc/1/maps"), "5555"),
            line + "                         [heap]\n");
}

TEST(Maps, ShowsNamesOfAnonymousMemory) {
  Driver d;
  d.MapAnon(0x10000000, 4);
  d.Do(SetVmaName{0x10000000, kPageSize, "my arena"});
  EXPECT_EQ(LinesWith(d.Cat("/proc/1/maps"), "1000"),
            "10000000-10001000 rw-p 00000000 00:00 0"
            "                                  [anon:my arena]\n"
            "10001000-10004000 rw-p 00000000 00:00 0 \n");
}

TEST(Maps, PutsANameBehindColumnsThatAreTooWide) {
  Driver d;
  CreateFile file;
  file.path = "/a\nb";
  file.size = kPageSize;
  file.dev_major = 0xfff;
  file.dev_minor = 0xfffff;
  file.inode = ~uint64_t{0};
  d.Do(file);
  d.MapFile(0x7ffff0000000, 1, kProtRead, kMapShared, d.OpenFile("/a\nb", 2),
            0xfff00000000);
  EXPECT_EQ(LinesWith(d.Cat("/proc/1/maps"), "7ffff000"),
            "7ffff0000000-7ffff0001000 r--s fff00000000 fff:fffff "
            "18446744073709551615  /a\\012b\n");
}

TEST(SmapsRollup, SumsEveryVma) {
  Driver d;
  d.MapAnon(0x10000000, 4);
  d.WriteTo(0x10000000, 3);
  d.MapAnon(0x20000000, 2, 3, kMapShared);
  d.WriteTo(0x20000000, 2);
  d.Do(Fork{});
  EXPECT_EQ(d.Cat("/proc/1/smaps_rollup"),
            "10000000-7ffffffff000 ---p 00000000 00:00 0"
            "                              [rollup]\n"
            "Rss:                  24 kB\n"
            "Pss:                  16 kB\n"
            "Pss_Dirty:            16 kB\n"
            "Pss_Anon:              8 kB\n"
            "Pss_File:              0 kB\n"
            "Pss_Shmem:             8 kB\n"
            "Shared_Clean:          0 kB\n"
            "Shared_Dirty:         16 kB\n"
            "Private_Clean:         0 kB\n"
            "Private_Dirty:         8 kB\n"
            "Referenced:           24 kB\n"
            "Anonymous:            16 kB\n"
            "KSM:                   0 kB\n"
            "LazyFree:              0 kB\n"
            "AnonHugePages:         0 kB\n"
            "ShmemPmdMapped:        0 kB\n"
            "FilePmdMapped:         0 kB\n"
            "Shared_Hugetlb:        0 kB\n"
            "Private_Hugetlb:       0 kB\n"
            "Swap:                  0 kB\n"
            "SwapPss:               0 kB\n"
            "Locked:                0 kB\n");
}

TEST(Smaps, RoundsAPageOfThreeLikeLinux) {
  Driver d;
  d.MapAnon(0x10000000, 3);
  d.WriteTo(0x10000000, 3);
  d.Do(Fork{});
  d.Do(Fork{});
  // 3 * ((4096 << 12) / 3) >> 12 is 4095 bytes: 3 kB.
  std::string smaps = d.Cat("/proc/1/smaps");
  EXPECT_EQ(LinesWith(smaps.substr(0, smaps.find("[stack]")), "Pss:"),
            "Pss:                   3 kB\n");
}

TEST(Smaps, Has61sFieldsOn61) {
  Driver d(Linux61());
  std::string smaps = d.Cat("/proc/1/smaps");
  EXPECT_EQ(LinesWith(smaps, "KSM"), "");
  EXPECT_EQ(LinesWith(smaps, "THPeligible"), "THPeligible:    0\n");
  EXPECT_EQ(LinesWith(smaps, "ProtectionKey"), "ProtectionKey:         0\n");
}

TEST(Smaps, NamesLockOnFaultOnlyOn618) {
  for (const auto& [config, letters] :
       {std::pair{MachineConfig(), "lo lf "}, std::pair{Linux61(), "lo ?? "}}) {
    Driver d(config);
    d.MapAnon(0x10000000, 1);
    d.Do(Mlock{0x10000000, kPageSize, 1});
    EXPECT_NE(LinesWith(d.Cat("/proc/1/smaps"), "VmFlags").find(letters),
              std::string::npos);
  }
}

TEST(Status, OfTheBareProcess) {
  Driver d;
  d.Do(Brk{kBrk + 4 * kPageSize});
  d.WriteTo(kBrk, 2);
  d.Do(Mlock{kBrk, kPageSize, 0});
  std::string mems = "Mems_allowed:\t";
  for (int i = 0; i < 31; i++) mems += "00000000,";
  EXPECT_EQ(d.Cat("/proc/1/status"),
            "Name:\tinit\n"
            "Umask:\t0022\n"
            "State:\tR (running)\n"
            "Tgid:\t1\n"
            "Ngid:\t0\n"
            "Pid:\t1\n"
            "PPid:\t0\n"
            "TracerPid:\t0\n"
            "Uid:\t0\t0\t0\t0\n"
            "Gid:\t0\t0\t0\t0\n"
            "FDSize:\t64\n"
            "Groups:\t \n"
            "NStgid:\t1\n"
            "NSpid:\t1\n"
            "NSpgid:\t0\n"
            "NSsid:\t0\n"
            "Kthread:\t0\n"
            "VmPeak:\t     148 kB\n"
            "VmSize:\t     148 kB\n"
            "VmLck:\t       4 kB\n"
            "VmPin:\t       0 kB\n"
            "VmHWM:\t      12 kB\n"
            "VmRSS:\t      12 kB\n"
            "RssAnon:\t      12 kB\n"
            "RssFile:\t       0 kB\n"
            "RssShmem:\t       0 kB\n"
            "VmData:\t      16 kB\n"
            "VmStk:\t     132 kB\n"
            "VmExe:\t       0 kB\n"
            "VmLib:\t       0 kB\n"
            "VmPTE:\t      24 kB\n"
            "VmSwap:\t       0 kB\n"
            "HugetlbPages:\t       0 kB\n"
            "CoreDumping:\t0\n"
            "THP_enabled:\t0\n"
            "untag_mask:\t0xffffffffffffffff\n"
            "Threads:\t1\n"
            "SigQ:\t0/3900\n"
            "SigPnd:\t0000000000000000\n"
            "ShdPnd:\t0000000000000000\n"
            "SigBlk:\t0000000000000000\n"
            "SigIgn:\t0000000000000000\n"
            "SigCgt:\t0000000000000000\n"
            "CapInh:\t0000000000000000\n"
            "CapPrm:\t000001ffffffffff\n"
            "CapEff:\t000001ffffffffff\n"
            "CapBnd:\t000001ffffffffff\n"
            "CapAmb:\t0000000000000000\n"
            "NoNewPrivs:\t0\n"
            "Seccomp:\t0\n"
            "Seccomp_filters:\t0\n"
            "Speculation_Store_Bypass:\tvulnerable\n"
            "SpeculationIndirectBranch:\talways enabled\n"
            "Cpus_allowed:\t1\n"
            "Cpus_allowed_list:\t0\n" +
                mems +
                "00000001\n"
                "Mems_allowed_list:\t0\n"
                "voluntary_ctxt_switches:\t0\n"
                "nonvoluntary_ctxt_switches:\t0\n");
}

TEST(Status, KeepsPeaksAndSplitsTextFromLibraries) {
  Driver d = AfterExec();
  d.MapAnon(0x10000000, 8, kProtRead | kProtExec);
  d.Do(Munmap{0x10000000, 4 * kPageSize});
  std::string status = d.Cat("/proc/1/status");
  EXPECT_EQ(LinesWith(status, "Name"), "Name:\ttiny\n");
  // The page of text; the vdso's two pages and four anonymous ones.
  EXPECT_EQ(LinesWith(status, "VmExe"), "VmExe:\t       4 kB\n");
  EXPECT_EQ(LinesWith(status, "VmLib"), "VmLib:\t      24 kB\n");
  EXPECT_EQ(LinesWith(status, "VmPeak"), "VmPeak:\t     200 kB\n");
  EXPECT_EQ(LinesWith(status, "VmSize"), "VmSize:\t     184 kB\n");
  EXPECT_EQ(LinesWith(status, "THP_enabled"), "THP_enabled:\t1\n");
}

TEST(Status, CountsThreadsAndDescriptors) {
  Driver d;
  CreateFile file;
  file.path = "/f";
  d.Do(file);
  Open open;
  open.path = "/f";
  open.at = 200;
  d.Do(open);
  constexpr uint64_t kThread = 0x100 | 0x800 | 0x10000 | 0x400;
  Pid thread = static_cast<Pid>(d.Do(Clone{kThread}));
  for (const std::string& pid : {std::string("1"), std::to_string(thread)}) {
    std::string status = d.Cat("/proc/" + pid + "/status");
    EXPECT_EQ(LinesWith(status, "Threads"), "Threads:\t2\n");
    EXPECT_EQ(LinesWith(status, "FDSize"), "FDSize:\t256\n");
    EXPECT_EQ(LinesWith(status, "Tgid"), "Tgid:\t1\n");
    EXPECT_EQ(LinesWith(status, "Pid"), "Pid:\t" + pid + "\n");
  }
}

TEST(Status, ShowsEveryCpu) {
  MachineConfig config;
  config.cpus = 36;
  std::string status = Driver(config).Cat("/proc/1/status");
  EXPECT_EQ(LinesWith(status, "Cpus_allowed"),
            "Cpus_allowed:\tf,ffffffff\nCpus_allowed_list:\t0-35\n");
}

TEST(Stat, AndStatmOfTheBareProcess) {
  Driver d;
  d.MapAnon(0x10000000, 100);
  d.WriteTo(0x10000000, 40);
  d.MapAnon(0x20000000, 4, 3, kMapShared);
  d.WriteTo(0x20000000, 3);
  // 33 stack pages; 41 + 3 resident, of which stat's counters show 32.
  EXPECT_EQ(d.Cat("/proc/1/statm"), "137 44 3 0 0 133 0\n");
  EXPECT_EQ(d.Cat("/proc/1/stat"),
            "1 (init) R 0 0 0 0 -1 0 43 0 0 0 0 0 0 0 20 0 1 0 0 561152 32 "
            "18446744073709551615 93824992231424 93824992231424 "
            "140737488349184 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 93824992235520 "
            "93824992235520 93824992235520 0 0 0 0 0\n");
}

TEST(OomScore, RisesWithMemory) {
  MachineConfig config;
  config.ram_bytes = uint64_t{64} << 20;
  Driver d(config);
  EXPECT_EQ(d.Cat("/proc/1/oom_score"), "0\n") << "init is never killed";
  d.Do(Fork{});
  EXPECT_EQ(d.Cat("/proc/2/oom_score"), "666\n");
  EXPECT_EQ(d.Cat("/proc/2/oom_score_adj"), "0\n");
  d.Do(Mmap{0x10000000, 4096 * kPageSize, 3, 0x32, -1, 0}, 2);
  d.Do(Access{AccessKind::kWrite, 0x10000000, 4096, kPageSize, 1}, 2);
  uint64_t pages = 4096 + 1 + 11;  // resident and page tables
  uint64_t score = (1000 + pages * 1000 / d.kernel().totalram_pages) * 2 / 3;
  EXPECT_EQ(d.Cat("/proc/2/oom_score"), std::to_string(score) + "\n");
}

TEST(Pagemap, HasSoftDirtyOnlyOn61) {
  for (const MachineConfig& config : {MachineConfig(), Linux61()}) {
    Driver d(config);
    d.MapAnon(0x10000000, 1);
    d.WriteTo(0x10000000);
    auto bytes = ReadProcAt(d.kernel(), "/proc/1/pagemap", 0x10000 * 8, 8);
    EXPECT_EQ(static_cast<uint8_t>(bytes.value()[6]) >> 7,
              config.personality == Personality::kLinux61 ? 1 : 0);
  }
}

TEST(Zombie, HasAStatusButNoMemory) {
  Driver d;
  ASSERT_EQ(d.Do(Fork{}), 2);
  d.Do(Exit{3, true}, 2);
  EXPECT_EQ(d.Cat("/proc/2/maps"), "");
  EXPECT_EQ(d.Cat("/proc/2/smaps"), "");
  EXPECT_EQ(d.CatError("/proc/2/smaps_rollup"), Errno::kESRCH);
  EXPECT_EQ(ReadProcAt(d.kernel(), "/proc/2/pagemap", 0, 8).error(),
            Errno::kESRCH);
  EXPECT_EQ(d.Cat("/proc/2/statm"), "0 0 0 0 0 0 0\n");
  EXPECT_EQ(d.Cat("/proc/2/oom_score"), "0\n");
  EXPECT_EQ(d.Cat("/proc/2/stat"),
            "2 (init) Z 1 0 0 0 -1 12 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0 "
            "18446744073709551615 0 0 0 0 0 0 0 0 0 1 0 0 17 0 0 0 0 0 0 0 0 0 "
            "0 0 0 0 768\n");
  std::string status = d.Cat("/proc/2/status");
  EXPECT_EQ(LinesWith(status, "State"), "State:\tZ (zombie)\n");
  EXPECT_EQ(LinesWith(status, "FDSize"), "FDSize:\t0\n");
  EXPECT_EQ(LinesWith(status, "Vm"), "");
  EXPECT_EQ(LinesWith(status, "Umask"), "");
  d.Do(Wait{});
  EXPECT_EQ(d.CatError("/proc/2/status"), Errno::kENOENT);
}

}  // namespace
}  // namespace faultline
