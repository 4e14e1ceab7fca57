// The two directions of a message from one list of its fields. A list is a
// function template over the codec,
//
//   template <class C, class S, class P>
//   void Fields(C& c, S& s, P& p, const Brk*) {
//     FL_FIELD(addr);
//     FL_FIELD(name, MaxBytes(255));
//   }
//
// and a Decoder (proto to struct, checking) or an Encoder (struct to proto)
// walks it. Enums of ours start at 0, enums of the contract at 1 (0 is
// _UNSPECIFIED), so that they differ by one. For codec/ only.
#ifndef FAULTLINE_SERVER_CODEC_FIELDS_H_
#define FAULTLINE_SERVER_CODEC_FIELDS_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/codec/errors.h"
#include "server/codec/utf8.h"

// Field `name` of struct `s` and message `p`; a check may follow.
#define FL_FIELD(name, ...)                                           \
  c.Field(                                                            \
      #name, s.name, p,                                               \
      [](const auto& fl_m) {                                          \
        if constexpr (requires { fl_m.has_##name(); }) {              \
          return fl_m.has_##name();                                   \
        } else {                                                      \
          return true;                                                \
        }                                                             \
      },                                                              \
      [](const auto& fl_m) -> decltype(auto) { return fl_m.name(); }, \
      [](auto& fl_m, auto fl_v) {                                     \
        fl_m.set_##name(std::move(fl_v));                             \
      } __VA_OPT__(, ) __VA_ARGS__)

// The same for a repeated string.
#define FL_STRINGS(name)                                              \
  c.Strings(                                                          \
      #name, s.name, p,                                               \
      [](const auto& fl_m) -> decltype(auto) { return fl_m.name(); }, \
      [](auto& fl_m) { return fl_m.mutable_##name(); })

// The same for a repeated number, and for a repeated enum that has a value.
#define FL_NUMBERS(name)                                              \
  c.Numbers(                                                          \
      s.name, p,                                                      \
      [](const auto& fl_m) -> decltype(auto) { return fl_m.name(); }, \
      [](auto& fl_m) { return fl_m.mutable_##name(); })
#define FL_ENUMS(name, last)                                          \
  c.Enums(                                                            \
      #name, s.name, p,                                               \
      [](const auto& fl_m) -> decltype(auto) { return fl_m.name(); }, \
      [](auto& fl_m) { return fl_m.mutable_##name(); }, last)

// The same for an enum: `last` is the greatest enumerator of ours.
#define FL_ENUM(name, last, ...) \
  FL_FIELD(name, EnumTo(last __VA_OPT__(, ) __VA_ARGS__))

namespace faultline {

// --- Checks: what is wrong with a value, or "".

struct NoCheck {};

struct AtMost {
  uint64_t max;
  template <class T>
  std::string operator()(const T& value) const {
    if (static_cast<uint64_t>(value) <= max) return "";
    return absl::StrCat(value, " is too much: at most ", max);
  }
};

struct MaxBytes {
  size_t max;
  size_t min = 0;
  std::string operator()(const std::string& value) const {
    if (value.size() < min) return "must not be empty";
    if (value.size() <= max) return "";
    return absl::StrCat("has ", value.size(), " bytes: at most ", max);
  }
};

// The same for a `bytes` field, which need not be UTF-8.
struct RawBytes : MaxBytes {};

// An enum of the contract: values 1 to last + 1; 0 is the default, or an error
// when a value is required.
enum class Unspecified : uint8_t { kDefault, kRefused };
template <class E>
struct EnumTo {
  explicit EnumTo(E last, Unspecified unspecified = Unspecified::kDefault)
      : last(last), unspecified(unspecified) {}
  E last;
  Unspecified unspecified;
};

// --- Decoder

class Decoder {
 public:
  // With kTrust, as for what our own journal holds, bounds are not checked:
  // they may have been wider when it was written.
  enum class Bounds : uint8_t { kCheck, kTrust };
  explicit Decoder(Bounds bounds) : bounds_(bounds) {}

  // Where the fields that follow are: commands[index], and which message of it.
  void EnterCommand(int index) {
    index_ = index;
    message_ = "";
  }
  void EnterMessage(const char* message) { message_ = message; }

  template <class T, class P, class Has, class Get, class Set,
            class Check = NoCheck>
  void Field(const char* name, T& value, const P& p, Has has, Get get, Set,
             Check check = {}) {
    if (!has(p)) return;
    const auto& raw = get(p);
    if constexpr (std::is_enum_v<T>) {
      TakeEnum(name, value, static_cast<int64_t>(raw), check);
    } else {
      if constexpr (!std::is_same_v<Check, NoCheck>) {
        if (bounds_ == Bounds::kCheck) {
          std::string wrong = check(raw);
          if (!wrong.empty()) return Violate(name, std::move(wrong));
        }
      }
      value = static_cast<T>(raw);
    }
  }

  template <class P, class Get, class Mutable>
  void Strings(const char*, std::vector<std::string>& value, const P& p,
               Get get, Mutable) {
    const auto& raw = get(p);
    value.assign(raw.begin(), raw.end());
  }

  template <class T, class P, class Get, class Mutable>
  void Numbers(std::vector<T>& value, const P& p, Get get, Mutable) {
    value.assign(get(p).begin(), get(p).end());
  }

  template <class E, class P, class Get, class Mutable>
  void Enums(const char* name, std::vector<E>& value, const P& p, Get get,
             Mutable, E last) {
    const auto& raw = get(p);
    value.resize(raw.size());
    for (int i = 0; i < raw.size(); ++i) {
      value[i] = static_cast<E>(raw[i] - 1);
    }
    // Apart, so that the loop above is a copy for the compiler.
    const auto bad = std::find_if(raw.begin(), raw.end(), [last](int v) {
      return static_cast<unsigned>(v) - 1 > static_cast<unsigned>(last);
    });
    if (bad == raw.end()) return;
    E ignored;
    TakeEnum(absl::StrCat(name, "[", bad - raw.begin(), "]").c_str(), ignored,
             *bad, EnumTo(last, Unspecified::kRefused));
  }

  void Violate(const char* name, std::string description,
               bool missing = false) {
    violations_.push_back({Path(name), std::move(description), missing});
  }

  bool checks() const { return bounds_ == Bounds::kCheck; }
  bool ok() const { return violations_.empty(); }
  absl::Status status() const {
    return ok() ? absl::OkStatus() : errors::InvalidFields(violations_);
  }

 private:
  template <class T>
  void TakeEnum(const char* name, T& value, int64_t raw,
                const EnumTo<T>& check) {
    const auto last = static_cast<int64_t>(check.last) + 1;
    if (raw == 0 && check.unspecified == Unspecified::kDefault) return;
    if (raw == 0) return Violate(name, "is required: say which", true);
    if (raw < 0 || raw > last) {
      return Violate(name,
                     absl::StrCat(raw, " is no value of the enum: 1 to ", last,
                                  "; the client may be newer than "
                                  "the server"));
    }
    value = static_cast<T>(raw - 1);
  }

  std::string Path(const char* name) const {
    std::string path;
    if (index_ >= 0) path = absl::StrCat("commands[", index_, "]");
    for (const char* part : {message_, name}) {
      if (*part == '\0') continue;
      absl::StrAppend(&path, path.empty() ? "" : ".", part);
    }
    return path;
  }

  Bounds bounds_;
  int index_ = -1;
  const char* message_ = "";
  std::vector<FieldViolation> violations_;
};

// --- Encoder

class Encoder {
 public:
  template <class T, class P, class Has, class Get, class Set,
            class Check = NoCheck>
  void Field(const char* name, const T& value, P& p, Has, Get get, Set set,
             Check = {}) {
    if constexpr (std::is_enum_v<T>) {
      using E = std::decay_t<decltype(get(p))>;
      set(p, static_cast<E>(static_cast<int>(value) + 1));
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!std::is_same_v<Check, RawBytes> && bad_.empty() && !IsUtf8(value)) {
        bad_ = name;
      }
      set(p, value);
    } else {
      set(p, value);
    }
  }

  template <class P, class Get, class Mutable>
  void Strings(const char* name, const std::vector<std::string>& value, P& p,
               Get, Mutable list) {
    for (const std::string& text : value) {
      if (bad_.empty() && !IsUtf8(text)) bad_ = name;
      list(p)->Add(std::string(text));
    }
  }

  template <class T, class P, class Get, class Mutable>
  void Numbers(const std::vector<T>& value, P& p, Get, Mutable list) {
    list(p)->Add(value.begin(), value.end());
  }

  template <class E, class P, class Get, class Mutable>
  void Enums(const char*, const std::vector<E>& value, P& p, Get, Mutable list,
             E) {
    list(p)->Reserve(static_cast<int>(value.size()));
    for (E one : value) list(p)->AddAlreadyReserved(static_cast<int>(one) + 1);
  }

  // The first text that is not UTF-8, which a `string` cannot hold.
  const std::string& not_utf8() const { return bad_; }

 private:
  std::string bad_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_FIELDS_H_
