// What is behind each page of an address space, read from the words of
// /proc/PID/pagemap and /proc/kpageflags, and how a VMA's pages are laid out in
// the cells of its strip.

#ifndef FAULTLINE_CLIENT_CLI_RESIDENCY_H_
#define FAULTLINE_CLIENT_CLI_RESIDENCY_H_

#include <cstdint>
#include <vector>

namespace faultline::cli {

inline constexpr uint64_t kShownPageSize = 4096;

// From what tells least to what tells most: a cell that stands for many pages
// shows the last of theirs.
enum class PageState : uint8_t {
  kAbsent,
  kZeroPage,
  kFile,
  kFileDirty,
  kAnon,
  kAnonShared,  // not yet copied after a fork
  kSwapped,
};
inline constexpr int kPageStates = 7;

// A word of /proc/PID/pagemap
// (Documentation/admin-guide/mm/pagemap.rst).
class PagemapWord {
 public:
  explicit PagemapWord(uint64_t word) : word_(word) {}

  bool present() const { return (word_ >> 63 & 1) != 0; }
  bool swapped() const { return (word_ >> 62 & 1) != 0; }
  bool file_or_shmem() const { return (word_ >> 61 & 1) != 0; }
  // Nobody else maps the frame.
  bool exclusive() const { return (word_ >> 56 & 1) != 0; }
  // Of a page that is present.
  uint64_t pfn() const { return word_ & ((uint64_t{1} << 55) - 1); }

 private:
  uint64_t word_;
};

// `kpageflags` is the frame's word of /proc/kpageflags; of a page that is not
// present it is not looked at.
PageState StateOf(PagemapWord page, uint64_t kpageflags);

// A VMA's strip: rows of cells, the highest addresses in the top row, each row
// from left to right. A row more for each doubling, to a maximum. A cell is one
// page, or an equal share of the pages when there are more than cells.
struct StripLayout {
  int columns = 0;
  int rows = 0;
  uint64_t pages = 0;
  uint64_t cells = 0;  // at most rows * columns

  // The first page of a cell, counted from the VMA's start; of `cells`: the
  // number of pages.
  uint64_t FirstPage(uint64_t cell) const {
    return cell * (pages / cells) + cell * (pages % cells) / cells;
  }
  bool one_page_per_cell() const { return cells == pages; }
};

inline constexpr int kStripRowsMax = 12;

// The strip of a VMA of `pages` pages, at least one, `columns` cells wide.
StripLayout LayoutOf(uint64_t pages, int columns);

// One state per cell from one per page.
std::vector<PageState> CellsOf(const StripLayout& layout,
                               const std::vector<PageState>& pages);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_RESIDENCY_H_
