#include "server/grading/variant.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/codec/status_macros.h"
#include "server/grading/draw.h"
#include "server/grading/exercise.h"
#include "server/grading/facts.h"
#include "server/grading/template.h"
#include "server/grading/yaml_message.h"
#include "server/limits.h"

namespace faultline::grading {
namespace {

absl::Status AddQuestions(const v1::Exercise& exercise, const Scope& scope,
                          v1::Variant* variant) {
  for (const v1::Question& question : exercise.questions()) {
    v1::VariantQuestion* asked = variant->add_questions();
    asked->set_id(question.id());
    FL_ASSIGN_OR_RETURN(*asked->mutable_text(), Fill(question.text(), scope));
    asked->set_type(question.type());
    *asked->mutable_choices() = question.choices();
    if (!question.hidden()) asked->set_points(PointsOf(question));
  }
  return absl::OkStatus();
}

absl::Status AddGoals(const v1::Exercise& exercise, const Scope& scope,
                      v1::Variant* variant) {
  for (const v1::Goal& goal : exercise.goals()) {
    if (goal.hidden()) continue;
    v1::VariantGoal* told = variant->add_goals();
    told->set_id(goal.id());
    FL_ASSIGN_OR_RETURN(*told->mutable_text(), Fill(goal.text(), scope));
    told->set_points(PointsOf(goal));
  }
  return absl::OkStatus();
}

// The words of `boot`, as the scenario language has them.
const char* WordOf(v1::Profile profile) {
  switch (profile) {
    case v1::PROFILE_X86_64:
      return "x86_64";
    case v1::PROFILE_I386_PAE:
      return "i386";
    case v1::PROFILE_I386:
      return "i386-nopae";
    default:
      return "";
  }
}

const char* WordOf(v1::Personality personality) {
  switch (personality) {
    case v1::PERSONALITY_LINUX_6_18:
      return "linux-6.18";
    case v1::PERSONALITY_LINUX_6_1:
      return "linux-6.1";
    default:
      return "";
  }
}

std::string BootLine(const v1::MachineConfig& machine) {
  std::string line = "boot";
  const auto add = [&line](absl::string_view key, const auto& value) {
    absl::StrAppend(&line, " ", key, "=", value);
  };
  const absl::string_view profile = WordOf(machine.profile());
  const absl::string_view personality = WordOf(machine.personality());
  if (!profile.empty()) add("profile", profile);
  if (!personality.empty()) add("personality", personality);
  if (machine.ram_bytes() > 0) add("ram", machine.ram_bytes());
  if (machine.swap_bytes() > 0) add("swap", machine.swap_bytes());
  if (machine.cpus() > 0) add("cpus", machine.cpus());
  if (machine.thp() != v1::THP_MODE_UNSPECIFIED) {
    add("thp",
        ShortName(*v1::ThpMode_descriptor()->FindValueByNumber(machine.thp())));
  }
  if (machine.has_seed()) add("seed", machine.seed());
  if (machine.e820_size() > 0) {
    add("e820", absl::StrJoin(machine.e820(), ",",
                              [](std::string* out, const v1::MemoryRange& r) {
                                absl::StrAppend(out, absl::Hex(r.start()), "-",
                                                absl::Hex(r.end() - 1));
                              }));
  }
  const auto row = [](std::string* out, const v1::ZonePages& pages) {
    absl::StrAppend(out, pages.zone(), ":", pages.pages());
  };
  if (machine.reserved_size() > 0) {
    add("reserved", absl::StrJoin(machine.reserved(), ",", row));
  }
  if (machine.initmem_size() > 0) {
    add("initmem", absl::StrJoin(machine.initmem(), ",", row));
  }
  if (machine.lowmem_bytes() > 0) add("lowmem", machine.lowmem_bytes());
  if (!machine.kernelcore().empty()) add("kernelcore", machine.kernelcore());
  if (!machine.movablecore().empty()) add("movablecore", machine.movablecore());
  for (const v1::Sysctl& sysctl : machine.sysctls()) {
    std::string values = absl::StrCat(sysctl.value());
    for (const uint64_t value : sysctl.more()) {
      absl::StrAppend(&values, ",", value);
    }
    add(absl::StripPrefix(sysctl.name(), "vm."), values);
  }
  return line == "boot" ? "" : line + "\n";
}

}  // namespace

absl::StatusOr<Drawn> DrawFor(const v1::Exercise& exercise,
                              absl::string_view student) {
  Drawn drawn;
  drawn.student = std::string(student);
  drawn.seed = SeedOf(exercise, student);
  FL_ASSIGN_OR_RETURN(drawn.values, Draw(exercise, drawn.seed));
  return drawn;
}

absl::StatusOr<Stage> SetUp(const v1::Exercise& exercise,
                            const Values& values) {
  Stage stage;
  FL_ASSIGN_OR_RETURN(stage.setup,
                      Fill(exercise.setup(), VariableScope(values)));
  FL_ASSIGN_OR_RETURN(stage.trial, Trial::Boot(exercise.machine()));
  stage.rehearsal = std::make_unique<Rehearsal>(*stage.trial);
  FL_RETURN_IF_ERROR(
      stage.rehearsal->RunSetup(stage.setup, MomentsOf(exercise)));
  return stage;
}

absl::StatusOr<v1::Variant> ToVariant(const v1::Exercise& exercise,
                                      const Drawn& drawn, const Stage& stage) {
  v1::Variant variant;
  variant.set_exercise(exercise.id());
  variant.set_title(exercise.title());
  variant.set_student(drawn.student);
  variant.set_seed(drawn.seed);
  *variant.mutable_machine() = exercise.machine();
  *variant.mutable_rules() = exercise.rules();
  if (!exercise.hide_setup()) variant.set_setup(stage.setup);
  // What the set-up did is told only where it is not the question.
  const VariableScope variables(drawn.values);
  const TrialScope trial(*stage.trial, drawn.values);
  const bool predicts = exercise.questions_size() > 0;
  const Scope& scope = predicts ? static_cast<const Scope&>(variables) : trial;
  FL_ASSIGN_OR_RETURN(*variant.mutable_text(), Fill(exercise.text(), scope));
  FL_RETURN_IF_ERROR(AddQuestions(exercise, scope, &variant));
  FL_RETURN_IF_ERROR(AddGoals(exercise, scope, &variant));
  if (variant.ByteSizeLong() > limits::kVariantBytesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("what a student is shown has ", variant.ByteSizeLong(),
                     " bytes: at most ", limits::kVariantBytesMax));
  }
  return variant;
}

std::string ToScenario(const v1::Variant& variant) {
  return absl::StrCat(BootLine(variant.machine()), variant.setup());
}

std::string ToText(const v1::Rules& rules) {
  std::vector<std::string> lines;
  if (rules.allow_size() > 0) {
    lines.push_back(absl::StrCat("only these commands: ",
                                 absl::StrJoin(rules.allow(), ", ")));
  }
  if (rules.deny_size() > 0) {
    lines.push_back(
        absl::StrCat("none of: ", absl::StrJoin(rules.deny(), ", ")));
  }
  const v1::Budget& budget = rules.budget();
  if (budget.has_commands()) {
    lines.push_back(absl::StrCat("at most ", budget.commands(), " commands"));
  }
  if (budget.has_minor_faults()) {
    lines.push_back(
        absl::StrCat("at most ", budget.minor_faults(), " minor faults"));
  }
  if (budget.has_major_faults()) {
    lines.push_back(
        absl::StrCat("at most ", budget.major_faults(), " major faults"));
  }
  if (budget.has_nanoseconds()) {
    lines.push_back(absl::StrCat("at most ", budget.nanoseconds(),
                                 " simulated nanoseconds"));
  }
  return absl::StrJoin(lines, "\n");
}

}  // namespace faultline::grading
