// A simulated machine whose first process has the page that the process of the
// native runner has (tests/native/tracee.h), since it counts in the batches of
// the resident set's counters and in status. No text shows it.

#ifndef FAULTLINE_TESTS_SCENARIOS_WITH_HIDDEN_PAGE_H_
#define FAULTLINE_TESTS_SCENARIOS_WITH_HIDDEN_PAGE_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "faultline/v1/session.pb.h"
#include "server/scenario/script.h"
#include "server/scenario/target.h"
#include "tests/scenarios/verified_machine.h"

namespace faultline::scenarios {

class WithHiddenPage final : public scenario::Target {
 public:
  // As in the native runner, mlockall does not lock it; the process of a
  // recording has it locked.
  enum class Mlockall { kLeavesIt, kLocksIt };

  // Maps, touches and protects the page at `page`.
  static absl::StatusOr<std::unique_ptr<WithHiddenPage>> Make(
      std::unique_ptr<scenario::Target> target, uint64_t page,
      Mlockall mlockall);
  // The native runner's process has unmapped its image since it got the page,
  // and the memory for an answer after mincore and get_mempolicy; who unmaps
  // something tells its mm what is resident (mm/rss_stat.h), so this one does.
  // REQUIRES: nothing is mapped below the page.
  absl::Status TellRssAsTheRunner();

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override;
  absl::StatusOr<std::string> ReadProc(const std::string& path) override;
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override;
  void set_event_level(v1::EventLevel level) override;
  std::string Describe() const override;

 private:
  WithHiddenPage(std::unique_ptr<scenario::Target> target, uint64_t page,
                 Mlockall mlockall);
  absl::Status TellRss(uint32_t pid);
  void RemoveArea(std::string& text) const;

  const std::unique_ptr<scenario::Target> target_;
  const uint64_t page_;
  const Mlockall mlockall_;
  bool tells_rss_ = false;
};

// By their names; "kernel.cap_bound" is what root may do.
using Sysctls = std::vector<std::pair<std::string, uint64_t>>;

// What the machine is where the script's `boot` does not say.
struct KernelFacts {
  v1::Personality personality = v1::PERSONALITY_UNSPECIFIED;  // the default
  Sysctls sysctls;
};

// Runs the script on a machine that has the page, and writes its JSON lines;
// what it stopped at, or nothing.
std::string SimulateWithHiddenPage(const scenario::Script& script,
                                   uint64_t page, const KernelFacts& kernel,
                                   Verification verification,
                                   std::ostream& out);

}  // namespace faultline::scenarios

#endif  // FAULTLINE_TESTS_SCENARIOS_WITH_HIDDEN_PAGE_H_
