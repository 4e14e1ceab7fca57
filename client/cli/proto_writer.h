// Writes protobuf messages field by field, for a format whose .proto files are
// not ours.

#ifndef FAULTLINE_CLIENT_CLI_PROTO_WRITER_H_
#define FAULTLINE_CLIENT_CLI_PROTO_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace faultline::cli {

// One message. Fields are written in the order of the calls.
class ProtoWriter {
 public:
  // int32, int64, uint32, uint64, bool and enum; a negative number as the
  // int64 that it is.
  void Varint(int field, uint64_t value);
  void Fixed64(int field, uint64_t value);
  // string and bytes.
  void Text(int field, absl::string_view text);
  void Message(int field, const ProtoWriter& message) {
    Text(field, message.bytes_);
  }

  const std::string& bytes() const { return bytes_; }
  std::string Take();

 private:
  std::string bytes_;
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_PROTO_WRITER_H_
