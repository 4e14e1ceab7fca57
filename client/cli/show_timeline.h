// The timeline of a session: one column per revision, or per equal number of
// revisions when there are more than columns.

#ifndef FAULTLINE_CLIENT_CLI_SHOW_TIMELINE_H_
#define FAULTLINE_CLIENT_CLI_SHOW_TIMELINE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/cli/picture.h"
#include "client/cli/recording.h"
#include "client/cli/session_tally.h"

namespace faultline::cli {

// Gathers changes and draws them. Its memory does not grow with their number.
class Timeline {
 public:
  // Processes with a row of their own; the others share one.
  static constexpr size_t kRowsMax = 8;

  Timeline(Revisions revisions, const PictureStyle& style);

  // A change of the range.
  void Add(const v1::Change& change);

  // A row for each process with the most telling thing of each column, the
  // faults per column, the revisions, the legend. Empty without revisions.
  std::string Draw() const;

 private:
  struct Row {
    std::string label;
    std::vector<ChangeClass> columns;
  };

  Row& RowOf(uint32_t pid);
  size_t ColumnAt(int64_t revision) const;
  std::string DrawRow(const Row& row) const;
  std::string DrawFaults() const;
  std::string DrawAxis() const;
  std::string DrawLegend() const;

  Revisions revisions_;
  PictureStyle style_;
  int64_t per_column_ = 1;  // revisions
  size_t columns_ = 0;
  std::vector<Row> rows_;
  std::map<uint32_t, size_t> row_of_pid_;
  std::vector<uint64_t> faults_;  // per column
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_SHOW_TIMELINE_H_
