#include "server/commands/answer_sheet.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/commands/attempt_text.h"
#include "server/grading/exercise.h"
#include "server/grading/export.h"
#include "server/scenario/parser.h"

namespace faultline {
namespace {

// What a sheet for `variant` may answer: its questions, as an exercise.
v1::Exercise FormOf(const v1::Variant& variant) {
  v1::Exercise form;
  form.set_id(variant.exercise());
  for (const v1::VariantQuestion& question : variant.questions()) {
    form.add_questions()->set_id(question.id());
  }
  return form;
}

}  // namespace

std::string SheetOf(const v1::Attempt& attempt) {
  return absl::StrCat("# faultline attempt submit ", ShortName(attempt),
                      " THIS-FILE\n", grading::ToSheet(attempt.variant(), {}));
}

absl::StatusOr<std::map<std::string, std::string>> ReadSheet(
    const std::string& file, const v1::Attempt& attempt) {
  FL_ASSIGN_OR_RETURN(const std::string text, scenario::ReadFile(file));
  const std::string name = file == "-" ? "<stdin>" : file;
  FL_ASSIGN_OR_RETURN(
      const v1::Submission sheet,
      grading::ReadSubmission(name, text, FormOf(attempt.variant())));
  if (!sheet.student().empty() && sheet.student() != attempt.student()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": these are the answers of ", sheet.student(),
                     ", and the attempt is of ", attempt.student()));
  }
  return std::map<std::string, std::string>(sheet.answers().begin(),
                                            sheet.answers().end());
}

}  // namespace faultline
