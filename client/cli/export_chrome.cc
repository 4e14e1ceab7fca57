#include "client/cli/export_chrome.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/export_jsonl.h"
#include "server/scenario/json_lines.h"

namespace faultline::cli {
namespace {

using scenario::JsonString;

// What stands for the machine where the format wants a process: beyond the
// greatest pid of Linux, since viewers take pid 0 for the idle task.
constexpr uint32_t kMachinePid = 4194305;

class ChromeSink : public TraceSink {
 public:
  ChromeSink() { Name("process_name", kMachinePid, kMachinePid, "machine"); }

  void BeginProcess(uint32_t pid, const std::string& name) override {
    Name("process_name", pid, pid, name);
  }
  void RenameProcess(uint32_t pid, const std::string& name) override {
    Name("process_name", pid, pid, name);
  }
  void BeginThread(uint32_t pid, uint32_t tid) override {
    pids_[tid] = pid;
    Name("thread_name", pid, tid, "calls");
  }

  // In this format arrows lead from slice to slice, so those between faults,
  // which are instants, are left out.
  void BeginSlice(const TraceEvent& event) override {
    Add("B", event, Described(event));
    for (const uint64_t flow : event.flow_begins) AddFlow("s", event, flow);
  }
  void EndSlice(uint32_t tid, uint64_t time_ns) override {
    TraceEvent event;
    event.tid = tid;
    event.time_ns = time_ns;
    Add("E", event, "");
  }
  void Instant(const TraceEvent& event) override {
    Add("i", event, absl::StrCat(",\"s\":\"t\"", Described(event)));
    for (const uint64_t flow : event.flow_ends) AddFlow("f", event, flow);
  }
  void Count(const TraceCounter& counter, uint64_t time_ns,
             uint64_t value) override {
    TraceEvent event;
    event.tid = counter.pid;
    event.time_ns = time_ns;
    Add("C", event,
        absl::StrCat(",\"name\":", JsonString(counter.name), ",\"args\":{",
                     JsonString(counter.unit), ":", value, "}"));
  }

  std::string Take() override { return std::exchange(out_, ""); }
  std::string End() override { return "\n]}\n"; }

 private:
  void Line(const std::string& json) {
    absl::StrAppend(&out_, first_ ? "{\"traceEvents\":[\n" : ",\n", json);
    first_ = false;
  }

  void Name(const char* what, uint32_t pid, uint32_t tid,
            const std::string& name) {
    Line(absl::StrCat("{\"ph\":\"M\",\"name\":\"", what, "\",\"pid\":", pid,
                      ",\"tid\":", tid,
                      ",\"args\":{\"name\":", JsonString(name), "}}"));
  }

  static std::string Described(const TraceEvent& event) {
    return absl::StrCat(",\"name\":", JsonString(event.name),
                        ",\"cat\":", JsonString(event.category),
                        ",\"args\":", FieldsJson(event.arguments));
  }

  // An end binds to the slice that follows on its track.
  void AddFlow(const char* phase, const TraceEvent& event, uint64_t flow) {
    Add(phase, event,
        absl::StrCat(",\"name\":\"fork\",\"cat\":\"flow\",\"id\":", flow));
  }

  void Add(const char* phase, const TraceEvent& event,
           const std::string& members) {
    const bool machine = event.tid == kMachineTrack;
    const uint32_t tid = machine ? kMachinePid : event.tid;
    const uint32_t pid = machine ? kMachinePid : pids_[event.tid];
    Line(absl::StrFormat("{\"ph\":\"%s\",\"ts\":%d.%03d,\"pid\":%d,\"tid\":%d",
                         phase, event.time_ns / 1000, event.time_ns % 1000, pid,
                         tid) +
         members + "}");
  }

  std::string out_;
  bool first_ = true;
  std::map<uint32_t, uint32_t> pids_;  // of threads
};

}  // namespace

std::unique_ptr<TraceSink> MakeChromeSink() {
  return std::make_unique<ChromeSink>();
}

}  // namespace faultline::cli
