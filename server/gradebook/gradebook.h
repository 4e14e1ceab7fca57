// Exercises, attempts and grades of a server: what the store keeps of them,
// what a draw and a grading make of them, and the sessions that students drive.
#ifndef FAULTLINE_SERVER_GRADEBOOK_GRADEBOOK_H_
#define FAULTLINE_SERVER_GRADEBOOK_GRADEBOOK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "faultline/v1/grading.pb.h"
#include "server/gradebook/names.h"
#include "server/grading/exercise.h"
#include "server/limits.h"
#include "server/session/session_table.h"
#include "storage/store.h"

namespace faultline {

// Thread-safe. Everything works on the calling thread: the reads shortly,
// CreateExercise, StartAttempt and Grade as long as the machines take that they
// run. The errors are those of the rpcs of the same names, made by
// server/codec/errors.h and grading_errors.h.
//
// A retry is harmless. A request_id is kept with what it made; and the session
// of an attempt has a name that follows from the attempt, so that whoever
// starts it again, after the server died half way, goes on with that session.
// The attempt exists once its session is complete.
class Gradebook {
 public:
  struct Options {
    int64_t exercises_max = limits::kExercisesMax;
    int64_t attempts_max = limits::kAttemptsMax;
    int64_t grades_per_attempt_max = limits::kGradesPerAttemptMax;
    int lint_variants = limits::kLintSeeds;
  };
  // Those of the store, for callers that do not know it.
  using Replace = storage::Replace;
  using Force = storage::Force;
  // Asked now and then during long work; false ends it with CANCELLED. Empty:
  // it is always wanted.
  using KeepOn = std::function<bool()>;

  // Both must outlive it.
  Gradebook(storage::Store& store, SessionTable& table);
  Gradebook(storage::Store& store, SessionTable& table, Options options);
  Gradebook(const Gradebook&) = delete;
  Gradebook& operator=(const Gradebook&) = delete;

  // --- Exercises: gradebook_exercises.cc.

  struct Created {
    v1::ExerciseSummary exercise;
    std::vector<std::string> warnings;
  };
  absl::StatusOr<Created> CreateExercise(const std::string& yaml,
                                         Replace replace,
                                         const KeepOn& keep_on);
  absl::StatusOr<v1::ExerciseSummary> GetExercise(const std::string& exercise);
  // Up to `limit` with ids after `after_id`, in order. Start with "".
  absl::StatusOr<std::vector<v1::ExerciseSummary>> ListExercises(
      const std::string& after_id, int64_t limit);
  absl::Status DeleteExercise(const std::string& exercise, Force force);

  // --- Attempts: gradebook_attempts.cc.

  struct Start {
    std::string exercise;
    std::string student;  // grading::CheckStudent() is OK
    std::string request_id;
  };
  absl::StatusOr<v1::Attempt> StartAttempt(const Start& start);
  absl::StatusOr<v1::Attempt> GetAttempt(const AttemptIds& ids);
  // Of `request` its submission counts.
  absl::StatusOr<v1::Attempt> Submit(const AttemptIds& ids,
                                     const v1::SubmitRequest& request);

  // --- Grades: gradebook_grades.cc.

  struct GradeAsked {
    AttemptIds ids;
    std::string request_id;
    std::string secret;
  };
  absl::StatusOr<v1::Grade> Grade(const GradeAsked& asked,
                                  const KeepOn& keep_on);

  struct GradesAsked {
    std::string exercise;
    std::string student;  // empty: all
    std::string secret;
    int64_t after_position = 0;
    int64_t limit = 0;
    size_t bytes_max = 0;  // a page has no more of them than about this
  };
  struct GradePage {
    std::vector<v1::Grade> grades;
    int64_t last_position = 0;  // where the next page starts after
    bool more = false;
  };
  absl::StatusOr<GradePage> ListGrades(const GradesAsked& asked);

 private:
  // Who looks at a grade.
  enum class Viewer { kStudent, kGrader };
  // An exercise, for one who may know its secret.
  struct Opened {
    grading::Exercise exercise;
    Viewer viewer = Viewer::kStudent;
  };

  absl::StatusOr<storage::ExerciseRecord> ReadExercise(
      const std::string& exercise);
  absl::StatusOr<Opened> Open(const std::string& exercise,
                              const std::string& secret);

  absl::StatusOr<storage::AttemptRecord> ReadAttempt(const AttemptIds& ids);
  absl::StatusOr<absl::optional<storage::AttemptRecord>> FindStarted(
      const Start& start);
  absl::StatusOr<storage::AttemptRecord> StartNext(const Start& start);
  absl::Status DrawInto(const grading::Exercise& exercise,
                        storage::AttemptRecord* record);
  absl::Status CheckRoomForAttempt() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::string> CheckedSubmission(
      const storage::AttemptRecord& record, const v1::SubmitRequest& request);

  absl::StatusOr<absl::optional<storage::GradeRecord>> FindGiven(
      const GradeAsked& asked);
  absl::StatusOr<storage::GradeRecord> GiveNext(const GradeAsked& asked,
                                                const Opened& opened,
                                                const KeepOn& keep_on);
  absl::StatusOr<v1::GradeReport> MakeReport(
      const storage::AttemptRecord& record, const grading::Exercise& exercise,
      const KeepOn& keep_on);
  static absl::Status ExplainUnfit(const storage::AttemptRecord& attempt,
                                   const Opened& opened, absl::string_view why);
  absl::StatusOr<bool> MayKnowAnswers(const Opened& opened,
                                      const std::string& student);
  absl::StatusOr<v1::Grade> ShowGrade(const storage::GradeRecord& record,
                                      const Opened& opened);
  static absl::StatusOr<v1::Grade> GradeOf(const storage::GradeRecord& record,
                                           Viewer viewer, bool answers);

  storage::Store& store_;
  SessionTable& table_;
  const Options options_;

  absl::Mutex mutex_;
  // Attempts that there are, or some more; absent: to be counted.
  absl::optional<int64_t> attempts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_GRADEBOOK_GRADEBOOK_H_
