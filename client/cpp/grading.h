// Exercises, attempts and grades on a server.
//
//   client::Grading grading = client->grading();
//   grading.CreateExercise(yaml);
//   absl::StatusOr<v1::Attempt> mine =
//       grading.StartAttempt({.exercise = "cow", .student = "ada@x.edu"});
//   grading.SubmitAnswers(mine->name(), {{"faults", "3"}});
//   absl::StatusOr<v1::Grade> grade = grading.Grade({.attempt = mine->name()});
//
// A name is all of it or its last part: "exercises/cow" or "cow",
// "exercises/cow/attempts/a7f" or "cow/a7f".

#ifndef FAULTLINE_CLIENT_CPP_GRADING_H_
#define FAULTLINE_CLIENT_CPP_GRADING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/cpp/connection.h"
#include "faultline/v1/grading.pb.h"

namespace faultline::client {

// What CreateExercise does with an exercise of the same id.
enum class Existing { kIsAnError, kIsReplaced };

// What an exercise is deleted with.
struct DeleteExerciseSpec {
  bool allow_missing = false;  // an absent exercise is no error
  bool force = false;          // its attempts and grades go with it
};

// Which attempt, and by what it is known when it is asked for again.
struct AttemptSpec {
  std::string exercise{};
  std::string student{};
  // Empty: the library makes one, so that the call can be repeated. The same
  // one later gives the same attempt.
  std::string request_id{};
};

// How an attempt is graded.
struct GradeSpec {
  std::string attempt{};
  std::string secret{};      // of the exercise: shows what graders see
  std::string request_id{};  // as in AttemptSpec
};

// Which grades of an exercise.
struct GradesSpec {
  std::string exercise{};
  std::string student{};  // empty: of all
  std::string secret{};   // as in GradeSpec
};

// The grading of one server. Cheap to copy; thread-safe. Errors are those of
// proto/faultline/v1/grading.proto; each rpc lists its own.
class Grading {
 public:
  explicit Grading(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  // Adds the exercise that is in the text of a YAML file, after checks that
  // may take a while. Not repeated. The response has warnings.
  absl::StatusOr<v1::CreateExerciseResponse> CreateExercise(
      absl::string_view yaml, Existing existing = Existing::kIsAnError) const;
  absl::StatusOr<v1::ExerciseSummary> GetExercise(
      absl::string_view exercise) const;
  // All of them, page by page, in the order of their names.
  absl::StatusOr<std::vector<v1::ExerciseSummary>> ListExercises() const;
  // Repeated only when a missing one is allowed.
  absl::Status DeleteExercise(absl::string_view exercise,
                              const DeleteExerciseSpec& spec = {}) const;

  absl::StatusOr<v1::Attempt> StartAttempt(const AttemptSpec& spec) const;
  absl::StatusOr<v1::Attempt> GetAttempt(absl::string_view attempt) const;
  // Hands in answers by the ids of the questions, all of them at once.
  absl::StatusOr<v1::Attempt> SubmitAnswers(
      absl::string_view attempt,
      const std::map<std::string, std::string>& answers) const;
  // Hands in the attempt's session up to a revision; absent: up to now.
  absl::StatusOr<v1::Attempt> SubmitSession(
      absl::string_view attempt,
      absl::optional<int64_t> revision = absl::nullopt) const;
  // A further grade for what was handed in.
  absl::StatusOr<v1::Grade> Grade(const GradeSpec& spec) const;
  // All of them, page by page, in the order in which they were given.
  absl::StatusOr<std::vector<v1::Grade>> ListGrades(
      const GradesSpec& spec) const;

 private:
  absl::StatusOr<v1::Attempt> Submit(const v1::SubmitRequest& request) const;

  std::shared_ptr<Connection> connection_;
};

// "exercises/cow" for both "cow" and "exercises/cow".
std::string ExerciseName(absl::string_view id_or_name);
// "exercises/cow/attempts/a7f" for both that and "cow/a7f". What is neither is
// given back as it is, for the server to refuse.
std::string AttemptName(absl::string_view short_or_name);

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_GRADING_H_
