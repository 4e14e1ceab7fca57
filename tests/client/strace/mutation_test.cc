// Nothing in a file can make the reader fail: recordings with bytes changed,
// lines cut, shuffled, doubled and dropped. Run it under the asan preset.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/strace/reader.h"
#include "tests/client/strace/describe.h"

namespace faultline::strace {
namespace {

std::vector<std::string> Sources() {
  std::vector<std::string> texts;
  for (const char* name :
       {"6.18-filtered/sh/strace.txt", "6.18-filtered/pythr/strace.raw",
        "forms/stderr-vfork-verbose.txt", "forms/stderr-exec-by-thread.txt",
        "forms/raw-flags-all-times.txt", "forms/hex-strings.txt"}) {
    texts.push_back(FileText(TracesDirectory() / name));
  }
  return texts;
}

std::vector<std::string> Lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string Join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// Deterministic on every platform, unlike std::uniform_int_distribution.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  size_t Below(size_t bound) { return engine_() % bound; }

 private:
  std::mt19937_64 engine_;
};

// ReadText checks that every line counts once.
class MutationTest : public ::testing::TestWithParam<int> {
 protected:
  Random random_{static_cast<uint64_t>(GetParam())};
  std::vector<std::string> sources_ = Sources();
};

TEST_P(MutationTest, Bytes) {
  constexpr char kSharp[] = "()[]{}<>\"\\,|=*/-+?x0 .\n";
  for (std::string text : sources_) {
    const size_t changes = 1 + random_.Below(200);
    for (size_t i = 0; i < changes; ++i) {
      const size_t at = random_.Below(text.size());
      switch (random_.Below(4)) {
        case 0:
          text[at] = static_cast<char>(random_.Below(256));
          break;
        case 1:
          text[at] = kSharp[random_.Below(sizeof(kSharp) - 1)];
          break;
        case 2:
          text.erase(at, 1 + random_.Below(20));
          break;
        default:
          text.insert(
              at, text.substr(random_.Below(text.size()), random_.Below(40)));
      }
    }
    ReadText(text);
  }
}

TEST_P(MutationTest, Truncations) {
  for (const std::string& text : sources_) {
    for (int i = 0; i < 10; ++i) {
      ReadText(text.substr(0, random_.Below(text.size())));
      ReadText(text.substr(random_.Below(text.size())));
    }
  }
}

TEST_P(MutationTest, Lines) {
  for (const std::string& text : sources_) {
    std::vector<std::string> lines = Lines(text);
    for (size_t i = 0; i < lines.size() / 2; ++i) {
      std::swap(lines[random_.Below(lines.size())],
                lines[random_.Below(lines.size())]);
    }
    ReadText(Join(lines));
    for (std::string& line : lines) {
      if (random_.Below(4) == 0) line.resize(random_.Below(line.size() + 1));
    }
    ReadText(Join(lines));
  }
}

TEST_P(MutationTest, DroppedAndDoubledLines) {
  for (const std::string& text : sources_) {
    std::vector<std::string> kept;
    for (const std::string& line : Lines(text)) {
      const size_t copies = random_.Below(3);
      for (size_t i = 0; i < copies; ++i) kept.push_back(line);
    }
    ReadText(Join(kept));
  }
}

TEST_P(MutationTest, RandomBytes) {
  std::string text(1 + random_.Below(20'000), '\0');
  for (char& c : text) c = static_cast<char>(random_.Below(256));
  ReadText(text);
}

INSTANTIATE_TEST_SUITE_P(Seeds, MutationTest, ::testing::Range(1, 25));

}  // namespace
}  // namespace faultline::strace
