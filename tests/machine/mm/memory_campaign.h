// All that uses memory, together, and more of it than there is: processes, the
// page cache of their files, swap areas that come and go, a kernel that takes
// slabs, vmalloc's areas and pages, and an administrator who turns knobs.
#ifndef FAULTLINE_TESTS_MACHINE_MM_MEMORY_CAMPAIGN_H_
#define FAULTLINE_TESTS_MACHINE_MM_MEMORY_CAMPAIGN_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/base/prng.h"
#include "server/machine/machine.h"
#include "tests/machine/campaign.h"
#include "tests/machine/kernel_user.h"

namespace faultline {

class MemoryCampaign {
 public:
  struct Options {
    bool knobs = false;      // the administrator changes sysctls too
    bool collapses = false;  // shared memory, again and again
    uint64_t seed = 0;
  };
  MemoryCampaign(const MachineConfig& config, Options options);
  MemoryCampaign(const MemoryCampaign&) = delete;
  MemoryCampaign& operator=(const MemoryCampaign&) = delete;

  // One operation, or a few that belong together. The machine is verified
  // after each.
  void Step();
  // "", or the first thing that was wrong, and after which operation.
  const std::string& problem() const { return problem_; }
  uint64_t operations() const { return operations_; }
  // Steps in which there were processes to choose from.
  uint64_t lively_steps() const { return lively_steps_; }

  Outcome Do(Operation op, Pid pid);
  // The kernel gives everything back, everybody ends, every file is emptied.
  Kernel Ended();
  // The same of a machine of which the kernel has taken nothing.
  static Kernel Emptied(Machine m);

  Machine& machine() { return machine_; }
  const std::vector<Pid>& live() const { return live_; }

 private:
  uint64_t Below(uint64_t n) { return prng_.Next() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  const Kernel& k() const { return machine_.kernel(); }
  void After(const Operation& op);

  // memory_campaign.cc: processes.
  std::pair<uint64_t, uint64_t> Range();
  void FindLive();
  void StartAnother();
  void ForkFrom(Pid parent);
  void CallOf(Pid pid);
  Operation RangeCall();
  Operation MapCall();
  Operation SharedHugeCall();
  Operation RareCall(Pid pid);
  Operation ReplacementCall();
  Operation HeapCall(Pid pid);
  void FileCall(Pid pid);

  // memory_campaign_admin.cc: whoever is no process.
  void Prepare();
  void Administration();
  void SwapOnOrOff();
  void Knob();
  void DeviceCall(Pid pid);
  void KernelCalls();

  const Options options_;
  Prng prng_;
  Machine machine_;
  KernelUser user_;
  Campaign small_;  // calls about a few pages
  std::vector<Pid> live_;
  std::vector<std::pair<Pid, uint64_t>> heap_;  // what malloc() returned
  uint64_t kernel_turns_ = 0, operations_ = 0, lively_steps_ = 0;
  std::string problem_;
};

}  // namespace faultline

#endif  // FAULTLINE_TESTS_MACHINE_MM_MEMORY_CAMPAIGN_H_
