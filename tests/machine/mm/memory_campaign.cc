#include "tests/machine/mm/memory_campaign.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/truncate.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPages = 3000;  // of the window
constexpr int32_t kSharedFd = 4;   // a file of tmpfs

// Some are asked for more often than others.
constexpr int32_t kAdvice[] = {3,  4,  8,  20, 21,  21,  12,  25, 3,  4,
                               8,  20, 21, 25, 0,   1,   2,   9,  10, 11,
                               13, 14, 15, 16, 17,  18,  19,  22, 23, 24,
                               5,  6,  7,  26, 100, 101, 102, 103};

}  // namespace

MemoryCampaign::MemoryCampaign(const MachineConfig& config, Options options)
    : options_(options),
      prng_(options.seed),
      machine_(WithVmallocTables(Machine(config))),
      user_(&machine_, options.seed + 1),
      small_(options.seed + 2) {
  Prepare();
  user_.set_after([this](const Operation& op) { After(op); });
}

Outcome MemoryCampaign::Do(Operation op, Pid pid) {
  const Command command{pid, std::move(op)};
  Outcome out = machine_.Apply(command, EventLevel::kNone);
  After(command.op);
  return out;
}

void MemoryCampaign::After(const Operation& op) {
  operations_++;
  if (!problem_.empty()) return;
  problem_ = machine_.Verify();
  if (problem_.empty()) return;
  problem_ +=
      ": operation " + std::to_string(operations_) + ", " + OperationName(op);
}

// Ranges that are large enough to fill memory, and meet.
std::pair<uint64_t, uint64_t> MemoryCampaign::Range() {
  const uint64_t first = Below(6) * 512 + Below(8);
  const uint64_t most = OneIn(3) ? 1200 : 64;
  return {At(first), 1 + Below(std::min(most, kPages + 64 - first))};
}

// All but the first process, which only brings up the others.
void MemoryCampaign::FindLive() {
  live_.clear();
  for (const auto& [pid, id] : k().pids) {
    if (pid != 1 && k().tasks[id].state == TaskState::kRunning) {
      live_.push_back(pid);
    }
  }
}

// The kernel gives a little back first: with everything taken nobody would
// ever live again.
void MemoryCampaign::StartAnother() {
  while (Do(Wait{-1, true}, 1).value > 0) {
  }
  for (int i = 0; i < 8; i++) user_.TakeOrGive(false);
  ForkFrom(1);
}

void MemoryCampaign::ForkFrom(Pid parent) {
  const Outcome out = Do(Fork{}, parent);
  if (parent != 1 || out.error != Errno::kOk || out.no_process) return;
  constexpr uint64_t kFlags = mman::kFixed | mman::kAnonymous | mman::kPrivate;
  Do(Mmap{At(0), (kPages + 512) * kPageSize, kRw, kFlags, -1, 0},
     static_cast<Pid>(out.value));
}

void MemoryCampaign::Step() {
  FindLive();
  if (live_.size() < 2 && !OneIn(4)) return StartAnother();
  if (live_.empty()) return Administration();
  lively_steps_++;
  const Pid pid = live_[Below(live_.size())];
  switch (Below(36)) {
    case 0:
      if (live_.size() < 5) return ForkFrom(pid);
      Do(Exit{}, pid);
      return;
    case 1:
      Do(Tick{1'000'000}, 0);
      Do(Wait{-1, true}, 1);
      return;
    case 2:
    case 3:
      return FileCall(pid);
    case 4:
      return user_.Touch();
    case 5:
      return DeviceCall(pid);
    case 6:
    case 7:
    case 8:
      return Administration();
    case 9:
    case 10:
    case 11:
    case 12:
      return KernelCalls();
    default:
      if (!options_.collapses || OneIn(2)) return CallOf(pid);
      Do(SharedHugeCall(), pid);
  }
}

void MemoryCampaign::CallOf(Pid pid) {
  switch (Below(16)) {
    case 0:
    case 1:
    case 2: {
      // What it would free at the end is the kernel's.
      Command command = small_.Next(k());
      if (std::holds_alternative<struct AllocPages>(command.op)) return;
      Do(std::move(command.op), command.pid == 0 ? 0 : pid);
      return;
    }
    case 3:
      Do(RareCall(pid), pid);
      return;
    case 4:
      Do(HeapCall(pid), pid);
      return;
    case 5:
      Do(MapCall(), pid);
      return;
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
      Do(RangeCall(), pid);
      return;
    default: {
      const auto [addr, pages] = Range();
      Access call{OneIn(3) ? AccessKind::kRead : AccessKind::kWrite, addr,
                  pages, kPageSize, static_cast<uint8_t>(Below(4))};
      for (int i = 0; i < 4; i++) call.victims.push_back(At(Below(kPages)));
      Do(call, pid);
    }
  }
}

Operation MemoryCampaign::MapCall() {
  const auto [addr, pages] = Range();
  const uint64_t type = OneIn(3) ? mman::kShared : mman::kPrivate;
  const uint64_t populate = OneIn(6) ? mman::kPopulate : 0;
  if (OneIn(2)) {
    return Mmap{addr, pages * kPageSize,
                kRw,  mman::kFixed | mman::kAnonymous | type | populate,
                -1,   0};
  }
  const auto fd = static_cast<int32_t>(3 + Below(3));
  const uint64_t offset = OneIn(2) ? 0 : Below(16) * 64 * kPageSize;
  return Mmap{addr, std::min<uint64_t>(pages, 600) * kPageSize,
              kRw,  mman::kFixed | type | populate,
              fd,   offset};
}

// Large folios of tmpfs: mapped, gathered, cut, and used in parts.
Operation MemoryCampaign::SharedHugeCall() {
  const uint64_t addr = At(Below(5) * 512);
  const uint64_t within = OneIn(4) ? Below(512) * kPageSize : 0;
  constexpr uint64_t kHuge = 512 * kPageSize;
  constexpr int32_t kRemove = 9, kPageout = 21, kCollapse = 25;
  switch (Below(9)) {
    case 0:
      return Mmap{addr,      kHuge,
                  kRw,       mman::kFixed | mman::kShared,
                  kSharedFd, Below(2) * kHuge + within};
    case 1:
      return Mmap{addr,      kHuge,
                  kRw,       mman::kFixed | mman::kPrivate,
                  kSharedFd, Below(2) * kHuge};
    case 2:
      return Mmap{addr, kHuge,
                  kRw,  mman::kFixed | mman::kShared | mman::kAnonymous,
                  -1,   0};
    case 3:
      return Truncate{kSharedFd, static_cast<int64_t>(Below(1024) * kPageSize)};
    case 4:
      return Fallocate{kSharedFd, 3,
                       static_cast<int64_t>(Below(1024) * kPageSize / 2),
                       static_cast<int64_t>((1 + Below(64)) * kPageSize)};
    case 5:
      return Madvise{addr + within, (1 + Below(64)) * kPageSize,
                     OneIn(2) ? kRemove : kPageout};
    default:
      return Madvise{addr, kHuge, kCollapse};
  }
}

Operation MemoryCampaign::RangeCall() {
  const auto [addr, pages] = Range();
  const uint64_t bytes = pages * kPageSize;
  switch (Below(9)) {
    case 0:
      return Munmap{addr, std::min<uint64_t>(bytes, 16 * kPageSize)};
    case 1:
      return Mprotect{addr, std::min<uint64_t>(bytes, 32 * kPageSize),
                      Below(4)};
    case 2:
      return Mremap{addr, bytes, bytes, 3, At(Below(6) * 512)};
    case 3:
      return Mlock{addr, std::min<uint64_t>(bytes, 64 * kPageSize), Below(2)};
    case 4:
      return Munlock{addr, bytes};
    case 5:
      if (OneIn(2)) return Msync{addr, bytes, Below(8)};
      return Mincore{addr, bytes};
    default:
      return Madvise{addr, bytes, kAdvice[Below(std::size(kAdvice))]};
  }
}

Operation MemoryCampaign::RareCall(Pid pid) {
  const auto [addr, pages] = Range();
  const uint64_t bytes = pages * kPageSize;
  switch (Below(13)) {
    case 0:
      return ProcessMadvise{OneIn(2) ? pid : live_[Below(live_.size())],
                            {addr, At(Below(64))},
                            {bytes, kPageSize},
                            kAdvice[Below(std::size(kAdvice))],
                            0};
    case 1:
      return RemapFilePages{addr, bytes, 0, Below(1000), 0};
    case 2:
      if (!OneIn(8)) return ClearRefs{static_cast<uint32_t>(1 + Below(5))};
      return Mseal{addr, bytes, 0};
    case 3: {
      constexpr int32_t kMemoryMerge = 67;
      return Prctl{kMemoryMerge, Below(2)};
    }
    case 4:
      return SetOomScoreAdj{static_cast<int32_t>(Below(2001)) - 1000};
    case 5:
      return MemfdCreate{"memory", static_cast<uint32_t>(Below(8)),
                         static_cast<int32_t>(6 + Below(2))};
    case 6: {
      constexpr int32_t kAddSeals = 1033, kGetSeals = 1034;
      return Fcntl{static_cast<int32_t>(6 + Below(2)),
                   OneIn(3) ? kGetSeals : kAddSeals, 1u << Below(6)};
    }
    case 7:
      if (OneIn(8)) return Setuid{1000};
      return Getrlimit{static_cast<uint32_t>(Below(16))};
    case 8:
      return Mbind{addr, bytes, Below(6), {Below(2)}, 65, Below(8)};
    case 9:
      return GetMempolicy{addr, Below(4), 64};
    case 10:
      return Mremap{addr, bytes, (1 + Below(64)) * kPageSize, Below(8),
                    At(Below(6) * 512)};
    default:
      return ReplacementCall();
  }
}

Operation MemoryCampaign::ReplacementCall() {
  if (OneIn(2)) return EvictPage{Range().first};
  constexpr uint64_t kPolicies =
      static_cast<uint64_t>(ReplacementPolicy::kClient) + 1;
  SetReplacement call;
  // None mostly: a process of few frames fills no memory.
  if (OneIn(3)) {
    call.policy = static_cast<ReplacementPolicy>(Below(kPolicies));
  }
  call.frames = static_cast<uint32_t>(16 + Below(200));
  for (int i = 0; i < 50; i++) call.future.push_back(At(Below(kPages)));
  return call;
}

Operation MemoryCampaign::HeapCall(Pid pid) {
  const uint64_t size = 1 + Below(uint64_t{16} << Below(16));
  const auto mine = [&](const auto& item) { return item.first == pid; };
  const auto at = std::find_if(heap_.rbegin(), heap_.rend(), mine);
  const uint64_t addr = at == heap_.rend() ? 0 : at->second;
  if (addr != 0) heap_.erase(std::next(at).base());
  switch (Below(8)) {
    case 0:
      return Free{addr};
    case 1:
      return Realloc{addr, size};
    case 2:
      return Calloc{1 + Below(8), size};
    case 3: {
      constexpr int32_t kMmapThreshold = -3, kTrimThreshold = -1;
      return Mallopt{OneIn(2) ? kMmapThreshold : kTrimThreshold,
                     static_cast<int32_t>(Below(1u << 20))};
    }
    default: {
      const Outcome out = Do(Malloc{size}, pid);
      if (out.error == Errno::kOk && out.value > 0) {
        heap_.push_back({pid, static_cast<uint64_t>(out.value)});
      }
      if (heap_.size() > 100) heap_.erase(heap_.begin());
      return Access{AccessKind::kWrite, static_cast<uint64_t>(out.value),
                    1 + size / kPageSize, kPageSize, 1};
    }
  }
}

void MemoryCampaign::FileCall(Pid pid) {
  const auto at = static_cast<int64_t>(Below(1000) * kPageSize);
  const auto fd = static_cast<int32_t>(OneIn(2) ? 3 : 4 + Below(4));
  switch (Below(10)) {
    case 0:
      Do(Truncate{fd, at}, pid);
      return;
    case 1:
      Do(Fsync{fd, OneIn(2)}, pid);
      return;
    case 2: {
      constexpr uint32_t kModes[] = {0, 1, 3, 16, 17};
      Do(Fallocate{fd, kModes[Below(std::size(kModes))], at,
                   static_cast<int64_t>(1 + Below(32 * kPageSize))},
         pid);
      return;
    }
    case 3:
      Do(Fadvise{fd, at, 64 * kPageSize, static_cast<int32_t>(Below(6))}, pid);
      return;
    case 4:
    case 5:
    case 6:
      Do(Write{fd, static_cast<uint64_t>(at), std::string(8192, 'w')}, pid);
      return;
    default:
      Do(Read{fd, static_cast<uint64_t>(at), 32 * kPageSize}, pid);
  }
}

Kernel MemoryCampaign::Ended() {
  user_.GiveAll();
  return Emptied(machine_);
}

Kernel MemoryCampaign::Emptied(Machine m) {
  for (const auto& [pid, id] : std::map(m.kernel().pids)) {
    m.Apply({0, Kill{pid, 9}});
  }
  m.Apply({0, RemoveModule{"map_driver", 0}});
  Kernel k = m.kernel();
  std::vector<Id<Inode>> files;
  std::as_const(k).inodes.ForEach(
      [&](Id<Inode> id, const Inode&) { files.push_back(id); });
  for (const Id<Inode> id : files) FileTruncate(k, id, 0);
  // Nobody needs the huge zero page any more.
  if (const Pfn zero = k.huge_zero_page; zero.valid()) {
    for (uint32_t i = 0; i < kPageBlockPages; i++) {
      k.page(zero + PageCount(i)) = Page{};
    }
    FreePagesCore(k, k.zone(ZoneOf(std::as_const(k), zero)), zero,
                  kPageBlockOrder);
  }
  return k;
}

}  // namespace faultline
