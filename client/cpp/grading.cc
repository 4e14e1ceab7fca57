#include "client/cpp/grading.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/stubs.h"

namespace faultline::client {
namespace {

constexpr int kExercisePageSize = 1000;
// A grade has some hundred bytes a check, and the texts of the answers.
constexpr int kGradePageSize = 100;

std::string RequestId(Connection& connection, const std::string& wanted) {
  return wanted.empty() ? connection.NewRequestId() : wanted;
}

}  // namespace

std::string ExerciseName(absl::string_view id_or_name) {
  if (absl::StartsWith(id_or_name, "exercises/")) {
    return std::string(id_or_name);
  }
  return absl::StrCat("exercises/", id_or_name);
}

std::string AttemptName(absl::string_view short_or_name) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(short_or_name, '/');
  if (parts.size() != 2) return std::string(short_or_name);
  return absl::StrCat("exercises/", parts[0], "/attempts/", parts[1]);
}

absl::StatusOr<v1::CreateExerciseResponse> Grading::CreateExercise(
    absl::string_view yaml, Existing existing) const {
  v1::CreateExerciseRequest request;
  request.set_yaml(std::string(yaml));
  request.set_replace(existing == Existing::kIsReplaced);
  v1::CreateExerciseResponse response;
  // Not repeated: a second attempt would find the first and call it an error.
  absl::Status status = connection_->Call(
      kLongDeadline, Repeat::kNo, [&](grpc::ClientContext& context) {
        return connection_->stubs().grading.CreateExercise(&context, request,
                                                           &response);
      });
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::ExerciseSummary> Grading::GetExercise(
    absl::string_view exercise) const {
  v1::GetExerciseRequest request;
  request.set_exercise(ExerciseName(exercise));
  v1::GetExerciseResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().grading.GetExercise(&context, request,
                                                        &response);
      });
  if (!status.ok()) return status;
  return std::move(*response.mutable_exercise());
}

absl::StatusOr<std::vector<v1::ExerciseSummary>> Grading::ListExercises()
    const {
  std::vector<v1::ExerciseSummary> exercises;
  v1::ListExercisesRequest request;
  request.set_page_size(kExercisePageSize);
  do {
    v1::ListExercisesResponse response;
    absl::Status status = connection_->Call(
        kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
          return connection_->stubs().grading.ListExercises(&context, request,
                                                            &response);
        });
    if (!status.ok()) return status;
    exercises.insert(exercises.end(), response.exercises().begin(),
                     response.exercises().end());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return exercises;
}

absl::Status Grading::DeleteExercise(absl::string_view exercise,
                                     const DeleteExerciseSpec& spec) const {
  v1::DeleteExerciseRequest request;
  request.set_exercise(ExerciseName(exercise));
  request.set_allow_missing(spec.allow_missing);
  request.set_force(spec.force);
  v1::DeleteExerciseResponse response;
  // Where a missing one is an error, a second attempt would find nothing and
  // call it one.
  return connection_->Call(kDefaultDeadline,
                           spec.allow_missing ? Repeat::kYes : Repeat::kNo,
                           [&](grpc::ClientContext& context) {
                             return connection_->stubs().grading.DeleteExercise(
                                 &context, request, &response);
                           });
}

absl::StatusOr<v1::Attempt> Grading::StartAttempt(
    const AttemptSpec& spec) const {
  v1::StartAttemptRequest request;
  request.set_exercise(ExerciseName(spec.exercise));
  request.set_student(spec.student);
  request.set_request_id(RequestId(*connection_, spec.request_id));
  v1::StartAttemptResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().grading.StartAttempt(&context, request,
                                                         &response);
      });
  if (!status.ok()) return status;
  return std::move(*response.mutable_attempt());
}

absl::StatusOr<v1::Attempt> Grading::GetAttempt(
    absl::string_view attempt) const {
  v1::GetAttemptRequest request;
  request.set_attempt(AttemptName(attempt));
  v1::GetAttemptResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().grading.GetAttempt(&context, request,
                                                       &response);
      });
  if (!status.ok()) return status;
  return std::move(*response.mutable_attempt());
}

absl::StatusOr<v1::Attempt> Grading::SubmitAnswers(
    absl::string_view attempt,
    const std::map<std::string, std::string>& answers) const {
  v1::SubmitRequest request;
  request.set_attempt(AttemptName(attempt));
  request.mutable_answers()->mutable_answers()->insert(answers.begin(),
                                                       answers.end());
  return Submit(request);
}

absl::StatusOr<v1::Attempt> Grading::SubmitSession(
    absl::string_view attempt, absl::optional<int64_t> revision) const {
  v1::SubmitRequest request;
  request.set_attempt(AttemptName(attempt));
  request.mutable_session();
  if (revision) request.mutable_session()->set_revision(*revision);
  return Submit(request);
}

absl::StatusOr<v1::Attempt> Grading::Submit(
    const v1::SubmitRequest& request) const {
  v1::SubmitResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().grading.Submit(&context, request,
                                                   &response);
      });
  if (!status.ok()) return status;
  return std::move(*response.mutable_attempt());
}

absl::StatusOr<v1::Grade> Grading::Grade(const GradeSpec& spec) const {
  v1::GradeRequest request;
  request.set_attempt(AttemptName(spec.attempt));
  request.set_secret(spec.secret);
  request.set_request_id(RequestId(*connection_, spec.request_id));
  v1::GradeResponse response;
  absl::Status status = connection_->Call(
      kLongDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().grading.Grade(&context, request, &response);
      });
  if (!status.ok()) return status;
  return std::move(*response.mutable_grade());
}

absl::StatusOr<std::vector<v1::Grade>> Grading::ListGrades(
    const GradesSpec& spec) const {
  std::vector<v1::Grade> grades;
  v1::ListGradesRequest request;
  request.set_exercise(ExerciseName(spec.exercise));
  request.set_student(spec.student);
  request.set_secret(spec.secret);
  request.set_page_size(kGradePageSize);
  do {
    v1::ListGradesResponse response;
    absl::Status status = connection_->Call(
        kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
          return connection_->stubs().grading.ListGrades(&context, request,
                                                         &response);
        });
    if (!status.ok()) return status;
    grades.insert(grades.end(), response.grades().begin(),
                  response.grades().end());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return grades;
}

}  // namespace faultline::client
