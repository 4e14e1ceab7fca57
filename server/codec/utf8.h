// UTF-8, which every `string` of a proto3 message must be: a message with one
// that is not can be written but not read again.
#ifndef FAULTLINE_SERVER_CODEC_UTF8_H_
#define FAULTLINE_SERVER_CODEC_UTF8_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace faultline {

bool IsUtf8(absl::string_view text);

// `text` with U+FFFD in place of each byte that is not UTF-8.
std::string ToUtf8(absl::string_view text);

// The longest prefix of at most `size` bytes that does not cut a character.
// Of bytes that are not UTF-8 it is just the first `size`.
absl::string_view Utf8Prefix(absl::string_view text, size_t size);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_UTF8_H_
