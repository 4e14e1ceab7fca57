#include "server/service/grading_service.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"

namespace faultline {
namespace {

constexpr size_t kStudentThreads = 2;
constexpr char kExercisePages[] = "exercises";
constexpr char kGradePages[] = "grades";

Gradebook::KeepOn WhileAsked(grpc::CallbackServerContext* context) {
  return [context] { return CheckWanted(*context).ok(); };
}

absl::Status CreateExerciseOf(Gradebook& gradebook,
                              const v1::CreateExerciseRequest& request,
                              const Gradebook::KeepOn& keep_on,
                              v1::CreateExerciseResponse* response) {
  if (request.yaml().empty()) {
    return errors::MissingField("yaml", "is required: the exercise's file");
  }
  FL_ASSIGN_OR_RETURN(
      Gradebook::Created created,
      gradebook.CreateExercise(request.yaml(),
                               request.replace() ? Gradebook::Replace::kYes
                                                 : Gradebook::Replace::kNo,
                               keep_on));
  *response->mutable_exercise() = std::move(created.exercise);
  for (std::string& warning : created.warnings) {
    response->add_warnings(std::move(warning));
  }
  return absl::OkStatus();
}

absl::Status ListExercisesOf(Gradebook& gradebook,
                             const v1::ListExercisesRequest& request,
                             v1::ListExercisesResponse* response) {
  FL_ASSIGN_OR_RETURN(const int size, PageSize(request.page_size(),
                                               limits::kExercisePageDefault,
                                               limits::kExercisePageMax));
  FL_ASSIGN_OR_RETURN(const std::string after,
                      PageCursor(request.page_token(), kExercisePages, ""));
  // One more tells whether there is another page.
  FL_ASSIGN_OR_RETURN(std::vector<v1::ExerciseSummary> exercises,
                      gradebook.ListExercises(after, size + 1));
  for (v1::ExerciseSummary& exercise : exercises) {
    if (response->exercises_size() == size) {
      FL_ASSIGN_OR_RETURN(const std::string last,
                          ExerciseIdOf(response->exercises(size - 1).name()));
      response->set_next_page_token(PageToken(kExercisePages, "", last));
      break;
    }
    *response->add_exercises() = std::move(exercise);
  }
  return absl::OkStatus();
}

absl::Status DeleteExerciseOf(Gradebook& gradebook,
                              const v1::DeleteExerciseRequest& request) {
  FL_ASSIGN_OR_RETURN(const std::string id, ExerciseIdOf(request.exercise()));
  const absl::Status deleted = gradebook.DeleteExercise(
      id, request.force() ? Gradebook::Force::kYes : Gradebook::Force::kNo);
  const bool missing = absl::IsNotFound(deleted);
  return missing && request.allow_missing() ? absl::OkStatus() : deleted;
}

absl::Status StartAttemptOf(Gradebook& gradebook,
                            const v1::StartAttemptRequest& request,
                            v1::StartAttemptResponse* response) {
  Gradebook::Start start;
  FL_ASSIGN_OR_RETURN(start.exercise, ExerciseIdOf(request.exercise()));
  FL_RETURN_IF_ERROR(CheckStudentField(request.student()));
  FL_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  start.student = request.student();
  start.request_id = request.request_id();
  FL_ASSIGN_OR_RETURN(*response->mutable_attempt(),
                      gradebook.StartAttempt(start));
  return absl::OkStatus();
}

absl::Status SubmitOf(Gradebook& gradebook, const v1::SubmitRequest& request,
                      v1::SubmitResponse* response) {
  FL_ASSIGN_OR_RETURN(const AttemptIds ids, AttemptIdsOf(request.attempt()));
  if (request.submission_case() == v1::SubmitRequest::SUBMISSION_NOT_SET) {
    return errors::MissingField(
        "submission",
        "is required: `answers` for questions, `session` for goals");
  }
  FL_ASSIGN_OR_RETURN(*response->mutable_attempt(),
                      gradebook.Submit(ids, request));
  return absl::OkStatus();
}

absl::Status GradeOf(Gradebook& gradebook, const v1::GradeRequest& request,
                     const Gradebook::KeepOn& keep_on,
                     v1::GradeResponse* response) {
  Gradebook::GradeAsked asked;
  FL_ASSIGN_OR_RETURN(asked.ids, AttemptIdsOf(request.attempt()));
  FL_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  asked.request_id = request.request_id();
  asked.secret = request.secret();
  FL_ASSIGN_OR_RETURN(*response->mutable_grade(),
                      gradebook.Grade(asked, keep_on));
  return absl::OkStatus();
}

absl::Status ListGradesOf(Gradebook& gradebook,
                          const v1::ListGradesRequest& request,
                          v1::ListGradesResponse* response) {
  Gradebook::GradesAsked asked;
  FL_ASSIGN_OR_RETURN(asked.exercise, ExerciseIdOf(request.exercise()));
  if (!request.student().empty()) {
    FL_RETURN_IF_ERROR(CheckStudentField(request.student()));
  }
  asked.student = request.student();
  asked.secret = request.secret();
  asked.bytes_max = limits::kChunkBytes;
  FL_ASSIGN_OR_RETURN(asked.limit,
                      PageSize(request.page_size(), limits::kGradePageDefault,
                               limits::kGradePageMax));
  const std::string scope = absl::StrCat(asked.exercise, " ", asked.student);
  FL_ASSIGN_OR_RETURN(const std::string cursor,
                      PageCursor(request.page_token(), kGradePages, scope));
  if (!cursor.empty() && !absl::SimpleAtoi(cursor, &asked.after_position)) {
    return errors::InvalidField("page_token", "was not returned by this rpc");
  }
  FL_ASSIGN_OR_RETURN(Gradebook::GradePage page, gradebook.ListGrades(asked));
  for (v1::Grade& grade : page.grades) {
    *response->add_grades() = std::move(grade);
  }
  if (page.more) {
    response->set_next_page_token(
        PageToken(kGradePages, scope, absl::StrCat(page.last_position)));
  }
  return absl::OkStatus();
}

}  // namespace

GradingServiceImpl::GradingServiceImpl(const ServiceContext& context,
                                       Gradebook& gradebook)
    : context_(context),
      gradebook_(gradebook),
      students_(kStudentThreads, limits::kStudentRequestsMax) {}

grpc::ServerUnaryReactor* GradingServiceImpl::CreateExercise(
    grpc::CallbackServerContext* context,
    const v1::CreateExerciseRequest* request,
    v1::CreateExerciseResponse* response) {
  return AnswerOn(context_.slow, context, request, response,
                  [this, context](const auto& request, auto* response) {
                    return CreateExerciseOf(gradebook_, request,
                                            WhileAsked(context), response);
                  });
}

grpc::ServerUnaryReactor* GradingServiceImpl::GetExercise(
    grpc::CallbackServerContext* context, const v1::GetExerciseRequest* request,
    v1::GetExerciseResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) -> absl::Status {
                    FL_ASSIGN_OR_RETURN(const std::string id,
                                        ExerciseIdOf(request.exercise()));
                    FL_ASSIGN_OR_RETURN(*response->mutable_exercise(),
                                        gradebook_.GetExercise(id));
                    return absl::OkStatus();
                  });
}

grpc::ServerUnaryReactor* GradingServiceImpl::ListExercises(
    grpc::CallbackServerContext* context,
    const v1::ListExercisesRequest* request,
    v1::ListExercisesResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) {
                    return ListExercisesOf(gradebook_, request, response);
                  });
}

grpc::ServerUnaryReactor* GradingServiceImpl::DeleteExercise(
    grpc::CallbackServerContext* context,
    const v1::DeleteExerciseRequest* request,
    v1::DeleteExerciseResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto*) {
                    return DeleteExerciseOf(gradebook_, request);
                  });
}

grpc::ServerUnaryReactor* GradingServiceImpl::StartAttempt(
    grpc::CallbackServerContext* context,
    const v1::StartAttemptRequest* request,
    v1::StartAttemptResponse* response) {
  return AnswerOn(students_, context, request, response,
                  [this](const auto& request, auto* response) {
                    return StartAttemptOf(gradebook_, request, response);
                  });
}

grpc::ServerUnaryReactor* GradingServiceImpl::GetAttempt(
    grpc::CallbackServerContext* context, const v1::GetAttemptRequest* request,
    v1::GetAttemptResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) -> absl::Status {
                    FL_ASSIGN_OR_RETURN(const AttemptIds ids,
                                        AttemptIdsOf(request.attempt()));
                    FL_ASSIGN_OR_RETURN(*response->mutable_attempt(),
                                        gradebook_.GetAttempt(ids));
                    return absl::OkStatus();
                  });
}

grpc::ServerUnaryReactor* GradingServiceImpl::Submit(
    grpc::CallbackServerContext* context, const v1::SubmitRequest* request,
    v1::SubmitResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) {
                    return SubmitOf(gradebook_, request, response);
                  });
}

grpc::ServerUnaryReactor* GradingServiceImpl::Grade(
    grpc::CallbackServerContext* context, const v1::GradeRequest* request,
    v1::GradeResponse* response) {
  return AnswerOn(students_, context, request, response,
                  [this, context](const auto& request, auto* response) {
                    return GradeOf(gradebook_, request, WhileAsked(context),
                                   response);
                  });
}

grpc::ServerUnaryReactor* GradingServiceImpl::ListGrades(
    grpc::CallbackServerContext* context, const v1::ListGradesRequest* request,
    v1::ListGradesResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) {
                    return ListGradesOf(gradebook_, request, response);
                  });
}

}  // namespace faultline
