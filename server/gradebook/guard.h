// Where grading ends that breaks the simulator: not the server.
#ifndef FAULTLINE_SERVER_GRADEBOOK_GUARD_H_
#define FAULTLINE_SERVER_GRADEBOOK_GUARD_H_

#include <new>
#include <utility>

#include "absl/strings/string_view.h"
#include "server/codec/errors.h"
#include "server/machine/base/bug.h"
#include "server/session/execute.h"

namespace faultline {

// What `work` returns, a Status or StatusOr. `name` is the resource it is
// about.
template <class Work>
auto Guard(absl::string_view name, Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (const KernelBug& bug) {
    return errors::SimulatorBug(name, bug.what());
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_GRADEBOOK_GUARD_H_
