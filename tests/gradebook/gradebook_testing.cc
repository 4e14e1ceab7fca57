#include "tests/gradebook/gradebook_testing.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/grading/grading_testing.h"

namespace faultline::testing {
namespace {

constexpr uint64_t kPage = 4096;
// Where the set-up of TouchYaml maps.
constexpr uint64_t kTouched = 0x10000000;

template <class T>
T Must(absl::StatusOr<T> result) {
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : T();
}

}  // namespace

std::string GuessYaml(int attempts, const std::string& secret) {
  return absl::StrCat("id: guess\ntitle: Guess\nattempts: ", attempts,
                      secret.empty() ? "" : "\nsecret: " + secret, R"yaml(
text: Nobody told you n.
variables:
  - {name: n, range: {min: 1000000, max: 1999999}}
hide_setup: true
setup: |
  a: mmap 0 {n & 255}p rw- PRIVATE|ANON
  w: writer $a 2 1p 1
questions:
  - id: n
    text: What is n?
    points: 2
    answer: n
    explanation: It was drawn to be {n}.
    misconceptions:
      - {tag: off-by-one, answer: n + 1, note: Count from 0.}
  - id: at
    text: What does `a:` return?
    type: address
    answer: $a
  - id: faults
    text: How many minor faults does `w:` take?
    answer: w.min
    hidden: true
)yaml");
}

std::string TouchYaml(int attempts) {
  return absl::StrCat("id: touch\ntitle: Touch\nattempts: ", attempts, R"yaml(
secret: sesame
text: Write to the first {n} pages at {$a:x}.
variables:
  - {name: n, range: {min: 3, max: 6}}
setup: |
  a: mmap 0x10000000 16p rw- PRIVATE|ANON|FIXED
  writer $a+15p 1 1p 7
goals:
  - id: faults
    text: Take {n} minor faults.
    points: 2
    event: {event: fault_resolved, at_least: n}
    hint: Only {events(fault_resolved)} were taken.
  - id: there
    text: The first {n} pages are there.
    state: present($a) && present($a + (n - 1) * 4096)
  - id: value
    text: The first page begins with 1.
    state: byte($a) == 1
    hidden: true
rules: {deny: [fork], budget: {commands: 20}}
solution: writer $a {n} 1p 1
)yaml");
}

std::string Replaced(std::string text, const std::string& from,
                     const std::string& to) {
  EXPECT_NE(text.find(from), std::string::npos) << from;
  return absl::StrReplaceAll(text, {{from, to}});
}

AttemptIds IdsOf(const v1::Attempt& attempt) {
  const std::vector<std::string> parts = absl::StrSplit(attempt.name(), '/');
  EXPECT_EQ(parts.size(), 4) << attempt.name();
  return parts.size() == 4 ? AttemptIds{parts[1], parts[3]} : AttemptIds();
}

std::string SessionOf(const v1::Attempt& attempt) {
  return attempt.session().substr(attempt.session().find('/') + 1);
}

v1::GradedCheck CheckOf(const v1::Grade& grade, const std::string& id) {
  for (const v1::GradedCheck& check : grade.report().checks()) {
    if (check.id() == id) return check;
  }
  return {};
}

void GradebookTest::Begin() {
  Open(table_options);
  book_ = std::make_unique<Gradebook>(store(), table(), book_options);
}

void GradebookTest::End() {
  book_.reset();
  Stop();
}

void GradebookTest::BeginAgain() {
  End();
  Begin();
}

absl::StatusOr<v1::ExerciseSummary> GradebookTest::TryAdd(
    const std::string& yaml, Gradebook::Replace replace) {
  auto created = book().CreateExercise(yaml, replace, {});
  if (!created.ok()) return created.status();
  return created->exercise;
}

v1::ExerciseSummary GradebookTest::Add(const std::string& yaml,
                                       Gradebook::Replace replace) {
  return Must(TryAdd(yaml, replace));
}

absl::StatusOr<v1::Attempt> GradebookTest::TryStart(
    const std::string& exercise, const std::string& student,
    const std::string& request_id) {
  return book().StartAttempt({exercise, student, request_id});
}

v1::Attempt GradebookTest::Start(const std::string& exercise,
                                 const std::string& student,
                                 const std::string& request_id) {
  return Must(TryStart(exercise, student, request_id));
}

v1::Attempt GradebookTest::Get(const v1::Attempt& attempt) {
  return Must(book().GetAttempt(IdsOf(attempt)));
}

absl::StatusOr<v1::Attempt> GradebookTest::TryAnswer(const v1::Attempt& attempt,
                                                     const Answers& answers) {
  v1::SubmitRequest request;
  request.mutable_answers()->mutable_answers()->insert(answers.begin(),
                                                       answers.end());
  return book().Submit(IdsOf(attempt), request);
}

v1::Attempt GradebookTest::Answer(const v1::Attempt& attempt,
                                  const Answers& answers) {
  return Must(TryAnswer(attempt, answers));
}

absl::StatusOr<v1::Attempt> GradebookTest::TryHandIn(
    const v1::Attempt& attempt, absl::optional<int64_t> revision) {
  v1::SubmitRequest request;
  request.mutable_session();
  if (revision) request.mutable_session()->set_revision(*revision);
  return book().Submit(IdsOf(attempt), request);
}

v1::Attempt GradebookTest::HandIn(const v1::Attempt& attempt,
                                  absl::optional<int64_t> revision) {
  return Must(TryHandIn(attempt, revision));
}

absl::StatusOr<v1::Grade> GradebookTest::TryGrade(const v1::Attempt& attempt,
                                                  const std::string& request_id,
                                                  const std::string& secret) {
  return book().Grade({IdsOf(attempt), request_id, secret}, {});
}

v1::Grade GradebookTest::Grade(const v1::Attempt& attempt,
                               const std::string& request_id,
                               const std::string& secret) {
  return Must(TryGrade(attempt, request_id, secret));
}

absl::StatusOr<Gradebook::GradePage> GradebookTest::TryList(
    const std::string& exercise, const std::string& student,
    const std::string& secret) {
  Gradebook::GradesAsked asked;
  asked.exercise = exercise;
  asked.student = student;
  asked.secret = secret;
  asked.limit = 1000;
  asked.bytes_max = 1 << 20;
  return book().ListGrades(asked);
}

std::vector<v1::Grade> GradebookTest::List(const std::string& exercise,
                                           const std::string& student,
                                           const std::string& secret) {
  return Must(TryList(exercise, student, secret)).grades;
}

Command GradebookTest::TouchPage(int page) {
  return {1, Access{.kind = AccessKind::kWrite,
                    .addr = kTouched + static_cast<uint64_t>(page) * kPage,
                    .value = 1}};
}

void GradebookTest::Touch(const v1::Attempt& attempt, int pages) {
  for (int i = 0; i < pages; ++i) MustRun(SessionOf(attempt), TouchPage(i));
}

int GradebookTest::PagesOf(const v1::Attempt& attempt) {
  const grading::Exercise exercise = grading::MustRead(TouchYaml());
  const grading::Played played(exercise, attempt.student());
  return static_cast<int>(played.values().at("n").number());
}

std::vector<std::string> GradebookTest::SessionIds() {
  std::vector<std::string> ids;
  for (const SessionInfo& info : Must(table().List("", 1000))) {
    ids.push_back(info.id);
  }
  return ids;
}

void GradebookTest::MustRun(const std::string& session, Command command,
                            ExecuteOptions options) {
  Must(Run(session, std::move(command), std::move(options)));
}

}  // namespace faultline::testing
