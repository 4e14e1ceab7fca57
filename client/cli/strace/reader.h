// Reads the text that `strace -f -y -o FILE PROGRAM` wrote and answers a
// stream of records.
//
//   std::ifstream file(path);
//   strace::Reader reader(file);
//   while (std::optional<strace::Record> record = reader.Next()) {
//     std::visit(…, record->event);
//   }
//   if (!reader.verdict().usable()) …   // see also reader.diagnostics()
//
// Order: a call is delivered where it completed, not where it began, so that
// replaying the records in their order gives what the program saw. The one
// exception: strace often shows the first lines of a new task before the clone
// that made it returns. That clone is then delivered, complete with its result,
// before the first record of its child, and not again when it returns.
//
// Every line of the text is used, or blank, or skipped with a reason; nothing
// in the text can make the reader fail. Memory is bounded by the constants
// below and in tasks.h, whatever the text.

#ifndef FAULTLINE_CLIENT_CLI_STRACE_READER_H_
#define FAULTLINE_CLIENT_CLI_STRACE_READER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <istream>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "client/cli/strace/diagnostics.h"
#include "client/cli/strace/line.h"
#include "client/cli/strace/record.h"
#include "client/cli/strace/tasks.h"

namespace faultline::strace {

class Reader {
 public:
  // A longer line is skipped.
  static constexpr size_t kLineBytesMax = size_t{1} << 20;
  // When nothing in this many lines is usable, the file is foreign: the reader
  // stops, however long it is.
  static constexpr int64_t kProbeLinesMax = 1000;
  // Records held back while it is unclear which of several clones made a task.
  static constexpr size_t kHeldRecordsMax = 4096;
  static constexpr size_t kHeldBytesMax = size_t{16} << 20;

  // `in` must outlive the reader.
  explicit Reader(std::istream& in) : in_(in) {}

  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // The next record, or nothing at the end.
  std::optional<Record> Next();

  const Diagnostics& diagnostics() const { return diagnostics_; }

  // The judgement on what has been read so far; final when Next() answered
  // nothing.
  Verdict verdict() const;

 private:
  bool ReadLine();
  bool FillLine();
  void TakeLine(std::string_view text);
  void Finish();

  void Take(Pid pid, const Line& line, const CompleteCall& call);
  void Take(Pid pid, const Line& line, const UnfinishedCall& call);
  void Take(Pid pid, const Line& line, const ResumedCall& call);
  void Take(Pid pid, const Line& line, const TracerNote& note);
  void TakeEvent(Pid pid, const Line& line);
  void TakeCall(Pid pid, std::string_view name, std::string_view rest,
                const PendingCall& begun);

  void Meet(Pid pid);
  void DeliverEarly(Pid creator, Pid child, size_t before);
  bool DeliverClone(Record& record, const PendingCall& begun);
  size_t FirstRecordOf(Pid pid) const;
  void StopHolding();
  void EndTask(Pid pid);

  Syscall MakeSyscall(std::string_view name,
                      const std::vector<std::string_view>& slices);
  Record NewRecord(Pid pid, const PendingCall& begun) const;
  void Push(Record record);
  void Used() { ++diagnostics_.totals().used; }
  void Skip(std::string reason);
  void Note(std::string reason);

  std::istream& in_;
  Diagnostics diagnostics_;
  Tasks tasks_;
  std::deque<Record> queue_;
  size_t held_bytes_ = 0;
  std::set<Pid> orphans_;  // tasks whose maker is not known yet
  std::string line_;       // the line at hand
  std::string begun_;      // a line interrupted by "strace: Process N attached"
  std::string first_unusable_;
  bool line_too_long_ = false;
  bool cut_off_ = false;  // the last line has no end
  bool finished_ = false;
};

}  // namespace faultline::strace

#endif  // FAULTLINE_CLIENT_CLI_STRACE_READER_H_
