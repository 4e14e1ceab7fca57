#include "server/machine/syscalls/access.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/base/bug.h"
#include "server/machine/mm/fault.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/replacement.h"

namespace faultline {
namespace {

// A column of an AccessMany: one value for all entries, or one for each.
template <class Values>
class Column {
 public:
  using T = typename Values::value_type;
  Column(const Values& values, size_t entries, T absent)
      : absent_(absent),
        values_(values.empty() ? &absent_ : values.data()),
        mask_(values.size() > 1 ? ~size_t{0} : 0) {
    VM_BUG_ON(values.size() > 1 && values.size() != entries);
  }
  Column(const Column&) = delete;
  Column& operator=(const Column&) = delete;

  T operator[](size_t entry) const { return values_[entry & mask_]; }

 private:
  const T absent_;
  const T* values_;
  size_t mask_;
};

// A linear address of i386 has 32 bits.
constexpr uint64_t kI386AddrMask = 0xffffffff;

// The memory of the current task, as its program sees it.
class UserMemory {
 public:
  UserMemory(Kernel& k, const std::vector<uint64_t>& victims, Outcome* out)
      : k_(k),
        out_(out),
        mm_(k.mms[k.Current().mm]),
        addr_mask_(k.config.profile == Profile::kX86_64 ? ~uint64_t{0}
                                                        : kI386AddrMask),
        cr3_(mm_.cr3(k.paging)),
        mmu_(k.mmu()) {
    if (mm_.replacement) [[unlikely]]
      replaced_.emplace(k, mm_, victims);
  }

  // Has the process frames of its own, with a policy that replaces?
  bool governed() const { return replaced_.has_value(); }

  // Calls done(byte) after each access. False: one was signalled, or wants a
  // victim.
  template <class Done>
  bool Run(const Access& c, Done done) {
    const MmuAccess how = HowOf(c.kind);
    VirtAddr addr(c.addr & addr_mask_);
    for (uint64_t i = 0; i < c.count;
         i++, addr = VirtAddr((addr.value() + c.stride) & addr_mask_)) {
      if (governed() && !replaced_->Admit(addr, &out_->victim_wanted)) {
        return false;
      }
      // What the TLB holds needs no more than this.
      Pfn pfn = mmu_.Cached(cr3_, addr, how);
      if (!pfn.valid()) [[unlikely]] {
        pfn = Fault(addr, how);
        if (!pfn.valid()) return false;
      }
      const auto offset = static_cast<uint32_t>(addr.offset());
      if (how == MmuAccess::kWrite) {
        k_.frames[pfn].Write(offset, c.value);
        done(c.value);
      } else {
        last_ = std::as_const(k_.frames)[pfn].Read(offset);
        done(last_);
      }
      if (governed()) replaced_->Note(addr);
      out_->accesses++;
    }
    return true;
  }

  // The fast path: single accesses that the TLB translates, from entry `first`
  // to the one before the first that needs more, which is returned. Its own
  // variables are local, for a byte that is stored might be any of the others.
  size_t RunCached(const AccessMany& many, size_t first,
                   const Column<std::vector<AccessKind>>& kinds,
                   const Column<std::string>& values) {
    const uint64_t base = many.base;
    const uint64_t* const addrs = many.addr.data();
    const size_t entries = many.addr.size();
    const Cr3 cr3 = cr3_;
    Mmu mmu = mmu_;
    uint8_t last = last_;
    // Where the last read was, if its byte is not taken yet: only the last one
    // is asked for, and host memory is slow.
    Pfn read;
    uint32_t read_at = 0;
    size_t i = first;
    for (; i < entries; i++) {
      const VirtAddr addr(base + addrs[i]);
      const MmuAccess how = HowOf(kinds[i]);
      const Pfn pfn = mmu.Find(cr3, addr, how);
      if (!pfn.valid()) [[unlikely]]
        break;
      const auto offset = static_cast<uint32_t>(addr.offset());
      if (how == MmuAccess::kWrite) {
        if (pfn == read && offset == read_at) [[unlikely]] {
          last = std::as_const(k_.frames)[read].Read(read_at);
          read = Pfn();
        }
        k_.frames[pfn].Write(offset, static_cast<uint8_t>(values[i]));
      } else {
        read = pfn;
        read_at = offset;
      }
    }
    last_ = read.valid() ? std::as_const(k_.frames)[read].Read(read_at) : last;
    mmu_.CountHits(i - first);
    out_->accesses += i - first;
    return i;
  }

  // The byte that was read last. EAGAIN: a victim is wanted.
  ErrnoOr<uint64_t> Result() const {
    if (!out_->victim_wanted.frames.empty()) return Errno::kEAGAIN;
    return uint64_t{last_};
  }
  // The faults that were taken since this was asked last.
  EntryFaults TakeFaults() { return std::exchange(faults_, {}); }
  bool faulted() const { return faults_.min_flt + faults_.maj_flt != 0; }

 private:
  static MmuAccess HowOf(AccessKind kind) {
    static_assert(static_cast<int>(MmuAccess::kRead) ==
                      static_cast<int>(AccessKind::kRead) &&
                  static_cast<int>(MmuAccess::kWrite) ==
                      static_cast<int>(AccessKind::kWrite) &&
                  static_cast<int>(MmuAccess::kFetch) ==
                      static_cast<int>(AccessKind::kFetch));
    return static_cast<MmuAccess>(kind);
  }

  // The access that the TLB could not serve. An invalid Pfn: signalled.
  [[gnu::noinline]] Pfn Fault(VirtAddr addr, MmuAccess how) {
    const uint64_t min_flt = k_.Current().min_flt;
    const uint64_t maj_flt = k_.Current().maj_flt;
    UserAccess done = AccessUser(k_, mm_, addr, how);
    if (done.out_of_memory) PagefaultOutOfMemory(k_);
    if (!done.pfn.valid()) {
      constexpr SignalInfo kOomKilled{9, 128, 0};  // SIGKILL, SI_KERNEL
      out_->signal = done.out_of_memory ? kOomKilled : done.signal;
    }
    if (k_.current) {  // it was not killed
      faults_.min_flt += static_cast<uint32_t>(k_.Current().min_flt - min_flt);
      faults_.maj_flt += static_cast<uint32_t>(k_.Current().maj_flt - maj_flt);
    }
    return done.pfn;
  }

  Kernel& k_;
  Outcome* out_;
  Mm& mm_;
  const uint64_t addr_mask_;
  const Cr3 cr3_;
  Mmu mmu_;
  uint8_t last_ = 0;
  EntryFaults faults_;
  std::optional<ReplacedAccess> replaced_;
};

}  // namespace

uint64_t AccessesOf(const AccessMany& many) {
  const uint64_t entries = many.addr.size();
  if (many.count.empty()) return entries;
  uint64_t sum = 0;
  for (uint64_t n : many.count) {
    const uint64_t times = many.count.size() == 1 ? entries : 1;
    if (__builtin_mul_overflow(n, times, &n) ||
        __builtin_add_overflow(sum, n, &sum)) {
      return ~uint64_t{0};
    }
  }
  return sum;
}

ErrnoOr<uint64_t> DoAccess(Kernel& k, const Access& access, Outcome* out) {
  UserMemory memory(k, access.victims, out);
  memory.Run(access, [](uint8_t) {});
  return memory.Result();
}

ErrnoOr<uint64_t> DoAccessMany(Kernel& k, const AccessMany& many,
                               Outcome* out) {
  const size_t entries = many.addr.size();
  const Access one;
  const Column kind(many.kind, entries, one.kind);
  const Column count(many.count, entries, one.count);
  const Column stride(many.stride, entries, one.stride);
  const Column value(many.value, entries, static_cast<char>(one.value));
  const auto keep = [&](uint8_t byte) {
    if (many.data) out->data.push_back(static_cast<char>(byte));
  };
  if (many.data) out->data.reserve(AccessesOf(many));
  UserMemory memory(k, many.victims, out);
  const bool singles = many.count.empty() && !many.data && !memory.governed();
  bool well = true;
  for (size_t i = 0; i < entries && well; i++) {
    if (singles) i = memory.RunCached(many, i, kind, value);
    if (i == entries) break;
    well = memory.Run({.kind = kind[i],
                       .addr = many.base + many.addr[i],
                       .count = count[i],
                       .stride = stride[i],
                       .value = static_cast<uint8_t>(value[i])},
                      keep);
    if (!memory.faulted()) continue;
    out->faulted.push_back(memory.TakeFaults());
    out->faulted.back().entry = static_cast<uint32_t>(i);
  }
  return memory.Result();
}

}  // namespace faultline
