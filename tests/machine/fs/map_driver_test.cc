// Modules, character devices, and the driver that maps kernel memory.
#include "server/machine/fs/map_driver.h"

#include <gtest/gtest.h>

#include <string>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kShared = 1, kPrivate = 2;
constexpr uint32_t kChar = 020666;

class MapDriverTest : public ::testing::Test {
 protected:
  std::string Insert(const std::string& params = "") {
    const Outcome out = s_.Do(InsertModule{"map_driver", 0, params}, 0);
    log_.clear();
    for (const Event& e : out.events) {
      if (const auto* console = std::get_if<Console>(&e.body)) {
        log_ += console->msg;
      }
    }
    return ResultOf(out);
  }
  std::string Remove() {
    return ResultOf(s_.Do(RemoveModule{"map_driver", 0}, 0));
  }
  std::string Node(uint32_t major, uint32_t minor,
                   const std::string& path = "mapfile") {
    return ResultOf(s_.Do(Mknod{path, kChar, major, minor}, 0));
  }
  Outcome OpenNode(uint64_t flags = kOpenBoth) {
    return s_.Do(Open{"/mapfile", flags});
  }
  Outcome Map(int32_t fd, uint64_t pages, uint64_t prot, uint64_t flags,
              uint64_t offset = 0) {
    return s_.Do(Mmap{.length = pages * kPageSize,
                      .prot = prot,
                      .flags = flags,
                      .fd = fd,
                      .offset = offset});
  }
  std::string ReadUser(uint64_t addr, size_t length, Pid pid = 1) {
    std::string text;
    for (size_t i = 0; i < length; i++) {
      const Outcome out = s_.Do(Access{.addr = addr + i}, pid);
      if (ResultOf(out) != "OK") return ResultOf(out);
      text.push_back(static_cast<char>(out.value));
    }
    return text;
  }
  std::string Proc(const std::string& path) const {
    return ReadProc(s_.kernel(), path).value();
  }
  int32_t Fd(const Outcome& out) { return static_cast<int32_t>(out.value); }
  uint64_t Addr(const Outcome& out) { return static_cast<uint64_t>(out.value); }

  Sim s_;
  std::string log_;
};

TEST_F(MapDriverTest, AProcessReadsTheKernelsText) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Proc("/proc/devices"),
            "Character devices:\n254 map_driver\n\nBlock devices:\n  8 sd\n");
  EXPECT_EQ(Proc("/proc/modules"),
            "map_driver 16384 0 - Live 0xffffffffa0000000\n");
  EXPECT_EQ(Node(254, 0), "OK");
  const Outcome fd = OpenNode();
  EXPECT_EQ(ResultOf(fd), "OK");
  const Outcome map = Map(Fd(fd), 1, kR, kShared);
  EXPECT_EQ(ResultOf(map), "OK");
  const Outcome first = s_.Do(Access{.addr = Addr(map)});
  EXPECT_EQ(first.min_flt, 1u) << "the driver's handler gave the page";
  EXPECT_EQ(first.maj_flt, 0u);
  EXPECT_EQ(ReadUser(Addr(map), 3), "ok!");
  // It is the kernel's page, by way of the kernel's page tables.
  const Kernel& k = s_.kernel();
  const uint64_t kaddress =
      VaddressToKaddress(k, k.devices.modules.front().buffer);
  EXPECT_EQ(s_.PteOf(Addr(map)).pfn(), PfnOfVirt(k, kaddress));
  EXPECT_EQ(VaddressToKaddress(k, k.devices.modules.front().buffer + 1),
            kaddress + 1);
  EXPECT_EQ(VaddressToKaddress(k, 0xffffc90100000000), 0u);
  EXPECT_NE(Proc("/proc/1/maps").find("r--s 00000000"), std::string::npos);
}

TEST_F(MapDriverTest, WhatIsWrittenReachesTheBuffer) {
  EXPECT_EQ(Insert("text=hello pages=2"), "OK");
  EXPECT_EQ(Node(254, 0), "OK");
  const Outcome map = Map(Fd(OpenNode()), 2, kRw, kShared);
  EXPECT_EQ(ReadUser(Addr(map), 5), "hello");
  s_.Do(Access{.kind = AccessKind::kWrite, .addr = Addr(map), .value = 'H'});
  const uint64_t buffer = s_.kernel().devices.modules.front().buffer;
  EXPECT_EQ(s_.Do(KernelAccess{.addr = buffer}, 0).value, 'H');
  // And the other way.
  s_.Do(
      KernelAccess{
          .kind = AccessKind::kWrite, .addr = buffer + kPageSize, .value = 'x'},
      0);
  EXPECT_EQ(ReadUser(Addr(map) + kPageSize, 1), "x");
  // A child has the mapping too, and takes its own faults.
  s_.Do(Fork{});
  EXPECT_EQ(ReadUser(Addr(map), 5, 2), "Hello");
}

TEST_F(MapDriverTest, WrongNumbersHaveNoDevice) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Node(254, 1), "OK") << "a node is only a name";
  EXPECT_EQ(ResultOf(OpenNode()), "ENXIO");
  EXPECT_EQ(Node(254, 1), "EEXIST");
  EXPECT_EQ(Node(200, 0, "/other"), "OK");
  EXPECT_EQ(ResultOf(s_.Do(Open{"other", kOpenRead})), "ENXIO");
  EXPECT_EQ(ResultOf(s_.Do(Mknod{"/file", 0100644, 0, 0}, 0)), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Mknod{"/disk", 060666, 8, 0}, 0)), "OK");
  EXPECT_EQ(ResultOf(s_.Do(Open{"/disk", kOpenRead})), "ENXIO");
  EXPECT_EQ(Node(1 << 20, 0, "/far"), "EINVAL");
}

TEST_F(MapDriverTest, WrongLengthsAreTheDriversToRefuse) {
  EXPECT_EQ(Insert("pages=4"), "OK");
  EXPECT_EQ(Node(254, 0), "OK");
  const int32_t fd = Fd(OpenNode());
  EXPECT_EQ(ResultOf(Map(fd, 5, kR, kShared)), "ENXIO");
  EXPECT_EQ(ResultOf(Map(fd, 2, kR, kShared, 3 * kPageSize)), "ENXIO");
  EXPECT_EQ(ResultOf(Map(fd, 1, kR, kShared, 4 * kPageSize)), "ENXIO");
  EXPECT_EQ(ResultOf(Map(fd, 0, kR, kShared)), "EINVAL");
  EXPECT_EQ(ResultOf(Map(fd, 4, kR, kShared)), "OK");
  const Outcome tail = Map(fd, 1, kR, kShared, 3 * kPageSize);
  EXPECT_EQ(ResultOf(tail), "OK");
  // It does not grow: VM_DONTEXPAND.
  EXPECT_EQ(ResultOf(s_.Do(Mremap{Addr(tail), kPageSize, 2 * kPageSize, 1, 0})),
            "EFAULT");
}

TEST_F(MapDriverTest, WritingNeedsPermission) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Node(254, 0), "OK");
  const int32_t reader = Fd(OpenNode(kOpenRead));
  EXPECT_EQ(ResultOf(Map(reader, 1, kRw, kShared)), "EACCES");
  const Outcome map = Map(reader, 1, kR, kShared);
  EXPECT_EQ(
      ResultOf(s_.Do(Access{.kind = AccessKind::kWrite, .addr = Addr(map)})),
      "SEGV/2");
  EXPECT_EQ(ResultOf(s_.Do(Mprotect{Addr(map), kPageSize, kRw})), "EACCES");
  // A private copy is not what the driver is for.
  const int32_t both = Fd(OpenNode());
  EXPECT_EQ(ResultOf(Map(both, 1, kRw, kPrivate)), "EINVAL");
  EXPECT_EQ(ResultOf(Map(both, 1, kR, kPrivate)), "OK");
  EXPECT_EQ(ResultOf(Map(both, 1, kRw, kShared)), "OK");
}

TEST_F(MapDriverTest, OthersHaveWhatTheNodesModeGivesThem) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(ResultOf(s_.Do(Mknod{"/mapfile", 020644, 254, 0}, 0)), "OK");
  s_.Do(Setuid{1000});
  EXPECT_EQ(ResultOf(OpenNode(kOpenBoth)), "EACCES");
  EXPECT_EQ(ResultOf(OpenNode(kOpenRead)), "OK");
  EXPECT_EQ(ResultOf(s_.Do(Mknod{"/mine", kChar, 254, 0})), "EPERM");
  EXPECT_EQ(ResultOf(s_.Do(RemoveModule{"map_driver", 0})), "EPERM");
  EXPECT_EQ(ResultOf(s_.Do(InsertModule{"map_driver", 0, ""})), "EPERM");
}

// As Linux 6.18 does: the driver is asked when the place has been cleared.
TEST_F(MapDriverTest, WhatItRefusesLeavesAGap) {
  constexpr uint64_t kFixed = 0x10, kPrivateAnon = 0x22;
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Node(254, 0), "OK");
  const uint64_t at = Addr(
      s_.Do(Mmap{.length = 3 * kPageSize, .prot = kRw, .flags = kPrivateAnon}));
  EXPECT_EQ(ResultOf(s_.Do(Mmap{.addr = at + kPageSize,
                                .length = kPageSize,
                                .prot = kR,
                                .flags = kShared | kFixed,
                                .fd = Fd(OpenNode()),
                                .offset = 100 * kPageSize})),
            "ENXIO");
  EXPECT_EQ(ResultOf(s_.Do(Access{.addr = at})), "OK");
  EXPECT_EQ(ResultOf(s_.Do(Access{.addr = at + kPageSize})), "SEGV/1");
  EXPECT_EQ(ResultOf(s_.Do(Access{.addr = at + 2 * kPageSize})), "OK");
}

TEST_F(MapDriverTest, AModuleInUseStays) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Insert(), "EEXIST");
  EXPECT_EQ(Node(254, 0), "OK");
  const int32_t fd = Fd(OpenNode());
  EXPECT_EQ(Proc("/proc/modules"),
            "map_driver 16384 1 - Live 0xffffffffa0000000\n");
  EXPECT_EQ(Remove(), "EAGAIN");
  const Outcome map = Map(fd, 1, kR, kShared);
  s_.Do(Close{fd});
  EXPECT_EQ(Remove(), "EAGAIN") << "the mapping has the file";
  EXPECT_EQ(ReadUser(Addr(map), 3), "ok!");
  s_.Do(Munmap{Addr(map), kPageSize});
  EXPECT_EQ(Remove(), "OK");
  EXPECT_EQ(Remove(), "ENOENT");
  EXPECT_EQ(Proc("/proc/modules"), "");
  EXPECT_EQ(ResultOf(OpenNode()), "ENXIO") << "the node is left";
  EXPECT_EQ(s_.kernel().kernel_maps.nr_vmalloc_pages, 0u);
}

TEST_F(MapDriverTest, ADeadProcessLetsGo) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Node(254, 0), "OK");
  s_.Do(Fork{});
  const auto fd =
      static_cast<int32_t>(s_.Do(Open{"/mapfile", kOpenBoth}, 2).value);
  s_.Do(Mmap{.length = kPageSize, .prot = kRw, .flags = kShared, .fd = fd}, 2);
  EXPECT_EQ(Remove(), "EAGAIN");
  s_.Do(Exit{}, 2);
  EXPECT_EQ(Remove(), "OK");
}

TEST_F(MapDriverTest, ParametersAndNumbers) {
  EXPECT_EQ(Insert("pages=none"), "EINVAL");
  EXPECT_EQ(log_, "map_driver: `none' invalid for parameter `pages'\n");
  EXPECT_EQ(Insert("colour=red major=42"), "OK");
  EXPECT_EQ(log_, "map_driver: unknown parameter 'colour' ignored\n");
  EXPECT_EQ(s_.kernel().devices.modules.front().major, 42u);
  EXPECT_EQ(ResultOf(s_.Do(InsertModule{"ext4", 0, ""}, 0)), "ENOENT");
  EXPECT_EQ(Remove(), "OK");
  EXPECT_EQ(Insert("major=600"), "EINVAL");
  EXPECT_EQ(s_.kernel().kernel_maps.nr_vmalloc_pages, 0u);
}

TEST_F(MapDriverTest, ADeviceHasNoContents) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Node(254, 0), "OK");
  const int32_t fd = Fd(OpenNode());
  EXPECT_EQ(ResultOf(s_.Do(Read{fd, 0, 3})), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Write{fd, 0, "no"})), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Truncate{fd, 0})), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Fsync{fd})), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Fallocate{fd, 0, 0, 1})), "ENODEV");
  const Outcome map = Map(fd, 1, kRw, kShared);
  EXPECT_EQ(ResultOf(s_.Do(Msync{Addr(map), kPageSize, 4})), "EINVAL");
  EXPECT_EQ(ResultOf(s_.Do(Madvise{Addr(map), kPageSize, 4})), "OK");
  EXPECT_EQ(ReadUser(Addr(map), 3), "ok!") << "dropped, and there again";
}

// vfree() of the buffer under the mapping: who has the page keeps it.
TEST_F(MapDriverTest, APageOutlivesItsBuffer) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Node(254, 0), "OK");
  const Outcome map = Map(Fd(OpenNode()), 1, kR, kShared);
  EXPECT_EQ(ReadUser(Addr(map), 3), "ok!");
  s_.Do(Vfree{s_.kernel().devices.modules.front().buffer}, 0);
  EXPECT_EQ(ReadUser(Addr(map), 3), "ok!");
  s_.Do(Madvise{Addr(map), kPageSize, 4});
  EXPECT_EQ(ReadUser(Addr(map), 3), "BUS/2") << "nothing is there any more";
}

// Its pages have an address in the direct map there too.
TEST(MapDriverI386, AProcessReadsTheKernelsText) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  config.ram_bytes = uint64_t{2} << 30;
  Sim s(config);
  EXPECT_EQ(ResultOf(s.Do(InsertModule{"map_driver", 0, ""}, 0)), "OK");
  EXPECT_EQ(ResultOf(s.Do(Mknod{"mapfile", kChar, 254, 0}, 0)), "OK");
  const auto fd = static_cast<int32_t>(s.Do(Open{"mapfile", kOpenRead}).value);
  const auto addr = static_cast<uint64_t>(
      s.Do(Mmap{.length = kPageSize, .prot = kR, .flags = kShared, .fd = fd})
          .value);
  EXPECT_EQ(s.Do(Access{.addr = addr}).value, 'o');
  EXPECT_EQ(s.Do(Access{.addr = addr + 1}).value, 'k');
  EXPECT_EQ(s.Do(Access{.addr = addr + 2}).value, '!');
  const Kernel& k = s.kernel();
  EXPECT_LT(VaddressToKaddress(k, k.devices.modules.front().buffer),
            0xf8000000u);
}

TEST_F(MapDriverTest, DevicesAreSaved) {
  EXPECT_EQ(Insert(), "OK");
  EXPECT_EQ(Node(254, 0), "OK");
  const Outcome map = Map(Fd(OpenNode()), 1, kR, kShared);
  EXPECT_EQ(ReadUser(Addr(map), 3), "ok!");
  Sim copy(Machine::Load(s_.machine().Save()));
  EXPECT_EQ(copy.machine().Verify(), "");
  EXPECT_EQ(copy.machine().Fingerprint(), s_.machine().Fingerprint());
}

}  // namespace
}  // namespace faultline
