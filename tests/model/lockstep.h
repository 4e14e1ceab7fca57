// A machine and the model side by side: both do a command, and must agree in
// what it came to, in what is mapped how, and in what every page reads.
#ifndef FAULTLINE_TESTS_MODEL_LOCKSTEP_H_
#define FAULTLINE_TESTS_MODEL_LOCKSTEP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/machine.h"
#include "tests/model/model.h"

namespace faultline::model {

// Where the commands are about: page 0, a multiple of 2 MiB.
inline constexpr uint64_t kWindow = 0x10000000;
constexpr uint64_t PageAt(uint64_t page) { return kWindow + page * kPageSize; }
inline constexpr uint64_t kStartBrk = 0x555555555000;
// Descriptors: 3 and 4 are open for reading and writing, 5 for reading.
inline constexpr int32_t kReadWriteFd = 3, kOtherFd = 4, kReadOnlyFd = 5;
inline constexpr uint64_t kFilePages = 6;

// A machine whose first process has those descriptors.
Machine MachineWithFiles();

class Lockstep {
 public:
  Lockstep();

  // Both do it, and the machine is verified; "" or where they disagree. A
  // command that the model does not know is not done: "".
  std::string Do(const Command& command) { return DoEach(command, command); }
  // The machine and the model do one each: how a test sees that a difference
  // is found. REQUIRES: the model knows its own.
  std::string DoEach(const Command& machines, const Command& models);

  const Machine& machine() const { return machine_; }
  const Model& model() const { return model_; }
  // Commands done since the start.
  uint64_t done() const { return done_; }

 private:
  std::string CompareOutcome(const Expected& expected,
                             const Outcome& outcome) const;
  std::string CompareAreas() const;
  std::string ComparePages() const;

  Machine machine_;
  Model model_;
  uint64_t done_ = 0;
};

// Runs the commands on a fresh pair; "" or the first disagreement, with the
// number of the command. `done`, if given, gets how many both did.
std::string RunCommands(const std::vector<Command>& commands,
                        uint64_t* done = nullptr);

// The command as a line of the scenario language, so that what a failure shows
// can be given to the real kernel.
std::string ScenarioLine(const Command& command);
// A whole script, files included.
std::string ScenarioText(const std::vector<Command>& commands);

}  // namespace faultline::model

#endif  // FAULTLINE_TESTS_MODEL_LOCKSTEP_H_
