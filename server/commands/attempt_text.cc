#include "server/commands/attempt_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/cli/context.h"
#include "server/commands/answer_sheet.h"
#include "server/grading/export.h"

namespace faultline {
namespace {

std::string StateText(const v1::Attempt& attempt) {
  std::string text = absl::StrCat(
      attempt.name(), "\n  student    ", attempt.student(), "\n  attempt    ",
      attempt.number(), " of ", attempt.attempts(), "\n  started    ",
      cli::TimeText(attempt.create_time()), "\n");
  if (!attempt.session().empty()) {
    absl::StrAppend(&text, "  machine    ", attempt.session(),
                    ", yours after revision ", attempt.start_revision(), "\n");
  }
  absl::StrAppend(&text, "  handed in  ", HandedIn(attempt), "\n");
  if (attempt.graded()) {
    absl::StrAppend(&text, "  graded     yes; no more can be handed in\n");
  }
  return text;
}

}  // namespace

bool Predicts(const v1::Attempt& attempt) {
  return attempt.variant().questions_size() > 0;
}

std::string ShortName(const v1::Attempt& attempt) {
  return absl::StrReplaceAll(absl::StripPrefix(attempt.name(), "exercises/"),
                             {{"/attempts/", "/"}});
}

std::string HandedIn(const v1::Attempt& attempt) {
  if (!attempt.submitted()) return "nothing yet";
  if (Predicts(attempt)) return "answers";
  return absl::StrCat(attempt.session(), " up to revision ",
                      attempt.submitted_revision());
}

std::string ToText(const v1::Attempt& attempt) {
  std::string text = absl::StrCat(StateText(attempt), "\n",
                                  grading::ToText(attempt.variant()));
  if (Predicts(attempt)) {
    absl::StrAppend(&text, "\nAnswer sheet:\n\n", SheetOf(attempt));
  }
  return text;
}

}  // namespace faultline
