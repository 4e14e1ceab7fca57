#include "tests/native/real_kernel.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/scenario/parser.h"
#include "tests/native/native_runner.h"
#include "tests/native/proc_pid.h"

namespace faultline::native {
namespace {

uint64_t NumberIn(const std::string& path) {
  return std::strtoull(ReadWholeFile(path).c_str(), nullptr, 10);
}

RealKernel::Facts FactsHere(const std::string& files) {
  utsname names = {};
  uname(&names);
  RealKernel::Facts facts{
      .release = names.release,
      .thp = NativeRunner::KernelThpMode(),
      .machine = {.personality = PersonalityOf(names.release),
                  .sysctls = {{"kernel.cap_bound", OwnCapabilities()},
                              {"vm.mmap_min_addr",
                               NumberIn("/proc/sys/vm/mmap_min_addr")}}}};
  facts.poisons = access("/proc/sys/vm/memory_failure_recovery", F_OK) == 0;
  struct stat folder;
  if (files.empty() || stat(files.c_str(), &folder) != 0) return facts;
  facts.has_disk = true;
  const std::string device =
      absl::StrCat(major(folder.st_dev), ":", minor(folder.st_dev));
  scenarios::Sysctls& sysctls = facts.machine.sysctls;
  sysctls.emplace_back(
      "bdi.read_ahead_kb",
      NumberIn(absl::StrCat("/sys/class/bdi/", device, "/read_ahead_kb")));
  sysctls.emplace_back("bdi.max_sectors_kb",
                       NumberIn(absl::StrCat("/sys/dev/block/", device,
                                             "/queue/max_sectors_kb")));
  return facts;
}

class KernelHere final : public RealKernel {
 public:
  explicit KernelHere(const std::string& files)
      : RealKernel(FactsHere(files)), files_(files) {}

  Answer Ask(const std::string& name, const std::string& text,
             bool on_disk) override {
    Answer answer;
    const auto script = scenario::ParseScript(name, text);
    answer.problem = script.ok() ? NativeRunner::FirstUnsupported(*script)
                                 : std::string(script.status().message());
    if (!answer.problem.empty()) return answer;
    std::ostringstream lines;
    NativeRunner runner(
        *script,
        {.maps_each = false, .files = on_disk ? files_ : std::string()}, lines);
    answer.failure = runner.Run();
    answer.lines = lines.str();
    return answer;
  }

 private:
  const std::string files_;
};

}  // namespace

v1::Personality PersonalityOf(const std::string& release) {
  return absl::StartsWith(release, "6.1.") ? v1::PERSONALITY_LINUX_6_1
                                           : v1::PERSONALITY_LINUX_6_18;
}

std::string NameOf(v1::Personality personality) {
  return personality == v1::PERSONALITY_LINUX_6_1 ? "linux-6.1" : "linux-6.18";
}

std::unique_ptr<RealKernel> ThisKernel(const std::string& files) {
  return std::make_unique<KernelHere>(files);
}

}  // namespace faultline::native
