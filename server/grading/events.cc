#include "server/grading/events.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "server/grading/yaml_message.h"
#include "server/scenario/suggest.h"

namespace faultline::grading {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

constexpr char kResolved[] = "fault_resolved";

const OneofDescriptor& Body() {
  return *v1::Event::descriptor()->FindOneofByName("body");
}

const Descriptor* TypeOf(const std::string& kind) {
  const FieldDescriptor* field = v1::Event::descriptor()->FindFieldByName(kind);
  if (field == nullptr || field->containing_oneof() != &Body()) {
    return v1::FaultResolved::descriptor();
  }
  return field->message_type();
}

Value ValueOf(const Message& body, const FieldDescriptor& field) {
  const Reflection& r = *body.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Value(int64_t{r.GetInt32(body, &field)});
    case FieldDescriptor::CPPTYPE_UINT32:
      return Value(int64_t{r.GetUInt32(body, &field)});
    case FieldDescriptor::CPPTYPE_INT64:
      return Value(r.GetInt64(body, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return Value(static_cast<int64_t>(r.GetUInt64(body, &field)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return Value(int64_t{r.GetBool(body, &field)});
    case FieldDescriptor::CPPTYPE_ENUM:
      return Value(ShortName(*r.GetEnum(body, &field)));
    default:
      return Value(r.GetString(body, &field));
  }
}

}  // namespace

std::vector<std::string> EventKinds() {
  std::vector<std::string> kinds;
  for (int i = 0; i < Body().field_count(); ++i) {
    kinds.push_back(Body().field(i)->name());
  }
  const auto& resolutions = *v1::FaultResolution_descriptor();
  for (int i = 1; i < resolutions.value_count(); ++i) {
    kinds.push_back(ShortName(*resolutions.value(i)));
  }
  return kinds;
}

absl::Status CheckEventKind(const std::string& kind) {
  const std::vector<std::string> kinds = EventKinds();
  for (const std::string& known : kinds) {
    if (known == kind) return absl::OkStatus();
  }
  const std::string near = scenario::DidYouMean(kind, kinds);
  return absl::NotFoundError(absl::StrCat(
      "there is no event '", kind, "'",
      near.empty() ? absl::StrCat("; there are: ", absl::StrJoin(kinds, ", "))
                   : near));
}

bool IsOfKind(const v1::Event& event, absl::string_view kind) {
  const FieldDescriptor* field =
      v1::Event::GetReflection()->GetOneofFieldDescriptor(event, &Body());
  if (field == nullptr) return false;
  if (field->name() == kind) return true;
  if (field->name() != kResolved) return false;
  const auto* how = v1::FaultResolution_descriptor()->FindValueByNumber(
      event.fault_resolved().how());
  return how != nullptr && ShortName(*how) == kind;
}

absl::Status CheckEventField(const std::string& kind,
                             const std::string& field) {
  const Descriptor& type = *TypeOf(kind);
  if (field == "pid" || type.FindFieldByName(field) != nullptr) {
    return absl::OkStatus();
  }
  std::vector<std::string> names = {"pid"};
  for (int i = 0; i < type.field_count(); ++i) {
    names.push_back(type.field(i)->name());
  }
  return absl::NotFoundError(
      absl::StrCat("an event ", kind, " has no field '", field,
                   "'; it has: ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<Value> EventScope::Field(const std::string& label,
                                        const std::string& name) const {
  if (label != "event") return around_.Field(label, name);
  const Reflection& r = *v1::Event::GetReflection();
  const FieldDescriptor* set = r.GetOneofFieldDescriptor(event_, &Body());
  if (set != nullptr) {
    const Message& body = r.GetMessage(event_, set);
    const FieldDescriptor* field = body.GetDescriptor()->FindFieldByName(name);
    if (field != nullptr) return ValueOf(body, *field);
  }
  if (name == "pid") return Value(int64_t{event_.pid()});
  return absl::NotFoundError(
      absl::StrCat("this event has no field '", name, "'"));
}

}  // namespace faultline::grading
