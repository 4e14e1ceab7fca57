// Grading what a student did to a machine.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"
#include "server/codec/status_macros.h"
#include "server/grading/events.h"
#include "server/grading/facts.h"
#include "server/grading/grade.h"
#include "server/grading/template.h"

namespace faultline::grading {
namespace {

std::string NameOf(const v1::Command& command) {
  const auto* op = v1::Command::GetReflection()->GetOneofFieldDescriptor(
      command, v1::Command::descriptor()->FindOneofByName("op"));
  return op == nullptr ? "" : op->name();
}

template <class List>
bool Contains(const List& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// What commands took together.
struct Spent {
  int64_t commands = 0;
  int64_t minor_faults = 0;
  int64_t major_faults = 0;
  int64_t nanoseconds = 0;

  void Add(const v1::Outcome& outcome) {
    ++commands;
    minor_faults += static_cast<int64_t>(outcome.min_flt());
    major_faults += static_cast<int64_t>(outcome.maj_flt());
    nanoseconds += static_cast<int64_t>(outcome.cost_ns());
  }
};

// "minor faults" when there are more than the budget has; empty: it suffices.
std::string Overdrawn(const v1::Budget& budget, const Spent& spent) {
  const auto say = [](int64_t max, int64_t used, absl::string_view what) {
    return absl::StrCat(used, " ", what, " of ", max);
  };
  if (budget.has_commands() && spent.commands > budget.commands()) {
    return say(budget.commands(), spent.commands, "commands");
  }
  if (budget.has_minor_faults() && spent.minor_faults > budget.minor_faults()) {
    return say(budget.minor_faults(), spent.minor_faults, "minor faults");
  }
  if (budget.has_major_faults() && spent.major_faults > budget.major_faults()) {
    return say(budget.major_faults(), spent.major_faults, "major faults");
  }
  if (budget.has_nanoseconds() && spent.nanoseconds > budget.nanoseconds()) {
    return say(budget.nanoseconds(), spent.nanoseconds,
               "simulated nanoseconds");
  }
  return "";
}

absl::Status CheckAllowed(const v1::Rules& rules, const std::string& name) {
  const bool allowed = rules.allow_size() == 0 || Contains(rules.allow(), name);
  if (allowed && !Contains(rules.deny(), name)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      name, " is not allowed here",
      rules.allow_size() == 0
          ? ""
          : absl::StrCat(", only ", absl::StrJoin(rules.allow(), ", "))));
}

// --- Goals

// What became of a goal.
struct Finding {
  bool achieved = false;
  std::string actual;
  Decision decision;
};

absl::StatusOr<bool> Matches(const Trial& trial, const v1::Event& event,
                             const std::string& kind,
                             absl::optional<uint32_t> process,
                             const Expression* where, const Scope& scope) {
  if (!IsOfKind(event, kind)) return false;
  if (process && event.pid() != trial.PidOf(*process)) return false;
  if (where == nullptr) return true;
  FL_ASSIGN_OR_RETURN(const Value holds,
                      Evaluate(*where, EventScope(event, scope)));
  return holds.is_number() && holds.number() != 0;
}

// A pattern that can be asked of many events.
class Matcher {
 public:
  template <class Pattern>
  static absl::StatusOr<Matcher> Of(const Pattern& pattern) {
    Matcher matcher;
    matcher.kind_ = pattern.event();
    if (pattern.has_process()) matcher.process_ = pattern.process();
    if (!pattern.where().empty()) {
      FL_ASSIGN_OR_RETURN(Expression where, ParseExpression(pattern.where()));
      matcher.where_ = std::make_shared<Expression>(std::move(where));
    }
    return matcher;
  }

  absl::StatusOr<bool> Matches(const Trial& trial, const v1::Event& event,
                               const Scope& scope) const {
    return grading::Matches(trial, event, kind_, process_, where_.get(), scope);
  }
  const std::string& kind() const { return kind_; }

 private:
  std::string kind_;
  absl::optional<uint32_t> process_;
  std::shared_ptr<const Expression> where_;
};

// The next event of the submission at or after `from` that matches.
absl::StatusOr<absl::optional<EventPlace>> FindNext(const Trial& trial,
                                                    const Matcher& matcher,
                                                    EventPlace from,
                                                    const Scope& scope) {
  for (size_t i = from.step; i < trial.steps().size(); ++i) {
    const auto& events = trial.steps()[i].outcome.events();
    for (int j = i == from.step ? from.event : 0; j < events.size(); ++j) {
      FL_ASSIGN_OR_RETURN(const bool matches,
                          matcher.Matches(trial, events[j], scope));
      if (matches) return absl::optional<EventPlace>(EventPlace{i, j});
    }
  }
  return absl::optional<EventPlace>();
}

// How often: `otherwise` when the exercise does not say.
absl::StatusOr<int64_t> Bound(const std::string& expression, int64_t otherwise,
                              const Scope& scope) {
  return expression.empty() ? otherwise : EvaluateNumber(expression, scope);
}

absl::StatusOr<Finding> FindEvent(const v1::EventGoal& goal, const Trial& trial,
                                  const Scope& scope, const WhereToSee& where) {
  FL_ASSIGN_OR_RETURN(const Matcher matcher, Matcher::Of(goal));
  FL_ASSIGN_OR_RETURN(const int64_t at_least, Bound(goal.at_least(), 1, scope));
  FL_ASSIGN_OR_RETURN(const int64_t at_most,
                      Bound(goal.at_most(), INT64_MAX, scope));
  Finding finding;
  int64_t count = 0;
  EventPlace from{trial.setup_steps(), 0};
  while (true) {
    FL_ASSIGN_OR_RETURN(const auto place,
                        FindNext(trial, matcher, from, scope));
    if (!place) break;
    ++count;
    // The one that reaches the number, or the first that is too much.
    const bool decides = count <= at_least || count - 1 == at_most;
    if (decides) finding.decision = DecideBy(trial, *place, where);
    from = {place->step, place->event + 1};
  }
  finding.achieved = count >= at_least && count <= at_most;
  finding.actual = absl::StrCat(count, " x ", matcher.kind());
  return finding;
}

absl::StatusOr<Finding> FindSequence(const v1::Goal& goal, const Trial& trial,
                                     const Scope& scope,
                                     const WhereToSee& where) {
  Finding finding;
  EventPlace from{trial.setup_steps(), 0};
  int found = 0;
  for (const v1::EventPattern& pattern : goal.sequence()) {
    FL_ASSIGN_OR_RETURN(const Matcher matcher, Matcher::Of(pattern));
    FL_ASSIGN_OR_RETURN(const auto place,
                        FindNext(trial, matcher, from, scope));
    if (!place) break;
    ++found;
    finding.decision = DecideBy(trial, *place, where);
    from = {place->step, place->event + 1};
  }
  finding.achieved = found == goal.sequence_size();
  finding.actual =
      absl::StrCat(found, " of ", goal.sequence_size(), " events in order");
  if (!finding.achieved) {
    absl::StrAppend(&finding.actual, ", then no ",
                    goal.sequence(found).event());
  }
  return finding;
}

// A state that cannot be asked for (its process has ended) is not achieved.
Finding FindState(const v1::Goal& goal, const Trial& trial, TrialScope& scope,
                  const WhereToSee& where) {
  const absl::StatusOr<bool> holds = EvaluateTruth(goal.state(), scope);
  Finding finding;
  finding.achieved = holds.ok() && *holds;
  finding.actual = finding.achieved ? "it holds" : "it does not hold";
  if (!holds.ok()) finding.actual = std::string(holds.status().message());
  finding.decision = Decide(trial, scope.trace(), absl::nullopt, where);
  return finding;
}

Finding FindSpent(const v1::Budget& within, const Trial& trial,
                  const WhereToSee& where) {
  Finding finding;
  finding.achieved = true;
  Spent spent;
  for (size_t i = trial.setup_steps(); i < trial.steps().size(); ++i) {
    spent.Add(trial.steps()[i].outcome);
    if (!finding.achieved || Overdrawn(within, spent).empty()) continue;
    finding.achieved = false;
    finding.decision = DecideByStep(trial, i, where);
  }
  finding.actual =
      absl::StrCat(spent.commands, " commands, ", spent.minor_faults,
                   " minor and ", spent.major_faults, " major faults, ",
                   spent.nanoseconds, " simulated nanoseconds");
  return finding;
}

absl::StatusOr<Finding> Find(const v1::Goal& goal, const Trial& trial,
                             TrialScope& scope, const WhereToSee& where) {
  if (goal.has_event()) return FindEvent(goal.event(), trial, scope, where);
  if (goal.sequence_size() > 0) {
    return FindSequence(goal, trial, scope, where);
  }
  if (goal.has_within()) return FindSpent(goal.within(), trial, where);
  return FindState(goal, trial, scope, where);
}

absl::Status InGoal(const v1::Goal& goal, const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat("goal ", goal.id(), ": ", status.message()));
}

absl::StatusOr<v1::GradedCheck> GradeGoal(const Case& c, const Trial& trial,
                                          const v1::Goal& goal) {
  TrialScope scope(trial, c.drawn.values);
  v1::GradedCheck check;
  check.set_id(goal.id());
  check.set_hidden(goal.hidden());
  check.set_points_max(PointsOf(goal));
  const absl::StatusOr<std::string> title = Fill(goal.text(), scope);
  if (!title.ok()) return InGoal(goal, title.status());
  check.set_title(OneLine(*title));
  scope.ForgetTrace();
  const absl::StatusOr<Finding> finding = Find(goal, trial, scope, c.where);
  if (!finding.ok()) return InGoal(goal, finding.status());
  if (finding->achieved) check.set_points(PointsOf(goal));
  check.set_actual(finding->actual);
  check.set_deciding_event(finding->decision.event);
  check.set_evidence(finding->decision.evidence);
  check.set_message(finding->achieved ? "achieved" : "not achieved");
  if (!finding->achieved && !goal.hint().empty()) {
    const absl::StatusOr<std::string> hint = Fill(goal.hint(), scope);
    if (!hint.ok()) return InGoal(goal, hint.status());
    check.set_message(OneLine(*hint));
  }
  if (!goal.state().empty()) {
    check.set_staff_message(absl::StrCat("`", goal.state(), "`"));
  }
  return check;
}

// A goal that holds for one who does nothing.
bool IsCondition(const v1::Goal& goal) {
  return goal.has_within() || goal.event().at_least() == "0";
}

// Doing little is no merit in itself: what bounds the effort counts once all
// the rest is achieved.
void DiscountIdleness(const v1::Exercise& exercise, v1::GradeReport* report) {
  bool achieved = true;
  for (int i = 0; i < exercise.goals_size(); ++i) {
    if (IsCondition(exercise.goals(i))) continue;
    achieved = achieved && report->checks(i).points() > 0;
  }
  for (int i = 0; !achieved && i < exercise.goals_size(); ++i) {
    if (!IsCondition(exercise.goals(i))) continue;
    report->mutable_checks(i)->set_points(0);
    report->mutable_checks(i)->set_message(
        "counts once the other goals are achieved");
  }
}

}  // namespace

Trial::Referee MakeReferee(const v1::Rules& rules) {
  auto spent = std::make_shared<Spent>();
  return [rules, spent](const v1::Command& command,
                        const v1::Outcome* outcome) -> absl::Status {
    if (outcome == nullptr) return CheckAllowed(rules, NameOf(command));
    Spent after = *spent;
    after.Add(*outcome);
    const std::string overdrawn = Overdrawn(rules.budget(), after);
    if (!overdrawn.empty()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the budget is used up: ", overdrawn));
    }
    *spent = after;
    return absl::OkStatus();
  };
}

absl::Status Perform(const v1::Exercise& exercise, const std::string& file,
                     absl::string_view scenario, const Stage& stage) {
  stage.trial->EndSetup(MakeReferee(exercise.rules()));
  return stage.rehearsal->RunSubmission(file, scenario);
}

absl::StatusOr<v1::GradeReport> GradeTrial(const Case& c, const Trial& trial,
                                           absl::string_view stopped) {
  v1::GradeReport report = StartReport(c);
  for (const v1::Goal& goal : c.exercise.proto.goals()) {
    FL_ASSIGN_OR_RETURN(*report.add_checks(), GradeGoal(c, trial, goal));
  }
  DiscountIdleness(c.exercise.proto, &report);
  if (!stopped.empty()) {
    report.set_message(
        absl::StrCat("Only what comes before this was looked at: ", stopped));
  }
  Finish(&report);
  return report;
}

}  // namespace faultline::grading
