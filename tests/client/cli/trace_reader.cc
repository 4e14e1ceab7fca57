#include "tests/client/cli/trace_reader.h"

#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace faultline::cli {
namespace {

[[noreturn]] void Broken(const std::string& rule) {
  throw std::runtime_error(rule);
}

struct WireField {
  int number = 0;
  int type = 0;  // 0 varint, 1 fixed64, 2 length-delimited
  uint64_t value = 0;
  std::string bytes;
};

class WireReader {
 public:
  explicit WireReader(const std::string& bytes) : bytes_(bytes) {}

  std::vector<WireField> All() {
    std::vector<WireField> fields;
    while (at_ < bytes_.size()) fields.push_back(Next());
    return fields;
  }

 private:
  uint8_t Byte() {
    if (at_ >= bytes_.size()) Broken("a field is cut short");
    return static_cast<uint8_t>(bytes_[at_++]);
  }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const uint8_t byte = Byte();
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    Broken("a number of more than ten bytes");
  }

  WireField Next() {
    const uint64_t tag = Varint();
    WireField field;
    field.number = static_cast<int>(tag >> 3);
    field.type = static_cast<int>(tag & 7);
    if (field.number == 0) Broken("field number 0");
    if (field.type == 0) {
      field.value = Varint();
    } else if (field.type == 1) {
      for (int i = 0; i < 8; ++i) field.value |= uint64_t{Byte()} << (8 * i);
    } else if (field.type == 2) {
      const uint64_t size = Varint();
      if (size > bytes_.size() - at_) Broken("a message is cut short");
      field.bytes = bytes_.substr(at_, size);
      at_ += size;
    } else {
      Broken(absl::StrCat("wire type ", field.type));
    }
    return field;
  }

  const std::string& bytes_;
  size_t at_ = 0;
};

std::vector<WireField> Fields(const std::string& message) {
  return WireReader(message).All();
}

// What the fields of InternedData have told so far, by the field's number.
using Names = std::map<int, std::map<uint64_t, std::string>>;
constexpr int kCategories = 1;
constexpr int kEventNames = 2;
constexpr int kAnnotationNames = 3;

class TraceReader {
 public:
  void Packet(const std::string& message) {
    uint64_t sequence = 0;
    uint64_t flags = 0;
    bool dropped = false;
    bool first = false;
    bool timed = false;
    uint64_t time = 0;
    std::string event;
    std::string track;
    for (const WireField& field : Fields(message)) {
      if (field.number == 8) {
        timed = true;
        time = field.value;
      } else if (field.number == 10) {
        sequence = field.value;
      } else if (field.number == 11) {
        event = field.bytes;
      } else if (field.number == 12) {
        Intern(field.bytes);
      } else if (field.number == 13) {
        flags = field.value;
      } else if (field.number == 42) {
        dropped = field.value != 0;
      } else if (field.number == 60) {
        track = field.bytes;
      } else if (field.number == 87) {
        first = field.value != 0;
      } else {
        Broken(absl::StrCat("TracePacket has a field ", field.number));
      }
    }
    CheckSequence(sequence, flags, first, dropped);
    if (event.empty() == track.empty()) Broken("a packet is one of the two");
    if (!track.empty()) return Track(track);
    if (!timed) Broken("an event without a time");
    Event(event, time);
  }

  ReadTrace End() {
    for (const auto& [track, depth] : depth_) {
      if (depth != 0) Broken("a slice does not end");
    }
    return std::move(trace_);
  }

 private:
  void CheckSequence(uint64_t sequence, uint64_t flags, bool first,
                     bool dropped) {
    if (sequence == 0) Broken("a packet without a sequence id");
    if (packets_++ == 0) {
      sequence_ = sequence;
      if (flags != 3) Broken("the first packet must clear the state: flags 3");
      if (!first || !dropped) Broken("the first packet must say that it is");
      return;
    }
    if (sequence != sequence_) Broken("interned names are of one sequence");
    if (flags != 2) Broken("a later packet must need the state: flags 2");
    if (first || dropped) Broken("only the first packet is the first");
  }

  void Intern(const std::string& message) {
    for (const WireField& list : Fields(message)) {
      if (list.number > kAnnotationNames) Broken("InternedData: a field");
      uint64_t id = 0;
      std::string name;
      for (const WireField& field : Fields(list.bytes)) {
        if (field.number == 1) id = field.value;
        if (field.number == 2) name = field.bytes;
      }
      if (id == 0 || name.empty())
        Broken("an interned name without id or text");
      if (!names_[list.number].try_emplace(id, name).second) {
        Broken(absl::StrCat("the id ", id, " is interned twice"));
      }
    }
  }

  std::string NameOf(int kind, uint64_t id) {
    const auto it = names_[kind].find(id);
    if (it == names_[kind].end()) {
      Broken(absl::StrCat("the id ", id, " is not interned"));
    }
    return it->second;
  }

  void Track(const std::string& message) {
    ReadTrack track;
    for (const WireField& field : Fields(message)) {
      if (field.number == 1) track.uuid = field.value;
      if (field.number == 2) track.name = field.bytes;
      if (field.number == 5) track.parent = field.value;
      if (field.number == 3) {
        for (const WireField& process : Fields(field.bytes)) {
          if (process.number == 1) track.pid = int64_t(process.value);
          if (process.number == 6) track.process_name = process.bytes;
        }
      } else if (field.number == 4) {
        for (const WireField& thread : Fields(field.bytes)) {
          if (thread.number == 1) track.pid = int64_t(thread.value);
          if (thread.number == 2) track.tid = int64_t(thread.value);
        }
      } else if (field.number == 8) {
        track.counter = true;
        for (const WireField& counter : Fields(field.bytes)) {
          if (counter.number == 3 && counter.value == 3) track.unit = "bytes";
          if (counter.number == 6) track.unit = counter.bytes;
        }
      }
    }
    if (track.uuid == 0) Broken("track 0 is the trace's own");
    if (track.parent != 0 && trace_.tracks.count(track.parent) == 0) {
      Broken("a track before its parent");
    }
    const auto known = trace_.tracks.find(track.uuid);
    if (known != trace_.tracks.end() &&
        (known->second.pid != track.pid || known->second.tid != track.tid ||
         known->second.parent != track.parent ||
         known->second.counter != track.counter)) {
      Broken("two tracks of one id");
    }
    trace_.tracks[track.uuid] = track;
  }

  void Event(const std::string& message, uint64_t time) {
    ReadEvent event;
    event.time = time;
    for (const WireField& field : Fields(message)) {
      switch (field.number) {
        case 3:
          event.category = NameOf(kCategories, field.value);
          break;
        case 4:
          Annotation(field.bytes, &event);
          break;
        case 9:
          event.type = static_cast<ReadEvent::Type>(field.value);
          break;
        case 10:
          event.name = NameOf(kEventNames, field.value);
          break;
        case 11:
          event.track = field.value;
          break;
        case 30:
          event.value = static_cast<int64_t>(field.value);
          break;
        case 47:
        case 48:
          if (field.type != 1) Broken("flow ids are fixed64");
          (field.number == 47 ? event.flows : event.ending_flows)
              .push_back(field.value);
          break;
        default:
          Broken(absl::StrCat("TrackEvent has a field ", field.number));
      }
    }
    CheckEvent(event);
    trace_.events.push_back(event);
  }

  void CheckEvent(const ReadEvent& event) {
    const auto track = trace_.tracks.find(event.track);
    if (track == trace_.tracks.end()) Broken("an event on an unknown track");
    if (event.type < ReadEvent::kBegin || event.type > ReadEvent::kCounter) {
      Broken("an event of no type");
    }
    if (track->second.counter != (event.type == ReadEvent::kCounter)) {
      Broken("a counter's track shows counts and nothing else");
    }
    if (event.time < last_time_[event.track]) Broken("time runs backwards");
    last_time_[event.track] = event.time;
    if (event.type == ReadEvent::kBegin) ++depth_[event.track];
    if (event.type == ReadEvent::kEnd && --depth_[event.track] < 0) {
      Broken("a slice ends that did not begin");
    }
    const bool named =
        event.type == ReadEvent::kBegin || event.type == ReadEvent::kInstant;
    if (named && event.name.empty()) Broken("an event without a name");
  }

  void Annotation(const std::string& message, ReadEvent* event) {
    std::string name;
    std::string value;
    for (const WireField& field : Fields(message)) {
      if (field.number == 1) {
        name = NameOf(kAnnotationNames, field.value);
      } else if (field.number == 2) {
        value = field.value != 0 ? "true" : "false";
      } else if (field.number == 3) {
        value = absl::StrCat(field.value);
      } else if (field.number == 4) {
        value = absl::StrCat(static_cast<int64_t>(field.value));
      } else if (field.number == 6) {
        value = field.bytes;
      } else if (field.number == 7) {
        value = absl::StrFormat("0x%x", field.value);
      } else {
        Broken(absl::StrCat("DebugAnnotation has a field ", field.number));
      }
    }
    event->annotations[name] = value;
  }

  ReadTrace trace_;
  Names names_;
  uint64_t packets_ = 0;
  uint64_t sequence_ = 0;
  std::map<uint64_t, int> depth_;
  std::map<uint64_t, uint64_t> last_time_;
};

}  // namespace

std::vector<ReadEvent> ReadTrace::Named(const std::string& name) const {
  std::vector<ReadEvent> found;
  for (const ReadEvent& event : events) {
    if (event.name == name) found.push_back(event);
  }
  return found;
}

absl::StatusOr<ReadTrace> ReadPerfetto(const std::string& bytes) {
  try {
    TraceReader reader;
    for (const WireField& field : Fields(bytes)) {
      if (field.number != 1 || field.type != 2)
        Broken("Trace has packets only");
      reader.Packet(field.bytes);
    }
    return reader.End();
  } catch (const std::runtime_error& broken) {
    return absl::InvalidArgumentError(broken.what());
  }
}

}  // namespace faultline::cli
