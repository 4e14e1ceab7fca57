// The red-black tree against a sorted set: after each insertion, removal and
// replacement it is in order and balanced.
#include "server/machine/base/rb_tree.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "server/machine/base/prng.h"

namespace faultline {
namespace {

constexpr uint32_t kNodes = 200;

class RbTreeTest : public ::testing::Test {
 protected:
  auto Tree() {
    auto at = [this](uint32_t n) -> RbLinks& { return links_[n]; };
    return RbTree<decltype(at)>(root_, at);
  }
  void Insert(uint32_t n) {
    uint32_t parent = 0;
    for (uint32_t at = root_; at != 0;) {
      parent = at;
      at = keys_[n] < keys_[at] ? links_[at].left : links_[at].right;
    }
    const bool left = parent != 0 && keys_[n] < keys_[parent];
    Tree().Insert(n, parent, left ? RbSide::kLeft : RbSide::kRight);
  }
  // Black nodes on each path below n; the keys in order go to `out`.
  int Check(uint32_t n, uint32_t parent, std::vector<uint32_t>* out) {
    if (n == 0) return 1;
    const RbLinks& l = links_[n];
    EXPECT_EQ(l.parent, parent);
    EXPECT_FALSE(l.red && (parent == 0 || links_[parent].red));
    const int left = Check(l.left, n, out);
    out->push_back(keys_[n]);
    EXPECT_EQ(Check(l.right, n, out), left);
    return left + !l.red;
  }
  std::vector<uint32_t> Keys() {
    std::vector<uint32_t> keys;
    Check(root_, 0, &keys);
    return keys;
  }

  uint32_t root_ = 0;
  std::vector<RbLinks> links_ = std::vector<RbLinks>(kNodes + 2);
  std::vector<uint32_t> keys_ = std::vector<uint32_t>(kNodes + 2);
};

TEST_F(RbTreeTest, StaysInOrderAndBalanced) {
  Prng random(7);
  std::set<uint32_t> in;
  for (int step = 0; step < 4000; step++) {
    const auto n = static_cast<uint32_t>(random.Next() % kNodes) + 1;
    if (in.insert(n).second) {
      keys_[n] = static_cast<uint32_t>(random.Next() % 1000);
      Insert(n);
    } else {
      Tree().Erase(n);
      in.erase(n);
      EXPECT_EQ(links_[n].parent, 0u);
    }
    std::multiset<uint32_t> expected;
    for (uint32_t i : in) expected.insert(keys_[i]);
    const std::vector<uint32_t> keys = Keys();
    ASSERT_TRUE(
        std::equal(keys.begin(), keys.end(), expected.begin(), expected.end()))
        << "step " << step;
  }
}

TEST_F(RbTreeTest, ReplacesANodeWhereItStands) {
  for (uint32_t n = 1; n <= 50; n++) {
    keys_[n] = n * 10;
    Insert(n);
  }
  constexpr uint32_t kFresh = kNodes + 1;
  for (uint32_t n : {1u, 16u, 50u, root_}) {
    const std::vector<uint32_t> before = Keys();
    keys_[kFresh] = keys_[n];
    Tree().Replace(n, kFresh);
    EXPECT_EQ(Keys(), before);
    Tree().Replace(kFresh, n);
    EXPECT_EQ(Keys(), before);
  }
}

}  // namespace
}  // namespace faultline
