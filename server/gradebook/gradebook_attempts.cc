// What the gradebook does about attempts.

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "server/codec/grading_errors.h"
#include "server/codec/status_macros.h"
#include "server/gradebook/attempt_session.h"
#include "server/gradebook/gradebook.h"
#include "server/gradebook/gradebook_record.h"
#include "server/gradebook/guard.h"
#include "server/grading/draw.h"
#include "server/grading/grade.h"
#include "server/grading/variant.h"
#include "server/session/record.h"
#include "server/session/wait_for.h"
#include "storage/reason.h"

namespace faultline {
namespace {

// Follows from what the attempt is made of, so that the same attempt gets the
// same id whenever it is started; and from the secret, so that nobody else
// makes a session of that name before. A letter, then letters and digits.
std::string AttemptId(const storage::ExerciseRecord& record,
                      const grading::Exercise& exercise,
                      const std::string& student, int64_t number) {
  constexpr char kAlphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
  constexpr size_t kLength = 15;
  const std::string hash = grading::Sha256(absl::StrCat(
      "faultline attempt 1\n", record.id, "\n",
      absl::ToUnixMicros(record.create_time), "\n", exercise.sha256, "\n",
      exercise.proto.secret(), "\n", student, "\n", number));
  std::string id = "a";
  for (size_t i = 0; i < kLength; ++i) {
    id.push_back(kAlphabet[static_cast<uint8_t>(hash[i]) % 32]);
  }
  return id;
}

absl::Status CheckAnswers(const v1::Variant& variant,
                          const v1::AnswerSheet& sheet) {
  constexpr char kField[] = "answers.answers";
  if (sheet.answers_size() > limits::kChecksMax) {
    return errors::InvalidField(
        kField, absl::StrCat("has ", sheet.answers_size(), " answers: at most ",
                             limits::kChecksMax));
  }
  v1::Exercise asked;
  for (const v1::VariantQuestion& question : variant.questions()) {
    asked.add_questions()->set_id(question.id());
  }
  for (const auto& [question, answer] : sheet.answers()) {
    const std::string field = absl::StrCat(kField, ".", question);
    const absl::Status known = grading::CheckQuestion(asked, question);
    if (!known.ok()) return errors::InvalidField(field, known.message());
    if (answer.size() > limits::kAnswerBytesMax) {
      return errors::InvalidField(
          field, absl::StrCat("has ", answer.size(), " bytes: at most ",
                              limits::kAnswerBytesMax));
    }
  }
  return absl::OkStatus();
}

// The revision up to which a session is handed in.
absl::StatusOr<int64_t> RevisionOf(const v1::SessionSubmission& submission,
                                   const SessionInfo& info,
                                   int64_t start_revision) {
  constexpr char kField[] = "session.revision";
  if (!submission.has_revision()) return info.revision;
  if (submission.revision() > info.revision) {
    return errors::RevisionOutOfRange(ResourceName(info.id), kField,
                                      submission.revision(), info.revision);
  }
  if (submission.revision() < start_revision) {
    return errors::InvalidField(
        kField, absl::StrCat(submission.revision(),
                             " is before the student's first: the set-up ends "
                             "at revision ",
                             start_revision));
  }
  return submission.revision();
}

}  // namespace

absl::StatusOr<storage::AttemptRecord> Gradebook::ReadAttempt(
    const AttemptIds& ids) {
  absl::StatusOr<storage::AttemptRecord> record =
      store_.GetAttempt(ids.exercise, ids.attempt);
  if (!record.ok()) return GradebookError(ids, record.status());
  return record;
}

absl::StatusOr<v1::Attempt> Gradebook::GetAttempt(const AttemptIds& ids) {
  FL_ASSIGN_OR_RETURN(const storage::AttemptRecord record, ReadAttempt(ids));
  FL_ASSIGN_OR_RETURN(const v1::ExerciseSummary exercise,
                      GetExercise(ids.exercise));
  return AttemptOf(record, exercise.attempts());
}

// --- Starting

absl::StatusOr<v1::Attempt> Gradebook::StartAttempt(const Start& start) {
  for (int i = 0; i < limits::kStartTriesMax; ++i) {
    FL_ASSIGN_OR_RETURN(const auto found, FindStarted(start));
    if (found) return GetAttempt({start.exercise, found->id});
    const absl::StatusOr<storage::AttemptRecord> started = StartNext(start);
    if (started.ok()) return GetAttempt({start.exercise, started->id});
    // Somebody else was first: with that number, or with that request_id.
    const std::string reason = ReasonOf(started.status());
    if (reason != "ATTEMPT_NUMBER_TAKEN" && reason != "REQUEST_ID_REUSED") {
      return started.status();
    }
  }
  return errors::AttemptNumberTaken(ExerciseName(start.exercise),
                                    start.student);
}

// The attempt that the request_id started.
absl::StatusOr<absl::optional<storage::AttemptRecord>> Gradebook::FindStarted(
    const Start& start) {
  absl::optional<storage::AttemptRecord> none;
  if (start.request_id.empty()) return none;
  auto found = store_.FindAttempt(start.exercise, start.request_id);
  if (!found.ok()) return GradebookError({start.exercise, ""}, found.status());
  if (*found && (*found)->student != start.student) {
    return errors::GradingRequestIdReused(ExerciseName(start.exercise),
                                          start.request_id);
  }
  return found;
}

// With the errors of the store, where somebody else was first.
absl::StatusOr<storage::AttemptRecord> Gradebook::StartNext(
    const Start& start) {
  const AttemptIds ids{start.exercise, ""};
  const std::string name = ExerciseName(start.exercise);
  FL_ASSIGN_OR_RETURN(const storage::ExerciseRecord stored,
                      ReadExercise(start.exercise));
  FL_ASSIGN_OR_RETURN(const grading::Exercise exercise, ExerciseOf(stored));
  const int64_t attempts_max = AttemptsOf(exercise.proto);
  const auto count = store_.CountAttempts(start.exercise, start.student);
  if (!count.ok()) return GradebookError(ids, count.status());
  if (*count >= attempts_max) {
    return errors::AttemptsUsed(name, start.student, attempts_max);
  }
  FL_RETURN_IF_ERROR(CheckRoomForAttempt());
  storage::AttemptRecord record;
  record.exercise = start.exercise;
  record.student = start.student;
  record.number = *count + 1;
  record.id = AttemptId(stored, exercise, record.student, record.number);
  record.request_id = start.request_id;
  record.create_time = NowAsStored();
  FL_RETURN_IF_ERROR(Guard(name, [&] { return DrawInto(exercise, &record); }));
  const absl::Status written = WaitForWrite([&](storage::Done done) {
    return store_.StartAttempt(record, attempts_max, std::move(done));
  });
  const std::string reason = ReasonOf(written);
  if (reason == "ATTEMPTS_USED") {
    return errors::AttemptsUsed(name, start.student, attempts_max);
  }
  if (reason == "ATTEMPT_NUMBER_TAKEN" || reason == "REQUEST_ID_REUSED") {
    return written;
  }
  if (!written.ok()) return GradebookError(ids, written);
  return record;
}

// Draws, and makes the session of an exercise with goals.
absl::Status Gradebook::DrawInto(const grading::Exercise& exercise,
                                 storage::AttemptRecord* record) {
  // Why would tell the student what is hidden.
  const absl::Status impossible = errors::VariantImpossible(
      ExerciseName(record->exercise), record->student, "");
  const auto drawn = grading::DrawFor(exercise.proto, record->student);
  if (!drawn.ok()) return impossible;
  const auto stage = grading::SetUp(exercise.proto, drawn->values);
  if (absl::IsInternal(stage.status())) return stage.status();
  if (!stage.ok()) return impossible;
  const auto variant = grading::ToVariant(exercise.proto, *drawn, *stage);
  if (!variant.ok()) return impossible;
  v1::DrawnVariant kept;
  *kept.mutable_variant() = *variant;
  *kept.mutable_variables() = grading::ToProto(exercise.proto, drawn->values);
  kept.set_exercise_sha256(exercise.sha256);
  if (exercise.predicts()) {
    // What cannot be answered is not asked.
    const auto solved = grading::Solve(exercise, drawn->values, *stage->trial);
    if (!solved.ok()) return impossible;
  } else {
    FL_ASSIGN_OR_RETURN(
        const AttemptSession session,
        MakeAttemptSession(
            table_, absl::StrCat(record->exercise, "-", record->id),
            absl::StrCat(record->exercise, ", attempt ", record->number, " of ",
                         record->student),
            exercise.proto, *stage->trial));
    kept.set_session_key(session.key);
    record->session = session.id;
    record->start_revision = session.start_revision;
  }
  record->drawn = kept.SerializeAsString();
  return absl::OkStatus();
}

// Takes the room, too; of a start that fails it comes back with the next count.
absl::Status Gradebook::CheckRoomForAttempt() {
  absl::MutexLock lock(&mutex_);
  if (!attempts_ || *attempts_ >= options_.attempts_max) {
    const absl::StatusOr<int64_t> counted = store_.CountAllAttempts();
    if (!counted.ok()) return GradebookError({"", ""}, counted.status());
    attempts_ = *counted;
  }
  if (*attempts_ >= options_.attempts_max) {
    return errors::AttemptsLimit(options_.attempts_max);
  }
  ++*attempts_;
  return absl::OkStatus();
}

// --- Handing in

absl::StatusOr<v1::Attempt> Gradebook::Submit(
    const AttemptIds& ids, const v1::SubmitRequest& request) {
  FL_ASSIGN_OR_RETURN(const storage::AttemptRecord record, ReadAttempt(ids));
  if (record.grades > 0) return errors::AttemptGraded(AttemptName(ids));
  FL_ASSIGN_OR_RETURN(std::string submission,
                      CheckedSubmission(record, request));
  const absl::Status written = WaitForWrite([&](storage::Done done) {
    return store_.SubmitAttempt(ids.exercise, ids.attempt,
                                std::move(submission), std::move(done));
  });
  if (!written.ok()) return GradebookError(ids, written);
  return GetAttempt(ids);
}

// What is kept of what is handed in.
absl::StatusOr<std::string> Gradebook::CheckedSubmission(
    const storage::AttemptRecord& record, const v1::SubmitRequest& request) {
  FL_ASSIGN_OR_RETURN(const v1::DrawnVariant drawn, DrawnOf(record));
  v1::SubmitRequest kept = request;
  kept.clear_attempt();
  if (record.session.empty()) {
    if (!request.has_answers()) {
      return errors::InvalidField(
          request.has_session() ? "session" : "answers",
          "this exercise has questions: hand in `answers`");
    }
    FL_RETURN_IF_ERROR(CheckAnswers(drawn.variant(), request.answers()));
    return kept.SerializeAsString();
  }
  if (!request.has_session()) {
    return errors::InvalidField(
        request.has_answers() ? "answers" : "session",
        absl::StrCat("this exercise has goals: hand in `session`, which is ",
                     ResourceName(record.session)));
  }
  const absl::StatusOr<SessionInfo> info = GetAttemptSession(
      table_, {record.session, drawn.session_key(), record.start_revision});
  if (absl::IsNotFound(info.status())) {
    return errors::AttemptSessionGone(AttemptName({record.exercise, record.id}),
                                      ResourceName(record.session));
  }
  if (!info.ok()) return info.status();
  FL_ASSIGN_OR_RETURN(
      const int64_t revision,
      RevisionOf(request.session(), *info, record.start_revision));
  kept.mutable_session()->set_revision(revision);
  return kept.SerializeAsString();
}

}  // namespace faultline
