#include "client/cli/proto_writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <utility>

namespace faultline::cli {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// A tag and a number.
constexpr size_t kNumberMax = 20;

void AppendVarint(uint64_t value, std::string* bytes) {
  uint8_t buffer[kNumberMax];
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer);
  bytes->append(reinterpret_cast<const char*>(buffer),
                static_cast<size_t>(end - buffer));
}

void AppendTag(int field, WireFormatLite::WireType type, std::string* bytes) {
  AppendVarint(WireFormatLite::MakeTag(field, type), bytes);
}

}  // namespace

void ProtoWriter::Varint(int field, uint64_t value) {
  AppendTag(field, WireFormatLite::WIRETYPE_VARINT, &bytes_);
  AppendVarint(value, &bytes_);
}

void ProtoWriter::Fixed64(int field, uint64_t value) {
  AppendTag(field, WireFormatLite::WIRETYPE_FIXED64, &bytes_);
  uint8_t buffer[sizeof(value)];
  CodedOutputStream::WriteLittleEndian64ToArray(value, buffer);
  bytes_.append(reinterpret_cast<const char*>(buffer), sizeof(buffer));
}

void ProtoWriter::Text(int field, absl::string_view text) {
  AppendTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, &bytes_);
  AppendVarint(text.size(), &bytes_);
  bytes_.append(text.data(), text.size());
}

std::string ProtoWriter::Take() { return std::exchange(bytes_, {}); }

}  // namespace faultline::cli
