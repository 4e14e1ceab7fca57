// Executes a scenario on the real kernel and prints the JSON lines that a
// simulated machine prints for the same scenario.

#ifndef FAULTLINE_TESTS_NATIVE_NATIVE_RUNNER_H_
#define FAULTLINE_TESTS_NATIVE_NATIVE_RUNNER_H_

#include <sys/resource.h>

#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "server/scenario/json_lines.h"
#include "server/scenario/script.h"
#include "tests/native/process_dump.h"
#include "tests/native/scenario_files.h"
#include "tests/native/tracee.h"

namespace faultline::native {

// What a system call left in rax: a small negative number is an errno.
void RecordReturn(uint64_t rax, scenario::OpResult* result);

struct RunnerOptions {
  // Dumps the maps of every live process after each op; the dumps of the
  // script are left out.
  bool maps_each = false;
  // A directory for the declared files; empty: a ramfs.
  std::string files;
};

class NativeRunner {
 public:
  // transparent_hugepage/enabled: "always", "madvise" or "never".
  static std::string KernelThpMode();
  // An error for the first op that the real kernel cannot be asked to do from
  // here, such as kmalloc; empty when there is none.
  static std::string FirstUnsupported(const scenario::Script& script);

  // REQUIRES: FirstUnsupported(script) is empty.
  NativeRunner(const scenario::Script& script, const RunnerOptions& options,
               std::ostream& out);

  // Runs to the end, or to the first expectation that fails: then its message,
  // else an empty string.
  std::string Run();

 private:
  bool IsAlive(int process) const;
  uint64_t Value(const scenario::Op& op, const scenario::Expr& expr,
                 uint64_t when_empty = 0) const;
  uint64_t StackStart(int process) const;

  void RunNumbered(const scenario::Op& op);
  scenario::OpResult Execute(const scenario::Op& op);
  void ExecuteSyscall(const scenario::Op& op, scenario::OpResult* result);
  // Memory that a system call may write to, which no rlimit and no count of
  // faults knows of. Its peak of memory is.
  uint64_t MapScratch(Tracee& process, uint64_t bytes,
                      scenario::OpResult* result);
  void UnmapScratch(Tracee& process, uint64_t bytes);
  void ExecuteMincore(const scenario::Op& op, scenario::OpResult* result);
  void ExecuteGetMempolicy(const scenario::Op& op, scenario::OpResult* result);
  void ExecuteGetrlimit(const scenario::Op& op, scenario::OpResult* result);
  void ExecuteClearRefs(const scenario::Op& op, scenario::OpResult* result);
  // Calls whose arguments are structures, or that concern other processes.
  static bool IsTaskCall(scenario::OpKind kind);
  Tracee::Stop TaskCall(const scenario::Op& op);
  // The mask of nodes in the process, or 0, and its maxnode.
  std::pair<uint64_t, uint64_t> PutNodes(const scenario::Op& op);
  Tracee::Stop ProcessMadvise(const scenario::Op& op);
  // Takes account of who died of it, and who was waited for.
  void AfterTaskCall(const scenario::Op& op, scenario::OpResult* result);
  pid_t TargetPid(const scenario::Op& op) const;
  void ExecuteFork(scenario::OpResult* result);
  void ExecuteAccess(const scenario::Op& op, scenario::OpResult* result);
  void ExecuteAccesses(const scenario::Op& op, scenario::OpResult* result);
  void ExecuteFileCall(const scenario::Op& op, scenario::OpResult* result);
  // What every stop has in common: a signal, a death.
  void RecordStop(const Tracee::Stop& stop, scenario::OpResult* result);

  std::string CheckExpect(const scenario::Op& op) const;
  std::string ReadProc(const std::string& path, int process) const;

  static void DrainBatches();
  void DumpAll(const scenario::DumpParts& parts);

  const scenario::Script& script_;
  const RunnerOptions options_;
  std::ostream& out_;
  ScenarioFiles files_;
  ProcessDumper dumper_;
  std::vector<std::unique_ptr<Tracee>> processes_;  // Null: dead.
  std::vector<pid_t> pids_;                         // Of the dead as well.
  uint64_t start_brk_ = 0;
  std::map<std::string, uint64_t> labels_;
  scenario::OpResult last_;
  int number_ = 0;
  bool peak_is_ours_ = false;  // scratch memory may have raised both
  rlimit scratch_as_ = {};     // the limits without scratch memory
  rlimit scratch_memlock_ = {};
};

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_NATIVE_RUNNER_H_
