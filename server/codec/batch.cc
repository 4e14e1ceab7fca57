#include "server/codec/batch.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>
#include <string>

#include "server/codec/errors.h"
#include "server/limits.h"

namespace faultline {
namespace {

using ::google::protobuf::internal::WireFormatLite;

constexpr uint32_t kCommandsTag =
    WireFormatLite::MakeTag(v1::RunRequest::kCommandsFieldNumber,
                            WireFormatLite::WIRETYPE_LENGTH_DELIMITED);

constexpr size_t kTagBytes = 1;
constexpr size_t kSizeBytes = 5;

}  // namespace

absl::StatusOr<BatchParts> TakeBatchApart(absl::string_view bytes) {
  google::protobuf::io::CodedInputStream in(
      reinterpret_cast<const uint8_t*>(bytes.data()),
      static_cast<int>(bytes.size()));
  BatchParts parts;
  std::string rest;  // the other fields
  bool well = true;
  while (well) {
    const auto start = static_cast<size_t>(in.CurrentPosition());
    const uint32_t tag = in.ReadTag();
    if (tag == 0) {
      well = in.ConsumedEntireMessage();
      break;
    }
    uint32_t size = 0;
    if (tag != kCommandsTag) {
      well = WireFormatLite::SkipField(&in, tag);
      const auto end = static_cast<size_t>(in.CurrentPosition());
      rest.append(bytes.data() + start, end - start);
    } else if ((well = in.ReadVarint32(&size))) {
      const auto at = static_cast<size_t>(in.CurrentPosition());
      // Protobuf refuses a tag or a size that takes more bytes than these.
      well = at - start <= kTagBytes + kSizeBytes &&
             size <= bytes.size() - at && in.Skip(static_cast<int>(size));
      if (well) parts.commands.push_back(bytes.substr(at, size));
      // What comes after too many need not be looked at.
      if (parts.commands.size() > size_t{limits::kBatchCommandsMax}) break;
    }
  }
  well = well && parts.head.ParseFromString(rest);
  if (well) return parts;
  return errors::InvalidField("request", "is no message of type RunRequest");
}

}  // namespace faultline
