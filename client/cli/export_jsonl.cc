#include "client/cli/export_jsonl.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/scenario/json_lines.h"

namespace faultline::cli {
namespace {

using scenario::JsonString;

std::string Hex(uint64_t number) { return absl::StrFormat("\"0x%x\"", number); }

// The members of one object, in the order in which they are added.
class JsonObject {
 public:
  void Add(absl::string_view name, absl::string_view json) {
    absl::StrAppend(&text_, text_.empty() ? "" : ",", JsonString(name), ":",
                    json);
  }

  std::string Take() const { return absl::StrCat("{", text_, "}"); }

 private:
  std::string text_;
};

std::string FieldJson(const MessageField& field) {
  switch (field.kind) {
    case MessageField::Kind::kAddress:
      return Hex(field.number);
    case MessageField::Kind::kUnsigned:
      return absl::StrCat(field.number);
    case MessageField::Kind::kSigned:
      return absl::StrCat(field.signed_number);
    case MessageField::Kind::kBool:
      return field.number != 0 ? "true" : "false";
    case MessageField::Kind::kText:
      return JsonString(field.text);
    case MessageField::Kind::kBytes:
      return JsonString(absl::Base64Escape(field.text));
    case MessageField::Kind::kTexts:
      break;
  }
  return absl::StrCat(
      "[",
      absl::StrJoin(field.texts, ",",
                    [](std::string* out, const std::string& text) {
                      *out += JsonString(text);
                    }),
      "]");
}

void AddFields(const std::vector<MessageField>& fields, JsonObject* object) {
  for (const MessageField& field : fields) {
    object->Add(field.name, FieldJson(field));
  }
}

std::string SignalJson(const v1::SignalInfo& signal) {
  JsonObject object;
  object.Add("signal", JsonString(SignalText(signal.signal())));
  object.Add("code", absl::StrCat(signal.code()));
  object.Add("addr", Hex(signal.addr()));
  return object.Take();
}

std::string OutcomeJson(const v1::Change& change) {
  if (!change.has_outcome()) return "null";
  const v1::Outcome& outcome = change.outcome();
  const bool failed = outcome.error() != v1::ERRNO_UNSPECIFIED;
  JsonObject object;
  object.Add("value", absl::StrCat(outcome.value()));
  if (ReturnsAddress(change.command()) && !failed) {
    object.Add("address", Hex(static_cast<uint64_t>(outcome.value())));
  }
  if (failed) object.Add("error", JsonString(ErrnoText(outcome.error())));
  if (outcome.has_signal()) object.Add("signal", SignalJson(outcome.signal()));
  if (outcome.exited()) object.Add("exited", "true");
  if (outcome.no_process()) object.Add("no_process", "true");
  object.Add("min_flt", absl::StrCat(outcome.min_flt()));
  object.Add("maj_flt", absl::StrCat(outcome.maj_flt()));
  if (change.command().has_access()) {
    object.Add("accesses", absl::StrCat(outcome.accesses()));
  }
  object.Add("cost_ns", absl::StrCat(outcome.cost_ns()));
  if (!outcome.data().empty()) {
    object.Add("data", JsonString(absl::Base64Escape(outcome.data())));
  }
  object.Add("digest", absl::StrFormat("\"0x%016x\"", outcome.digest()));
  return object.Take();
}

std::string EventJson(const v1::Event& event) {
  const NamedFields body = FieldsOfEvent(event);
  JsonObject object;
  object.Add("event", JsonString(body.name));
  object.Add("for_pid", absl::StrCat(event.pid()));
  AddFields(body.fields, &object);
  object.Add("text", JsonString(event.text()));
  return object.Take();
}

std::string TimeJson(const google::protobuf::Timestamp& time) {
  const absl::Time moment =
      absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return JsonString(
      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", moment, absl::UTCTimeZone()));
}

}  // namespace

std::string FieldsJson(const std::vector<MessageField>& fields) {
  JsonObject object;
  AddFields(fields, &object);
  return object.Take();
}

std::string JsonlExport::Line(const v1::Change& change) {
  const NamedFields command = FieldsOfCommand(change.command());
  JsonObject object;
  object.Add("revision", absl::StrCat(change.revision()));
  if (change.has_time()) object.Add("time", TimeJson(change.time()));
  if (!change.sender().empty()) {
    object.Add("sender", JsonString(change.sender()));
  }
  object.Add("clock_ns", absl::StrCat(clock_ns_));
  object.Add("pid", absl::StrCat(change.command().pid()));
  object.Add("command", JsonString(command.name));
  object.Add("arguments", FieldsJson(command.fields));
  object.Add("outcome", OutcomeJson(change));
  std::string events;
  for (const v1::Event& event : change.events()) {
    absl::StrAppend(&events, events.empty() ? "" : ",", EventJson(event));
  }
  object.Add("events", absl::StrCat("[", events, "]"));
  clock_ns_ += change.outcome().cost_ns();
  return object.Take() + "\n";
}

}  // namespace faultline::cli
