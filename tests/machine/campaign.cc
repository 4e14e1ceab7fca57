#include "tests/machine/campaign.h"

#include <array>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/mm/mempolicy_types.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmzone.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;
constexpr const char* kPaths[] = {"/a", "/b", "/c"};

}  // namespace

// Mostly the window's first pages, across a page-table boundary now and then.
uint64_t Campaign::Addr() {
  if (OneIn(40)) return prng_.Next() >> Below(64);
  return At((OneIn(4) ? 500 : 0) + Below(40));
}

uint64_t Campaign::Length() {
  if (OneIn(40)) return prng_.Next() >> Below(64);
  return (1 + Below(OneIn(5) ? 32 : 6)) * kPage;
}

Operation Campaign::RandomMap() {
  Mmap call{Addr(), Length(), Below(8), 0, -1, 0};
  if (OneIn(2)) call.prot = kRw;
  constexpr uint64_t kFlags[] = {mman::kFixed,
                                 mman::kFixed,
                                 mman::kFixed,
                                 mman::kFixedNoReplace,
                                 mman::kGrowsDown,
                                 mman::kLocked,
                                 mman::kPopulate,
                                 mman::kNoReserve,
                                 mman::k32Bit,
                                 mman::kStack,
                                 0};
  call.flags = mman::kFixed;
  for (uint64_t n = Below(3); n > 0; n--) call.flags |= kFlags[Below(11)];
  if (OneIn(4)) call.flags &= ~mman::kFixed;
  call.flags |= OneIn(3) ? mman::kShared : mman::kPrivate;
  if (OneIn(3)) {
    call.fd = static_cast<int32_t>(3 + Below(5));
    call.offset = Below(12) * kPage;
  } else {
    call.flags |= mman::kAnonymous;
  }
  return call;
}

Operation Campaign::RandomRemap() {
  uint64_t length = Length();
  uint64_t flags = std::array<uint64_t, 5>{0, 1, 3, 5, 7}[Below(5)];
  return Mremap{Addr(), length, OneIn(2) ? length : Length(), flags, Addr()};
}

Operation Campaign::RandomFile() {
  auto fd = static_cast<int32_t>(3 + Below(5));
  switch (Below(8)) {
    case 0: {
      CreateFile call;
      call.path = kPaths[Below(3)];
      call.size = Below(20 * kPage);
      call.content = OneIn(3) ? FileContent::kHole : FileContent::kPattern;
      call.cached = OneIn(2);
      call.fs =
          std::array{FsType::kRamfs, FsType::kTmpfs, FsType::kExt4}[Below(3)];
      return call;
    }
    case 1:
    case 2:
      return Open{kPaths[Below(3)], Below(3), OneIn(2) ? fd : -1};
    case 3:
      return Close{fd};
    case 4:
      return Read{fd, Below(20 * kPage), Below(3 * kPage)};
    case 5:
      return Write{fd, Below(20 * kPage), std::string(Below(5000), 'w')};
    case 6:
      return Truncate{fd, static_cast<int64_t>(Below(20 * kPage))};
    default:
      return Fsync{fd};
  }
}

Operation Campaign::RandomProcess(const Kernel& k) {
  // Not more than a handful at a time.
  bool crowded = k.pids.size() > 6;
  switch (Below(8)) {
    case 0:
    case 1:
      if (!crowded) return Fork{};
      return Wait{};
    case 2:
      if (crowded) return Wait{};
      return Clone{
          std::array<uint64_t, 4>{0x10f00, 0x111, 0x4111, 0x411}[Below(4)]};
    case 3:
      return Exit{static_cast<int32_t>(Below(256)), OneIn(2)};
    case 4: {
      auto it = k.pids.begin();
      std::advance(it, static_cast<int64_t>(Below(k.pids.size())));
      if (k.tasks[it->second].tgid == 1) return Wait{};
      return Kill{it->first, OneIn(2) ? 9 : 17};
    }
    case 5:
      return Brk{0x555555555000 + Below(20 * kPage)};
    case 6:
      return Setrlimit{static_cast<uint32_t>(Below(16)),
                       (20 + Below(4000)) * kPage, kRlimInfinity};
    default:
      return Wait{-1, true};
  }
}

Operation Campaign::RandomPolicy() {
  constexpr uint64_t kFlags[] = {
      0, 0, 0, mpol::kStaticNodes, mpol::kRelativeNodes, mpol::kNumaBalancing};
  const uint64_t mode = Below(8) | kFlags[Below(std::size(kFlags))];
  std::vector<uint64_t> nodes;
  if (!OneIn(3)) nodes.push_back(OneIn(4) ? Below(4) : 1);
  switch (Below(8)) {
    case 0:
      return SetMempolicy{mode, nodes, 65};
    case 1:
      return GetMempolicy{Addr(), Below(4), 64};
    case 2:
      return SetMempolicyHomeNode{Addr(), Length(), 0, 0};
    default:
      return Mbind{Addr(), Length(), mode, nodes, 65, Below(8)};
  }
}

Operation Campaign::RandomRange() {
  switch (Below(11)) {
    case 0:
    case 1:
      return Munmap{Addr(), Length()};
    case 2:
    case 3:
      return Mprotect{Addr(), Length(), Below(8)};
    case 4: {
      // The last two are MADV_GUARD_INSTALL and MADV_GUARD_REMOVE.
      const auto advice = static_cast<int32_t>(Below(28));
      return Madvise{Addr(), Length(), advice < 26 ? advice : advice + 76};
    }
    case 5:
      return Mlock{Addr(), Length(), Below(2)};
    case 6:
      return Munlock{Addr(), Length()};
    case 7:
      return Msync{Addr(), Length(), Below(8)};
    case 8:
      return Mincore{Addr(), (1 + Below(30)) * kPage};
    case 9:
      return RandomPolicy();
    default:
      return SetVmaName{Addr(), Length(), OneIn(2) ? "name" : ""};
  }
}

AccessMany Campaign::NextMany() {
  AccessMany many{.base = OneIn(2) ? At(0) : 0, .data = OneIn(3)};
  const uint64_t entries = 1 + Below(12);
  // None, one for all, or one for each.
  const auto fill = [&](auto& column, auto value) {
    for (uint64_t n = OneIn(3) ? 1 : OneIn(2) ? 0 : entries; n > 0; n--) {
      column.push_back(value());
    }
  };
  for (uint64_t i = 0; i < entries; i++) {
    many.addr.push_back(Addr() + Below(kPage) - many.base);
  }
  fill(many.kind, [&] { return static_cast<AccessKind>(Below(3)); });
  fill(many.count, [&] { return Below(5); });
  fill(many.stride, [&] { return OneIn(2) ? kPage : Below(3 * kPage); });
  fill(many.value, [&] { return static_cast<char>(prng_.Next()); });
  return many;
}

Command Campaign::Next(const Kernel& k) {
  Command command;
  // One of the first three processes that live; nobody now and then.
  std::vector<Pid> living;
  for (auto [pid, id] : k.pids) {
    if (k.tasks[id].state == TaskState::kRunning) living.push_back(pid);
  }
  command.pid = living.empty() || OneIn(50) ? 0 : living[Below(living.size())];
  uint64_t kind = Below(100);
  if (kind < 8) {
    command.op = NextMany();
  } else if (kind < 35) {
    Access call{static_cast<AccessKind>(Below(OneIn(8) ? 3 : 2)),
                Addr() + Below(kPage), 1 + Below(8), kPage,
                static_cast<uint8_t>(prng_.Next())};
    command.op = call;
  } else if (kind < 50) {
    command.op = RandomMap();
  } else if (kind < 72) {
    command.op = RandomRange();
  } else if (kind < 79) {
    command.op = RandomRemap();
  } else if (kind < 89) {
    command.op = RandomFile();
  } else if (kind < 96 && !k.pids.empty()) {
    command.op = RandomProcess(k);
    // Init stays: it is who adopts.
    auto self = k.pids.find(command.pid);
    bool init = self != k.pids.end() && k.tasks[self->second].tgid == 1;
    if (init && std::holds_alternative<Exit>(command.op)) command.op = Wait{};
  } else if (kind < 97) {
    command.op = Mlockall{1 + Below(7)};
  } else if (kind < 98) {
    command.op = Munlockall{};
  } else if (kind < 99) {
    struct AllocPages call;
    call.gfp = OneIn(2) ? 0xcc0 : 0x100cca;
    call.order = static_cast<uint32_t>(Below(4));
    command.op = call;
  } else {
    command.op = Tick{Below(1000)};
  }
  return command;
}

std::vector<Command> Campaign::Teardown(const Kernel& k) {
  std::vector<Command> commands;
  k.mem_map.ForEach([&](size_t pfn, const Page& page) {
    if (!page.Is(page_flag::kKernel)) return;
    struct FreePages call;
    call.pfn = pfn;
    call.order = page.order;
    commands.push_back({0, call});
  });
  for (auto it = k.pids.rbegin(); it != k.pids.rend(); ++it) {
    commands.push_back({0, Kill{it->first, 9}});
  }
  for (auto [path, id] : k.names) {
    CreateFile empty;
    empty.path = path;
    commands.push_back({0, empty});
  }
  return commands;
}

uint64_t Campaign::FreePages(const Kernel& k) {
  uint64_t n = 0;
  for (const Zone& zone : k.zones) {
    n += zone.nr_free_pages + static_cast<uint64_t>(zone.pcp.count);
  }
  return n;
}

}  // namespace faultline
