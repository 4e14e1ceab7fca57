// The checks of an exercise that need no machine. Private to exercise.cc.
#ifndef FAULTLINE_SERVER_GRADING_EXERCISE_CHECK_H_
#define FAULTLINE_SERVER_GRADING_EXERCISE_CHECK_H_

#include "faultline/v1/exercise.pb.h"
#include "server/grading/problem.h"
#include "server/grading/yaml_message.h"

namespace faultline::grading {

void CheckExercise(const v1::Exercise& exercise, const SourceMap& source,
                   Problems* problems);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_EXERCISE_CHECK_H_
