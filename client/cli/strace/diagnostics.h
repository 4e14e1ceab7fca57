// What a reader has to say about a recording, line by line and in total.

#ifndef FAULTLINE_CLIENT_CLI_STRACE_DIAGNOSTICS_H_
#define FAULTLINE_CLIENT_CLI_STRACE_DIAGNOSTICS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace faultline::strace {

struct Diagnostic {
  enum class Kind {
    kSkipped,  // the line could not be used at all
    kNote,     // the line was used, but something about it is odd
  };
  Kind kind = Kind::kNote;
  int64_t line = 0;
  std::string reason;
  std::string excerpt;  // the start of the line, printable; empty for notes
};

// Every line counts once: lines == used + skipped + blank.
struct Totals {
  int64_t bytes = 0;
  int64_t lines = 0;
  int64_t used = 0;
  int64_t skipped = 0;
  int64_t blank = 0;
  int64_t notes = 0;
  int64_t syscalls = 0;     // calls that completed
  int64_t typed_calls = 0;  // of these, how many have a typed view
  int64_t unfinished = 0;   // calls that never completed
  int64_t tasks = 0;        // processes and threads seen

  friend bool operator==(const Totals&, const Totals&) = default;
};

// Bounded: the first kKeptMax are kept, the others are only counted.
class Diagnostics {
 public:
  static constexpr size_t kKeptMax = 100;

  void Add(Diagnostic diagnostic) {
    Totals& t = totals_;
    ++(diagnostic.kind == Diagnostic::Kind::kSkipped ? t.skipped : t.notes);
    if (kept_.size() < kKeptMax) kept_.push_back(std::move(diagnostic));
  }

  const std::vector<Diagnostic>& kept() const { return kept_; }
  const Totals& totals() const { return totals_; }
  Totals& totals() { return totals_; }

 private:
  std::vector<Diagnostic> kept_;
  Totals totals_;
};

// The judgement over a whole recording.
struct Verdict {
  enum class Kind {
    kUsable,
    kEmpty,    // no lines
    kForeign,  // not strace's output
    kNoCalls,  // strace's output, but no call that shapes memory or processes
  };
  Kind kind = Kind::kUsable;
  std::string message;  // what is wrong and what to do; empty when usable

  bool usable() const { return kind == Kind::kUsable; }
};

}  // namespace faultline::strace

#endif  // FAULTLINE_CLIENT_CLI_STRACE_DIAGNOSTICS_H_
