// Fills messages through reflection, so that a field that somebody adds is in
// the tests without anybody thinking of it.
#ifndef FAULTLINE_TESTS_CODEC_FILL_H_
#define FAULTLINE_TESTS_CODEC_FILL_H_

#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace faultline::testing {

inline void AddTwo(google::protobuf::Message& message,
                   const google::protobuf::FieldDescriptor* f) {
  using google::protobuf::FieldDescriptor;
  const auto* r = message.GetReflection();
  const uint32_t n = 100 + f->number();
  const std::string text = "/text-" + std::to_string(n);
  switch (f->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      r->AddString(&message, f, text);
      r->AddString(&message, f, text + "-bis");
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      r->AddUInt32(&message, f, n);
      r->AddUInt32(&message, f, 2 * n);
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      r->AddUInt64(&message, f, n);
      r->AddUInt64(&message, f, 2 * n);
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      r->AddEnumValue(&message, f, 1);
      r->AddEnumValue(&message, f, 2);
      break;
    default:
      break;  // no other is repeated in these
  }
}

// Sets every field outside a oneof to a value that is neither its default nor
// that of another field: numbers to 100 + the field's number, enums to their
// last value, texts to "/text-<number>", bools that have presence to false.
// Repeated fields get two items.
inline void FillFields(google::protobuf::Message& message) {
  using google::protobuf::FieldDescriptor;
  const auto* type = message.GetDescriptor();
  const auto* r = message.GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* f = type->field(i);
    if (f->real_containing_oneof() != nullptr) continue;
    const int n = 100 + f->number();
    const std::string text = "/text-" + std::to_string(n);
    if (f->is_repeated()) {
      AddTwo(message, f);
      continue;
    }
    switch (f->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        r->SetInt32(&message, f, n);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        r->SetInt64(&message, f, n);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        r->SetUInt32(&message, f, static_cast<uint32_t>(n));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        r->SetUInt64(&message, f, static_cast<uint64_t>(n));
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        r->SetBool(&message, f, !f->has_presence());
        break;
      case FieldDescriptor::CPPTYPE_ENUM: {
        const auto* e = f->enum_type();
        r->SetEnum(&message, f, e->value(e->value_count() - 1));
        break;
      }
      case FieldDescriptor::CPPTYPE_STRING:
        r->SetString(&message, f, text);
        break;
      default:
        break;  // no message is a field of these
    }
  }
}

// Sets the member `f` of a oneof and fills it.
inline void FillMember(google::protobuf::Message& message,
                       const google::protobuf::FieldDescriptor* f) {
  FillFields(*message.GetReflection()->MutableMessage(&message, f));
}

}  // namespace faultline::testing

#endif  // FAULTLINE_TESTS_CODEC_FILL_H_
