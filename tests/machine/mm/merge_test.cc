// Merging and splitting: what mmap, munmap, mprotect, mremap, madvise, mlock
// and fork make of neighbouring VMAs. The rows were measured on Linux 6.18.
#include <gtest/gtest.h>

#include "tests/machine/sim.h"

namespace faultline {
namespace {

struct Row {
  const char* name;
  const char* script;
  const char* vmas;
};
std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.name;
}

class Merges : public ::testing::TestWithParam<Row> {};

TEST_P(Merges, AsLinuxDoes) {
  Sim s;
  s.File("/f", 64);  // descriptor 3
  s.File("/f", 64);  // descriptor 4, the same inode
  s.Run(GetParam().script);
  EXPECT_EQ(s.Vmas(), GetParam().vmas);
}

std::string NameOf(const ::testing::TestParamInfo<Row>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Mapping, Merges,
    ::testing::Values(
        Row{"WithPrevious", "map 0-4 rw; map 4-8 rw", "0-8:rw"},
        Row{"WithNext", "map 4-8 rw; map 0-4 rw", "0-8:rw"},
        Row{"WithBothNeighbours", "map 0-4 rw; map 8-12 rw; map 4-8 rw",
            "0-12:rw"},
        Row{"NotAcrossAHole", "map 0-4 rw; map 5-8 rw", "0-4:rw 5-8:rw"},
        Row{"NotWithAnotherProtection", "map 0-4 rw; map 4-8 r",
            "0-4:rw 4-8:r"},
        Row{"NotNoReserveWithReserved", "map 0-4 rw; map 4-8 rw noreserve",
            "0-4:rw 4-8:rwN"},
        Row{"NotLockedWithUnlocked", "map 0-4 rw; map 4-8 rw locked",
            "0-4:rw 4-8:rwL"},
        Row{"NotAStackWithMemory", "map 0-4 rw; map 4-8 rw growsdown",
            "0-4:rw 4-8:rwD"},
        Row{"NotMapStackWithMemory", "map 0-4 rw; map 4-8 rw stack",
            "0-4:rw 4-8:rwH"},
        Row{"NotSharedAnonymous", "map 0-4 rw shared; map 4-8 rw shared",
            "0-4:rwS 4-8:rwS"},
        Row{"AFileWhoseOffsetsContinue", "map 0-4 r fd3@0; map 4-8 r fd3@4",
            "0-8:r"},
        Row{"NotAFileWhoseOffsetsDoNot", "map 0-4 r fd3@0; map 4-8 r fd3@5",
            "0-4:r 4-8:r"},
        Row{"NotTwoOpensOfOneFile", "map 0-4 r fd3@0; map 4-8 r fd4@4",
            "0-4:r 4-8:r"},
        Row{"ASharedFile", "map 0-4 rw shared fd3@0; map 4-8 rw shared fd3@4",
            "0-8:rwS"},
        Row{"FixedOverTheMiddleSplits", "map 0-8 rw; map 2-4 r",
            "0-2:rw 2-4:r 4-8:rw"},
        Row{"FixedOverTheMiddleWithTheSameMergesAgain",
            "map 0-8 rw; map 2-4 rw", "0-8:rw"},
        Row{"FixedOverSeveral", "map 0-2 r; map 2-4 rw; map 4-6 r; map 1-5 rx",
            "0-1:r 1-5:rx 5-6:r"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Unmapping, Merges,
    ::testing::Values(
        Row{"TheMiddleSplits", "map 0-8 rw; unmap 3-5", "0-3:rw 5-8:rw"},
        Row{"TheStartShrinks", "map 0-8 rw; unmap 0-3", "3-8:rw"},
        Row{"TheEndShrinks", "map 0-8 rw; unmap 6-8", "0-6:rw"},
        Row{"TheWholeIsGone", "map 0-8 rw; unmap 0-8", ""},
        Row{"HolesDoNotMatter", "map 0-2 rw; map 4-6 r; unmap 0-10", ""},
        Row{"AcrossSeveral", "map 0-4 rw; map 4-8 r; map 8-12 rw; unmap 2-10",
            "0-2:rw 10-12:rw"},
        Row{"NothingThere", "map 0-2 rw; unmap 4-8", "0-2:rw"},
        Row{"TheFreedHoleMergesBack", "map 0-8 rw; unmap 3-5; map 3-5 rw",
            "0-8:rw"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Protecting, Merges,
    ::testing::Values(
        Row{"TheMiddleSplitsInThree", "map 0-8 rw; protect 3-5 r",
            "0-3:rw 3-5:r 5-8:rw"},
        Row{"BackMergesToOne",
            "map 0-8 rw; write 0-8; protect 3-5 r; protect 3-5 rw", "0-8:rw"},
        Row{"TheStart", "map 0-8 rw; protect 0-3 r", "0-3:r 3-8:rw"},
        Row{"TheEnd", "map 0-8 rw; protect 5-8 r", "0-5:rw 5-8:r"},
        Row{"TheWhole", "map 0-8 rw; protect 0-8 r", "0-8:r"},
        Row{"UnfaultedLeft", "map 0-4 r; map 4-8 rw; protect 4-8 r", "0-8:r"},
        Row{"FaultedLeftUnfaultedRight",
            "map 0-8 rw; write 0-4; protect 4-8 r; protect 4-8 rw", "0-8:rw"},
        Row{"UnfaultedLeftFaultedRight",
            "map 0-4 rw; map 4-8 rwx; write 4-8; protect 4-8 rw", "0-8:rw"},
        Row{"MovesTheBoundary",
            "map 0-8 rw; write 0-8; protect 0-4 r; protect 2-4 rw",
            "0-2:r 2-8:rw"},
        Row{"OverSeveral", "map 0-2 r; map 2-4 rw; map 4-6 rx; protect 0-6 rwx",
            "0-6:rwx"},
        Row{"TheChargeOfTouchedMemorySticks",
            "map 0-4 rw; write 0-4; protect 0-4 r; map 4-8 r", "0-4:r 4-8:r"},
        Row{"TheChargeOfUntouchedMemoryDoesNot",
            "map 0-4 rw; protect 0-4 r; map 4-8 r", "0-8:r"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Moving, Merges,
    ::testing::Values(
        Row{"UnfaultedMemoryMergesAtItsNewPlace",
            "map 0-4 rw; map 8-12 rw; move 0-4 12", "8-16:rw"},
        Row{"FaultedMemoryKeepsItsOffsets",
            "map 0-4 rw; write 0-4; map 8-12 rw; move 0-4 12",
            "8-12:rw 12-16:rw"},
        Row{"FaultedMemoryMergesWhereItBelongs",
            "map 0-8 rw; write 0-8; move 4-8 20; move 20-24 4", "0-8:rw"},
        Row{"PartOfAVmaSplitsTheSource", "map 0-8 rw; move 2-4 20",
            "0-2:rw 4-8:rw 20-22:rw"},
        Row{"OverWhatIsThere", "map 0-2 rw; map 8-12 r; move 0-2 9",
            "8-9:r 9-11:rw 11-12:r"},
        Row{"KeepingTheSource", "map 0-4 rw; write 0-4; move 0-4 8 keep",
            "0-4:rw 8-12:rw"},
        Row{"GrowingInPlaceMergesWithTheNext",
            "map 0-4 rw; map 6-8 rw; resize 0-4 6", "0-8:rw"},
        Row{"SeveralVmasKeepTheirGaps",
            "map 0-2 rw; map 4-6 r; map 6-8 rx; move 0-8 20",
            "20-22:rw 24-26:r 26-28:rx"},
        Row{"Shrinking", "map 0-8 rw; resize 0-8 3", "0-3:rw"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Marking, Merges,
    ::testing::Values(
        Row{"LockingTheMiddle", "map 0-8 rw; lock 3-5",
            "0-3:rw 3-5:rwL 5-8:rw"},
        Row{"UnlockingMergesToOne", "map 0-8 rw; lock 3-5; unlock 3-5",
            "0-8:rw"},
        Row{"LockingOnFault", "map 0-8 rw; onfault 0-8; lock 0-4",
            "0-4:rwL 4-8:rwF"},
        Row{"AdviceSplitsAndMerges", "map 0-8 rw; advise 2-4 10; advise 2-4 11",
            "0-8:rw"},
        Row{"NamesKeepApart", "map 0-4 rw; name 0-2 heap", "0-2:rw 2-4:rw"},
        Row{"TheSameNameMerges", "map 0-4 rw; name 0-2 heap; name 2-4 heap",
            "0-4:rw"}),
    NameOf);

TEST(Merge, AForkedVmaDoesNotMergeWithANewOne) {
  Sim s;
  s.Run("map 0-4 rw; write 0-4; fork; map 4-8 rw; 2: map 4-8 rw");
  EXPECT_EQ(s.Vmas(1), "0-8:rw");
  EXPECT_EQ(s.Vmas(2), "0-4:rw 4-8:rw");
}

TEST(Merge, PiecesThatFaultApartShareOneAnonVma) {
  Sim s;
  s.Run("map 0-4 rw; protect 2-4 r; write 0; protect 2-4 rwx; write 2");
  EXPECT_EQ(s.VmaOf(At(0)).anon_vma, s.VmaOf(At(2)).anon_vma);
  s.Run("protect 2-4 rw");
  EXPECT_EQ(s.Vmas(), "0-4:rw");
}

// Two neighbours that both faulted on their own cannot be one.
TEST(Merge, ABridgeMergesWithThePreviousWhenBothFaulted) {
  Sim s;
  s.Run("map 0-4 rw; write 0-4; map 8-12 rw; write 8-12; map 4-8 rw");
  EXPECT_EQ(s.Vmas(), "0-8:rw 8-12:rw");
}

TEST(Merge, ContentsSurviveEverySplitAndMerge) {
  Sim s;
  s.Run("map 0-8 rw");
  for (int i = 0; i < 8; i++) {
    s.Run("write " + std::to_string(i) + " v" + std::to_string(i + 10));
  }
  s.Run("protect 2-4 r; unmap 5-6; lock 6-7; move 0-2 20; move 20-22 0");
  s.Run(
      "protect 2-4 rw; unlock 6-7; read 0 =10; read 1 =11; read 2 =12;"
      "read 4 =14; read 5 =SEGV/1; read 6 =16; read 7 =17");
}

TEST(Merge, TheMapCountIsTheNumberOfVmas) {
  Sim s;
  uint32_t before = s.map_count();
  s.Run("map 0-8 rw; protect 2-4 r");
  EXPECT_EQ(s.map_count(), before + 3);
  s.Run("unmap 0-8");
  EXPECT_EQ(s.map_count(), before);
}

}  // namespace
}  // namespace faultline
