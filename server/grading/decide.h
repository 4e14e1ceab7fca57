// Which event decided an answer: what feedback points at, so that a student
// sees not only that an answer is wrong but what happened instead.
#ifndef FAULTLINE_SERVER_GRADING_DECIDE_H_
#define FAULTLINE_SERVER_GRADING_DECIDE_H_

#include <functional>
#include <string>

#include "absl/types/optional.h"
#include "server/grading/facts.h"
#include "server/grading/trial.h"

namespace faultline::grading {

// Where a step of a trial can be seen again: "sessions/lab-1@7", or "sub.s,
// operation 3". `index` is that in trial.steps().
using WhereToSee = std::function<std::string(const Trial& trial, size_t index)>;

// Of a trial that was run from files.
WhereToSee InFiles(std::string setup_file, std::string submission_file);
// Of one that is recorded: step i made revision i + 1.
WhereToSee InSession(std::string session);

struct Decision {
  std::string event;     // its sentence, or that of a call
  std::string evidence;  // where to see it again
};

// Of events that were counted: the one that comes after the `given` first ones,
// if the answer was less than their number, else the last. Of state: the last
// event that shaped it. Else the outcome of the operation that was looked at.
// Empty when nothing happened at all.
Decision Decide(const Trial& trial, const Trace& trace,
                absl::optional<int64_t> given, const WhereToSee& where);

// The event itself; an outcome when it has none that matters.
Decision DecideBy(const Trial& trial, EventPlace place,
                  const WhereToSee& where);
Decision DecideByStep(const Trial& trial, size_t step, const WhereToSee& where);

// "`mmap 0 0 rw- ANON` returned -1 EINVAL."
std::string Sentence(const Step& step);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_DECIDE_H_
