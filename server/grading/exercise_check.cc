#include "server/grading/exercise_check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/codec/config.h"
#include "server/grading/events.h"
#include "server/grading/exercise.h"
#include "server/grading/expression.h"
#include "server/grading/facts.h"
#include "server/grading/function.h"
#include "server/grading/template.h"
#include "server/limits.h"
#include "server/scenario/suggest.h"

namespace faultline::grading {
namespace {

// What an expression may stand on.
enum class On {
  kVariables,  // before anything has run
  kTrial,      // also on what the set-up and the student did
  kEvent,      // also on the fields of one event
};

bool IsId(absl::string_view id) {
  return !id.empty() && id.size() <= limits::kExerciseIdBytesMax &&
         absl::ascii_islower(static_cast<unsigned char>(id[0])) &&
         id.back() != '-' && std::all_of(id.begin(), id.end(), [](char c) {
           const auto u = static_cast<unsigned char>(c);
           return absl::ascii_islower(u) || absl::ascii_isdigit(u) || c == '-';
         });
}

class Checker {
 public:
  Checker(const v1::Exercise& exercise, const SourceMap& source,
          Problems* problems)
      : exercise_(exercise), source_(source), problems_(*problems) {}

  void Check() {
    CheckHead();
    CheckMachine();
    CheckVariables();
    CheckTemplate("text", exercise_.text(),
                  Predicts() ? On::kVariables : On::kTrial);
    CheckTemplate("setup", exercise_.setup(), On::kVariables);
    CheckKind();
    for (int i = 0; i < exercise_.questions_size(); ++i) {
      Check(absl::StrCat("questions[", i, "]"), exercise_.questions(i));
    }
    for (int i = 0; i < exercise_.goals_size(); ++i) {
      Check(absl::StrCat("goals[", i, "]"), exercise_.goals(i));
    }
    Check("rules", exercise_.rules());
  }

 private:
  bool Predicts() const { return exercise_.questions_size() > 0; }

  void Complain(const std::string& path, const std::string& text) {
    problems_.push_back({source_.Of(path),
                         path.empty() ? text : absl::StrCat(path, ": ", text)});
  }

  void Require(const std::string& path, absl::string_view field,
               absl::string_view value, absl::string_view example) {
    if (!absl::StripAsciiWhitespace(value).empty()) return;
    const std::string full =
        path.empty() ? std::string(field) : absl::StrCat(path, ".", field);
    Complain(full,
             absl::StrCat("is missing; add `", field, ": ", example, "`"));
  }

  void CheckHead();
  void CheckMachine();
  void CheckVariables();
  void Check(const std::string& path, const v1::Variable& variable);
  void Check(const std::string& path, const v1::Range& range);
  void CheckKind();
  void CheckAchieve();
  void CheckId(const std::string& path, const std::string& id);
  void CheckPoints(const std::string& path, bool present, double points);
  void Check(const std::string& path, const v1::Question& question);
  void CheckTolerance(const std::string& path, const v1::Question& question);
  void Check(const std::string& path, const v1::Misconception& wrong);
  void Check(const std::string& path, const v1::Goal& goal);
  void CheckPattern(const std::string& path, const std::string& event,
                    const std::string& where);
  void Check(const std::string& path, const v1::Rules& rules);
  void Check(const std::string& path, const v1::Budget& budget);
  void CheckNames(const std::string& path,
                  const google::protobuf::RepeatedPtrField<std::string>& names);

  // Expressions.
  void CheckExpression(const std::string& path, const std::string& text, On on,
                       const std::string& event = "");
  void CheckTemplate(const std::string& path, const std::string& text, On on);
  void CheckTree(const std::string& path, const Expression& e, On on,
                 const std::string& event);
  void CheckCall(const std::string& path, const Expression& e, On on,
                 const std::string& event);
  void CheckField(const std::string& path, const Expression& e, On on,
                  const std::string& event);

  const v1::Exercise& exercise_;
  const SourceMap& source_;
  Problems& problems_;
  std::vector<std::string> variables_;  // those above
  std::set<std::string> ids_;           // of questions and goals
};

void Checker::CheckHead() {
  Require("", "id", exercise_.id(), "my-exercise");
  Require("", "title", exercise_.title(), "What it is about");
  Require("", "text", exercise_.text(), "What the student reads");
  if (exercise_.title().size() > limits::kTitleBytesMax) {
    Complain("title", absl::StrCat("has ", exercise_.title().size(),
                                   " bytes: at most ", limits::kTitleBytesMax));
  }
  if (!exercise_.id().empty() && !IsId(exercise_.id())) {
    Complain("id", absl::StrCat("must be 1 to ", limits::kExerciseIdBytesMax,
                                " of a-z, 0-9 and -, first a letter, last no "
                                "-"));
  }
  const std::string& secret = exercise_.secret();
  const bool printable = std::all_of(secret.begin(), secret.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (secret.size() > limits::kSecretBytesMax || !printable) {
    Complain("secret", absl::StrCat("must be at most ", limits::kSecretBytesMax,
                                    " printable ASCII characters without "
                                    "spaces"));
  }
  if (exercise_.attempts() < 0 ||
      exercise_.attempts() > limits::kAttemptsPerStudentMax) {
    Complain("attempts",
             absl::StrCat("must be 1 to ", limits::kAttemptsPerStudentMax,
                          ", not ", exercise_.attempts()));
  }
}

void Checker::CheckMachine() {
  const auto config = ConfigFromProto(exercise_.machine(), "machine");
  if (config.ok()) return;
  problems_.push_back(
      {source_.Of("machine"), std::string(config.status().message())});
}

void Checker::CheckVariables() {
  if (exercise_.variables_size() > limits::kVariablesMax) {
    Complain("variables", absl::StrCat("there are ", exercise_.variables_size(),
                                       ": at most ", limits::kVariablesMax));
  }
  for (int i = 0; i < exercise_.variables_size(); ++i) {
    Check(absl::StrCat("variables[", i, "]"), exercise_.variables(i));
  }
  for (int i = 0; i < exercise_.require_size(); ++i) {
    CheckExpression(absl::StrCat("require[", i, "]"), exercise_.require(i),
                    On::kVariables);
  }
}

void Checker::Check(const std::string& path, const v1::Variable& variable) {
  const std::string& name = variable.name();
  Require(path, "name", name, "pages");
  if (!name.empty() && !IsWord(name, "_")) {
    Complain(path + ".name", "must be letters, digits and _, first a letter");
  }
  if (std::count(variables_.begin(), variables_.end(), name) > 0) {
    Complain(path + ".name", absl::StrCat("there is a variable '", name,
                                          "' already: rename one"));
  }
  const int sources = int{variable.has_range()} +
                      int{variable.choices_size() > 0} +
                      int{!variable.value().empty()};
  if (sources != 1) {
    Complain(path, absl::StrCat("has ", sources == 0 ? "none" : "several",
                                " of range, choices and value; give exactly "
                                "one: `range: {min: 4, max: 16}`, `choices: "
                                "[a, b]` or `value: pages / 2`"));
  }
  if (variable.has_range()) Check(path + ".range", variable.range());
  CheckExpression(path + ".value", variable.value(), On::kVariables);
  variables_.push_back(name);
}

void Checker::Check(const std::string& path, const v1::Range& range) {
  constexpr uint64_t kValuesMax = uint64_t{1} << 32;
  if (range.step() < 0) {
    Complain(path + ".step", "must be 1 or more");
  } else if (range.max() < range.min()) {
    Complain(path + ".max", absl::StrCat(range.max(), " is less than min, ",
                                         range.min(), ": swap them"));
  } else if (static_cast<uint64_t>(range.max()) -
                 static_cast<uint64_t>(range.min()) >=
             kValuesMax) {
    Complain(path, "has more than 2^32 values: make it smaller");
  }
}

void Checker::CheckKind() {
  if (Predicts() == (exercise_.goals_size() > 0)) {
    return Complain(Predicts() ? "goals" : "",
                    absl::StrCat("an exercise has either questions, which are "
                                 "answered, or goals, which are achieved; this "
                                 "has ",
                                 Predicts() ? "both" : "neither"));
  }
  const int checks =
      std::max(exercise_.questions_size(), exercise_.goals_size());
  if (checks > limits::kChecksMax) {
    Complain(
        Predicts() ? "questions" : "goals",
        absl::StrCat("there are ", checks, ": at most ", limits::kChecksMax));
  }
  if (!Predicts()) return CheckAchieve();
  Require("", "setup", exercise_.setup(), "|");
  for (const char* field : {"rules", "solution", "wrong"}) {
    if (!source_.Has(field)) continue;
    Complain(field,
             "belongs to an exercise with goals; this one has "
             "questions: remove it");
  }
}

void Checker::CheckAchieve() {
  Require("", "solution", exercise_.solution(), "|");
  CheckTemplate("solution", exercise_.solution(), On::kVariables);
  for (int i = 0; i < exercise_.wrong_size(); ++i) {
    const std::string path = absl::StrCat("wrong[", i, "]");
    Require(path, "name", exercise_.wrong(i).name(), "does too little");
    Require(path, "scenario", exercise_.wrong(i).scenario(), "|");
    CheckTemplate(path + ".scenario", exercise_.wrong(i).scenario(),
                  On::kVariables);
  }
}

void Checker::CheckId(const std::string& path, const std::string& id) {
  Require(path, "id", id, "faults");
  if (!id.empty() && !IsWord(id, "-_")) {
    Complain(path + ".id", "must be letters, digits, - and _, first a letter");
  }
  if (!ids_.insert(id).second) {
    Complain(path + ".id", absl::StrCat("'", id,
                                        "' is used twice: rename "
                                        "one"));
  }
}

void Checker::CheckPoints(const std::string& path, bool present,
                          double points) {
  const bool good =
      std::isfinite(points) && points > 0 && points <= limits::kPointsMax;
  if (!present || good) return;
  Complain(path + ".points", absl::StrCat("must be more than 0 and at most ",
                                          limits::kPointsMax));
}

void Checker::Check(const std::string& path, const v1::Question& question) {
  CheckId(path, question.id());
  Require(path, "text", question.text(), "What is asked");
  CheckTemplate(path + ".text", question.text(), On::kVariables);
  CheckPoints(path, question.has_points(), question.points());
  Require(path, "answer", question.answer(), "w.min");
  CheckExpression(path + ".answer", question.answer(), On::kTrial);
  CheckTemplate(path + ".explanation", question.explanation(), On::kTrial);
  CheckTolerance(path, question);
  if (question.choices_size() > 0 && question.type() != v1::ANSWER_TYPE_TEXT) {
    Complain(path + ".choices",
             "belong to `type: text`: add that, or remove "
             "them");
  }
  for (int i = 0; i < question.misconceptions_size(); ++i) {
    Check(absl::StrCat(path, ".misconceptions[", i, "]"),
          question.misconceptions(i));
  }
}

void Checker::CheckTolerance(const std::string& path,
                             const v1::Question& question) {
  const bool numeric = question.type() == v1::ANSWER_TYPE_UNSPECIFIED ||
                       question.type() == v1::ANSWER_TYPE_NUMBER ||
                       question.type() == v1::ANSWER_TYPE_NUMBERS;
  for (const auto& [field, value] :
       {std::make_pair("tolerance", question.tolerance()),
        std::make_pair("tolerance_percent", question.tolerance_percent())}) {
    if (!std::isfinite(value) || value < 0) {
      Complain(absl::StrCat(path, ".", field), "must be 0 or more");
    } else if (value > 0 && !numeric) {
      Complain(absl::StrCat(path, ".", field),
               "belongs to `type: number` or `type: numbers`: remove it");
    }
  }
}

void Checker::Check(const std::string& path, const v1::Misconception& wrong) {
  Require(path, "tag", wrong.tag(), "counts-every-page");
  if (!wrong.tag().empty() && !IsWord(wrong.tag(), "-")) {
    Complain(path + ".tag", "must be letters, digits and -, first a letter");
  }
  Require(path, "answer", wrong.answer(), "pages");
  CheckExpression(path + ".answer", wrong.answer(), On::kTrial);
  Require(path, "note", wrong.note(), "What to tell the student");
  CheckTemplate(path + ".note", wrong.note(), On::kTrial);
}

void Checker::Check(const std::string& path, const v1::Goal& goal) {
  CheckId(path, goal.id());
  Require(path, "text", goal.text(), "What is to be achieved");
  CheckTemplate(path + ".text", goal.text(), On::kTrial);
  CheckTemplate(path + ".hint", goal.hint(), On::kTrial);
  CheckPoints(path, goal.has_points(), goal.points());
  const int kinds = int{!goal.state().empty()} + int{goal.has_event()} +
                    int{goal.sequence_size() > 0} + int{goal.has_within()};
  if (kinds != 1) {
    Complain(path, absl::StrCat("has ", kinds == 0 ? "none" : "several",
                                " of state, event, sequence and within; give "
                                "exactly one"));
  }
  CheckExpression(path + ".state", goal.state(), On::kTrial);
  if (goal.has_event()) {
    const v1::EventGoal& event = goal.event();
    CheckPattern(path + ".event", event.event(), event.where());
    CheckExpression(path + ".event.at_least", event.at_least(), On::kTrial);
    CheckExpression(path + ".event.at_most", event.at_most(), On::kTrial);
  }
  for (int i = 0; i < goal.sequence_size(); ++i) {
    CheckPattern(absl::StrCat(path, ".sequence[", i, "]"),
                 goal.sequence(i).event(), goal.sequence(i).where());
  }
  if (goal.has_within()) Check(path + ".within", goal.within());
}

void Checker::CheckPattern(const std::string& path, const std::string& event,
                           const std::string& where) {
  Require(path, "event", event, "cow_copy");
  if (event.empty()) return;
  const absl::Status known = CheckEventKind(event);
  if (!known.ok()) {
    return Complain(path + ".event", std::string(known.message()));
  }
  CheckExpression(path + ".where", where, On::kEvent, event);
}

void Checker::CheckNames(
    const std::string& path,
    const google::protobuf::RepeatedPtrField<std::string>& names) {
  const std::vector<std::string>& known = CommandNames();
  for (int i = 0; i < names.size(); ++i) {
    if (std::count(known.begin(), known.end(), names[i]) > 0) continue;
    Complain(absl::StrCat(path, "[", i, "]"),
             absl::StrCat("there is no command '", names[i], "'",
                          scenario::DidYouMean(names[i], known),
                          "; loads and stores are `access`"));
  }
}

void Checker::Check(const std::string& path, const v1::Rules& rules) {
  CheckNames(path + ".allow", rules.allow());
  CheckNames(path + ".deny", rules.deny());
  Check(path + ".budget", rules.budget());
}

void Checker::Check(const std::string& path, const v1::Budget& budget) {
  const std::pair<const char*, int64_t> fields[] = {
      {"commands", budget.commands()},
      {"minor_faults", budget.minor_faults()},
      {"major_faults", budget.major_faults()},
      {"nanoseconds", budget.nanoseconds()}};
  for (const auto& [field, value] : fields) {
    if (value < 0)
      Complain(absl::StrCat(path, ".", field), "must be 0 or more");
  }
}

// --- Expressions

void Checker::CheckExpression(const std::string& path, const std::string& text,
                              On on, const std::string& event) {
  if (text.empty()) return;
  const auto expression = ParseExpression(text);
  if (!expression.ok()) {
    return Complain(
        path, absl::StrCat("`", text, "`: ", expression.status().message()));
  }
  CheckTree(path, *expression, on, event);
}

void Checker::CheckTemplate(const std::string& path, const std::string& text,
                            On on) {
  const auto parts = ParseTemplate(text);
  if (!parts.ok()) {
    return Complain(path, std::string(parts.status().message()));
  }
  for (const TemplatePart& part : *parts) {
    if (part.has_value) CheckTree(path, part.expression, on, "");
  }
}

void Checker::CheckTree(const std::string& path, const Expression& e, On on,
                        const std::string& event) {
  switch (e.kind) {
    case Expression::Kind::kName:
      if (std::count(variables_.begin(), variables_.end(), e.name) == 0) {
        Complain(path, absl::StrCat("there is no variable '", e.name, "' here",
                                    scenario::DidYouMean(e.name, variables_)));
      }
      return;
    case Expression::Kind::kLabel:
      if (on == On::kVariables) {
        Complain(path, absl::StrCat("$", e.name,
                                    " is not known here, before "
                                    "the set-up has run: use "
                                    "variables"));
      }
      return;
    case Expression::Kind::kField:
      return CheckField(path, e, on, event);
    case Expression::Kind::kCall:
      return CheckCall(path, e, on, event);
    default:
      for (const Expression& operand : e.operands) {
        CheckTree(path, operand, on, event);
      }
  }
}

void Checker::CheckField(const std::string& path, const Expression& e, On on,
                         const std::string& event) {
  if (on == On::kVariables) {
    return Complain(path, absl::StrCat(e.name, ".", e.field,
                                       " is not known here, before the set-up "
                                       "has run: use variables"));
  }
  if (e.name == "event" && on == On::kEvent) {
    const absl::Status known = CheckEventField(event, e.field);
    if (!known.ok()) Complain(path, std::string(known.message()));
    return;
  }
  const std::vector<std::string>& fields =
      e.name == "total" ? TotalFields() : StepFields();
  if (std::count(fields.begin(), fields.end(), e.field) > 0) return;
  Complain(path, absl::StrCat("there is no field ", e.name, ".", e.field,
                              scenario::DidYouMean(e.field, fields)));
}

void Checker::CheckCall(const std::string& path, const Expression& e, On on,
                        const std::string& event) {
  const auto spec = FindFunction(e);
  if (!spec.ok()) return Complain(path, std::string(spec.status().message()));
  const Function f = (*spec)->function;
  if (on == On::kVariables && !IsPure(f)) {
    return Complain(path, absl::StrCat(e.name,
                                       "() is not known here, before "
                                       "the set-up has run: use "
                                       "variables"));
  }
  size_t words = 0;
  if (f == Function::kEvents) words = 2;
  if (f == Function::kAt || f == Function::kStatus || f == Function::kMeminfo ||
      f == Function::kVmstat || f == Function::kSmaps) {
    words = 1;
  }
  for (size_t i = 0; i < e.operands.size(); ++i) {
    if (i >= words) {
      CheckTree(path, e.operands[i], on, event);
      continue;
    }
    const auto word = WordArgument(e, i);
    if (!word.ok()) return Complain(path, std::string(word.status().message()));
    if (f != Function::kEvents || i > 0) continue;
    const absl::Status known = CheckEventKind(*word);
    if (!known.ok()) Complain(path, std::string(known.message()));
  }
}

}  // namespace

void CheckExercise(const v1::Exercise& exercise, const SourceMap& source,
                   Problems* problems) {
  Checker(exercise, source, problems).Check();
}

}  // namespace faultline::grading
