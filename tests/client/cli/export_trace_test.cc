#include "client/cli/export_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/export.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/recorded_machine.h"
#include "tests/client/cli/trace_reader.h"

namespace faultline::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr char kLesson[] =
    "file 1 2p\n"
    "a: mmap 0 4p rw- PRIVATE|ANON\n"
    "write $a 7\n"
    "read $a+1p\n"
    "fork\n"
    "@1 write $a 8\n"
    "@1 fork\n"
    "@2 write $a 9\n"
    "@0 munmap $a 4p\n"
    "read $a\n"
    "mmap 0 0 r-- PRIVATE|ANON\n"
    "@1 exit\n";

std::string Exported(Recording& recording, ExportFormat format,
                     v1::EventLevel level = v1::EVENT_LEVEL_FAULTS) {
  std::string text;
  ExportRequest request;
  request.format = format;
  request.level = level;
  const absl::Status status =
      ExportSession(recording, request, [&text](const std::string& bytes) {
        text += bytes;
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return text;
}

ReadTrace Read(RecordedMachine& machine,
               v1::EventLevel level = v1::EVENT_LEVEL_FAULTS) {
  auto trace = ReadPerfetto(Exported(machine, ExportFormat::kPerfetto, level));
  EXPECT_TRUE(trace.ok()) << trace.status();
  return trace.value_or(ReadTrace());
}

// The trace as a person would want to review it.
std::string TextOf(const ReadTrace& trace) {
  static constexpr const char* kTypes[] = {"", "begin", "end", "instant",
                                           "count"};
  std::string text;
  for (const auto& [uuid, track] : trace.tracks) {
    absl::StrAppendFormat(&text, "track %d in %d: %s%s%s pid %d tid %d\n", uuid,
                          track.parent, track.name, track.process_name,
                          track.counter ? " in " + track.unit : "", track.pid,
                          track.tid);
  }
  for (const ReadEvent& event : trace.events) {
    absl::StrAppendFormat(&text, "%8d track %d %s %s", event.time, event.track,
                          kTypes[event.type], event.name);
    if (event.type == ReadEvent::kCounter) {
      absl::StrAppend(&text, event.value);
    }
    for (const auto& [name, value] : event.annotations) {
      absl::StrAppend(&text, " ", name, "=", value);
    }
    for (const uint64_t flow : event.flows) {
      absl::StrAppend(&text, " flow ", flow);
    }
    for (const uint64_t flow : event.ending_flows) {
      absl::StrAppend(&text, " ends flow ", flow);
    }
    text += "\n";
  }
  return text;
}

std::vector<ReadEvent> Slices(const ReadTrace& trace) {
  std::vector<ReadEvent> slices;
  for (const ReadEvent& event : trace.events) {
    if (event.type == ReadEvent::kBegin) slices.push_back(event);
  }
  return slices;
}

TEST(ExportPerfettoTest, EqualSessionsGiveEqualBytes) {
  RecordedMachine one(kLesson);
  RecordedMachine other(kLesson);
  // What the outside was like does not matter.
  other.mutable_session().set_name("sessions/other");
  for (v1::Change& change : other.mutable_changes()) {
    change.set_sender("unix:");
    change.mutable_time()->set_seconds(5);
  }
  EXPECT_EQ(Exported(one, ExportFormat::kPerfetto),
            Exported(other, ExportFormat::kPerfetto));
}

TEST(ExportPerfettoTest, IsAsItWas) {
  RecordedMachine machine(kLesson);
  const std::string text = TextOf(Read(machine));
  EXPECT_EQ(text, Golden("lesson.pftrace.txt", text));
}

TEST(ExportPerfettoTest, ProcessesAndThreadsAreTracks) {
  RecordedMachine machine(kLesson);
  v1::Command clone;
  clone.set_pid(1);
  clone.mutable_clone()->set_flags(0x10000 | 0x800 | 0x100);
  const auto tid =
      static_cast<uint32_t>(machine.Apply(clone).outcome().value());
  v1::Command call;
  call.set_pid(tid);
  call.mutable_brk();
  machine.Apply(call);
  const ReadTrace trace = Read(machine);
  std::map<int64_t, uint64_t> processes;
  std::map<int64_t, const ReadTrack*> threads;
  for (const auto& [uuid, track] : trace.tracks) {
    if (track.tid != 0) {
      threads[track.tid] = &track;
    } else if (track.pid != 0) {
      processes[track.pid] = uuid;
    }
  }
  EXPECT_THAT(processes, SizeIs(3)) << "the thread is no process";
  ASSERT_THAT(threads, SizeIs(4));
  EXPECT_EQ(threads[tid]->pid, 1);
  for (const auto& [thread, track] : threads) {
    EXPECT_EQ(track->parent, processes[track->pid]);
  }
  EXPECT_EQ(trace.TrackOf(Slices(trace).back()).tid, tid);
}

TEST(ExportPerfettoTest, CallsAreSlicesWithArgumentsAndResults) {
  RecordedMachine machine(kLesson);
  const ReadTrace trace = Read(machine);
  const std::vector<ReadEvent> slices = Slices(trace);
  ASSERT_EQ(slices.size(), machine.changes().size());
  uint64_t clock = 0;
  for (size_t i = 0; i < slices.size(); ++i) {
    EXPECT_EQ(slices[i].time, clock) << "the machine does one thing at a time";
    clock += machine.changes()[i].outcome().cost_ns();
    EXPECT_EQ(slices[i].annotations.at("revision"), absl::StrCat(i + 1));
  }
  const ReadEvent mmap = trace.Named("mmap").at(0);
  EXPECT_EQ(mmap.annotations.at("length"), "16384");
  EXPECT_EQ(mmap.annotations.at("return"), "0x7ffff7ffb000");
  const ReadEvent refused = trace.Named("mmap").at(1);
  EXPECT_EQ(refused.annotations.at("return"), "-22");
  EXPECT_EQ(refused.annotations.at("errno"), "EINVAL");
  EXPECT_EQ(trace.Named("access").back().annotations.at("signal"), "SIGSEGV");
  EXPECT_EQ(trace.TrackOf(trace.Named("create_file").at(0)).name, "machine");
}

TEST(ExportPerfettoTest, FaultsAreInstantsWithinTheirCalls) {
  RecordedMachine machine(kLesson);
  const ReadTrace trace = Read(machine);
  const ReadEvent write = trace.Named("access").at(0);
  const ReadEvent fault = trace.Named("minfault").at(0);
  EXPECT_EQ(fault.track, write.track);
  EXPECT_GT(fault.time, write.time);
  EXPECT_LT(fault.time, write.time + machine.changes()[3].outcome().cost_ns());
  EXPECT_EQ(fault.annotations.at("address"), "0x7ffff7ffb000");
  EXPECT_EQ(fault.annotations.at("error_code"), "6");
  EXPECT_EQ(fault.annotations.at("how"), "anon_page");
  EXPECT_THAT(trace.Named("page_fault_user"), IsEmpty()) << "it is the instant";
  EXPECT_THAT(trace.Named("cow"), SizeIs(2));
  EXPECT_EQ(trace.Named("SIGSEGV").at(0).category, "fault");
}

TEST(ExportPerfettoTest, ArrowsLeadFromAForkToItsChild) {
  RecordedMachine machine(kLesson);
  const ReadTrace trace = Read(machine);
  const ReadEvent fork = trace.Named("fork").at(0);
  ASSERT_THAT(fork.flows, SizeIs(1));
  std::vector<ReadEvent> ends;
  for (const ReadEvent& event : trace.events) {
    if (event.ending_flows == fork.flows) ends.push_back(event);
  }
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(trace.TrackOf(ends[0]).tid, 2);
  EXPECT_GE(ends[0].time, fork.time);
}

TEST(ExportPerfettoTest, ArrowsLeadFromAPageToItsCopy) {
  RecordedMachine machine(kLesson);
  const ReadTrace trace = Read(machine);
  const ReadEvent made = trace.Named("minfault").at(0);
  const ReadEvent first = trace.Named("cow").at(0);
  const ReadEvent second = trace.Named("cow").at(1);
  ASSERT_THAT(made.flows, SizeIs(1));
  ASSERT_THAT(first.flows, SizeIs(2));
  EXPECT_EQ(first.flows[0], made.flows[0]);
  EXPECT_EQ(second.flows[0], first.flows[1])
      << "the grandchild copied the child's copy";
}

TEST(ExportPerfettoTest, CountersFollowProc) {
  RecordedMachine machine(kLesson);
  const ReadTrace trace = Read(machine);
  std::map<std::string, int64_t> last;  // of process 1 and of the machine
  for (const ReadEvent& event : trace.events) {
    if (event.type != ReadEvent::kCounter) continue;
    const ReadTrack& track = trace.TrackOf(event);
    if (track.parent != 0 && trace.tracks.at(track.parent).pid != 1) continue;
    last[absl::StrCat(track.name, " in ", track.unit)] = event.value;
  }
  const auto processes =
      LookAtStatuses(machine, machine.session().revision(), {1});
  ASSERT_TRUE(processes.ok());
  const ProcessLook& process = processes->at(0);
  EXPECT_EQ(last["vsz in bytes"], process.Kilobytes("VmSize") * 1024);
  EXPECT_EQ(last["rss_anon in bytes"], process.Kilobytes("RssAnon") * 1024);
  EXPECT_EQ(last["page tables in bytes"], process.Kilobytes("VmPTE") * 1024);
  const auto zoneinfo =
      machine.ReadProc("/proc/zoneinfo", machine.session().revision());
  for (const ZoneLook& zone : ParseZoneinfo(*zoneinfo)) {
    EXPECT_EQ(last[absl::StrCat("free pages ", zone.name, " in pages")],
              zone.free_pages);
  }
}

TEST(ExportPerfettoTest, WhatIsGoneCountsNothing) {
  RecordedMachine machine("fork\n@1 exit\n");
  v1::Command wait;
  wait.set_pid(1);
  wait.mutable_wait();
  machine.Apply(wait);
  const ReadTrace trace = Read(machine);
  std::map<std::string, int64_t> last;
  for (const ReadEvent& event : trace.events) {
    if (event.type != ReadEvent::kCounter) continue;
    const ReadTrack& track = trace.TrackOf(event);
    if (track.parent == 0 || trace.tracks.at(track.parent).pid != 2) continue;
    last[track.name] = event.value;
  }
  ASSERT_EQ(last.count("vsz"), 1u);
  for (const auto& [name, value] : last) EXPECT_EQ(value, 0) << name;
}

TEST(ExportPerfettoTest, AllEventsKeepTheKernelsNames) {
  RecordedMachine machine(kLesson);
  const ReadTrace trace = Read(machine, v1::EVENT_LEVEL_ALL);
  for (const char* name : {"mm_page_alloc", "vma_create", "page_table_alloc",
                           "sched_process_fork", "sched_process_exit"}) {
    EXPECT_FALSE(trace.Named(name).empty()) << name;
  }
}

TEST(ExportPerfettoTest, AnEmptyAndAPanickedSessionAreTraces) {
  RecordedMachine empty("");
  EXPECT_THAT(Slices(Read(empty)), IsEmpty());
  RecordedMachine panicked(kLesson);
  panicked.mutable_session().set_state(v1::SESSION_STATE_PANICKED);
  panicked.mutable_changes().back().clear_outcome();
  panicked.mutable_changes().back().clear_events();
  const ReadTrace trace = Read(panicked);
  EXPECT_EQ(Slices(trace).back().annotations.at("outcome"),
            "broke the simulator");
}

TEST(ExportPerfettoTest, APidThatIsGivenAgainIsAnotherTrack) {
  std::string bytes;
  v1::Change fork;
  fork.set_revision(1);
  fork.mutable_command()->set_pid(1);
  fork.mutable_command()->mutable_fork();
  fork.mutable_outcome()->set_value(2);
  fork.add_events()->mutable_sched_process_fork()->set_child_pid(2);
  v1::Change exit;
  exit.set_revision(2);
  exit.mutable_command()->set_pid(2);
  exit.mutable_command()->mutable_exit();
  exit.mutable_outcome();
  exit.add_events()->mutable_sched_process_exit()->set_pid(2);
  RecordedMachine machine("");
  machine.mutable_changes() = {fork, exit, fork};
  for (int i = 0; i < 3; ++i) {
    machine.mutable_changes()[static_cast<size_t>(i)].set_revision(i + 1);
  }
  machine.mutable_session().set_revision(3);
  machine.mutable_session().set_state(v1::SESSION_STATE_PANICKED);
  const ReadTrace trace = Read(machine);
  int tracks = 0;
  for (const auto& [uuid, track] : trace.tracks) {
    tracks += track.pid == 2 && track.tid == 0 ? 1 : 0;
  }
  EXPECT_EQ(tracks, 2);
}

TEST(TraceReaderTest, FindsWhatIsBroken) {
  EXPECT_FALSE(ReadPerfetto("\x0a\x05").ok()) << "cut short";
  EXPECT_FALSE(ReadPerfetto("junk").ok());
  RecordedMachine machine(kLesson);
  const std::string bytes = Exported(machine, ExportFormat::kPerfetto);
  for (const size_t size : {bytes.size() - 1, bytes.size() / 2}) {
    EXPECT_FALSE(ReadPerfetto(bytes.substr(0, size)).ok());
  }
  // Without its first packet nothing is interned.
  const auto first = static_cast<size_t>(bytes[1]) + 2;
  EXPECT_FALSE(ReadPerfetto(bytes.substr(first)).ok());
}

// --- Chrome's format.

TEST(ExportChromeTest, IsJsonOfTheFormat) {
  RecordedMachine machine(kLesson);
  const std::string text = Exported(machine, ExportFormat::kChrome);
  EXPECT_EQ(text, Golden("lesson.chrome.json", text));
  const json trace = json::parse(text);
  std::map<std::string, int> phases;
  std::map<int, int> depth;
  std::map<int, double> last;
  for (const json& event : trace["traceEvents"]) {
    const std::string phase = event["ph"];
    ++phases[phase];
    if (phase == "M") continue;
    const int tid = event["tid"];
    EXPECT_GE(event["ts"].get<double>(), last[tid]);
    last[tid] = event["ts"];
    if (phase == "B") ++depth[tid];
    if (phase == "E") {
      EXPECT_GE(--depth[tid], 0);
    }
  }
  for (const auto& [tid, open] : depth) EXPECT_EQ(open, 0) << tid;
  const auto calls = static_cast<int>(machine.changes().size());
  EXPECT_EQ(phases["B"], calls);
  EXPECT_EQ(phases["E"], calls);
  EXPECT_EQ(phases["s"], 2) << "two forks";
  EXPECT_EQ(phases["f"], 2);
  EXPECT_GT(phases["C"], 0);
  EXPECT_GT(phases["i"], 0);
}

TEST(ExportChromeTest, AnEmptySessionIsATrace) {
  RecordedMachine machine("");
  EXPECT_TRUE(json::parse(Exported(machine, ExportFormat::kChrome))
                  .contains("traceEvents"));
}

}  // namespace
}  // namespace faultline::cli
