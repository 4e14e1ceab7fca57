// A session as JSON lines: one object per revision, with its fields in a fixed
// order. client/README.md documents them.

#ifndef FAULTLINE_CLIENT_CLI_EXPORT_JSONL_H_
#define FAULTLINE_CLIENT_CLI_EXPORT_JSONL_H_

#include <cstdint>
#include <string>

#include "client/cli/message_fields.h"
#include "faultline/v1/watch.pb.h"

namespace faultline::cli {

// Makes lines of changes in the order of their revisions, from revision 1 on.
class JsonlExport {
 public:
  // One object and a newline.
  std::string Line(const v1::Change& change);

 private:
  uint64_t clock_ns_ = 0;  // simulated, after the last change
};

// {"addr":"0x7f00","length":4096}
std::string FieldsJson(const std::vector<MessageField>& fields);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_EXPORT_JSONL_H_
