#include "client/cli/message_fields.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cctype>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/scenario/names.h"

namespace faultline::cli {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// The other 64-bit fields are lengths, offsets, masks and counts.
bool IsAddress(const FieldDescriptor& field) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_UINT64) return false;
  static constexpr absl::string_view kNames[] = {
      "addr", "new_addr", "address",   "start",   "end",
      "at",   "from",     "old_start", "old_end", "to"};
  return std::find(std::begin(kNames), std::end(kNames),
                   absl::string_view(field.name())) != std::end(kNames);
}

// ACCESS_KIND_WRITE -> "write": without the name of the enum, which the value
// 0 tells: ACCESS_KIND_UNSPECIFIED.
std::string EnumText(const EnumDescriptor& type, int number) {
  const auto* value = type.FindValueByNumber(number);
  const auto* zero = type.FindValueByNumber(0);
  if (value == nullptr || zero == nullptr) return absl::StrCat(number);
  const size_t prefix = zero->name().rfind('_') + 1;
  std::string text = value->name().substr(prefix);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

void ReadScalar(const Message& message, const FieldDescriptor& field,
                MessageField* read) {
  using Kind = MessageField::Kind;
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT64:
      read->kind = IsAddress(field) ? Kind::kAddress : Kind::kUnsigned;
      read->number = reflection.GetUInt64(message, &field);
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      read->kind = Kind::kUnsigned;
      read->number = reflection.GetUInt32(message, &field);
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      read->kind = Kind::kSigned;
      read->signed_number = reflection.GetInt64(message, &field);
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      read->kind = Kind::kSigned;
      read->signed_number = reflection.GetInt32(message, &field);
      return;
    case FieldDescriptor::CPPTYPE_BOOL:
      read->kind = Kind::kBool;
      read->number = reflection.GetBool(message, &field) ? 1 : 0;
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      read->kind = Kind::kText;
      read->text = EnumText(*field.enum_type(),
                            reflection.GetEnumValue(message, &field));
      return;
    default:
      read->kind = field.type() == FieldDescriptor::TYPE_BYTES ? Kind::kBytes
                                                               : Kind::kText;
      read->text = reflection.GetString(message, &field);
  }
}

// The member of a oneof that is set: its name and its fields.
NamedFields FieldsOfMember(const Message& message, const char* oneof) {
  const FieldDescriptor* member =
      message.GetReflection()->GetOneofFieldDescriptor(
          message, message.GetDescriptor()->FindOneofByName(oneof));
  if (member == nullptr) return {"unknown", {}};
  return {member->name(),
          FieldsOf(message.GetReflection()->GetMessage(message, member))};
}

std::string NameOr(const scenario::NameTable& names, int number) {
  const char* name = names.NameOf(static_cast<uint64_t>(number));
  return name != nullptr ? name : absl::StrCat(number);
}

}  // namespace

std::vector<MessageField> FieldsOf(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    fields.push_back(message.GetDescriptor()->field(i));
  }
  std::sort(fields.begin(), fields.end(), [](const auto* a, const auto* b) {
    return a->number() < b->number();
  });
  std::vector<MessageField> result;
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const bool texts = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    if (field->is_repeated() && !texts) continue;
    if (field->has_presence() && !reflection.HasField(message, field)) continue;
    MessageField& read = result.emplace_back();
    read.name = field->name();
    if (!field->is_repeated()) {
      ReadScalar(message, *field, &read);
      continue;
    }
    read.kind = MessageField::Kind::kTexts;
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      read.texts.push_back(reflection.GetRepeatedString(message, field, i));
    }
  }
  return result;
}

NamedFields FieldsOfCommand(const v1::Command& command) {
  return FieldsOfMember(command, "op");
}

NamedFields FieldsOfEvent(const v1::Event& event) {
  return FieldsOfMember(event, "body");
}

std::string ErrnoText(v1::Errno error) {
  return NameOr(scenario::ErrnoNames(), error);
}

std::string SignalText(int signal) {
  return NameOr(scenario::SignalNames(), signal);
}

bool ReturnsAddress(const v1::Command& command) {
  return command.has_mmap() || command.has_mremap() || command.has_brk() ||
         command.has_malloc() || command.has_calloc() || command.has_realloc();
}

}  // namespace faultline::cli
