// Where the recorded program's addresses are in the simulated one. With
// address randomisation off (setarch -R) they are the same. With it on, the
// executable, the heap and the mapping area each lie at a distance that is
// fixed for the life of the image.

#ifndef FAULTLINE_CLIENT_CLI_LAYOUT_H_
#define FAULTLINE_CLIENT_CLI_LAYOUT_H_

#include <cstdint>
#include <optional>

namespace faultline::cli {

// One address space. Distances are real minus simulated; nothing is known of a
// fresh image.
class Layout {
 public:
  // The break that the program saw first after execve, and ours.
  void LearnBreak(uint64_t real, uint64_t ours);
  // The break moved.
  void SetBreak(uint64_t real);
  // Where the kernel put a mapping that was free to lie anywhere, and ours.
  // Learns only when the break has shown that the image is randomised.
  void LearnMapping(uint64_t real, uint64_t ours);
  // An address of the executable's first writable segment, and ours: what the
  // dynamic linker protects.
  void LearnExecutable(uint64_t real, uint64_t ours);

  // The simulated address of a real one.
  uint64_t ToOurs(uint64_t real) const;

  bool randomised() const { return randomised_; }
  // True when an address of the executable came up and its place is not known.
  bool NeedsExecutable(uint64_t real) const;

 private:
  enum class Area { kExecutable, kHeap, kMappings };
  Area AreaOf(uint64_t real) const;

  bool randomised_ = false;
  uint64_t break_low_ = 0;
  uint64_t break_high_ = 0;
  int64_t heap_ = 0;
  std::optional<int64_t> mappings_;
  std::optional<int64_t> executable_;
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_LAYOUT_H_
