// The contract as it was published: names and numbers never change, and nothing
// is ever removed. tests/codec/contract.txt has one line per field, enum value
// and rpc. When something was added:
//   FAULTLINE_REWRITE=1 build/dev/bin/codec_test --gtest_filter='Contract.*'
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "faultline/v1/drawn.pb.h"
#include "faultline/v1/grading.pb.h"
#include "faultline/v1/history.pb.h"
#include "faultline/v1/inspect.pb.h"
#include "faultline/v1/machine.pb.h"
#include "faultline/v1/session.pb.h"
#include "google/protobuf/descriptor.h"

namespace faultline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

constexpr char kGolden[] = "tests/codec/contract.txt";

std::string TypeOf(const FieldDescriptor& f) {
  if (f.is_map()) {
    return "map<" + TypeOf(*f.message_type()->map_key()) + "," +
           TypeOf(*f.message_type()->map_value()) + ">";
  }
  std::string type = f.message_type() != nullptr ? f.message_type()->full_name()
                     : f.enum_type() != nullptr  ? f.enum_type()->full_name()
                                                 : f.type_name();
  if (f.is_repeated()) type = "repeated " + type;
  if (f.has_optional_keyword()) type = "optional " + type;
  if (f.real_containing_oneof() != nullptr) {
    type = "oneof " + f.real_containing_oneof()->name() + " " + type;
  }
  return type;
}

void List(const Descriptor& message, std::set<std::string>* out) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& f = *message.field(i);
    out->insert(f.full_name() + " = " + std::to_string(f.number()) + " " +
                TypeOf(f));
  }
}

void List(const EnumDescriptor& type, std::set<std::string>* out) {
  for (int i = 0; i < type.value_count(); ++i) {
    out->insert(type.full_name() + "." + type.value(i)->name() + " = " +
                std::to_string(type.value(i)->number()));
  }
}

void List(const google::protobuf::ServiceDescriptor& service,
          std::set<std::string>* out) {
  for (int i = 0; i < service.method_count(); ++i) {
    const auto& m = *service.method(i);
    out->insert(m.full_name() + (m.client_streaming() ? " stream " : " ") +
                m.input_type()->full_name() + " ->" +
                (m.server_streaming() ? " stream " : " ") +
                m.output_type()->full_name());
  }
}

void List(const FileDescriptor& file, std::set<std::string>* out) {
  if (file.package() != "faultline.v1") return;
  for (int i = 0; i < file.dependency_count(); ++i) {
    List(*file.dependency(i), out);
  }
  for (int i = 0; i < file.message_type_count(); ++i) {
    List(*file.message_type(i), out);
  }
  for (int i = 0; i < file.enum_type_count(); ++i) {
    List(*file.enum_type(i), out);
  }
  for (int i = 0; i < file.service_count(); ++i) {
    List(*file.service(i), out);
  }
}

std::set<std::string> Actual() {
  std::set<std::string> lines;
  for (const FileDescriptor* file :
       {v1::Session::descriptor()->file(), v1::RunRequest::descriptor()->file(),
        v1::Page::descriptor()->file(), v1::Check::descriptor()->file(),
        v1::Attempt::descriptor()->file(),
        v1::DrawnVariant::descriptor()->file()}) {
    List(*file, &lines);
  }
  return lines;
}

TEST(Contract, ChangesOnlyByAdditions) {
  const std::set<std::string> actual = Actual();
  if (std::getenv("FAULTLINE_REWRITE") != nullptr) {
    std::ofstream out(kGolden);
    for (const std::string& line : actual) out << line << "\n";
    return;
  }
  std::ifstream in(kGolden);
  ASSERT_TRUE(in) << kGolden << ": run the test in the root of the tree";
  std::set<std::string> golden;
  for (std::string line; std::getline(in, line);) golden.insert(line);
  EXPECT_GT(golden.size(), 300U);
  for (const std::string& line : golden) {
    EXPECT_TRUE(actual.count(line)) << "was published and is gone: " << line;
  }
  for (const std::string& line : actual) {
    EXPECT_TRUE(golden.count(line))
        << "is new; write it down with FAULTLINE_REWRITE=1: " << line;
  }
}

}  // namespace
}  // namespace faultline
