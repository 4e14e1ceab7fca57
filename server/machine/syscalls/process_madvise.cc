// Models mm/madvise.c (v6.18): sys_process_madvise(), vector_madvise();
// lib/iov_iter.c: import_iovec().
#include "server/machine/syscalls/process_madvise.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "server/machine/mm/madvise.h"
#include "server/machine/task/cred.h"

namespace faultline {
namespace {

constexpr uint64_t kMaxRwCount = 0x7ffff000;

// access_ok(): of user memory, whether mapped or not.
bool AccessOk(const Mm& mm, uint64_t addr, uint64_t length) {
  return addr <= mm.task_size && length <= mm.task_size - addr;
}

// import_iovec(): the lengths, all together at most MAX_RW_COUNT.
ErrnoOr<std::vector<uint64_t>> ImportLengths(const Mm& mm,
                                             const ProcessMadvise& call) {
  constexpr size_t kUioMaxiov = 1024;
  std::vector<uint64_t> lengths = call.length;
  if (lengths.size() > kUioMaxiov) return Errno::kEINVAL;
  for (uint64_t length : lengths) {
    if (length >> 63) return Errno::kEINVAL;
  }
  uint64_t total = 0;
  for (size_t i = 0; i < lengths.size(); i++) {
    // One range alone is cut before it is looked at.
    if (lengths.size() == 1) lengths[i] = std::min(lengths[i], kMaxRwCount);
    if (!AccessOk(mm, call.addr[i], lengths[i])) return Errno::kEFAULT;
    lengths[i] = std::min(lengths[i], kMaxRwCount - total);
    total += lengths[i];
  }
  return lengths;
}

}  // namespace

ErrnoOr<uint64_t> DoProcessMadvise(Kernel& k, const ProcessMadvise& call) {
  if (call.flags != 0) return Errno::kEINVAL;
  const std::vector<uint64_t> lengths =
      FL_TRY_VALUE(ImportLengths(k.mms[k.Current().mm], call));
  const auto target = k.pids.find(call.target);
  if (target == k.pids.end()) return Errno::kEBADF;
  const Id<Mm> own = k.Current().mm;
  const bool remote_advice = IsRemoteAdvice(call.advice);
  if (!k.quirks.madvise_own_process && !remote_advice) return Errno::kEINVAL;
  const Id<Mm> mm =
      FL_TRY_VALUE(MmAccess(std::as_const(k), k.tasks[target->second]));
  if (mm != own || !k.quirks.madvise_own_process) {
    if (!remote_advice) return Errno::kEINVAL;
    if (!k.Capable(Cap::kSysNice)) return Errno::kEPERM;
  }
  // iov_iter_advance() passes over empty ranges; only as the first is one seen.
  const uint64_t total =
      std::accumulate(lengths.begin(), lengths.end(), uint64_t{0});
  uint64_t done = 0;
  for (size_t i = 0; done < total; i++) {
    if (i > 0 && lengths[i] == 0) continue;
    k.borrowed_mm = mm;
    Errno e = DoMadvise(k, k.mms[mm], call.addr[i], lengths[i], call.advice);
    k.borrowed_mm = {};
    if (e != Errno::kOk && done == 0) return e;
    if (e != Errno::kOk) break;
    done += lengths[i];
  }
  return done;
}

}  // namespace faultline
