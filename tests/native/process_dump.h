// Turns what /proc says of an observed process into the rows of a dump.

#ifndef FAULTLINE_TESTS_NATIVE_PROCESS_DUMP_H_
#define FAULTLINE_TESTS_NATIVE_PROCESS_DUMP_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "server/scenario/json_lines.h"
#include "tests/native/proc_pid.h"
#include "tests/native/scenario_files.h"

namespace faultline::native {

class ProcessDumper {
 public:
  explicit ProcessDumper(const ScenarioFiles& files) : files_(files) {}

  // Begins a dump: the ordinals of page frames start again. Those of inodes
  // go on through the run.
  void Begin() { frames_.clear(); }

  // One process; its number and the dump's are for the caller to fill in.
  scenario::DumpResult Dump(pid_t pid, const scenario::DumpParts& parts);

 private:
  scenario::MapsRow MapsRowOf(const ProcMapsRow& row);
  scenario::PageRow PageRowOf(const ProcPage& page);

  const ScenarioFiles& files_;
  std::map<std::string, int> inodes_;  // By device and number.
  std::map<uint64_t, int> frames_;
};

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_PROCESS_DUMP_H_
