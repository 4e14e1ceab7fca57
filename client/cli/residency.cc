#include "client/cli/residency.h"

#include <algorithm>

namespace faultline::cli {
namespace {

// include/uapi/linux/kernel-page-flags.h
constexpr uint64_t kKpfDirty = uint64_t{1} << 4;
constexpr uint64_t kKpfAnon = uint64_t{1} << 12;
constexpr uint64_t kKpfZeroPage = uint64_t{1} << 24;

}  // namespace

PageState StateOf(PagemapWord page, uint64_t kpageflags) {
  if (page.swapped()) return PageState::kSwapped;
  if (!page.present()) return PageState::kAbsent;
  if ((kpageflags & kKpfZeroPage) != 0) return PageState::kZeroPage;
  if ((kpageflags & kKpfAnon) != 0) {
    return page.exclusive() ? PageState::kAnon : PageState::kAnonShared;
  }
  return (kpageflags & kKpfDirty) != 0 ? PageState::kFileDirty
                                       : PageState::kFile;
}

StripLayout LayoutOf(uint64_t pages, int columns) {
  StripLayout layout;
  layout.columns = columns;
  layout.pages = pages;
  layout.rows = 1;
  uint64_t held = static_cast<uint64_t>(columns);
  for (; held < pages && layout.rows < kStripRowsMax; held *= 2) ++layout.rows;
  layout.cells =
      std::min(pages, static_cast<uint64_t>(layout.rows * layout.columns));
  return layout;
}

std::vector<PageState> CellsOf(const StripLayout& layout,
                               const std::vector<PageState>& pages) {
  std::vector<PageState> cells;
  cells.reserve(layout.cells);
  for (uint64_t cell = 0; cell < layout.cells; ++cell) {
    const auto first =
        pages.begin() + static_cast<std::ptrdiff_t>(layout.FirstPage(cell));
    const auto last =
        pages.begin() + static_cast<std::ptrdiff_t>(layout.FirstPage(cell + 1));
    cells.push_back(*std::max_element(first, last));
  }
  return cells;
}

}  // namespace faultline::cli
