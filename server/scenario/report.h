// What a run prints: each operation as it happens, and a summary at the end.
// As text for people, or as JSON lines for comparison.

#ifndef FAULTLINE_SERVER_SCENARIO_REPORT_H_
#define FAULTLINE_SERVER_SCENARIO_REPORT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "faultline/v1/outcome.pb.h"
#include "server/scenario/json_lines.h"
#include "server/scenario/style.h"

namespace faultline::scenario {

// Counts what the operations of a run did.
class Summary {
 public:
  void Add(const OpResult& result, const v1::Outcome& outcome);

  int operations() const { return operations_; }
  // A few lines: operations, errors, signals, faults by how they were
  // resolved.
  std::string Text(const Style& style) const;

 private:
  int operations_ = 0;
  int skipped_ = 0;
  uint64_t minor_faults_ = 0;
  uint64_t major_faults_ = 0;
  uint64_t cost_ns_ = 0;
  std::map<std::string, int> errors_;
  std::map<std::string, int> signals_;
  std::map<int, int> resolutions_;  // by v1::FaultResolution
};

// "a new zeroed page (do_anonymous_page)": how a fault was resolved, in words.
std::string ResolutionText(int resolution);

// Where a run's lines go. Text lines and JSON lines are two printers.
class Printer {
 public:
  virtual ~Printer() = default;
  virtual void PrintOp(const OpResult& result, const v1::Outcome& outcome) = 0;
  virtual void PrintDump(const DumpResult& dump) = 0;
  virtual void PrintExpectation(const Op& op, bool held,
                                const std::string& what) = 0;
  virtual void PrintEnd(const Summary& summary) = 0;
};

std::unique_ptr<Printer> MakeTextPrinter(std::ostream& out, Style style);
std::unique_ptr<Printer> MakeJsonPrinter(std::ostream& out);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_REPORT_H_
