// Re-derives everything about a machine that can be derived.
#ifndef FAULTLINE_SERVER_MACHINE_VERIFY_H_
#define FAULTLINE_SERVER_MACHINE_VERIFY_H_

#include <string>

#include "server/machine/kernel.h"

namespace faultline {

// "" or the first invariant that does not hold: what, where, expected, found.
std::string VerifyKernel(const Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_VERIFY_H_
