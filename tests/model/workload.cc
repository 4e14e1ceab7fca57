#include "tests/model/workload.h"

#include <array>
#include <iterator>
#include <string>

#include "server/machine/base/prng.h"
#include "server/machine/mm/mempolicy_types.h"
#include "server/machine/mm/mmap.h"
#include "tests/model/lockstep.h"

namespace faultline::model {
namespace {

constexpr uint64_t kWindowPages = 16;
constexpr uint64_t kMmapBase = 0x7ffff7fff000;
constexpr int kProcessesMax = 4;

class Workload {
 public:
  explicit Workload(uint64_t seed) : prng_(seed) {}

  Command Next() {
    // Mostly the first process; one that has not been made yet is skipped.
    Command command{.pid = static_cast<Pid>(1 + (OneIn(2) ? 0 : Below(forks_))),
                    .op = Munmap{}};
    const uint64_t kind = Below(100);
    if (kind < 34) {
      command.op = RandomAccess();
    } else if (kind < 54) {
      command.op = RandomMap();
    } else if (kind < 60) {
      command.op = Munmap{Addr(), Length()};
    } else if (kind < 70) {
      command.op = Mprotect{Addr(), Length(), Prot()};
    } else if (kind < 78) {
      command.op = RandomRemap();
    } else if (kind < 86) {
      constexpr std::array<int32_t, 7> kAdvice{4, 8, 9, 10, 11, 18, 19};
      command.op =
          Madvise{Addr(), Length(), OneIn(2) ? kAdvice[0] : kAdvice[Below(7)]};
    } else if (kind < 88) {
      command.op = RandomPolicy();
    } else if (kind < 91) {
      command.op = OneIn(2) ? Operation(Mlock{Addr(), Length(), 0})
                            : Operation(Munlock{Addr(), Length()});
    } else if (kind < 93) {
      command.op = Brk{kStartBrk + Below(6) * kPageSize};
    } else if (kind < 97) {
      command.op = RandomFile();
    } else if (forks_ < kProcessesMax && !OneIn(3)) {
      ++forks_;
      command.op = Fork{};
    } else {
      command.op = Exit{};
    }
    return command;
  }

 private:
  uint64_t Below(uint64_t n) { return prng_.Next() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  uint64_t Addr() {
    if (OneIn(12)) return kStartBrk + Below(5) * kPageSize;
    if (OneIn(12)) return kMmapBase - (1 + Below(6)) * kPageSize;
    return PageAt(Below(kWindowPages));
  }
  uint64_t Length() { return (1 + Below(OneIn(4) ? 8 : 3)) * kPageSize; }
  uint64_t Prot() {
    constexpr uint64_t kProts[] = {3, 3, 3, 1, 1, 0, 2, 5, 7, 4};
    return kProts[Below(std::size(kProts))];
  }

  Operation RandomAccess() {
    Access call{.kind = OneIn(12)  ? AccessKind::kFetch
                        : OneIn(3) ? AccessKind::kRead
                                   : AccessKind::kWrite,
                .addr = Addr(),
                .count = 1 + Below(OneIn(3) ? 5 : 1),
                .stride = kPageSize,
                .value = static_cast<uint8_t>(prng_.Next())};
    if (call.kind == AccessKind::kFetch) call.count = 1;
    return call;
  }

  Operation RandomMap() {
    Mmap call{.addr = Addr(), .length = Length(), .prot = Prot()};
    call.flags = OneIn(3) ? mman::kShared : mman::kPrivate;
    if (!OneIn(10)) {
      call.flags |= OneIn(6) ? mman::kFixedNoReplace : mman::kFixed;
    } else {
      call.addr = 0;
    }
    if (OneIn(8)) call.flags |= mman::kPopulate;
    if (OneIn(12)) call.flags |= mman::kLocked;
    if (OneIn(2)) {
      call.flags |= mman::kAnonymous;
    } else {
      call.fd = static_cast<int32_t>(kReadWriteFd + Below(3));
      call.offset = Below(kFilePages) * kPageSize;
    }
    return call;
  }

  Operation RandomRemap() {
    constexpr uint64_t kMayMove = 1, kFixed = 2, kDontUnmap = 4;
    Mremap call{
        .addr = Addr(), .old_length = kPageSize, .new_length = kPageSize};
    call.new_addr = Addr();
    switch (Below(6)) {
      case 0:
        call.old_length = Length();
        call.new_length = Below(3) * kPageSize;
        break;
      case 1:
        call.new_length = Length();
        break;
      case 2:
        call.flags = kMayMove | kFixed | kDontUnmap;
        break;
      case 3:
        call.flags = kMayMove | kFixed;
        call.old_length = 0;
        break;
      default:
        call.flags = kMayMove | kFixed;
        call.old_length = call.new_length = Length();
        break;
    }
    return call;
  }

  Operation RandomPolicy() {
    constexpr uint64_t kModes[] = {mpol::kDefault, mpol::kBind, mpol::kBind,
                                   mpol::kInterleave, mpol::kLocal};
    Mbind call{.addr = Addr(),
               .length = Length(),
               .mode = kModes[Below(std::size(kModes))]};
    if (call.mode != mpol::kDefault && call.mode != mpol::kLocal) {
      call.nodes = {1};
      call.maxnode = 2;
    }
    if (OneIn(2)) call.flags = OneIn(2) ? mpol::kMfMove : mpol::kMfMoveAll;
    return call;
  }

  Operation RandomFile() {
    const auto fd = static_cast<int32_t>(kReadWriteFd + Below(3));
    if (OneIn(2)) {
      return Truncate{fd,
                      static_cast<int64_t>(Below(kFilePages + 2) * kPageSize)};
    }
    return Write{fd, Below(kFilePages + 1) * kPageSize,
                 std::string(1, static_cast<char>(prng_.Next()))};
  }

  Prng prng_;
  int forks_ = 1;  // processes so far, if each fork was done
};

}  // namespace

std::vector<Command> RandomCommands(uint64_t seed, int count) {
  Workload workload(seed);
  std::vector<Command> commands;
  for (int i = 0; i < count; ++i) commands.push_back(workload.Next());
  return commands;
}

}  // namespace faultline::model
