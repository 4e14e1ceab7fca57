#include "server/codec/change.h"

#include "faultline/v1/watch.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "server/codec/event.h"
#include "server/codec/outcome.h"
#include "server/codec/time.h"

namespace faultline {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

constexpr size_t kVarintBytesMax = 10;

void AppendVarint(uint64_t value, std::string& out) {
  uint8_t bytes[kVarintBytesMax];
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, bytes);
  out.append(reinterpret_cast<const char*>(bytes),
             static_cast<size_t>(end - bytes));
}

void AppendTag(int field, WireFormatLite::WireType type, std::string& out) {
  AppendVarint(WireFormatLite::MakeTag(field, type), out);
}

void AppendBytes(int field, absl::string_view bytes, std::string& out) {
  AppendTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, out);
  AppendVarint(bytes.size(), out);
  out.append(bytes.data(), bytes.size());
}

void AppendMessage(int field, const google::protobuf::MessageLite& message,
                   std::string& out) {
  const size_t bytes = message.ByteSizeLong();
  AppendTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, out);
  AppendVarint(bytes, out);
  const size_t start = out.size();
  out.resize(start + bytes);
  message.SerializeWithCachedSizesToArray(
      reinterpret_cast<uint8_t*>(out.data() + start));
}

std::string IntField(int field, int64_t value) {
  std::string out;
  AppendTag(field, WireFormatLite::WIRETYPE_VARINT, out);
  AppendVarint(static_cast<uint64_t>(value), out);
  return out;
}

}  // namespace

void AppendEventField(const Event& event, std::string& out) {
  v1::Event proto;
  EventToProto(event, &proto);
  AppendMessage(v1::Change::kEventsFieldNumber, proto, out);
}

void AppendCommandFields(absl::string_view command, const Outcome* outcome,
                         absl::string_view sender, absl::Time time,
                         std::string& out) {
  AppendBytes(v1::Change::kCommandFieldNumber, command, out);
  if (outcome != nullptr) {
    v1::Outcome proto;
    OutcomeToProto(*outcome, &proto);
    AppendMessage(v1::Change::kOutcomeFieldNumber, proto, out);
  }
  if (!sender.empty()) {
    AppendBytes(v1::Change::kSenderFieldNumber, sender, out);
  }
  google::protobuf::Timestamp when;
  TimeToProto(time, &when);
  AppendMessage(v1::Change::kTimeFieldNumber, when, out);
}

void AppendChangeHead(int64_t revision, size_t bytes, std::string& out) {
  const std::string head = IntField(v1::Change::kRevisionFieldNumber, revision);
  AppendTag(v1::WatchEventsResponse::kChangesFieldNumber,
            WireFormatLite::WIRETYPE_LENGTH_DELIMITED, out);
  AppendVarint(head.size() + bytes, out);
  out += head;
}

std::string RevisionField(int64_t revision) {
  return IntField(v1::WatchEventsResponse::kRevisionFieldNumber, revision);
}

}  // namespace faultline
