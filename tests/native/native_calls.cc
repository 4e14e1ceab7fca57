// Of NativeRunner: the system calls whose arguments are structures in memory,
// or that concern other processes.
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/native/native_runner.h"

namespace faultline::native {

using scenario::Op;
using scenario::OpKind;
using scenario::OpResult;

namespace {
constexpr long kSysSetMempolicyHomeNode = 450;

// Each run has users of its own: the processes of a user are counted for
// RLIMIT_NPROC, and another run may be going on.
uint64_t OwnUser(uint64_t uid) {
  constexpr uint64_t kUsersMax = 2000, kRuns = 1000000;
  const auto run = static_cast<uint64_t>(getpid()) % kRuns;
  return uid == 0 || uid >= kUsersMax ? uid : uid + kUsersMax * (run + 1);
}
}  // namespace

bool NativeRunner::IsTaskCall(OpKind kind) {
  switch (kind) {
    case OpKind::kProcessMadvise:
    case OpKind::kMbind:
    case OpKind::kSetMempolicy:
    case OpKind::kSetMempolicyHomeNode:
    case OpKind::kSetVmaName:
    case OpKind::kVfork:
    case OpKind::kClone:
    case OpKind::kKill:
    case OpKind::kWait:
    case OpKind::kSetuid:
    case OpKind::kPrctl:
    case OpKind::kSetrlimit:
      return true;
    default:
      return false;
  }
}

// A process that never was has a pid that none can have.
pid_t NativeRunner::TargetPid(const Op& op) const {
  constexpr pid_t kNobody = 0x3fffffff;
  const uint64_t number = Value(op, op.count);
  return number < pids_.size() ? pids_[number] : kNobody;
}

Tracee::Stop NativeRunner::TaskCall(const Op& op) {
  Tracee& process = *processes_[op.process];
  const auto call = [&](long number, uint64_t a = 0, uint64_t b = 0,
                        uint64_t c = 0, uint64_t d = 0, uint64_t e = 0) {
    return process.Syscall(number, {a, b, c, d, e, 0});
  };
  const uint64_t length = Value(op, op.length);
  switch (op.kind) {
    case OpKind::kProcessMadvise:
      return ProcessMadvise(op);
    case OpKind::kMbind: {
      const auto [mask, maxnode] = PutNodes(op);
      return process.Syscall(SYS_mbind, {Value(op, op.addr), length, op.mode,
                                         mask, maxnode, op.flags});
    }
    case OpKind::kSetMempolicy: {
      const auto [mask, maxnode] = PutNodes(op);
      return call(SYS_set_mempolicy, op.mode, mask, maxnode);
    }
    case OpKind::kSetMempolicyHomeNode:
      return call(kSysSetMempolicyHomeNode, Value(op, op.addr), length,
                  Value(op, op.count), op.flags);
    case OpKind::kSetVmaName: {
      constexpr uint64_t kPrSetVma = 0x53564d41;
      const uint64_t name = process.Put(op.name.c_str(), op.name.size() + 1);
      return call(SYS_prctl, kPrSetVma, 0, Value(op, op.addr), length,
                  op.name.empty() ? 0 : name);
    }
    case OpKind::kVfork:
      // The parent of a true vfork could not be asked to do anything.
      return call(SYS_clone, CLONE_VM);
    case OpKind::kClone:
      // As with fork, the child's end tells the parent nothing.
      return call(SYS_clone, op.flags & ~uint64_t{CSIGNAL | CLONE_VFORK});
    case OpKind::kKill:
      return call(SYS_kill, static_cast<uint64_t>(TargetPid(op)), op.flags);
    case OpKind::kWait:
      return call(SYS_wait4, ~uint64_t{0}, 0, WNOHANG | __WALL);
    case OpKind::kSetuid:
      return call(SYS_setuid, OwnUser(length));
    case OpKind::kPrctl:
      return call(SYS_prctl, op.flags, length);
    default: {  // kSetrlimit
      const rlimit limit = {length, Value(op, op.new_length, RLIM_INFINITY)};
      return call(SYS_setrlimit, op.flags, process.Put(&limit, sizeof(limit)));
    }
  }
}

// Zeros follow the words of the line.
std::pair<uint64_t, uint64_t> NativeRunner::PutNodes(const Op& op) {
  constexpr size_t kAreaWords = 256;
  std::vector<uint64_t> words = op.nodes;
  words.resize(std::max(words.size(), kAreaWords));
  const uint64_t mask = op.nodes.empty()
                            ? 0
                            : processes_[op.process]->Put(
                                  words.data(), kAreaWords * sizeof(uint64_t));
  const uint64_t all = op.nodes.empty() ? 0 : op.nodes.size() * 64 + 1;
  return {mask, Value(op, op.count, all)};
}

void NativeRunner::ExecuteGetMempolicy(const Op& op, OpResult* result) {
  Tracee& process = *processes_[op.process];
  constexpr uint64_t kMaxNumnodes = 1024, kPage = 4096, kArea = 3 * kPage;
  const uint64_t maxnode = Value(op, op.count, kMaxNumnodes);
  const uint64_t area = MapScratch(process, kArea, result);
  const uint64_t mask = area + kPage;
  const Tracee::Stop stop = process.Syscall(
      SYS_get_mempolicy, {area, maxnode == 0 ? 0 : mask, maxnode,
                          Value(op, op.addr), op.flags, 0});
  if (stop.kind == Tracee::Stop::Kind::kDone && stop.result == 0) {
    const auto mode = ReadMemory(process.pid(), area, sizeof(int));
    result->ret = mode[0] | mode[1] << 8;
    if (maxnode > 1) {
      result->vec = std::string();
      for (const uint8_t byte : ReadMemory(process.pid(), mask, 8)) {
        for (int bit = 0; bit < 8; ++bit) {
          *result->vec += (byte >> bit & 1) != 0 ? '1' : '0';
        }
      }
      const size_t last = result->vec->find_last_not_of('0');
      result->vec->erase(last == std::string::npos ? 1 : last + 1);
    }
  }
  UnmapScratch(process, kArea);
  RecordStop(stop, result);
  const bool failed =
      stop.kind == Tracee::Stop::Kind::kDone && stop.result != 0;
  if (failed) RecordReturn(stop.result, result);
}

Tracee::Stop NativeRunner::ProcessMadvise(const Op& op) {
  Tracee& process = *processes_[op.process];
  const auto pid = static_cast<uint64_t>(TargetPid(op));
  const uint64_t fd =
      process.Syscall(SYS_pidfd_open, {pid, 0, 0, 0, 0, 0}).result;
  std::vector<uint64_t> ranges = {Value(op, op.addr), Value(op, op.length)};
  for (const scenario::Expr& word : op.future) {
    ranges.push_back(Value(op, word));
  }
  const uint64_t vec =
      process.Put(ranges.data(), ranges.size() * sizeof(uint64_t));
  Tracee::Stop stop = process.Syscall(
      SYS_process_madvise,
      {fd, vec, ranges.size() / 2, op.flags, Value(op, op.stride), 0});
  process.Syscall(SYS_close, {fd, 0, 0, 0, 0, 0});
  return stop;
}

// The tracer makes the call: the process has no memory for its answer.
// The process says which limits there are, /proc what they are: what it is told
// would need memory to write to, and another user's is not ours to ask for.
void NativeRunner::ExecuteGetrlimit(const Op& op, OpResult* result) {
  Tracee& process = *processes_[op.process];
  const Tracee::Stop stop =
      process.Syscall(SYS_prlimit64, {0, op.flags, 0, 0, 0, 0});
  RecordReturn(stop.result, result);
  if (result->ret) result->ret = ReadLimit(process.pid(), op.flags).rlim_cur;
}

void NativeRunner::AfterTaskCall(const Op& op, OpResult* result) {
  if (op.kind == OpKind::kKill && result->ret && op.flags == SIGKILL) {
    const auto target = static_cast<int>(Value(op, op.count));
    if (!IsAlive(target)) return;
    processes_[target]->Bury();
    processes_[target] = nullptr;
  }
  if (op.kind == OpKind::kWait && result->ret && *result->ret != 0) {
    const auto pid = static_cast<pid_t>(*result->ret);
    result->ret = std::find(pids_.begin(), pids_.end(), pid) - pids_.begin();
  }
}

}  // namespace faultline::native
