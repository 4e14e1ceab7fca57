// The verbs the gradebook tests are written in: an instructor's, a student's,
// and a server that stops and starts.
#ifndef FAULTLINE_TESTS_GRADEBOOK_GRADEBOOK_TESTING_H_
#define FAULTLINE_TESTS_GRADEBOOK_GRADEBOOK_TESTING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "server/gradebook/gradebook.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {

// Of an exercise of its own, "guess": what n is, which is drawn from a million
// numbers and not shown, what `a:` returns, and one hidden question.
std::string GuessYaml(int attempts = 1, const std::string& secret = "sesame");
// An exercise "touch": write to the first n pages of $a, and not fork.
std::string TouchYaml(int attempts = 1);
// `text` with all of `from` replaced.
std::string Replaced(std::string text, const std::string& from,
                     const std::string& to);

AttemptIds IdsOf(const v1::Attempt& attempt);
// The last part of its session's name.
std::string SessionOf(const v1::Attempt& attempt);
v1::GradedCheck CheckOf(const v1::Grade& grade, const std::string& id);

class GradebookTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    Begin();
  }

  // A server with the options below.
  void Begin();
  void End();
  void BeginAgain();
  SessionTable::Options table_options = {};
  Gradebook::Options book_options = {};
  Gradebook& book() { return *book_; }

  // Those without `Try` must succeed.
  absl::StatusOr<v1::ExerciseSummary> TryAdd(
      const std::string& yaml,
      Gradebook::Replace replace = Gradebook::Replace::kNo);
  v1::ExerciseSummary Add(const std::string& yaml,
                          Gradebook::Replace replace = Gradebook::Replace::kNo);
  absl::StatusOr<v1::Attempt> TryStart(const std::string& exercise,
                                       const std::string& student,
                                       const std::string& request_id = "");
  v1::Attempt Start(const std::string& exercise,
                    const std::string& student = "ada@x.edu",
                    const std::string& request_id = "");
  v1::Attempt Get(const v1::Attempt& attempt);

  using Answers = std::map<std::string, std::string>;
  absl::StatusOr<v1::Attempt> TryAnswer(const v1::Attempt& attempt,
                                        const Answers& answers);
  v1::Attempt Answer(const v1::Attempt& attempt, const Answers& answers);
  absl::StatusOr<v1::Attempt> TryHandIn(
      const v1::Attempt& attempt,
      absl::optional<int64_t> revision = absl::nullopt);
  v1::Attempt HandIn(const v1::Attempt& attempt,
                     absl::optional<int64_t> revision = absl::nullopt);

  absl::StatusOr<v1::Grade> TryGrade(const v1::Attempt& attempt,
                                     const std::string& request_id = "",
                                     const std::string& secret = "");
  v1::Grade Grade(const v1::Attempt& attempt,
                  const std::string& request_id = "",
                  const std::string& secret = "");
  absl::StatusOr<Gradebook::GradePage> TryList(const std::string& exercise,
                                               const std::string& student = "",
                                               const std::string& secret = "");
  std::vector<v1::Grade> List(const std::string& exercise,
                              const std::string& student = "",
                              const std::string& secret = "");

  // Writes `pages` pages of $a in the session of a TouchYaml attempt, one
  // command for each.
  void Touch(const v1::Attempt& attempt, int pages);
  static Command TouchPage(int page);
  // How many pages the student of a TouchYaml attempt has to write.
  static int PagesOf(const v1::Attempt& attempt);

  std::vector<std::string> SessionIds();
  void MustRun(const std::string& session, Command command,
               ExecuteOptions options = {});

 private:
  std::unique_ptr<Gradebook> book_;
};

}  // namespace faultline::testing

#endif  // FAULTLINE_TESTS_GRADEBOOK_GRADEBOOK_TESTING_H_
