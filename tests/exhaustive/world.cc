#include "tests/exhaustive/world.h"

#include "server/machine/mm/mempolicy_types.h"
#include "server/machine/mm/mmap.h"
#include "tests/model/lockstep.h"

namespace faultline::exhaustive {
namespace {

using model::kStartBrk;
using model::Lockstep;
using model::PageAt;

constexpr uint64_t kR = mman::kProtRead;
constexpr uint64_t kRw = mman::kProtRead | mman::kProtWrite;
constexpr uint64_t kPrivateFixed = mman::kPrivate | mman::kFixed;
constexpr uint64_t kAnon = kPrivateFixed | mman::kAnonymous;
constexpr uint64_t kMayMove = 1, kFixedMove = 2, kDontUnmap = 4;
constexpr int32_t kDontNeed = 4, kFree = 8, kRemove = 9, kDontFork = 10,
                  kDoFork = 11, kWipeOnFork = 18;

constexpr uint64_t Bytes(uint64_t pages) { return pages * kPageSize; }

// Pages [first, end).
template <typename Call, typename... Rest>
Call On(uint64_t first, uint64_t end, Rest... rest) {
  return Call{PageAt(first), Bytes(end - first), rest...};
}

Operation Map(uint64_t first, uint64_t end, uint64_t prot, uint64_t flags) {
  return On<Mmap>(first, end, prot, flags, int32_t{-1}, uint64_t{0});
}
Operation MapFile(uint64_t first, uint64_t end, uint64_t prot, uint64_t flags,
                  int32_t fd) {
  return On<Mmap>(first, end, prot, flags, fd, Bytes(first));
}
Operation Move(uint64_t from, uint64_t to, uint64_t pages,
               uint64_t flags = kMayMove | kFixedMove) {
  return Mremap{PageAt(from), Bytes(pages), Bytes(pages), flags, PageAt(to)};
}
Operation Resize(uint64_t at, uint64_t pages, uint64_t to) {
  return Mremap{PageAt(at), Bytes(pages), Bytes(to), 0, 0};
}
Operation Read(uint64_t page) {
  return Access{AccessKind::kRead, PageAt(page), 1, kPageSize, 0};
}
Operation Write(uint64_t page, uint8_t byte) {
  return Access{AccessKind::kWrite, PageAt(page), 1, kPageSize, byte};
}

std::vector<Operation> LayoutCalls() {
  return {
      Map(0, 4, kRw, kAnon),
      Map(1, 2, kRw, kAnon),
      Map(2, 4, kR, kAnon),
      Map(0, 2, kRw, mman::kShared | mman::kFixed | mman::kAnonymous),
      Map(1, 3, kRw, kAnon | mman::kLocked),
      Map(0, 2, kRw, kAnon | mman::kPopulate),
      Map(3, 4, kRw, kAnon | mman::kFixedNoReplace),
      Map(0, 2, 0, mman::kPrivate | mman::kAnonymous),
      MapFile(0, 3, kRw, kPrivateFixed, model::kReadWriteFd),
      MapFile(1, 4, kRw, mman::kShared | mman::kFixed, model::kReadWriteFd),
      MapFile(0, 4, kR, mman::kShared | mman::kFixed, model::kReadOnlyFd),
      On<Munmap>(0, 4),
      On<Munmap>(1, 2),
      On<Munmap>(2, 4),
      On<Mprotect>(0, 4, kRw),
      On<Mprotect>(1, 3, kR),
      On<Mprotect>(2, 3, uint64_t{0}),
      Move(0, 2, 2),
      Move(3, 1, 1),
      Move(1, 3, 1, kMayMove | kFixedMove | kDontUnmap),
      Move(0, 3, 1),
      Mremap{PageAt(0), 0, Bytes(1), kMayMove | kFixedMove, PageAt(2)},
      Resize(1, 1, 2),
      Resize(0, 4, 1),
      Resize(2, 1, 2),
      Brk{kStartBrk + Bytes(2)},
      Brk{kStartBrk},
  };
}

std::vector<Operation> MarkingCalls() {
  return {
      On<Madvise>(0, 4, kDontNeed),
      On<Madvise>(1, 2, kDontNeed),
      On<Madvise>(0, 2, kRemove),
      On<Madvise>(1, 2, kDontFork),
      On<Madvise>(2, 4, kWipeOnFork),
      On<Mlock>(1, 3, uint64_t{0}),
      On<Munlock>(0, 4),
      Truncate{model::kReadWriteFd, 4096},
      Mbind{PageAt(1), Bytes(2), mpol::kBind, {1}, 2, 0},
      Mbind{PageAt(0), Bytes(4), mpol::kDefault, {}, 0, mpol::kMfMoveAll},
      On<Madvise>(0, 4, kFree),
      On<Madvise>(0, 4, kDoFork),
      Fork{},
  };
}

std::vector<Operation> AccessCalls() {
  return {Read(0), Read(2), Write(0, 1), Write(1, 2), Write(2, 3), Write(3, 4)};
}

void Append(std::vector<Command>& commands, Pid pid,
            const std::vector<Operation>& operations) {
  for (const Operation& operation : operations) {
    commands.push_back({pid, operation});
  }
}

class Explorer {
 public:
  Explorer(const std::vector<Command>& commands, Explored* out)
      : commands_(commands), out_(*out) {}

  // All sequences of `depth` more calls; false: one of them failed.
  bool From(const Lockstep& before, int depth) {
    for (const Command& command : commands_) {
      // A call of a process that is not there is no call.
      if (!before.model().Knows(command)) continue;
      Lockstep after = before;
      out_.sequence.push_back(command);
      ++out_.steps;
      out_.why = after.Do(command);
      if (!out_.why.empty()) return false;
      if (depth == 1) {
        ++out_.sequences;
      } else if (!From(after, depth - 1)) {
        return false;
      }
      out_.sequence.pop_back();
    }
    return true;
  }

 private:
  const std::vector<Command>& commands_;
  Explored& out_;
};

}  // namespace

std::vector<Command> WorldCommands() {
  std::vector<Command> commands;
  Append(commands, 1, LayoutCalls());
  Append(commands, 1, MarkingCalls());
  Append(commands, 1, AccessCalls());
  // What the child does for itself.
  Append(commands, 2,
         {Write(0, 5), Write(2, 6), Read(1), On<Munmap>(1, 3),
          On<Mprotect>(0, 4, kR), Map(1, 2, kRw, kAnon), Exit{}});
  return commands;
}

Explored Explore(const std::vector<Command>& commands, int depth) {
  Explored explored;
  for (int length = 1; length <= depth; ++length) {
    explored.sequences = 0;
    if (!Explorer(commands, &explored).From(Lockstep(), length)) break;
  }
  return explored;
}

}  // namespace faultline::exhaustive
