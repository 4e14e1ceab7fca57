#include "server/grading/decide.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/grading/names.h"
#include "server/grading/value.h"

namespace faultline::grading {
namespace {

bool ShapesVmas(const v1::Event& event) {
  return event.has_vma_create() || event.has_vma_merge() ||
         event.has_vma_split() || event.has_vma_change() ||
         event.has_vma_expand() || event.has_vma_remove() ||
         event.has_vma_move();
}

bool ShapesMemory(const v1::Event& event) {
  return event.has_fault_resolved() || event.has_vma_remove() ||
         event.has_sched_process_fork() || event.has_sched_process_exit();
}

// The last event before `steps_end` that `shapes` says yes to.
absl::optional<EventPlace> FindLast(const Trial& trial, size_t steps_end,
                                    bool (*shapes)(const v1::Event&)) {
  for (size_t i = std::min(steps_end, trial.steps().size()); i > 0; --i) {
    const auto& events = trial.steps()[i - 1].outcome.events();
    for (int j = events.size(); j > 0; --j) {
      if (shapes(events[j - 1])) return EventPlace{i - 1, j - 1};
    }
  }
  return absl::nullopt;
}

// What an outcome shows when it is no number: a refused access says why.
absl::optional<EventPlace> FindRefusal(const Trial& trial, size_t step) {
  const auto& events = trial.steps()[step].outcome.events();
  for (int j = 0; j < events.size(); ++j) {
    if (events[j].has_fault_refused()) return EventPlace{step, j};
  }
  return absl::nullopt;
}

EventPlace Counted(const Trace& trace, absl::optional<int64_t> given) {
  const auto size = static_cast<int64_t>(trace.counted.size());
  const bool less = given && *given >= 0 && *given < size;
  return trace.counted[static_cast<size_t>(less ? *given : size - 1)];
}

std::string InFile(const std::string& file, const Step& step) {
  return step.number > 0 ? absl::StrCat(file, ", operation ", step.number)
                         : absl::StrCat(file, ", line ", step.line);
}

}  // namespace

WhereToSee InFiles(std::string setup_file, std::string submission_file) {
  return
      [setup = std::move(setup_file), submission = std::move(submission_file)](
          const Trial& trial, size_t index) {
        const bool own = trial.setup_ended() && index >= trial.setup_steps();
        return InFile(own ? submission : setup, trial.steps()[index]);
      };
}

WhereToSee InSession(std::string session) {
  return [name = std::move(session)](const Trial&, size_t index) {
    return absl::StrCat(name, "@", index + 1);
  };
}

std::string Sentence(const Step& step) {
  const v1::Outcome& o = step.outcome;
  const std::string call = absl::StrCat("`", step.text, "` ");
  if (o.no_process()) return absl::StrCat(call, "found its process ended.");
  if (o.signal().signal() != 0) {
    return absl::StrCat(call, "raised ", SignalText(o.signal().signal()), " (",
                        SignalCodeText(o.signal().signal(), o.signal().code()),
                        ") at ", Hex(static_cast<int64_t>(o.signal().addr())),
                        ".");
  }
  if (o.error() != v1::ERRNO_UNSPECIFIED) {
    return absl::StrCat(call, "returned -1 ", ErrnoText(o.error()), ".");
  }
  if (o.exited()) return absl::StrCat(call, "ended the process.");
  if (step.command.has_access()) {
    return absl::StrCat(call, "took ", o.min_flt(), " minor and ", o.maj_flt(),
                        " major faults",
                        step.command.access().kind() == v1::ACCESS_KIND_READ
                            ? absl::StrCat(" and read ", o.value())
                            : "",
                        ".");
  }
  return absl::StrCat(call, "returned ",
                      o.value() >= 0 && o.value() < 4096
                          ? absl::StrCat(o.value())
                          : Hex(o.value()),
                      ".");
}

Decision DecideBy(const Trial& trial, EventPlace place,
                  const WhereToSee& where) {
  return {trial.steps()[place.step].outcome.events(place.event).text(),
          where(trial, place.step)};
}

Decision DecideByStep(const Trial& trial, size_t step,
                      const WhereToSee& where) {
  if (const auto refusal = FindRefusal(trial, step)) {
    return DecideBy(trial, *refusal, where);
  }
  return {Sentence(trial.steps()[step]), where(trial, step)};
}

Decision Decide(const Trial& trial, const Trace& trace,
                absl::optional<int64_t> given, const WhereToSee& where) {
  if (!trace.counted.empty()) {
    return DecideBy(trial, Counted(trace, given), where);
  }
  if (trace.vmas || trace.memory) {
    const auto last = FindLast(trial, trace.steps_end,
                               trace.vmas ? ShapesVmas : ShapesMemory);
    if (last) return DecideBy(trial, *last, where);
  }
  if (trace.step >= 0) {
    return DecideByStep(trial, static_cast<size_t>(trace.step), where);
  }
  if (trial.steps().empty()) return {};
  return DecideByStep(trial, trial.steps().size() - 1, where);
}

}  // namespace faultline::grading
