// Numbers and byte strings in a row, as journals and spools pack them.
#ifndef FAULTLINE_STORAGE_PACKING_H_
#define FAULTLINE_STORAGE_PACKING_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace faultline::storage {

// An unsigned LEB128 number, as in protobuf.
inline void PutVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) {
    out.push_back(static_cast<char>(value | 0x80));
  }
  out.push_back(static_cast<char>(value));
}

// Its length as a varint, then itself.
inline void PutBytes(absl::string_view bytes, std::string& out) {
  PutVarint(bytes.size(), out);
  out.append(bytes.data(), bytes.size());
}

// These take what the above put from the front of `in`. After nullopt or false
// it was something else, and `in` is of no use.
inline absl::optional<uint64_t> TakeVarint(absl::string_view& in) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return absl::nullopt;
}

inline bool TakeView(absl::string_view& in, absl::string_view& out) {
  const absl::optional<uint64_t> size = TakeVarint(in);
  if (!size.has_value() || *size > in.size()) return false;
  out = in.substr(0, *size);
  in.remove_prefix(*size);
  return true;
}

inline bool TakeBytes(absl::string_view& in, std::string& out) {
  absl::string_view view;
  if (!TakeView(in, view)) return false;
  out.assign(view.data(), view.size());
  return true;
}

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_PACKING_H_
