// Runs scenarios on a trial: the set-up of an exercise, and then what a student
// wrote, which may use the labels, files and processes of the set-up.
#ifndef FAULTLINE_SERVER_GRADING_REHEARSAL_H_
#define FAULTLINE_SERVER_GRADING_REHEARSAL_H_

#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/grading/trial.h"
#include "server/scenario/parser.h"
#include "server/scenario/runner.h"

namespace faultline::grading {

// What the set-up is called in messages.
inline constexpr char kSetupName[] = "setup";

class Rehearsal {
 public:
  // `trial` must outlive it.
  explicit Rehearsal(Trial& trial);
  ~Rehearsal();

  // Keeps the machine as it is after each of the labelled operations `moments`.
  // INVALID_ARGUMENT for what is no scenario, one line for each error, or for
  // what no set-up may have; else what the runner said. Messages begin with
  // `setup:LINE:COLUMN: `.
  absl::Status RunSetup(absl::string_view text,
                        const std::set<std::string>& moments);

  // After the set-up. INVALID_ARGUMENT for what is no scenario, nothing is run
  // then. Any other error stopped it where the message says: FILE:LINE:COLUMN.
  absl::Status RunSubmission(const std::string& file_name,
                             absl::string_view text);

 private:
  class Listener;

  absl::Status Run(const scenario::Script& script);
  void Attribute(const scenario::Op& op, size_t first);

  Trial& trial_;
  const std::unique_ptr<Listener> listener_;
  std::unique_ptr<scenario::Runner> runner_;
  scenario::Parser parser_;
  std::set<std::string> moments_;
  int numbers_before_ = 0;  // operations of the set-up
};

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_REHEARSAL_H_
