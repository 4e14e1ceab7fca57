// The events of a machine by name: what patterns and events() look for.
#ifndef FAULTLINE_SERVER_GRADING_EVENTS_H_
#define FAULTLINE_SERVER_GRADING_EVENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/event.pb.h"
#include "server/grading/expression.h"

namespace faultline::grading {

// The fields of Event.body ("vma_split"), and how faults are resolved
// ("cow_copy"), which stands for a fault_resolved of that kind.
std::vector<std::string> EventKinds();
// "; did you mean …" is in the message of the NOT_FOUND.
absl::Status CheckEventKind(const std::string& kind);
// REQUIRES: CheckEventKind(kind) is OK.
bool IsOfKind(const v1::Event& event, absl::string_view kind);

// The fields of one kind, for `where`: "address", "how", …; for all kinds
// "pid".
absl::Status CheckEventField(const std::string& kind, const std::string& field);

// A scope in which event.FIELD is a field of `event`.
class EventScope final : public Scope {
 public:
  EventScope(const v1::Event& event, const Scope& around)
      : event_(event), around_(around) {}

  absl::StatusOr<Value> Name(const std::string& name) const override {
    return around_.Name(name);
  }
  absl::StatusOr<Value> Label(const std::string& label) const override {
    return around_.Label(label);
  }
  absl::StatusOr<Value> Field(const std::string& label,
                              const std::string& field) const override;
  absl::StatusOr<Value> Call(const Expression& call) const override {
    return around_.Call(call);
  }

 private:
  const v1::Event& event_;
  const Scope& around_;
};

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_EVENTS_H_
