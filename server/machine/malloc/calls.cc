#include "server/machine/malloc/calls.h"

#include "server/machine/malloc/ptmalloc.h"
#include "server/machine/task/exit.h"

namespace faultline {
namespace {

constexpr int32_t kSigabrt = 6, kSiTkill = -6;

// The heap of the current process, made at its first call.
MallocState& HeapOf(Kernel& k) {
  Mm& mm = k.mms[k.Current().mm];
  if (!mm.heap) mm.heap = k.heaps.New();
  return k.heaps[mm.heap];
}

// Runs work(allocator); what ends it early goes to *out.
template <class Work>
ErrnoOr<uint64_t> Run(Kernel& k, Outcome* out, Work work) {
  if (k.config.profile != Profile::kX86_64) return Errno::kENOSYS;
  try {
    malloc::Ptmalloc allocator(k, HeapOf(k));
    return work(allocator);
  } catch (const malloc::Signalled& stopped) {
    out->signal = stopped.signal;
  } catch (const malloc::Aborted& aborted) {
    out->data = aborted.message + "\n";
    out->signal = {kSigabrt, kSiTkill, 0};
    KillTask(k, k.Current(), kSigabrt);
  }
  return uint64_t{0};
}

ErrnoOr<uint64_t> AddressOf(uint64_t mem) {
  if (mem == 0) return Errno::kENOMEM;
  return mem;
}

}  // namespace

ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Malloc& call, Outcome* out) {
  return Run(k, out, [&](malloc::Ptmalloc& a) {
    return AddressOf(a.Malloc(call.size));
  });
}

ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Calloc& call, Outcome* out) {
  return Run(k, out, [&](malloc::Ptmalloc& a) {
    return AddressOf(a.Calloc(call.count, call.size));
  });
}

ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Realloc& call, Outcome* out) {
  return Run(k, out, [&](malloc::Ptmalloc& a) -> ErrnoOr<uint64_t> {
    const uint64_t mem = a.Realloc(call.addr, call.size);
    const bool freed = call.addr != 0 && call.size == 0;
    if (freed) return mem;
    return AddressOf(mem);
  });
}

ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Free& call, Outcome* out) {
  return Run(k, out, [&](malloc::Ptmalloc& a) -> ErrnoOr<uint64_t> {
    a.Free(call.addr);
    return uint64_t{0};
  });
}

ErrnoOr<uint64_t> DoMalloc(Kernel& k, const Mallopt& call, Outcome* out) {
  return Run(k, out, [&](malloc::Ptmalloc& a) -> ErrnoOr<uint64_t> {
    return uint64_t{a.Mallopt(call.param, call.value)};
  });
}

}  // namespace faultline
