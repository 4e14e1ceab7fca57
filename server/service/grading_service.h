// GradingService: exercises, attempts and grades.
#ifndef FAULTLINE_SERVER_SERVICE_GRADING_SERVICE_H_
#define FAULTLINE_SERVER_SERVICE_GRADING_SERVICE_H_

#include "faultline/v1/grading.grpc.pb.h"
#include "server/gradebook/gradebook.h"
#include "server/service/call.h"

namespace faultline {

// Thread-safe; what `context` holds, and `gradebook`, must outlive it.
class GradingServiceImpl final : public v1::GradingService::CallbackService {
 public:
  GradingServiceImpl(const ServiceContext& context, Gradebook& gradebook);

  grpc::ServerUnaryReactor* CreateExercise(
      grpc::CallbackServerContext* context,
      const v1::CreateExerciseRequest* request,
      v1::CreateExerciseResponse* response) override;
  grpc::ServerUnaryReactor* GetExercise(
      grpc::CallbackServerContext* context,
      const v1::GetExerciseRequest* request,
      v1::GetExerciseResponse* response) override;
  grpc::ServerUnaryReactor* ListExercises(
      grpc::CallbackServerContext* context,
      const v1::ListExercisesRequest* request,
      v1::ListExercisesResponse* response) override;
  grpc::ServerUnaryReactor* DeleteExercise(
      grpc::CallbackServerContext* context,
      const v1::DeleteExerciseRequest* request,
      v1::DeleteExerciseResponse* response) override;

  grpc::ServerUnaryReactor* StartAttempt(
      grpc::CallbackServerContext* context,
      const v1::StartAttemptRequest* request,
      v1::StartAttemptResponse* response) override;
  grpc::ServerUnaryReactor* GetAttempt(
      grpc::CallbackServerContext* context,
      const v1::GetAttemptRequest* request,
      v1::GetAttemptResponse* response) override;
  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override;

  grpc::ServerUnaryReactor* Grade(grpc::CallbackServerContext* context,
                                  const v1::GradeRequest* request,
                                  v1::GradeResponse* response) override;
  grpc::ServerUnaryReactor* ListGrades(
      grpc::CallbackServerContext* context,
      const v1::ListGradesRequest* request,
      v1::ListGradesResponse* response) override;

 private:
  const ServiceContext context_;
  Gradebook& gradebook_;
  // For what students wait for. It takes a while too, but a class of them comes
  // at once, and must not wait for replays and for exercises that are checked.
  Workers students_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_GRADING_SERVICE_H_
