// The verbs the tests of grading are written in.
#ifndef FAULTLINE_TESTS_GRADING_GRADING_TESTING_H_
#define FAULTLINE_TESTS_GRADING_GRADING_TESTING_H_

#include <string>
#include <vector>

#include "server/grading/exercise.h"
#include "server/grading/grade.h"
#include "server/grading/variant.h"

namespace faultline::grading {

// A file of the source tree.
std::string ReadTree(const std::string& path);

// The exercises that come with the project, by path.
std::vector<std::string> ShippedExercises();

// An exercise that must be good.
Exercise MustRead(const std::string& yaml);

// What is wrong with one, a line each.
std::string Complaints(const std::string& yaml);

// An exercise as it is for one student, to be graded.
class Played {
 public:
  explicit Played(const Exercise& exercise,
                  const std::string& student = "ada@x.edu");

  const Values& values() const { return drawn_.values; }
  const Stage& stage() const { return stage_; }
  const Drawn& drawn() const { return drawn_; }
  Case MakeCase() const;

  Answers Solution() const;
  v1::GradeReport Answer(const Answers& answers) const;
  // Once: it goes on from the set-up.
  v1::GradeReport Perform(const std::string& scenario);
  // What Perform stopped at.
  const absl::Status& stopped() const { return stopped_; }

 private:
  const Exercise& exercise_;
  Drawn drawn_;
  Stage stage_;
  absl::Status stopped_;
};

// The check of an id; an empty one when there is none.
v1::GradedCheck CheckOf(const v1::GradeReport& report, const std::string& id);

}  // namespace faultline::grading

#endif  // FAULTLINE_TESTS_GRADING_GRADING_TESTING_H_
