#include "client/cli/export_perfetto.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/proto_writer.h"

namespace faultline::cli {
namespace {

// The numbers of fields and enum values are Perfetto's, from its
// protos/perfetto/trace/: trace.proto, trace_packet.proto,
// interned_data/interned_data.proto, and track_event/ {track_descriptor,
// process_descriptor, thread_descriptor, counter_descriptor, track_event,
// debug_annotation}.proto. Each line names the message.
namespace trace {
constexpr int kPacket = 1;
}
namespace packet {  // TracePacket
constexpr int kTimestamp = 8;
constexpr int kSequenceId = 10;  // trusted_packet_sequence_id
constexpr int kTrackEvent = 11;
constexpr int kInternedData = 12;
constexpr int kSequenceFlags = 13;
constexpr int kPreviousPacketDropped = 42;
constexpr int kTrackDescriptor = 60;
constexpr int kFirstPacketOnSequence = 87;
constexpr uint64_t kStateCleared = 1;  // SEQ_INCREMENTAL_STATE_CLEARED
constexpr uint64_t kNeedsState = 2;    // SEQ_NEEDS_INCREMENTAL_STATE
}  // namespace packet
namespace interned {  // InternedData, and what it lists
constexpr int kEventCategories = 1;
constexpr int kEventNames = 2;
constexpr int kAnnotationNames = 3;  // debug_annotation_names
constexpr int kIid = 1;
constexpr int kName = 2;
}  // namespace interned
namespace track {  // TrackDescriptor
constexpr int kUuid = 1;
constexpr int kName = 2;
constexpr int kProcess = 3;
constexpr int kThread = 4;
constexpr int kParentUuid = 5;
constexpr int kCounter = 8;
}  // namespace track
namespace process {  // ProcessDescriptor
constexpr int kPid = 1;
constexpr int kProcessName = 6;
}  // namespace process
namespace thread {  // ThreadDescriptor
constexpr int kPid = 1;
constexpr int kTid = 2;
constexpr int kThreadName = 5;
}  // namespace thread
namespace counter {  // CounterDescriptor
constexpr int kUnit = 3;
constexpr int kUnitName = 6;
constexpr uint64_t kUnitSizeBytes = 3;
}  // namespace counter
namespace event {  // TrackEvent
constexpr int kCategoryIids = 3;
constexpr int kDebugAnnotations = 4;
constexpr int kType = 9;
constexpr int kNameIid = 10;
constexpr int kTrackUuid = 11;
constexpr int kCounterValue = 30;
constexpr int kFlowIds = 47;
constexpr int kTerminatingFlowIds = 48;
constexpr uint64_t kSliceBegin = 1;
constexpr uint64_t kSliceEnd = 2;
constexpr uint64_t kInstant = 3;
constexpr uint64_t kCounter = 4;
}  // namespace event
namespace annotation {  // DebugAnnotation
constexpr int kNameIid = 1;
constexpr int kBoolValue = 2;
constexpr int kUintValue = 3;
constexpr int kIntValue = 4;
constexpr int kStringValue = 6;
constexpr int kPointerValue = 7;
}  // namespace annotation

// There is one sequence, so that names are interned once.
constexpr uint64_t kSequence = 1;

// The ids of the names of one kind, and those that no packet has told yet.
class InternedNames {
 public:
  explicit InternedNames(int field) : field_(field) {}

  uint64_t IdOf(const std::string& name) {
    const auto [it, fresh] = ids_.try_emplace(name, ids_.size() + 1);
    if (fresh) {
      ProtoWriter entry;
      entry.Varint(interned::kIid, it->second);
      entry.Text(interned::kName, name);
      untold_.Message(field_, entry);
    }
    return it->second;
  }
  // The fields of InternedData that the next packet must have.
  std::string TakeUntold() { return untold_.Take(); }

 private:
  int field_;
  std::map<std::string, uint64_t> ids_;
  ProtoWriter untold_;
};

class PerfettoSink : public TraceSink {
 public:
  PerfettoSink() { threads_[kMachineTrack] = NewTrack("machine", 0); }

  void BeginProcess(uint32_t pid, const std::string& name) override {
    processes_[pid] = ++tracks_;
    counters_.erase(counters_.lower_bound({pid, ""}),
                    counters_.lower_bound({pid + 1, ""}));
    DescribeProcess(pid, name);
  }

  void RenameProcess(uint32_t pid, const std::string& name) override {
    if (processes_.count(pid) > 0) DescribeProcess(pid, name);
  }

  void BeginThread(uint32_t pid, uint32_t tid) override {
    threads_[tid] = ++tracks_;
    ProtoWriter thread;
    thread.Varint(thread::kPid, pid);
    thread.Varint(thread::kTid, tid);
    thread.Text(thread::kThreadName, "calls");
    ProtoWriter track;
    track.Varint(track::kUuid, threads_[tid]);
    track.Varint(track::kParentUuid, processes_[pid]);
    track.Message(track::kThread, thread);
    AddTrack(track);
  }

  void BeginSlice(const TraceEvent& event) override {
    AddTrackEvent(event, event::kSliceBegin);
  }
  void Instant(const TraceEvent& event) override {
    AddTrackEvent(event, event::kInstant);
  }

  void EndSlice(uint32_t tid, uint64_t time_ns) override {
    ProtoWriter message;
    message.Varint(event::kType, event::kSliceEnd);
    message.Varint(event::kTrackUuid, threads_[tid]);
    AddTimed(time_ns, message);
  }

  void Count(const TraceCounter& counter, uint64_t time_ns,
             uint64_t value) override {
    ProtoWriter message;
    message.Varint(event::kType, event::kCounter);
    message.Varint(event::kTrackUuid, TrackOf(counter));
    message.Varint(event::kCounterValue, value);
    AddTimed(time_ns, message);
  }

  std::string Take() override { return out_.Take(); }
  std::string End() override { return ""; }

 private:
  void DescribeProcess(uint32_t pid, const std::string& name) {
    ProtoWriter process;
    process.Varint(process::kPid, pid);
    process.Text(process::kProcessName, name);
    ProtoWriter track;
    track.Varint(track::kUuid, processes_[pid]);
    track.Message(track::kProcess, process);
    AddTrack(track);
  }

  uint64_t NewTrack(const std::string& name, uint64_t parent) {
    ProtoWriter track;
    track.Varint(track::kUuid, ++tracks_);
    track.Text(track::kName, name);
    if (parent != 0) track.Varint(track::kParentUuid, parent);
    AddTrack(track);
    return tracks_;
  }

  uint64_t TrackOf(const TraceCounter& counter) {
    uint64_t& uuid = counters_[{counter.pid, counter.name}];
    if (uuid != 0) return uuid;
    uuid = ++tracks_;
    ProtoWriter unit;
    if (counter.unit == "bytes") {
      unit.Varint(counter::kUnit, counter::kUnitSizeBytes);
    } else {
      unit.Text(counter::kUnitName, counter.unit);
    }
    ProtoWriter track;
    track.Varint(track::kUuid, uuid);
    track.Text(track::kName, counter.name);
    if (counter.pid != 0) {
      track.Varint(track::kParentUuid, processes_[counter.pid]);
    }
    track.Message(track::kCounter, unit);
    AddTrack(track);
    return uuid;
  }

  void AddTrackEvent(const TraceEvent& shown, uint64_t type) {
    ProtoWriter message;
    message.Varint(event::kType, type);
    message.Varint(event::kTrackUuid, threads_[shown.tid]);
    message.Varint(event::kCategoryIids, categories_.IdOf(shown.category));
    message.Varint(event::kNameIid, names_.IdOf(shown.name));
    for (const MessageField& argument : shown.arguments) {
      message.Message(event::kDebugAnnotations, Annotation(argument));
    }
    for (const uint64_t flow : shown.flow_steps) {
      message.Fixed64(event::kFlowIds, flow);
    }
    for (const uint64_t flow : shown.flow_begins) {
      message.Fixed64(event::kFlowIds, flow);
    }
    for (const uint64_t flow : shown.flow_ends) {
      message.Fixed64(event::kTerminatingFlowIds, flow);
    }
    AddTimed(shown.time_ns, message);
  }

  ProtoWriter Annotation(const MessageField& argument) {
    ProtoWriter message;
    message.Varint(annotation::kNameIid, annotations_.IdOf(argument.name));
    switch (argument.kind) {
      case MessageField::Kind::kAddress:
        message.Varint(annotation::kPointerValue, argument.number);
        break;
      case MessageField::Kind::kUnsigned:
        message.Varint(annotation::kUintValue, argument.number);
        break;
      case MessageField::Kind::kSigned:
        message.Varint(annotation::kIntValue,
                       static_cast<uint64_t>(argument.signed_number));
        break;
      case MessageField::Kind::kBool:
        message.Varint(annotation::kBoolValue, argument.number);
        break;
      case MessageField::Kind::kText:
        message.Text(annotation::kStringValue, argument.text);
        break;
      case MessageField::Kind::kBytes:
        message.Text(annotation::kStringValue,
                     absl::StrCat(argument.text.size(), " bytes"));
        break;
      case MessageField::Kind::kTexts:
        message.Text(annotation::kStringValue,
                     absl::StrJoin(argument.texts, " "));
        break;
    }
    return message;
  }

  void AddTrack(const ProtoWriter& track) {
    ProtoWriter message;
    message.Message(packet::kTrackDescriptor, track);
    AddPacket(std::move(message));
  }

  void AddTimed(uint64_t time_ns, const ProtoWriter& track_event) {
    ProtoWriter message;
    message.Varint(packet::kTimestamp, time_ns);
    message.Message(packet::kTrackEvent, track_event);
    AddPacket(std::move(message));
  }

  // A name must be told in the packet that first refers to it, or before.
  void AddPacket(ProtoWriter message) {
    message.Varint(packet::kSequenceId, kSequence);
    const std::string untold =
        absl::StrCat(categories_.TakeUntold(), names_.TakeUntold(),
                     annotations_.TakeUntold());
    if (!untold.empty()) message.Text(packet::kInternedData, untold);
    uint64_t flags = packet::kNeedsState;
    if (first_packet_) {
      flags |= packet::kStateCleared;
      message.Varint(packet::kPreviousPacketDropped, 1);
      message.Varint(packet::kFirstPacketOnSequence, 1);
      first_packet_ = false;
    }
    message.Varint(packet::kSequenceFlags, flags);
    out_.Message(trace::kPacket, message);
  }

  ProtoWriter out_;
  bool first_packet_ = true;
  uint64_t tracks_ = 0;                     // the last uuid given
  std::map<uint32_t, uint64_t> processes_;  // pid -> uuid
  std::map<uint32_t, uint64_t> threads_;    // tid -> uuid
  std::map<std::pair<uint32_t, std::string>, uint64_t> counters_;
  InternedNames categories_{interned::kEventCategories};
  InternedNames names_{interned::kEventNames};
  InternedNames annotations_{interned::kAnnotationNames};
};

}  // namespace

std::unique_ptr<TraceSink> MakePerfettoSink() {
  return std::make_unique<PerfettoSink>();
}

}  // namespace faultline::cli
