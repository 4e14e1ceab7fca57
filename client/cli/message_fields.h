// The fields of a command or an event as an export writes them: by the names of
// the contract, in the order of their numbers, addresses told from numbers.

#ifndef FAULTLINE_CLIENT_CLI_MESSAGE_FIELDS_H_
#define FAULTLINE_CLIENT_CLI_MESSAGE_FIELDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "faultline/v1/command.pb.h"
#include "faultline/v1/event.pb.h"
#include "faultline/v1/outcome.pb.h"

namespace faultline::cli {

struct MessageField {
  enum class Kind {
    kAddress,   // number; for people in hexadecimal
    kUnsigned,  // number
    kSigned,    // signed_number
    kBool,      // number, 0 or 1
    kText,      // text; the values of enums too
    kBytes,     // text
    kTexts,     // texts
  };

  std::string name;
  Kind kind = Kind::kUnsigned;
  uint64_t number = 0;
  int64_t signed_number = 0;
  std::string text;
  std::vector<std::string> texts;
};

// All fields but those that may be absent and are. Messages in messages and
// lists of anything but texts are left out; no command and no event has one.
std::vector<MessageField> FieldsOf(const google::protobuf::Message& message);

// "mmap" and the fields of the mmap; "unknown" and none for an operation that
// this program does not know.
struct NamedFields {
  std::string name;
  std::vector<MessageField> fields;
};
NamedFields FieldsOfCommand(const v1::Command& command);
// "mm_page_alloc" and its fields.
NamedFields FieldsOfEvent(const v1::Event& event);

// "ENOMEM"; the number for one that this program does not know.
std::string ErrnoText(v1::Errno error);
// "SIGSEGV"; the number for one without a name.
std::string SignalText(int signal);

// True for a call that returns an address, when it succeeds.
bool ReturnsAddress(const v1::Command& command);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_MESSAGE_FIELDS_H_
