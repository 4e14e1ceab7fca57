// The classic picture of a process's memory, and physical memory below it, as
// scenarios that explain themselves: each line of picture/*.s and physical/*.s
// that begins with `expect` must hold. The machine is verified after every
// command.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "server/scenario/parser.h"
#include "server/scenario/report.h"
#include "server/scenario/runner.h"
#include "tests/scenarios/verified_machine.h"

namespace faultline::scenarios {
namespace {

// Their paths, without the extension.
std::vector<std::string> Pictures() {
  std::vector<std::string> paths;
  for (const char* directory :
       {"tests/scenarios/picture", "tests/scenarios/physical"}) {
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator(directory, error)) {
      if (entry.path().extension() != ".s") continue;
      paths.push_back(entry.path().parent_path() / entry.path().stem());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

class Picture : public testing::TestWithParam<std::string> {};

TEST_P(Picture, IsWhatTheMachineDoes) {
  const auto script = scenario::ReadScript(GetParam() + ".s");
  ASSERT_TRUE(script.ok()) << script.status();
  std::ostringstream text;
  const auto printer = scenario::MakeTextPrinter(text, scenario::Style(false));
  scenario::Runner runner(
      [](const v1::MachineConfig& config) {
        return MakeMachine(config, Verification::kAfterEveryCommand);
      },
      *printer, {}, script->file_name);
  const absl::Status status = runner.Run(*script);
  EXPECT_TRUE(status.ok()) << status << "\n" << text.str();
  const auto expectations = std::count_if(
      script->ops.begin(), script->ops.end(),
      [](const auto& op) { return op.kind == scenario::OpKind::kExpect; });
  EXPECT_GT(expectations, 3);
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Picture, testing::ValuesIn(Pictures()),
                         [](const auto& info) {
                           std::string name = info.param.substr(
                               info.param.find_last_of('/') + 1);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Pictures, AreAllThere) {
  EXPECT_EQ(Pictures(),
            (std::vector<std::string>{
                "tests/scenarios/physical/bad-frees",
                "tests/scenarios/physical/beladys-anomaly",
                "tests/scenarios/physical/highmem",
                "tests/scenarios/physical/kmalloc-and-vmalloc",
                "tests/scenarios/physical/kmap",
                "tests/scenarios/physical/map-driver",
                "tests/scenarios/physical/migrate-types",
                "tests/scenarios/physical/oom",
                "tests/scenarios/physical/readahead",
                "tests/scenarios/physical/shrinkers",
                "tests/scenarios/physical/slab-bugs",
                "tests/scenarios/physical/slabs",
                "tests/scenarios/physical/swap-areas",
                "tests/scenarios/physical/thrashing",
                "tests/scenarios/physical/three-levels",
                "tests/scenarios/physical/two-levels",
                "tests/scenarios/physical/writeback",
                "tests/scenarios/physical/zone-movable",
                "tests/scenarios/physical/zones-of-a-recorded-machine",
                "tests/scenarios/picture/gonzo-maps",
                "tests/scenarios/picture/heap-steps",
                "tests/scenarios/picture/ksm",
                "tests/scenarios/picture/memory-policies",
                "tests/scenarios/picture/merge-and-refusal",
                "tests/scenarios/picture/roads-to-do-mmap",
                "tests/scenarios/picture/rss-of-vsz",
                "tests/scenarios/picture/unmapped-area"}));
}

}  // namespace
}  // namespace faultline::scenarios
