#include "tests/native/compare.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace faultline::native {
namespace {

using nlohmann::json;

// KPF_REFERENCED, LRU, ACTIVE, UNEVICTABLE and IDLE wait in per-CPU batches.
// KPF_MLOCKED: how many VMAs lock a page is counted only while the page is on
// the unevictable list (mm/mlock.c: __munlock_folio()), so that it may be lost
// while one still does.
constexpr uint64_t kUnstablePageFlags =
    1 << 2 | 1 << 5 | 1 << 6 | 1 << 18 | 1 << 25 | uint64_t{1} << 33;
// KPF_MAPPEDTODISK and KPF_PRIVATE of a file's page: the machine's file system
// has no buffers (departure D46). An anonymous page's have other meanings.
constexpr uint64_t kBufferPageFlags = uint64_t{1} << 34 | uint64_t{1} << 35;
constexpr uint64_t kKpfAnon = 1 << 12;
constexpr int64_t kHiddenKilobytes = 4;
constexpr int kSigbus = 7;
// What the process of `native` had mapped before its first operation.
constexpr int64_t kPeakAtStartKilobytes = 172;

uint32_t Bit(CompareField field) { return static_cast<uint32_t>(field); }

struct Line {
  int number = 0;  // 0: the end.
  json object;
  std::string error;  // Not JSON.
};

// What differs between two values of one key, before it is said where.
struct Mismatch {
  std::string field;
  std::string a;
  std::string b;
};
using MaybeMismatch = std::optional<Mismatch>;

std::string Show(const json& value) {
  if (value.is_null()) return "nothing";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

json Get(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? json() : *found;
}

MaybeMismatch CompareKeys(const json& a, const json& b,
                          std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const json value_a = Get(a, key);
    const json value_b = Get(b, key);
    if (value_a != value_b) return Mismatch{key, Show(value_a), Show(value_b)};
  }
  return std::nullopt;
}

// Zero is left out: as it is for the faults of an op and the fields of smaps.
MaybeMismatch CompareCounts(const json& a, const json& b, const char* key) {
  const json zero = 0;
  const json value_a = a.contains(key) ? a[key] : zero;
  const json value_b = b.contains(key) ? b[key] : zero;
  if (value_a == value_b) return std::nullopt;
  return Mismatch{key, Show(value_a), Show(value_b)};
}

// What a recording does not know of is not compared.
MaybeMismatch CompareVectors(const json& a, const json& b) {
  if (!a.contains("vec") || !b.contains("vec")) return std::nullopt;
  return CompareKeys(a, b, {"vec"});
}

MaybeMismatch CompareFaults(const json& a, const json& b) {
  for (const char* key : {"min", "maj", "cmin", "cmaj"}) {
    if (auto mismatch = CompareCounts(a, b, key)) return mismatch;
  }
  return std::nullopt;
}

// Two lists whose elements must be equal; `field` names the list.
MaybeMismatch CompareLists(const json& a, const json& b,
                           const std::string& field) {
  const size_t count = std::max(a.size(), b.size());
  for (size_t i = 0; i < count; ++i) {
    const json row_a = i < a.size() ? a[i] : json();
    const json row_b = i < b.size() ? b[i] : json();
    if (row_a != row_b) {
      return Mismatch{field + " row " + std::to_string(i + 1), Show(row_a),
                      Show(row_b)};
    }
  }
  return std::nullopt;
}

MaybeMismatch CompareSmapsRow(const json& a, const json& b) {
  const std::string area =
      "smaps " + Show(Get(a, "s")) + "-" + Show(Get(a, "e"));
  if (auto mismatch = CompareKeys(a, b, {"s", "e", "f"})) {
    mismatch->field = area + " " + mismatch->field;
    return mismatch;
  }
  json keys = a;
  keys.update(b);
  for (const auto& [key, value] : keys.items()) {
    if (!value.is_number()) continue;
    if (auto mismatch = CompareCounts(a, b, key.c_str())) {
      mismatch->field = area + " " + key;
      return mismatch;
    }
  }
  return std::nullopt;
}

MaybeMismatch CompareSmaps(const json& a, const json& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (auto mismatch = CompareSmapsRow(a[i], b[i])) return mismatch;
  }
  if (a.size() == b.size()) return std::nullopt;
  return Mismatch{"smaps rows", std::to_string(a.size()),
                  std::to_string(b.size())};
}

// "vpn:flags:ordinal:mapcount:kpageflags" without the unstable kpageflags.
json StablePages(const json& pages) {
  json stable = json::array();
  for (const json& page : pages) {
    const std::string text = page.get<std::string>();
    const size_t colon = text.rfind(':');
    const auto colons = std::count(text.begin(), text.end(), ':');
    if (colons < 4) {  // A swapped page has no frame.
      stable.push_back(text);
      continue;
    }
    uint64_t flags =
        std::stoull(text.substr(colon + 1), nullptr, 16) & ~kUnstablePageFlags;
    if ((flags & kKpfAnon) == 0) flags &= ~kBufferPageFlags;
    std::ostringstream hex;
    hex << text.substr(0, colon + 1) << std::hex << flags;
    stable.push_back(hex.str());
  }
  return stable;
}

// The kernel splits executable pages between VmExe and VmLib by the image's
// size, so only their sum can have the hidden page taken out.
json ComparableStatus(const json& status, bool has_hidden_page) {
  std::map<std::string, int64_t> fields;
  for (const auto& [key, value] : status.items()) {
    if (key == "HugetlbPages" || key == "THP_enabled") continue;
    const bool executable = key == "VmExe" || key == "VmLib";
    fields[executable ? "VmExe+VmLib" : key] += value.get<int64_t>();
  }
  if (has_hidden_page) {
    for (const char* key : {"VmPeak", "VmSize", "VmHWM", "VmRSS", "RssAnon",
                            "VmPTE", "VmExe+VmLib"}) {
      const auto found = fields.find(key);
      if (found == fields.end()) continue;
      // A sum that is below zero, as sums that lag can be, is shown as 0.
      found->second = std::max<int64_t>(found->second - kHiddenKilobytes, 0);
    }
  }
  const auto peak = fields.find("VmPeak");
  if (peak != fields.end()) {
    peak->second = std::max(peak->second, kPeakAtStartKilobytes);
  }
  return fields;
}

MaybeMismatch CompareStatus(const json& a, const json& b,
                            const CompareOptions& options) {
  const Side native = options.hidden_page;
  if (native == Side::kNone) {
    for (const char* key : {"VmExe", "VmLib"}) {
      if (auto mismatch = CompareCounts(a, b, key)) {
        mismatch->field = std::string("status ") + key;
        return mismatch;
      }
    }
  }
  const bool take_out = !options.hidden_on_both;
  const json left = ComparableStatus(a, take_out && native == Side::kA);
  const json right = ComparableStatus(b, take_out && native == Side::kB);
  json keys = left;
  keys.update(right);
  for (const auto& [key, value] : keys.items()) {
    // `native` leaves it out when it had to map more than the script did.
    const json& real = native == Side::kA ? left : right;
    const bool peak = key == "VmPeak" || key == "VmHWM";
    if (native != Side::kNone && peak && !real.contains(key)) continue;
    if (Get(left, key.c_str()) != Get(right, key.c_str())) {
      return Mismatch{"status " + key, Show(Get(left, key.c_str())),
                      Show(Get(right, key.c_str()))};
    }
  }
  return std::nullopt;
}

// Calls `compare` when both have `key`; a mismatch when only one has it.
template <typename Compare>
MaybeMismatch ComparePart(const json& a, const json& b, const char* key,
                          Compare compare) {
  if (!a.contains(key) && !b.contains(key)) return std::nullopt;
  if (!a.contains(key)) return Mismatch{key, "nothing", "something"};
  if (!b.contains(key)) return Mismatch{key, "something", "nothing"};
  return compare(a[key], b[key]);
}

MaybeMismatch CompareDumps(const json& a, const json& b,
                           const CompareOptions& options) {
  if (auto mismatch = CompareKeys(a, b, {"dump", "p"})) return mismatch;
  if ((options.fields & Bit(CompareField::kMaps)) != 0) {
    const auto maps = [](const json& x, const json& y) {
      return CompareLists(x, y, "maps");
    };
    if (auto mismatch = ComparePart(a, b, "maps", maps)) return mismatch;
  }
  if ((options.fields & Bit(CompareField::kSmaps)) != 0) {
    if (auto mismatch = ComparePart(a, b, "smaps", CompareSmaps)) {
      return mismatch;
    }
  }
  if ((options.fields & Bit(CompareField::kPm)) != 0) {
    const auto pages = [](const json& x, const json& y) {
      return CompareLists(StablePages(x), StablePages(y), "pm");
    };
    if (auto mismatch = ComparePart(a, b, "pm", pages)) return mismatch;
  }
  if ((options.fields & Bit(CompareField::kStatus)) != 0) {
    const auto status = [&](const json& x, const json& y) {
      return CompareStatus(x, y, options);
    };
    if (auto mismatch = ComparePart(a, b, "status", status)) return mismatch;
  }
  return std::nullopt;
}

// A fetch of `native` that went well executes what is there, and what that
// does to it (`add %al,(%rax)` in a page of zeros, anything in a file) is not
// the fetch's. Only a page beyond the end of its file is SIGBUS.
json WithoutExecution(json op) {
  if (Get(op, "fetchfault") == 0 && Get(op, "sig") != kSigbus) {
    for (const char* key : {"sig", "code", "addr"}) op.erase(key);
  }
  return op;
}

MaybeMismatch CompareOps(const json& op_a, const json& op_b,
                         const CompareOptions& options) {
  const json a =
      options.hidden_page == Side::kA ? WithoutExecution(op_a) : op_a;
  const json b =
      options.hidden_page == Side::kB ? WithoutExecution(op_b) : op_b;
  if (auto mismatch = CompareKeys(a, b, {"i", "p", "op", "skip", "died"})) {
    return mismatch;
  }
  const auto chosen = [&](CompareField field) {
    return (options.fields & Bit(field)) != 0;
  };
  MaybeMismatch mismatch;
  if (chosen(CompareField::kSig)) {
    mismatch = CompareKeys(a, b, {"sig", "code", "addr", "fetchfault"});
  }
  if (!mismatch && chosen(CompareField::kErr)) {
    mismatch = CompareKeys(a, b, {"err"});
  }
  if (!mismatch && chosen(CompareField::kRet)) {
    mismatch = CompareKeys(a, b, {"ret", "child", "exited"});
  }
  if (!mismatch && chosen(CompareField::kVal)) {
    mismatch = CompareKeys(a, b, {"val"});
    if (!mismatch) mismatch = CompareVectors(a, b);
  }
  if (!mismatch && chosen(CompareField::kFaults)) {
    mismatch = CompareFaults(a, b);
  }
  return mismatch;
}

// The next line, without those that the options pass over.
Line NextLine(std::istream& in, int* number, const CompareOptions& options) {
  const uint32_t dumps = Bit(CompareField::kMaps) | Bit(CompareField::kSmaps) |
                         Bit(CompareField::kPm) | Bit(CompareField::kStatus);
  Line line;
  std::string text;
  while (std::getline(in, text)) {
    ++*number;
    if (text.empty()) continue;
    line.number = *number;
    line.object = json::parse(text, nullptr, false);
    if (!line.object.is_object()) {
      line.error = "not a JSON object: " + text.substr(0, 60);
      return line;
    }
    if (line.object.contains("dump") && (options.fields & dumps) == 0) continue;
    return line;
  }
  return Line();
}

std::string Where(const Line& line) {
  const json& object = line.object;
  if (!object.is_object()) return "an unreadable line";
  if (object.contains("dump")) {
    return "dump " + Show(Get(object, "dump")) + " of process " +
           Show(Get(object, "p"));
  }
  return "op " + Show(Get(object, "i")) + " (" + Show(Get(object, "op")) + ")";
}

// A mismatch of the lines as such: one run is over, or they are of two kinds.
MaybeMismatch CompareKinds(const Line& a, const Line& b) {
  if (a.number == 0) return Mismatch{"line", "the end", Where(b)};
  if (b.number == 0) return Mismatch{"line", Where(a), "the end"};
  if (!a.error.empty() || !b.error.empty()) {
    return Mismatch{"line", a.error.empty() ? "an object" : a.error,
                    b.error.empty() ? "an object" : b.error};
  }
  if (a.object.contains("dump") != b.object.contains("dump")) {
    return Mismatch{"line", Where(a), Where(b)};
  }
  return std::nullopt;
}

MaybeMismatch CompareLines(const Line& a, const Line& b,
                           const CompareOptions& options) {
  if (auto mismatch = CompareKinds(a, b)) return mismatch;
  return a.object.contains("dump") ? CompareDumps(a.object, b.object, options)
                                   : CompareOps(a.object, b.object, options);
}

}  // namespace

const std::vector<NamedCompareField>& CompareFieldNames() {
  static const auto& names = *new std::vector<NamedCompareField>{
      {"ret", CompareField::kRet},       {"err", CompareField::kErr},
      {"sig", CompareField::kSig},       {"val", CompareField::kVal},
      {"faults", CompareField::kFaults}, {"maps", CompareField::kMaps},
      {"smaps", CompareField::kSmaps},   {"pm", CompareField::kPm},
      {"status", CompareField::kStatus}};
  return names;
}

std::optional<uint32_t> ParseCompareFields(const std::string& names,
                                           std::string* error) {
  uint32_t fields = 0;
  size_t start = 0;
  while (start <= names.size()) {
    const size_t end = std::min(names.find(',', start), names.size());
    const std::string name = names.substr(start, end - start);
    uint32_t bit = 0;
    std::string known;
    for (const NamedCompareField& entry : CompareFieldNames()) {
      if (name == entry.name) bit = Bit(entry.field);
      known += known.empty() ? entry.name : std::string(", ") + entry.name;
    }
    if (bit == 0) {
      *error = "unknown field '" + name + "' (" + known + ")";
      return std::nullopt;
    }
    fields |= bit;
    start = end + 1;
  }
  return fields;
}

std::string Difference::Text() const {
  const auto line = [](int number) {
    return number == 0 ? std::string("end") : std::to_string(number);
  };
  return "lines " + line(line_a) + "/" + line(line_b) + ", " + where + ", " +
         field + ": A has " + a + ", B has " + b;
}

CompareResult CompareRuns(std::istream& a, std::istream& b,
                          const CompareOptions& options) {
  CompareResult result;
  result.known_gone = options.known;
  int number_a = 0;
  int number_b = 0;
  while (true) {
    const Line line_a = NextLine(a, &number_a, options);
    const Line line_b = NextLine(b, &number_b, options);
    if (line_a.number == 0 && line_b.number == 0) return result;
    const MaybeMismatch mismatch = CompareLines(line_a, line_b, options);
    if (!mismatch) {
      ++result.lines_equal;
      continue;
    }
    const std::string where = Where(line_a.number != 0 ? line_a : line_b);
    const auto met = std::find_if(
        result.known_gone.begin(), result.known_gone.end(),
        [&](const KnownDifference& known) {
          return known.where == where && known.field == mismatch->field;
        });
    if (met != result.known_gone.end()) {
      result.known_gone.erase(met);
      continue;
    }
    result.difference = Difference{line_a.number,   line_b.number, where,
                                   mismatch->field, mismatch->a,   mismatch->b};
    return result;
  }
}

}  // namespace faultline::native
