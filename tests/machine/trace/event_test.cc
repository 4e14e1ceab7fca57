#include "server/machine/trace/event.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/machine/trace/rare.h"
#include "server/machine/trace/trace.h"

namespace faultline {
namespace {

template <class F, size_t... I>
void ForEachKind(F f, std::index_sequence<I...>) {
  (f(EventBody(std::in_place_index<I>)), ...);
}
// Calls f with one event of every kind.
template <class F>
void ForEachKind(F f) {
  ForEachKind(f, std::make_index_sequence<std::variant_size_v<EventBody>>{});
}

bool IsSentence(const std::string& s) {
  auto first = static_cast<unsigned char>(s.empty() ? ' ' : s[0]);
  return s.size() > 10 && (std::isupper(first) || std::isdigit(first)) &&
         s.back() == '.';
}

TEST(Events, EveryKindHasANameOfItsOwn) {
  std::set<std::string> names;
  ForEachKind([&](const EventBody& body) {
    std::string name = EventName(body);
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"),
              std::string::npos)
        << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  });
  EXPECT_EQ(names.size(), std::variant_size_v<EventBody>);
}

TEST(Events, EveryKindSaysItselfInASentence) {
  ForEachKind([](const EventBody& body) {
    EXPECT_TRUE(IsSentence(Say({1, body}))) << Say({1, body});
  });
}

TEST(Events, EveryResolutionOfAFaultSaysItselfDifferently) {
  std::set<std::string> said;
  for (uint8_t how = 0; how <= 11; how++) {
    FaultResolved e{0x1000, static_cast<FaultResolution>(how), 7, false, 1};
    std::string minor = Say({1, e});
    EXPECT_TRUE(IsSentence(minor)) << minor;
    EXPECT_EQ(minor.rfind("Minor fault", 0), 0u) << minor;
    said.insert(minor);
    e.major = true;
    EXPECT_EQ(Say({1, e}).rfind("Major fault", 0), 0u);
  }
  EXPECT_EQ(said.size(), 12u);
}

TEST(Events, SayWhyAnAccessFaultedAndWhyItWasRefused) {
  EXPECT_EQ(Say({1, PageFaultUser{0x1000, 6}}),
            "A write at 0x1000 faulted: no page is present.");
  EXPECT_EQ(Say({1, PageFaultUser{0x1000, 0x15}}),
            "An instruction fetch at 0x1000 faulted: the page is present but "
            "does not permit it.");
  EXPECT_EQ(Say({1, FaultRefused{0x1000, 11, 1}}),
            "The access at 0x1000 is refused, nothing is mapped there: "
            "SIGSEGV.");
  EXPECT_EQ(Say({1, FaultRefused{0x1000, 7, 2}}),
            "The access at 0x1000 is beyond the end of the mapped file: "
            "SIGBUS.");
}

TEST(Events, LevelsAreFaultsForWhatAStudentAsksFirst) {
  int faults = 0, all = 0;
  ForEachKind([&](const EventBody& body) {
    EventLevel level = LevelOf(body);
    EXPECT_GE(level, EventLevel::kFaults) << EventName(body);
    (level == EventLevel::kFaults ? faults : all)++;
  });
  EXPECT_EQ(faults, 21);
  EXPECT_EQ(all, 31);
  EXPECT_EQ(LevelOf(PageFaultUser{}), EventLevel::kFaults);
  EXPECT_EQ(LevelOf(MmPageAlloc{}), EventLevel::kAll);
}

size_t Recorded(EventLevel asked) {
  Trace trace;
  trace.Begin(asked);
  ForEachKind([&](const EventBody& body) {
    std::visit([&](const auto& e) { trace.Emit(LevelOf(body), 1, e); }, body);
  });
  return trace.End().size();
}

TEST(Trace, KeepsWhatTheLevelAsksFor) {
  EXPECT_EQ(Recorded(EventLevel::kNone), 0u);
  EXPECT_EQ(Recorded(EventLevel::kCounters), 0u);
  EXPECT_EQ(Recorded(EventLevel::kFaults), 21u);
  EXPECT_EQ(Recorded(EventLevel::kAll), std::variant_size_v<EventBody>);
}

TEST(Trace, OverflowIsAnEventThatCounts) {
  Trace trace;
  trace.Begin(EventLevel::kAll);
  for (size_t i = 0; i < Trace::kEventsMax + 5; i++) {
    trace.Emit(EventLevel::kAll, 1, MmPageFree{});
  }
  std::vector<Event> events = trace.End();
  ASSERT_EQ(events.size(), Trace::kEventsMax + 1);
  EXPECT_EQ(std::get<EventsLost>(events.back().body).count, 5u);
}

TEST(Trace, RareEventsAreKeptAmongThousands) {
  Trace trace;
  trace.Begin(EventLevel::kAll);
  const auto emit_many = [&] {
    for (size_t i = 0; i < Trace::kEventsMax; i++) {
      trace.Emit(EventLevel::kAll, 1, MmPageFree{});
    }
  };
  emit_many();
  trace.Emit(EventLevel::kFaults, 1, MarkVictim{});
  emit_many();
  for (size_t i = 0; i < kRareEventsMax; i++) {
    trace.Emit(EventLevel::kFaults, 1, Console{"again\n"});
  }
  emit_many();
  const std::vector<Event> events = trace.End();
  ASSERT_EQ(events.size(), Trace::kEventsMax + kRareEventsMax + 1);
  const size_t rare = Trace::kEventsMax - Trace::kLast;
  EXPECT_TRUE(std::holds_alternative<MarkVictim>(events[rare].body));
  for (size_t i = 1; i < kRareEventsMax; i++) {
    EXPECT_TRUE(IsRare(events[rare + i]));
  }
  EXPECT_FALSE(IsRare(events[rare + kRareEventsMax]));
  // One of the texts, for which there was no room, is counted.
  EXPECT_EQ(std::get<EventsLost>(events.back().body).count,
            2 * Trace::kEventsMax + 1);
}

TEST(Trace, ExactlyFullLosesNothing) {
  Trace trace;
  trace.Begin(EventLevel::kAll);
  for (size_t i = 0; i < Trace::kEventsMax; i++) {
    trace.Emit(EventLevel::kAll, 1, MmPageFree{});
  }
  EXPECT_EQ(trace.End().size(), Trace::kEventsMax);
}

TEST(Trace, ACommandStartsEmpty) {
  Trace trace;
  trace.Begin(EventLevel::kAll);
  trace.Emit(EventLevel::kAll, 1, MmPageFree{});
  trace.Begin(EventLevel::kAll);
  EXPECT_TRUE(trace.End().empty());
  EXPECT_FALSE(trace.Wants(EventLevel::kFaults));
}

}  // namespace
}  // namespace faultline
