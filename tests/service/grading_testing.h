// GradingService over the wire: a language for its tests.
#ifndef FAULTLINE_TESTS_SERVICE_GRADING_TESTING_H_
#define FAULTLINE_TESTS_SERVICE_GRADING_TESTING_H_

#include <map>
#include <string>

#include "faultline/v1/grading.grpc.pb.h"
#include "tests/service/test_server.h"

namespace faultline::testing {

class GradingRpcs : public TestServer {
 protected:
  grpc::Status Create(const std::string& yaml, bool replace = false) {
    v1::CreateExerciseRequest request;
    request.set_yaml(yaml);
    request.set_replace(replace);
    v1::CreateExerciseResponse response;
    Context context;
    return grading_->CreateExercise(&context, request, &response);
  }
  void MustCreate(const std::string& yaml, bool replace = false) {
    const grpc::Status status = Create(yaml, replace);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  grpc::Status Delete(const std::string& name, bool allow_missing = false,
                      bool force = false) {
    v1::DeleteExerciseRequest request;
    request.set_exercise(name);
    request.set_allow_missing(allow_missing);
    request.set_force(force);
    v1::DeleteExerciseResponse response;
    Context context;
    return grading_->DeleteExercise(&context, request, &response);
  }
  grpc::Status Get(const std::string& name, v1::ExerciseSummary* exercise) {
    v1::GetExerciseRequest request;
    request.set_exercise(name);
    v1::GetExerciseResponse response;
    Context context;
    const grpc::Status status =
        grading_->GetExercise(&context, request, &response);
    *exercise = response.exercise();
    return status;
  }

  grpc::Status Start(const std::string& exercise, const std::string& student,
                     v1::Attempt* attempt, const std::string& request_id = "") {
    v1::StartAttemptRequest request;
    request.set_exercise(exercise);
    request.set_student(student);
    request.set_request_id(request_id);
    v1::StartAttemptResponse response;
    Context context;
    const grpc::Status status =
        grading_->StartAttempt(&context, request, &response);
    *attempt = response.attempt();
    return status;
  }
  v1::Attempt MustStart(const std::string& exercise,
                        const std::string& student = "ada@x.edu") {
    v1::Attempt attempt;
    const grpc::Status status = Start(exercise, student, &attempt);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return attempt;
  }
  grpc::Status GetAttempt(const std::string& name, v1::Attempt* attempt) {
    v1::GetAttemptRequest request;
    request.set_attempt(name);
    v1::GetAttemptResponse response;
    Context context;
    const grpc::Status status =
        grading_->GetAttempt(&context, request, &response);
    *attempt = response.attempt();
    return status;
  }

  grpc::Status Submit(const v1::SubmitRequest& request) {
    v1::SubmitResponse response;
    Context context;
    return grading_->Submit(&context, request, &response);
  }
  grpc::Status Answer(const v1::Attempt& attempt,
                      const std::map<std::string, std::string>& answers) {
    v1::SubmitRequest request;
    request.set_attempt(attempt.name());
    request.mutable_answers()->mutable_answers()->insert(answers.begin(),
                                                         answers.end());
    return Submit(request);
  }
  grpc::Status HandIn(const v1::Attempt& attempt) {
    v1::SubmitRequest request;
    request.set_attempt(attempt.name());
    request.mutable_session();
    return Submit(request);
  }

  grpc::Status Grade(const v1::GradeRequest& request, v1::Grade* grade) {
    v1::GradeResponse response;
    Context context;
    const grpc::Status status = grading_->Grade(&context, request, &response);
    *grade = response.grade();
    return status;
  }
  v1::Grade MustGrade(const v1::Attempt& attempt,
                      const std::string& secret = "") {
    v1::GradeRequest request;
    request.set_attempt(attempt.name());
    request.set_secret(secret);
    v1::Grade grade;
    const grpc::Status status = Grade(request, &grade);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return grade;
  }
  grpc::Status ListGrades(const v1::ListGradesRequest& request,
                          v1::ListGradesResponse* response) {
    Context context;
    return grading_->ListGrades(&context, request, response);
  }
};

}  // namespace faultline::testing

#endif  // FAULTLINE_TESTS_SERVICE_GRADING_TESTING_H_
