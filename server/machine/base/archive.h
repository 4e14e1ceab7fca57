// One field list per type drives save, load and hash, so that no field can be
// saved but not hashed. Three archives: Writer, Reader, Hasher.
//
// A type takes part in one of these ways, tried in this order:
//   1. it has `template <class Ar, class Self> static void Describe(Ar&,
//   Self&)`
//   2. it is an integer, bool, enum, or a unit of base/units.h
//   3. it is a standard string, vector, array, optional, map, pair or variant
//   4. it is a plain aggregate of at most 16 such fields: the fields in order
//
// Format: every number is a LEB128 varint, every sequence its count and then
// its items. The format is the same on every machine and compiler.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_ARCHIVE_H_
#define FAULTLINE_SERVER_MACHINE_BASE_ARCHIVE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace faultline {

// Bytes that are not a saved machine, or are one of another version.
class ArchiveError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace archive_internal {

struct Any {
  template <class T>
  operator T() const;  // NOLINT: counts the fields of an aggregate
};
template <class T, size_t... I>
constexpr bool BraceConstructible(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), Any{})...}; };
}
template <class T, size_t N = 20>
constexpr size_t FieldCount() {
  if constexpr (N == 0) {
    return 0;
  } else if constexpr (BraceConstructible<T>(std::make_index_sequence<N>{})) {
    return N;
  } else {
    return FieldCount<T, N - 1>();
  }
}

template <class F, class T>
void VisitFields(T& t, F&& f) {
  constexpr size_t n = FieldCount<std::remove_const_t<T>>();
  if constexpr (n == 0) {
    return;
#define FL_FIELDS(count, ...)        \
  }                                  \
  else if constexpr (n == (count)) { \
    auto& [__VA_ARGS__] = t;         \
    f(__VA_ARGS__)
    FL_FIELDS(1, a);
    FL_FIELDS(2, a, b);
    FL_FIELDS(3, a, b, c);
    FL_FIELDS(4, a, b, c, d);
    FL_FIELDS(5, a, b, c, d, e);
    FL_FIELDS(6, a, b, c, d, e, g);
    FL_FIELDS(7, a, b, c, d, e, g, h);
    FL_FIELDS(8, a, b, c, d, e, g, h, i);
    FL_FIELDS(9, a, b, c, d, e, g, h, i, j);
    FL_FIELDS(10, a, b, c, d, e, g, h, i, j, k);
    FL_FIELDS(11, a, b, c, d, e, g, h, i, j, k, l);
    FL_FIELDS(12, a, b, c, d, e, g, h, i, j, k, l, m);
    FL_FIELDS(13, a, b, c, d, e, g, h, i, j, k, l, m, o);
    FL_FIELDS(14, a, b, c, d, e, g, h, i, j, k, l, m, o, p);
    FL_FIELDS(15, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q);
    FL_FIELDS(16, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r);
    FL_FIELDS(17, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s);
    FL_FIELDS(18, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, u);
    FL_FIELDS(19, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, u, v);
    FL_FIELDS(20, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w);
#undef FL_FIELDS
  } else {
    static_assert(n <= 20, "give the type a Describe");
  }
}

template <class Ar, class T>
concept Describes = requires(Ar& ar, T& t) {
  std::remove_const_t<T>::Describe(ar, t);
};
template <class T>
concept UnitLike = requires(const T& t) {
  { t.value() } -> std::integral;
  T(t.value());
};
template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsArray = false;
template <class T, size_t N>
inline constexpr bool kIsArray<std::array<T, N>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsMap = false;
template <class K, class V>
inline constexpr bool kIsMap<std::map<K, V>> = true;
template <class T>
inline constexpr bool kIsVariant = false;
template <class... T>
inline constexpr bool kIsVariant<std::variant<T...>> = true;

}  // namespace archive_internal

// What the archives share: the walk over fields. Derived provides kReading
// and Number()/Bytes().
template <class Derived>
class Archive {
 public:
  template <class... T>
  void operator()(T&... fields) {
    (Field(fields), ...);
  }

 private:
  Derived& self() { return static_cast<Derived&>(*this); }

  template <class T>
  void Field(T& v) {
    namespace in = archive_internal;
    using U = std::remove_const_t<T>;
    if constexpr (in::Describes<Derived, T>) {
      U::Describe(self(), v);
    } else if constexpr (std::is_integral_v<U> || std::is_enum_v<U>) {
      NumberField(v);
    } else if constexpr (in::UnitLike<U>) {
      auto n = v.value();
      NumberField(n);
      if constexpr (Derived::kReading) v = U(n);
    } else if constexpr (std::is_same_v<U, std::string>) {
      self().Bytes(v);
    } else if constexpr (in::kIsVector<U>) {
      uint64_t n = v.size();
      NumberField(n);
      if constexpr (Derived::kReading) v.resize(self().CheckCount(n));
      for (auto& item : v) Field(item);
    } else if constexpr (in::kIsArray<U>) {
      for (auto& item : v) Field(item);
    } else if constexpr (in::kIsOptional<U>) {
      bool has = v.has_value();
      NumberField(has);
      if constexpr (Derived::kReading) {
        v.reset();
        if (has) v.emplace();
      }
      if (has) Field(*v);
    } else if constexpr (in::kIsMap<U>) {
      MapField(v);
    } else if constexpr (in::kIsVariant<U>) {
      VariantField(v, std::make_index_sequence<std::variant_size_v<U>>{});
    } else {
      in::VisitFields(v, [this](auto&... f) { (Field(f), ...); });
    }
  }

  template <class T>
  void NumberField(T& v) {
    if constexpr (Derived::kReading) {
      v = static_cast<T>(self().Number());
    } else {
      self().Number(static_cast<uint64_t>(v));
    }
  }

  template <class M>
  void MapField(M& map) {
    uint64_t n = map.size();
    NumberField(n);
    if constexpr (Derived::kReading) {
      n = self().CheckCount(n);
      map.clear();
      for (uint64_t i = 0; i < n; i++) {
        typename M::key_type key{};
        typename M::mapped_type value{};
        Field(key);
        Field(value);
        map.insert_or_assign(map.end(), std::move(key), std::move(value));
      }
    } else {
      for (auto& [key, value] : map) {
        Field(key);
        Field(value);
      }
    }
  }

  template <class V, size_t... I>
  void VariantField(V& v, std::index_sequence<I...>) {
    uint64_t which = v.index();
    NumberField(which);
    bool known = ((which == I) || ...);
    if (!known) throw ArchiveError("a variant has an unknown alternative");
    (
        [&] {
          if (which != I) return;
          if constexpr (Derived::kReading) v.template emplace<I>();
          Field(std::get<I>(v));
        }(),
        ...);
  }
};

// Bytes in pieces, in order: where a Writer's go, and where a Reader's come
// from. A source gives an empty piece at the end; a piece lives until the next
// call.
using ByteSink = std::function<void(std::string_view)>;
using ByteSource = std::function<std::string_view()>;

class Writer : public Archive<Writer> {
 public:
  static constexpr bool kReading = false;
  // Gives `sink` what is written, in pieces of at most kPieceBytes, the last of
  // them with Flush().
  explicit Writer(ByteSink sink) : sink_(std::move(sink)) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void Number(uint64_t v) {
    if (kPieceBytes - used_ < kNumberBytesMax) [[unlikely]]
      Flush();
    char* at = piece_.get() + used_;
    while (v >= 0x80) {
      *at++ = static_cast<char>(v | 0x80);
      v >>= 7;
    }
    *at++ = static_cast<char>(v);
    used_ = static_cast<size_t>(at - piece_.get());
  }
  void Bytes(std::string_view s) {
    Number(s.size());
    Raw(s.data(), s.size());
  }
  void Raw(const void* p, size_t n) {
    const char* from = static_cast<const char*>(p);
    while (n > 0) {
      if (used_ == kPieceBytes) Flush();
      const size_t part = std::min(n, kPieceBytes - used_);
      std::memcpy(piece_.get() + used_, from, part);
      used_ += part;
      from += part;
      n -= part;
    }
  }
  void Flush() {
    if (used_ > 0) sink_(std::string_view(piece_.get(), used_));
    used_ = 0;
  }

 private:
  static constexpr size_t kPieceBytes = size_t{1} << 16;
  static constexpr size_t kNumberBytesMax = 10;
  ByteSink sink_;
  std::unique_ptr<char[]> piece_{new char[kPieceBytes]};
  size_t used_ = 0;
};

// What a Writer writes of `value`.
template <class T>
std::string BytesOf(const T& value) {
  std::string bytes;
  Writer w([&bytes](std::string_view piece) { bytes.append(piece); });
  w(value);
  w.Flush();
  return bytes;
}

class Reader : public Archive<Reader> {
 public:
  static constexpr bool kReading = true;
  explicit Reader(std::string_view in) : in_(in) {}
  // Reads `bytes` in all from a source.
  Reader(uint64_t bytes, ByteSource source)
      : left_(bytes), source_(std::move(source)) {}

  uint64_t Number() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) [[unlikely]]
        Fill();
      auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      v |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return v;
    }
    throw ArchiveError("a number of the saved machine is too long");
  }
  void Bytes(std::string& s) {
    s.resize(CheckCount(Number()));
    Raw(s.data(), s.size());
  }
  void Raw(void* p, size_t n) {
    CheckCount(n);
    for (char* to = static_cast<char*>(p); n > 0;) {
      if (in_.empty()) Fill();
      const size_t part = in_.copy(to, n);
      in_.remove_prefix(part);
      to += part;
      n -= part;
    }
  }
  // Every item takes at least one byte, so a count beyond what is left is a
  // lie; refusing it here keeps a hostile file from asking for much memory.
  uint64_t CheckCount(uint64_t n) const {
    if (n > left_ + in_.size()) {
      throw ArchiveError("the saved machine is cut short");
    }
    return n;
  }
  bool AtEnd() const { return in_.empty() && left_ == 0; }

 private:
  void Fill() {
    if (left_ > 0) in_ = source_();
    if (in_.empty() || in_.size() > left_) {
      throw ArchiveError("the saved machine is cut short");
    }
    left_ -= in_.size();
  }

  std::string_view in_;  // what is there and not read
  uint64_t left_ = 0;    // what the source still has
  ByteSource source_;
};

// A 64-bit hash of the field values (multiply and fold, as in wyhash).
class Hasher : public Archive<Hasher> {
 public:
  static constexpr bool kReading = false;
  void Number(uint64_t v) {
    __extension__ using Wide = unsigned __int128;
    Wide m =
        static_cast<Wide>(state_ ^ v ^ 0xa0761d6478bd642f) * 0xe7037ed1a0b428db;
    state_ = static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64);
  }
  void Bytes(std::string_view s) {
    Number(s.size());
    Raw(s.data(), s.size());
  }
  void Raw(const void* p, size_t n) {
    const auto* c = static_cast<const unsigned char*>(p);
    for (; n >= 8; n -= 8, c += 8) Number(LittleEndian(c, 8));
    if (n > 0) Number(LittleEndian(c, n));
  }
  uint64_t hash() const { return state_; }

 private:
  static uint64_t LittleEndian(const unsigned char* c, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v |= uint64_t{c[i]} << (8 * i);
    return v;
  }
  uint64_t state_ = 0x9e3779b97f4a7c15;
};

template <class T>
uint64_t HashOf(const T& value) {
  Hasher h;
  h(value);
  return h.hash();
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_ARCHIVE_H_
