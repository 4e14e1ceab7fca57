// The kernel that judges: the one this program runs on, or one of a virtual
// machine in which a second `conformance` does what it is asked.

#ifndef FAULTLINE_TESTS_NATIVE_REAL_KERNEL_H_
#define FAULTLINE_TESTS_NATIVE_REAL_KERNEL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "faultline/v1/session.pb.h"
#include "tests/scenarios/with_hidden_page.h"

namespace faultline::native {

// Of "6.1.0-57-amd64"; what has no personality of its own is taken for 6.18.
v1::Personality PersonalityOf(const std::string& release);
// "linux-6.1", as `boot personality=` has it.
std::string NameOf(v1::Personality personality);

struct Answer {
  std::string problem;  // it cannot be asked this; then there is nothing else
  std::string failure;  // the first expectation that did not hold
  std::string lines;    // what the run printed
};

class RealKernel {
 public:
  virtual ~RealKernel() = default;

  struct Facts {
    std::string release;
    std::string thp;  // transparent_hugepage/enabled
    // Its personality, what root may do, where mappings may begin; with a disk,
    // how that is read.
    scenarios::KernelFacts machine;
    bool has_disk = false;
    bool poisons = false;  // CONFIG_MEMORY_FAILURE: MADV_HWPOISON does it
  };
  const Facts& facts() const { return facts_; }
  // Runs a scenario, its files on the disk or in a ramfs.
  virtual Answer Ask(const std::string& name, const std::string& script,
                     bool on_disk) = 0;

 protected:
  explicit RealKernel(Facts facts) : facts_(std::move(facts)) {}

 private:
  const Facts facts_;
};

// `files`: a directory of the disk, or empty. REQUIRES: root, and that this
// process may trace its children.
std::unique_ptr<RealKernel> ThisKernel(const std::string& files);

// The one whose virtual machine shares `folder` with us (linux61/run.sh).
absl::StatusOr<std::unique_ptr<RealKernel>> KernelAt(const std::string& folder);

// The other end of KernelAt: answers what `kernel` is asked on standard input,
// until that ends.
void Serve(RealKernel& kernel, const std::string& folder);

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_REAL_KERNEL_H_
