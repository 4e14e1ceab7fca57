// What the gradebook does about grades.

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "server/codec/grading_errors.h"
#include "server/codec/status_macros.h"
#include "server/codec/time.h"
#include "server/codec/utf8.h"
#include "server/gradebook/attempt_session.h"
#include "server/gradebook/gradebook.h"
#include "server/gradebook/gradebook_record.h"
#include "server/gradebook/guard.h"
#include "server/grading/draw.h"
#include "server/grading/grade.h"
#include "server/grading/variant.h"
#include "server/session/random_id.h"
#include "server/session/record.h"
#include "server/session/wait_for.h"
#include "storage/reason.h"

namespace faultline {
namespace {

constexpr int kGradeIdLength = 12;

// The exercise or what was drawn is at fault, not the submission.
absl::Status Unfit(absl::string_view why) {
  return absl::FailedPreconditionError(why);
}

// INVALID_ARGUMENT is what grading says of an exercise that cannot be computed.
absl::Status AsUnfit(const absl::Status& status) {
  return absl::IsInternal(status) ? status : Unfit(status.message());
}

void Shorten(std::string* text) {
  if (text->size() <= limits::kReportTextBytesMax) return;
  *text = absl::StrCat(Utf8Prefix(*text, limits::kReportTextBytesMax), "…");
}

// A response has room for one report.
void Shorten(v1::GradeReport* report) {
  for (v1::GradedCheck& check : *report->mutable_checks()) {
    for (std::string* text :
         {check.mutable_title(), check.mutable_message(),
          check.mutable_staff_message(), check.mutable_expected(),
          check.mutable_actual(), check.mutable_explanation(),
          check.mutable_deciding_event()}) {
      Shorten(text);
    }
  }
}

// Grades with `exercise` what was drawn for an attempt and handed in. All of it
// outlives the grading.
struct Grading {
  const storage::AttemptRecord& record;
  const grading::Exercise& exercise;
  const v1::DrawnVariant& drawn;
  const v1::SubmitRequest& submission;
  const grading::Drawn& values;
  const grading::Stage& stage;
};

absl::StatusOr<v1::GradeReport> GradeSheet(const Grading& g) {
  const std::string exercise = ExerciseName(g.record.exercise);
  const grading::Case c{g.exercise, g.values,
                        AttemptName({g.record.exercise, g.record.id}),
                        grading::InFiles(exercise, exercise)};
  const auto& sheet = g.submission.answers().answers();
  const grading::Answers answers(sheet.begin(), sheet.end());
  absl::StatusOr<v1::GradeReport> report =
      grading::GradeAnswers(c, *g.stage.trial, answers);
  if (!report.ok()) return AsUnfit(report.status());
  return report;
}

absl::StatusOr<v1::GradeReport> GradeSession(const Grading& g,
                                             SessionTable& table,
                                             const Gradebook::KeepOn& keep_on) {
  const std::string name = ResourceName(g.record.session);
  const int64_t revision = g.submission.session().revision();
  const absl::StatusOr<std::string> stopped = PerformSession(
      table, {g.record.session, g.drawn.session_key(), g.record.start_revision},
      revision, g.exercise.proto, keep_on, *g.stage.trial);
  if (absl::IsNotFound(stopped.status())) {
    return errors::AttemptSessionGone(
        AttemptName({g.record.exercise, g.record.id}), name);
  }
  if (!stopped.ok()) return stopped.status();
  const grading::Case c{g.exercise, g.values, absl::StrCat(name, "@", revision),
                        grading::InSession(name)};
  absl::StatusOr<v1::GradeReport> report =
      grading::GradeTrial(c, *g.stage.trial, *stopped);
  if (!report.ok()) return AsUnfit(report.status());
  return report;
}

}  // namespace

// FAILED_PRECONDITION without a reason when the exercise does not fit what was
// drawn; its text is for graders.
absl::StatusOr<v1::GradeReport> Gradebook::MakeReport(
    const storage::AttemptRecord& record, const grading::Exercise& exercise,
    const KeepOn& keep_on) {
  FL_ASSIGN_OR_RETURN(const v1::DrawnVariant drawn, DrawnOf(record));
  FL_ASSIGN_OR_RETURN(const v1::SubmitRequest submission, SubmissionOf(record));
  if (exercise.predicts() != submission.has_answers()) {
    return Unfit(exercise.predicts() ? "it has questions now"
                                     : "it has goals now");
  }
  const auto values = grading::FromProto(exercise.proto, drawn.variables());
  if (!values.ok()) return AsUnfit(values.status());
  const grading::Drawn given{record.student, drawn.variant().seed(), *values};
  const auto stage = grading::SetUp(exercise.proto, *values);
  if (!stage.ok()) return AsUnfit(stage.status());
  const Grading g{record, exercise, drawn, submission, given, *stage};
  FL_ASSIGN_OR_RETURN(
      v1::GradeReport report,
      exercise.predicts() ? GradeSheet(g) : GradeSession(g, table_, keep_on));
  Shorten(&report);
  return report;
}

// --- Giving

absl::StatusOr<Gradebook::Opened> Gradebook::Open(const std::string& exercise,
                                                  const std::string& secret) {
  FL_ASSIGN_OR_RETURN(const storage::ExerciseRecord record,
                      ReadExercise(exercise));
  Opened opened;
  FL_ASSIGN_OR_RETURN(opened.exercise, ExerciseOf(record));
  if (secret.empty()) return opened;
  // Hashes, so that the time that it takes tells nothing.
  const std::string& right = opened.exercise.proto.secret();
  if (right.empty() || grading::Sha256(secret) != grading::Sha256(right)) {
    return errors::SecretWrong(ExerciseName(exercise));
  }
  opened.viewer = Viewer::kGrader;
  return opened;
}

absl::StatusOr<v1::Grade> Gradebook::Grade(const GradeAsked& asked,
                                           const KeepOn& keep_on) {
  FL_RETURN_IF_ERROR(ReadAttempt(asked.ids).status());
  FL_ASSIGN_OR_RETURN(const Opened opened,
                      Open(asked.ids.exercise, asked.secret));
  for (int i = 0; i < limits::kGradeTriesMax; ++i) {
    FL_ASSIGN_OR_RETURN(const auto found, FindGiven(asked));
    if (found) return ShowGrade(*found, opened);
    const absl::StatusOr<storage::GradeRecord> given =
        GiveNext(asked, opened, keep_on);
    if (given.ok()) return ShowGrade(*given, opened);
    // Somebody else was first: with a submission, or with that request_id.
    const std::string reason = ReasonOf(given.status());
    if (reason != "SUBMISSION_REPLACED" && reason != "REQUEST_ID_REUSED") {
      return given.status();
    }
  }
  return errors::SubmissionReplaced(AttemptName(asked.ids));
}

// The grade that the request_id gave.
absl::StatusOr<absl::optional<storage::GradeRecord>> Gradebook::FindGiven(
    const GradeAsked& asked) {
  absl::optional<storage::GradeRecord> none;
  if (asked.request_id.empty()) return none;
  auto found = store_.FindGrade(asked.ids.exercise, asked.request_id);
  if (!found.ok()) return GradebookError(asked.ids, found.status());
  if (*found && (*found)->attempt != asked.ids.attempt) {
    return errors::GradingRequestIdReused(ExerciseName(asked.ids.exercise),
                                          asked.request_id);
  }
  return found;
}

// With the errors of the store, where somebody else was first.
absl::StatusOr<storage::GradeRecord> Gradebook::GiveNext(
    const GradeAsked& asked, const Opened& opened, const KeepOn& keep_on) {
  const std::string name = AttemptName(asked.ids);
  FL_ASSIGN_OR_RETURN(const storage::AttemptRecord attempt,
                      ReadAttempt(asked.ids));
  if (!attempt.submission) return errors::NothingSubmitted(name);
  const absl::StatusOr<v1::GradeReport> report = Guard(
      name, [&] { return MakeReport(attempt, opened.exercise, keep_on); });
  if (absl::IsFailedPrecondition(report.status())) {
    return ExplainUnfit(attempt, opened, report.status().message());
  }
  if (!report.ok()) return report.status();
  storage::GradeRecord grade;
  grade.exercise = asked.ids.exercise;
  grade.attempt = asked.ids.attempt;
  grade.id = RandomId(kGradeIdLength);
  grade.student = attempt.student;
  grade.request_id = asked.request_id;
  grade.create_time = NowAsStored();
  grade.report = report->SerializeAsString();
  const absl::Status written = WaitForWrite([&](storage::Done done) {
    return store_.GiveGrade(grade, attempt.submissions,
                            options_.grades_per_attempt_max, std::move(done));
  });
  const std::string reason = ReasonOf(written);
  if (reason == "GRADES_LIMIT") {
    return errors::GradesLimit(name, options_.grades_per_attempt_max);
  }
  if (reason == "SUBMISSION_REPLACED" || reason == "REQUEST_ID_REUSED") {
    return written;
  }
  if (!written.ok()) return GradebookError(asked.ids, written);
  return grade;
}

// Graders are told why, students not: it may tell what is right.
absl::Status Gradebook::ExplainUnfit(const storage::AttemptRecord& attempt,
                                     const Opened& opened,
                                     absl::string_view why) {
  FL_ASSIGN_OR_RETURN(const v1::DrawnVariant drawn, DrawnOf(attempt));
  if (opened.viewer == Viewer::kStudent) why = "";
  if (drawn.exercise_sha256() == opened.exercise.sha256) {
    return errors::VariantImpossible(ExerciseName(attempt.exercise),
                                     attempt.student, why);
  }
  return errors::ExerciseChanged(AttemptName({attempt.exercise, attempt.id}),
                                 why);
}

// --- Showing

// The answers are told when nothing can be handed in any more: the student's
// variant is the same in every attempt.
absl::StatusOr<bool> Gradebook::MayKnowAnswers(const Opened& opened,
                                               const std::string& student) {
  if (opened.viewer == Viewer::kGrader) return true;
  const std::string& exercise = opened.exercise.proto.id();
  const auto count = store_.CountAttempts(exercise, student);
  if (!count.ok()) return GradebookError({exercise, ""}, count.status());
  if (*count < AttemptsOf(opened.exercise.proto)) return false;
  const auto open = store_.CountUngradedAttempts(exercise, student);
  if (!open.ok()) return GradebookError({exercise, ""}, open.status());
  return *open == 0;
}

absl::StatusOr<v1::Grade> Gradebook::ShowGrade(
    const storage::GradeRecord& record, const Opened& opened) {
  FL_ASSIGN_OR_RETURN(const bool answers,
                      MayKnowAnswers(opened, record.student));
  return GradeOf(record, opened.viewer, answers);
}

absl::StatusOr<v1::Grade> Gradebook::GradeOf(const storage::GradeRecord& record,
                                             Viewer viewer, bool answers) {
  v1::Grade grade;
  grade.set_name(GradeName({record.exercise, record.attempt}, record.id));
  TimeToProto(record.create_time, grade.mutable_create_time());
  FL_ASSIGN_OR_RETURN(*grade.mutable_report(), ReportOf(record));
  if (viewer == Viewer::kStudent) grading::RedactHidden(grade.mutable_report());
  if (!answers) grading::RedactAnswers(grade.mutable_report());
  return grade;
}

absl::StatusOr<Gradebook::GradePage> Gradebook::ListGrades(
    const GradesAsked& asked) {
  FL_ASSIGN_OR_RETURN(const Opened opened, Open(asked.exercise, asked.secret));
  std::map<std::string, bool> answers;  // by student
  GradePage page;
  page.last_position = asked.after_position;
  size_t bytes = 0;
  while (true) {
    const auto records =
        store_.ListGrades(asked.exercise, asked.student, page.last_position,
                          limits::kGradeReadRows);
    if (!records.ok()) {
      return GradebookError({asked.exercise, ""}, records.status());
    }
    if (records->empty()) return page;
    for (const storage::GradeRecord& record : *records) {
      page.more = static_cast<int64_t>(page.grades.size()) == asked.limit ||
                  bytes > asked.bytes_max;
      if (page.more) return page;
      const auto [known, is_new] = answers.try_emplace(record.student);
      if (is_new) {
        FL_ASSIGN_OR_RETURN(known->second,
                            MayKnowAnswers(opened, record.student));
      }
      FL_ASSIGN_OR_RETURN(v1::Grade grade,
                          GradeOf(record, opened.viewer, known->second));
      bytes += grade.ByteSizeLong();
      page.grades.push_back(std::move(grade));
      page.last_position = record.position;
    }
  }
}

}  // namespace faultline
