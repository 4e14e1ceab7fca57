// Draws the address space of a process: high addresses on top, gaps compressed,
// one box per VMA with what is behind each of its pages.

#ifndef FAULTLINE_CLIENT_CLI_SHOW_ADDRESS_SPACE_H_
#define FAULTLINE_CLIENT_CLI_SHOW_ADDRESS_SPACE_H_

#include <string>

#include "client/cli/picture.h"
#include "client/cli/process_look.h"

namespace faultline::cli {

// The width of a strip in cells, in a picture of this style.
int StripColumns(const PictureStyle& style);

// The process in one line, then its VMAs. A process that has ended and was not
// waited for has none.
std::string AddressSpacePicture(const ProcessLook& process,
                                const PictureStyle& style);

// What the cells mean, once for all pictures.
std::string PageLegend(const PictureStyle& style);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_SHOW_ADDRESS_SPACE_H_
