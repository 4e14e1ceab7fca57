#include "tests/model/model.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "server/machine/base/units.h"
#include "server/machine/mm/mempolicy_types.h"
#include "server/machine/mm/mmap.h"

namespace faultline::model {
namespace {

constexpr uint64_t kMayMove = 1, kFixedMove = 2, kDontUnmap = 4;
constexpr int kSigbus = 7, kSigsegv = 11;
constexpr int kMapErr = 1, kAccErr = 2, kAdrErr = 2;
constexpr int32_t kFirstFd = 3;

template <typename T, typename... Ts>
constexpr bool kIsOneOf = (std::is_same_v<T, Ts> || ...);

bool Aligned(uint64_t addr) { return addr % kPageSize == 0; }

Expected Fails(Errno error) { return {.error = error}; }
Expected Returns(uint64_t value) {
  return {.value = static_cast<int64_t>(value)};
}

// A private copy is made by who may write.
bool CopiesWhenFaulted(const PageState& page) {
  return !page.shared && (page.prot & mman::kProtWrite) != 0;
}

}  // namespace

Model::Model(uint64_t start_brk, std::vector<Object> files)
    : objects_(std::move(files)), start_brk_(start_brk) {
  processes_[1].brk = start_brk;
}

Model::Span Model::SpanOf(uint64_t addr, uint64_t length) {
  return {addr / kPageSize, (addr + length + kPageSize - 1) / kPageSize};
}

bool Model::Known(const Mmap& call, const Process&) const {
  const uint64_t type = call.flags & mman::kTypeMask;
  if (type != mman::kPrivate && type != mman::kShared) return false;
  constexpr uint64_t kKnown = mman::kTypeMask | mman::kFixed |
                              mman::kAnonymous | mman::kLocked |
                              mman::kPopulate | mman::kFixedNoReplace;
  return (call.flags & ~kKnown) == 0;
}

// Whether a range is of one VMA it cannot tell; it knows what does not depend
// on that.
bool Model::Known(const Mremap& call, const Process& p) const {
  const Span old = SpanOf(call.addr, call.old_length);
  const bool one_page = call.old_length == kPageSize;
  if (call.flags == 0 && call.new_length < call.old_length) return true;
  if (call.flags == 0 && one_page) return true;
  if ((call.flags & kDontUnmap) != 0) {
    // Of what is locked the whole VMA is unlocked, however large.
    const auto at = p.pages.find(old.first);
    if (at != p.pages.end() && at->second.locked) return false;
    return one_page && call.flags == (kMayMove | kFixedMove | kDontUnmap) &&
           call.new_length == call.old_length;
  }
  if (call.flags != (kMayMove | kFixedMove)) return false;
  if (call.old_length == 0) return call.new_length == kPageSize;
  if (call.new_length != call.old_length) return false;
  if (one_page) return true;
  for (uint64_t vpn = old.first; vpn < old.end; ++vpn) {
    const auto at = p.pages.find(vpn);
    if (at != p.pages.end() && at->second.object != -1) return false;
  }
  return true;
}

bool Model::Knows(const Command& command) const {
  const auto process = processes_.find(command.pid);
  if (process == processes_.end()) return false;
  return std::visit(
      [&](const auto& call) {
        using Call = std::decay_t<decltype(call)>;
        if constexpr (kIsOneOf<Call, Mmap, Mremap>) {
          return Aligned(call.addr) && Known(call, process->second);
        } else if constexpr (kIsOneOf<Call, Munmap, Mprotect, Madvise, Mlock,
                                      Munlock, Mbind>) {
          return Aligned(call.addr) && call.length > 0 && Aligned(call.length);
        } else if constexpr (std::is_same_v<Call, Exit>) {
          return command.pid != 1;
        } else {
          return kIsOneOf<Call, Brk, Access, Truncate, Write, Fork>;
        }
      },
      command.op);
}

Expected Model::Apply(const Command& command, const Outcome& outcome) {
  Process& process = processes_.at(command.pid);
  return std::visit(
      [&](const auto& call) -> Expected {
        using Call = std::decay_t<decltype(call)>;
        if constexpr (std::is_same_v<Call, Exit>) {
          processes_.erase(command.pid);
          return {};
        } else if constexpr (kIsOneOf<Call, Mmap, Munmap, Mprotect, Mremap, Brk,
                                      Madvise, Mlock, Munlock, Mbind, Access,
                                      Truncate, Write, Fork>) {
          return Do(call, process, outcome);
        } else {
          return {};
        }
      },
      command.op);
}

uint8_t Model::ByteOf(const PageState& page) const {
  if (page.own) return *page.own;
  return page.object == -1 ? 0 : objects_[page.object].bytes[page.index];
}

bool Model::BeyondEnd(const PageState& page) const {
  return page.object != -1 && page.index >= objects_[page.object].bytes.size();
}

bool Model::Populate(PageState& page) const {
  if (page.prot == 0 || BeyondEnd(page)) return false;
  if (CopiesWhenFaulted(page)) page.own = ByteOf(page);
  return true;
}

Expected Model::Do(const Mmap& call, Process& p, const Outcome& outcome) {
  const bool anonymous = (call.flags & mman::kAnonymous) != 0;
  const bool shared = (call.flags & mman::kTypeMask) == mman::kShared;
  const bool noreplace = (call.flags & mman::kFixedNoReplace) != 0;
  const bool fixed = noreplace || (call.flags & mman::kFixed) != 0;
  const int file = call.fd - kFirstFd;
  const Span wanted = SpanOf(call.addr, call.length);
  if (noreplace) {
    const auto next = p.pages.lower_bound(wanted.first);
    if (next != p.pages.end() && next->first < wanted.end) {
      return Fails(Errno::kEEXIST);
    }
  }
  if (!anonymous && shared && (call.prot & mman::kProtWrite) != 0 &&
      !objects_[file].writable) {
    return Fails(Errno::kEACCES);
  }
  const uint64_t addr =
      fixed ? call.addr : static_cast<uint64_t>(outcome.value);
  const Span span = SpanOf(addr, call.length);
  int object = anonymous ? -1 : file;
  if (anonymous && shared) {
    object = static_cast<int>(objects_.size());
    objects_.push_back({.bytes = std::vector<uint8_t>(span.end - span.first)});
  }
  const bool locked = (call.flags & mman::kLocked) != 0;
  for (uint64_t vpn = span.first; vpn < span.end; ++vpn) {
    // What the kernel chooses is free.
    if (!fixed && p.pages.count(vpn) > 0) return Fails(Errno::kENOMEM);
    p.pages[vpn] = {.prot = call.prot,
                    .shared = shared,
                    .locked = locked,
                    .object = object,
                    .index = object == -1
                                 ? vpn
                                 : (anonymous ? 0 : call.offset / kPageSize) +
                                       (vpn - span.first)};
  }
  if (locked || (call.flags & mman::kPopulate) != 0) {
    for (uint64_t vpn = span.first; vpn < span.end; ++vpn) {
      if (!Populate(p.pages[vpn])) break;
    }
  }
  return Returns(addr);
}

Expected Model::Do(const Munmap& call, Process& p, const Outcome&) {
  const Span span = SpanOf(call.addr, call.length);
  p.pages.erase(p.pages.lower_bound(span.first), p.pages.lower_bound(span.end));
  return Returns(0);
}

Expected Model::Do(const Mprotect& call, Process& p, const Outcome&) {
  const Span span = SpanOf(call.addr, call.length);
  for (uint64_t vpn = span.first; vpn < span.end; ++vpn) {
    const auto at = p.pages.find(vpn);
    if (at == p.pages.end()) return Fails(Errno::kENOMEM);
    PageState& page = at->second;
    if ((call.prot & mman::kProtWrite) != 0 && page.shared &&
        !objects_[page.object].writable) {
      return Fails(Errno::kEACCES);
    }
    const bool copied_before = CopiesWhenFaulted(page);
    page.prot = call.prot;
    if (page.locked && !copied_before && CopiesWhenFaulted(page)) {
      Populate(page);
    }
  }
  return Returns(0);
}

Expected Model::Do(const Mremap& call, Process& p, const Outcome&) {
  const Span old = SpanOf(call.addr, call.old_length);
  if ((call.flags & kFixedMove) != 0) return Move(call, p);
  if (call.new_length == 0) return Fails(Errno::kEINVAL);
  if (p.pages.count(old.first) == 0) return Fails(Errno::kEFAULT);
  if (call.new_length <= call.old_length) {
    const Span kept = SpanOf(call.addr, call.new_length);
    p.pages.erase(p.pages.lower_bound(kept.end), p.pages.lower_bound(old.end));
    return Returns(call.addr);
  }
  return Grow(call, p);
}

Expected Model::Grow(const Mremap& call, Process& p) {
  const uint64_t vpn = call.addr / kPageSize;
  const Span grown = SpanOf(call.addr, call.new_length);
  const auto next = p.pages.upper_bound(vpn);
  if (next != p.pages.end() && next->first < grown.end) {
    return Fails(Errno::kENOMEM);
  }
  PageState page = p.pages.at(vpn);
  page.own.reset();
  bool populating = page.locked;
  for (uint64_t more = vpn + 1; more < grown.end; ++more) {
    ++page.index;
    PageState& added = p.pages[more] = page;
    populating = populating && Populate(added);
  }
  return Returns(call.addr);
}

Expected Model::Move(const Mremap& call, Process& p) {
  const Span old = SpanOf(call.addr, call.old_length);
  const Span target = SpanOf(call.new_addr, call.new_length);
  if (!Aligned(call.new_addr) || call.new_length == 0) {
    return Fails(Errno::kEINVAL);
  }
  if (old.first < target.end && target.first < old.end) {
    return Fails(Errno::kEINVAL);
  }
  const auto at = p.pages.find(old.first);
  if (at == p.pages.end()) return Fails(Errno::kEFAULT);
  if (call.old_length == 0) {
    if (!at->second.shared) return Fails(Errno::kEINVAL);
    const PageState copy = at->second;
    // The target is unmapped first, and with it a source that is the target.
    p.pages.erase(target.first);
    if (p.pages.count(old.first) == 0) return Fails(Errno::kEFAULT);
    p.pages[target.first] = copy;
    return Returns(call.new_addr);
  }
  for (uint64_t vpn = old.first; vpn < old.end; ++vpn) {
    const auto page = p.pages.find(vpn);
    if (page == p.pages.end()) continue;  // a hole stays what it is over there
    p.pages[target.first + (vpn - old.first)] = page->second;
    if ((call.flags & kDontUnmap) != 0) {
      page->second.own.reset();
    } else {
      p.pages.erase(page);
    }
  }
  return Returns(call.new_addr);
}

// brk(2) has no errno: refused, it returns the break as it was.
Expected Model::Do(const Brk& call, Process& p, const Outcome&) {
  const uint64_t old_end = SpanOf(p.brk, 0).end;
  const uint64_t new_end = SpanOf(call.addr, 0).end;
  const auto mapped_in = [&](uint64_t first, uint64_t end) {
    const auto at = p.pages.lower_bound(first);
    return at != p.pages.end() && at->first < end;
  };
  const bool refused = call.addr < start_brk_ ||
                       // A page must stay free above it.
                       (new_end > old_end && mapped_in(old_end, new_end + 1)) ||
                       // What was unmapped by other means cannot shrink.
                       (new_end < old_end && !mapped_in(new_end, old_end));
  if (refused) return Returns(p.brk);
  for (uint64_t vpn = old_end; vpn < new_end; ++vpn) {
    p.pages[vpn] = {.prot = mman::kProtRead | mman::kProtWrite, .index = vpn};
  }
  p.pages.erase(p.pages.lower_bound(new_end),
                p.pages.lower_bound(std::max(old_end, new_end)));
  p.brk = call.addr;
  return Returns(p.brk);
}

Errno Model::Advise(int32_t advice, PageState& page) {
  constexpr int32_t kDontNeed = 4, kFree = 8, kRemove = 9, kDontFork = 10,
                    kDoFork = 11, kWipeOnFork = 18, kKeepOnFork = 19;
  switch (advice) {
    case kDontNeed:
      if (page.locked) return Errno::kEINVAL;
      page.own.reset();
      return Errno::kOk;
    case kFree:  // memory is never short here
      return page.locked || page.object != -1 ? Errno::kEINVAL : Errno::kOk;
    case kRemove:
      if (page.locked || page.object == -1) return Errno::kEINVAL;
      if (!page.shared || !objects_[page.object].writable) {
        return Errno::kEACCES;
      }
      if (objects_[page.object].file) return Errno::kEOPNOTSUPP;  // ramfs
      if (!BeyondEnd(page)) objects_[page.object].bytes[page.index] = 0;
      return Errno::kOk;
    case kDontFork:
    case kDoFork:
      page.dont_fork = advice == kDontFork;
      return Errno::kOk;
    case kWipeOnFork:
      if (page.object != -1) return Errno::kEINVAL;
      page.wipe_on_fork = true;
      return Errno::kOk;
    case kKeepOnFork:
      page.wipe_on_fork = false;
      return Errno::kOk;
    default:
      return Errno::kEINVAL;
  }
}

Expected Model::Do(const Madvise& call, Process& p, const Outcome&) {
  const Span span = SpanOf(call.addr, call.length);
  bool hole = false;
  for (uint64_t vpn = span.first; vpn < span.end; ++vpn) {
    const auto at = p.pages.find(vpn);
    if (at == p.pages.end()) {
      hole = true;
      continue;
    }
    const Errno error = Advise(call.advice, at->second);
    if (error != Errno::kOk) return Fails(error);
  }
  return hole ? Fails(Errno::kENOMEM) : Returns(0);
}

Expected Model::Do(const Mlock& call, Process& p, const Outcome&) {
  const Span span = SpanOf(call.addr, call.length);
  for (uint64_t vpn = span.first; vpn < span.end; ++vpn) {
    const auto at = p.pages.find(vpn);
    if (at == p.pages.end()) return Fails(Errno::kENOMEM);
    at->second.locked = true;
  }
  for (uint64_t vpn = span.first; vpn < span.end; ++vpn) {
    if (!Populate(p.pages[vpn])) return Fails(Errno::kENOMEM);
  }
  return Returns(0);
}

Expected Model::Do(const Munlock& call, Process& p, const Outcome&) {
  const Span span = SpanOf(call.addr, call.length);
  for (uint64_t vpn = span.first; vpn < span.end; ++vpn) {
    const auto at = p.pages.find(vpn);
    if (at == p.pages.end()) return Fails(Errno::kENOMEM);
    at->second.locked = false;
  }
  return Returns(0);
}

// On one node it leaves everything as it is, whatever moves. REQUIRES: it is
// well-formed, and not strict.
Expected Model::Do(const Mbind& call, Process& p, const Outcome&) {
  const Span span = SpanOf(call.addr, call.length);
  uint64_t mapped = 0;
  for (uint64_t vpn = span.first; vpn < span.end; ++vpn) {
    mapped += p.pages.count(vpn);
  }
  const bool may_have_holes = call.mode == mpol::kDefault;
  if (mapped == 0 || (mapped < span.end - span.first && !may_have_holes)) {
    return Fails(Errno::kEFAULT);
  }
  return Returns(0);
}

Expected Model::LookAt(const Pages& pages, AccessKind kind,
                       uint64_t addr) const {
  const auto signalled = [&](int signal, int code) {
    return Expected{.signal = signal, .code = code, .signal_addr = addr};
  };
  const auto at = pages.find(addr / kPageSize);
  if (at == pages.end()) return signalled(kSigsegv, kMapErr);
  const PageState& page = at->second;
  const uint64_t needed = kind == AccessKind::kWrite   ? mman::kProtWrite
                          : kind == AccessKind::kFetch ? mman::kProtExec
                                                       : ~uint64_t{0};
  if (page.prot == 0) return signalled(kSigsegv, kAccErr);
  // A fetch of what may not be executed first reaches the page.
  const bool allowed = (page.prot & needed) != 0;
  if (!allowed && kind == AccessKind::kWrite) {
    return signalled(kSigsegv, kAccErr);
  }
  if (BeyondEnd(page)) return signalled(kSigbus, kAdrErr);
  if (!allowed) return signalled(kSigsegv, kAccErr);
  return kind == AccessKind::kRead ? Returns(ByteOf(page)) : Expected{};
}

Expected Model::Look(Pid pid, AccessKind kind, uint64_t addr) const {
  return LookAt(processes_.at(pid).pages, kind, addr);
}

Expected Model::Do(const Access& call, Process& p, const Outcome&) {
  Expected expected;
  for (uint64_t i = 0; i < call.count; ++i) {
    const uint64_t addr = call.addr + i * call.stride;
    expected = LookAt(p.pages, call.kind, addr);
    if (expected.signal != 0) break;
    if (call.kind != AccessKind::kWrite) continue;
    PageState& page = p.pages.at(addr / kPageSize);
    if (page.shared) {
      objects_[page.object].bytes[page.index] = call.value;
    } else {
      page.own = call.value;
    }
  }
  return expected;
}

Expected Model::Do(const Truncate& call, Process&, const Outcome&) {
  const int object = call.fd - kFirstFd;
  const auto size = static_cast<uint64_t>(call.size) / kPageSize;
  if (!objects_[object].writable) return Fails(Errno::kEINVAL);
  objects_[object].bytes.resize(size);
  // Private copies of what is gone are gone as well.
  for (auto& [pid, process] : processes_) {
    for (auto& [vpn, page] : process.pages) {
      if (page.object == object && page.index >= size) page.own.reset();
    }
  }
  return Returns(0);
}

Expected Model::Do(const Write& call, Process&, const Outcome&) {
  Object& file = objects_[call.fd - kFirstFd];
  if (!file.writable) return Fails(Errno::kEBADF);
  const uint64_t index = call.offset / kPageSize;
  if (index >= file.bytes.size()) file.bytes.resize(index + 1);
  file.bytes[index] = static_cast<uint8_t>(call.data[0]);
  return Returns(1);
}

Expected Model::Do(const Fork&, Process& p, const Outcome& outcome) {
  Process child{.pages = {}, .brk = p.brk};
  for (const auto& [vpn, page] : p.pages) {
    if (page.dont_fork) continue;
    PageState copy = page;
    copy.locked = false;
    if (copy.wipe_on_fork) copy.own.reset();
    child.pages[vpn] = copy;
  }
  processes_[static_cast<Pid>(outcome.value)] = std::move(child);
  return {};
}

}  // namespace faultline::model
