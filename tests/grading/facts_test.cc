// What expressions see of a machine.
#include "server/grading/facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/grading/function.h"
#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;

// The set-up that the expressions below look at.
constexpr char kSetup[] =
    "file 1 2p\n"
    "a: mmap 0x10000000 8p rw- PRIVATE|ANON|FIXED\n"
    "r: readr 0x10000000 2 1p\n"
    "w: writer 0x10001000 3 1p 7\n"
    "bad: mmap 0 0 rw- PRIVATE|ANON\n"
    "seg: write 0x1000 1\n"
    "f: fork\n"
    "@1 c: write 0x10001000 9\n"
    "v: read 0x10001000\n"
    "m: @0 mprotect 0x10004000 1p r--\n"
    "p: pread 1 0\n"
    "e: pread 1 8192\n";

class Facts : public testing::Test {
 protected:
  void SetUp() override {
    std::string setup = kSetup;
    setup.replace(setup.find("m: @0"), 5, "@0 m:");
    auto trial = Trial::Boot(v1::MachineConfig());
    ASSERT_TRUE(trial.ok());
    trial_ = *std::move(trial);
    rehearsal_ = std::make_unique<Rehearsal>(*trial_);
    const absl::Status ran = rehearsal_->RunSetup(setup, {"a", "w", "f"});
    ASSERT_TRUE(ran.ok()) << ran;
  }

  std::string Of(const std::string& text) {
    const TrialScope scope(*trial_, values_);
    const auto value = Evaluate(text, scope);
    return value.ok() ? value->ToText() : std::string(value.status().message());
  }

  const Values values_ = {{"n", Value(int64_t{3})}};
  std::unique_ptr<Trial> trial_;
  std::unique_ptr<Rehearsal> rehearsal_;
};

TEST_F(Facts, OutcomesOfOperations) {
  EXPECT_EQ(Of("$a == 0x10000000"), "1");
  EXPECT_EQ(Of("a.ret == $a"), "1");
  EXPECT_EQ(Of("r.min"), "2");
  EXPECT_EQ(Of("w.min"), "3");
  EXPECT_EQ(Of("w.maj"), "0");
  EXPECT_EQ(Of("w.faults + w.accesses"), "6");
  EXPECT_EQ(Of("bad.err"), "22");
  EXPECT_EQ(Of("$bad"), "-22");
  EXPECT_EQ(Of("seg.sig * 10 + seg.code"), "111");
  EXPECT_EQ(Of("seg.addr == 0x1000"), "1");
  EXPECT_EQ(Of("f.child"), "1");
  EXPECT_EQ(Of("v.val"), "9");
  EXPECT_EQ(Of("p.val"), "38") << "page 0 of file 1: 37 + 0 + 1";
  EXPECT_EQ(Of("e.val"), "-1") << "the end of the file";
  EXPECT_EQ(Of("w.cost > 0"), "1");
  EXPECT_EQ(Of("n"), "3");
}

TEST_F(Facts, Totals) {
  EXPECT_EQ(Of("total.min"), "6");
  EXPECT_EQ(Of("total.errors"), "1");
  EXPECT_EQ(Of("total.commands"), "13") << "a file is two";
}

TEST_F(Facts, Events) {
  EXPECT_EQ(Of("events(anon_zero_page)"), "2");
  EXPECT_EQ(Of("events(cow_zero_page, w)"), "1");
  EXPECT_EQ(Of("events(anon_page, w)"), "2");
  EXPECT_EQ(Of("events(cow_copy)"), "1");
  EXPECT_EQ(Of("events(fault_resolved)"), "6");
  EXPECT_EQ(Of("events(vma_split) > 0"), "1");
}

TEST_F(Facts, AddressSpaces) {
  EXPECT_EQ(Of("vmas()"), "4");
  EXPECT_EQ(Of("vmas(1)"), "2");
  EXPECT_EQ(Of("at(a, vmas())"), "2");
  EXPECT_EQ(Of("perms(0x10004000)"), "r--p");
  EXPECT_EQ(Of("perms(0x10004000, 1)"), "rw-p");
  EXPECT_EQ(Of("perms(0x1000)"), "none");
  EXPECT_EQ(Of("vma_end($a) == 0x10004000"), "1");
  EXPECT_EQ(Of("vma_start(0x10000fff) == $a"), "1");
  EXPECT_EQ(Of("vma_start(0x1000)"), "0");
  EXPECT_THAT(Of("maps()"), HasSubstr("10004000-10005000 r--p"));
  EXPECT_EQ(Of("maps_in(0x10004000, 0x10005000)"),
            "10004000-10005000 r--p 00000000 00:00 0 \n");
  EXPECT_EQ(Of("maps_in(0x1000, 0x2000)"), "");
}

TEST_F(Facts, PagesAndFrames) {
  EXPECT_EQ(Of("present(0x10000000)"), "1");
  EXPECT_EQ(Of("present(0x10005000)"), "0");
  EXPECT_EQ(Of("is_zero_page(0x10000000)"), "1");
  EXPECT_EQ(Of("is_zero_page(0x10001000)"), "0");
  EXPECT_EQ(Of("mapcount(0x10002000)"), "2");
  EXPECT_EQ(Of("mapcount(0x10001000)"), "1");
  EXPECT_EQ(Of("mapcount(0x10000000)"), "0") << "the zero page is not counted";
  EXPECT_EQ(Of("pfn(0x10002000) == pfn(0x10002000, 1)"), "1");
  EXPECT_EQ(Of("pfn(0x10001000) == pfn(0x10001000, 1)"), "0");
  EXPECT_EQ(Of("pfn(0x10005000)"), "0");
  EXPECT_EQ(Of("byte(0x10001000)"), "7");
  EXPECT_EQ(Of("byte(0x10001000, 1)"), "9");
  EXPECT_EQ(Of("byte(0x10000123)"), "0");
  EXPECT_EQ(Of("byte(0x10005000)"), "-1");
  EXPECT_EQ(Of("frames()"), "4") << "three pages and the stack's";
  EXPECT_EQ(Of("frames(1)"), "4");
  EXPECT_EQ(Of("shared(0, 1)"), "3");
  EXPECT_EQ(Of("walk_entries(0x10000000)"), "4");
  EXPECT_EQ(Of("walk_entries(0x700000000000)"), "1");
}

TEST_F(Facts, TextsOfProc) {
  EXPECT_EQ(Of("status(VmRSS)"), "16");
  EXPECT_EQ(Of("status(VmRSS, 1) == frames(1) * 4"), "1");
  EXPECT_EQ(Of("at(a, status(VmRSS))"), "4");
  EXPECT_EQ(Of("at(w, status(VmRSS)) - at(a, status(VmRSS))"), "12");
  EXPECT_EQ(Of("smaps(Rss, 0x10000000)"), "12");
  EXPECT_EQ(Of("smaps('Private_Dirty', 0x10000000, 1)"), "4");
  EXPECT_EQ(Of("meminfo(MemTotal) > meminfo(MemFree)"), "1");
  EXPECT_EQ(Of("vmstat(pgfault) > 0"), "1");
}

TEST_F(Facts, Processes) {
  EXPECT_EQ(Of("processes()"), "2");
  EXPECT_EQ(Of("alive(1)"), "1");
  EXPECT_EQ(Of("alive(2)"), "0");
  EXPECT_EQ(Of("alive(0 - 1)"), "0");
}

TEST_F(Facts, WhatThereIsNotIsSaid) {
  EXPECT_THAT(Of("$b"), HasSubstr("no operation of the set-up that ran is "
                                  "labelled 'b:'"));
  EXPECT_THAT(Of("x.min"), HasSubstr("labelled 'x:'"));
  EXPECT_THAT(Of("w.mni"), HasSubstr("there is no w.mni; did you mean 'min'?"));
  EXPECT_THAT(Of("vmas(7)"), HasSubstr("there is no process 7"));
  EXPECT_THAT(Of("status(VmRss)"), HasSubstr("no line 'VmRss'"));
  EXPECT_THAT(Of("smaps(Rss, 0x1000)"),
              HasSubstr("nothing is mapped at 0x1000"));
  EXPECT_THAT(Of("smaps(Rsss, 0x10000000)"), HasSubstr("no field 'Rsss'"));
  EXPECT_THAT(Of("at(r, vmas())"), HasSubstr("was not kept after 'r:'"));
  EXPECT_THAT(Of("at(a, w.min)"), HasSubstr("labelled 'w:'"))
      << "it has not happened yet";
  EXPECT_THAT(Of("at(f, events(cow_copy))"), "0");
}

// Every function of the table is there, and is asked with its own usage.
TEST_F(Facts, EveryFunctionAnswers) {
  for (const FunctionSpec& spec : FunctionTable()) {
    Expression call;
    call.kind = Expression::Kind::kCall;
    call.name = spec.name;
    EXPECT_THAT(std::string(spec.usage),
                testing::StartsWith(std::string(spec.name) + "("));
    EXPECT_NE(std::string(spec.help), "");
    Expression argument;
    argument.value = Value(int64_t{1});
    for (int i = 0; i <= spec.args_max; ++i) call.operands.push_back(argument);
    EXPECT_THAT(std::string(FindFunction(call).status().message()),
                HasSubstr(spec.usage));
  }
}

TEST(TrialBounds, ASetupIsBounded) {
  const auto run = [](const std::string& text) {
    auto trial = Trial::Boot(v1::MachineConfig());
    Rehearsal rehearsal(**trial);
    return std::string(rehearsal.RunSetup(text, {}).message());
  };
  EXPECT_THAT(run("a: mmap 0 1p rw- PRIVATE|ANON\nreadr $a 2000000 0\n"),
              HasSubstr("setup:2:1: more than 1048576 accesses in all"));
  EXPECT_THAT(run("a: mmap 0 1p rw- PRIVATE|ANON\n"
                  "accesses readr $a 1000000 0; readr $a 1000000 0\n"),
              HasSubstr("setup:2:1: more than 1048576 accesses in all"));
  std::string many;
  for (int i = 0; i < 1100; ++i) many += "brk 0\n";
  EXPECT_THAT(run(many), HasSubstr("setup:1025:1: more than 1024 commands"));
  EXPECT_THAT(run("boot ram=64m\n"), HasSubstr("`boot` has no place here"));
  EXPECT_THAT(run("a: brk 0\na: brk 0\n"),
              HasSubstr("setup:2:4: the label 'a' is given twice"));
  EXPECT_THAT(run("brk 0\nexpect ret == 1\n"),
              HasSubstr("setup:2:1: expected ret == 0x1"));
  EXPECT_THAT(run("mmpa 0\n"), HasSubstr("setup:1:1: unknown op 'mmpa'"));
}

}  // namespace
}  // namespace faultline::grading
