#include "server/machine/verify.h"

#include <cstdarg>
#include <cstdio>

#include "server/machine/verify/verifier.h"

namespace faultline {
namespace verify {

std::string Verifier::Run() {
  for (auto check :
       {&Verifier::CheckTasks,       &Verifier::CheckOwners,
        &Verifier::CheckFiles,       &Verifier::CheckVmas,
        &Verifier::CheckMempolicies, &Verifier::CheckAnonVmas,
        &Verifier::CheckInodes,      &Verifier::CheckWriteback,
        &Verifier::CheckPageTables,  &Verifier::CheckKernelMaps,
        &Verifier::CheckSlabs,       &Verifier::CheckSwap,
        &Verifier::CheckFrames,      &Verifier::CheckSlabStatistics,
        &Verifier::CheckDevices,     &Verifier::CheckZones,
        &Verifier::CheckStatistics,  &Verifier::CheckTlb,
        &Verifier::CheckShrinkers,   &Verifier::CheckKsm,
        &Verifier::CheckLru}) {
    (this->*check)();
    if (!problem_.empty()) return problem_;
  }
  return "";
}

void Verifier::Fail(const char* format, ...) {
  if (!ok()) return;
  char text[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  problem_ = text;
}

void Verifier::Expect(const char* what, const char* which, uint64_t id,
                      uint64_t expected, uint64_t found) {
  if (expected == found) return;
  Fail("%s of %s %llu: expected %llu, found %llu", what, which, ull{id},
       ull{expected}, ull{found});
}

}  // namespace verify

std::string VerifyKernel(const Kernel& k) { return verify::Verifier(k).Run(); }

}  // namespace faultline
