#include "server/scenario/json_lines.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "server/scenario/names.h"

namespace faultline::scenario {
namespace {

std::string Hex(uint64_t value) { return absl::StrFormat("\"%x\"", value); }

std::string ErrnoName(int error) {
  const char* name = ErrnoNames().NameOf(static_cast<uint64_t>(error));
  return name != nullptr ? name : absl::StrCat(error);
}

std::string MapsJson(const MapsRow& row) {
  return absl::StrCat("[", Hex(row.start), ",", Hex(row.end), ",",
                      JsonString(row.perms), ",", Hex(row.offset), ",",
                      row.inode, ",", JsonString(row.name), "]");
}

std::string SmapsJson(const SmapsRow& row) {
  std::string json =
      absl::StrCat("{\"s\":", Hex(row.start), ",\"e\":", Hex(row.end));
  for (const auto& [name, kilobytes] : row.kilobytes) {
    if (kilobytes == 0 && name != "Rss" && name != "Pss") continue;
    absl::StrAppend(&json, ",", JsonString(name), ":", kilobytes);
  }
  absl::StrAppend(&json, ",\"f\":", JsonString(row.flags), "}");
  return json;
}

std::string PageJson(const PageRow& row) {
  if (row.flags.find('P') == std::string::npos) {
    return absl::StrFormat("\"%x:%s\"", row.vpn, row.flags);
  }
  const std::string frame = row.zero_page ? "z" : absl::StrCat(row.ordinal);
  return absl::StrFormat("\"%x:%s:%s:%d:%x\"", row.vpn, row.flags, frame,
                         row.mapcount, row.kpageflags);
}

template <typename Rows, typename ToJson>
std::string List(const Rows& rows, ToJson to_json) {
  std::vector<std::string> items;
  for (const auto& row : rows) items.push_back(to_json(row));
  return absl::StrCat("[", absl::StrJoin(items, ","), "]");
}

}  // namespace

// Documentation/admin-guide/mm/pagemap.rst
std::string PagemapLetters(uint64_t entry) {
  static constexpr std::pair<int, char> kBits[] = {
      {63, 'P'}, {62, 'S'}, {61, 'F'}, {56, 'E'}, {55, 'D'}, {58, 'G'}};
  std::string letters;
  for (const auto& [bit, letter] : kBits) {
    if ((entry >> bit & 1) != 0) letters += letter;
  }
  return letters;
}

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&json, "\\", std::string(1, c));
    } else if (c == '\n') {
      absl::StrAppend(&json, "\\n");
    } else if (c == '\t') {
      absl::StrAppend(&json, "\\t");
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", c);
    } else {
      json += c;
    }
  }
  return json + "\"";
}

std::string JsonLine(const OpResult& r) {
  std::string json = absl::StrCat("{\"i\":", r.number, ",\"p\":", r.process,
                                  ",\"op\":", JsonString(r.op));
  if (r.skip) absl::StrAppend(&json, ",\"skip\":1");
  if (r.signal) {
    absl::StrAppend(&json, ",\"sig\":", r.signal->number,
                    ",\"code\":", r.signal->code,
                    ",\"addr\":", Hex(r.signal->addr));
  }
  if (r.value) absl::StrAppend(&json, ",\"val\":", *r.value);
  if (r.vec) absl::StrAppend(&json, ",\"vec\":", JsonString(*r.vec));
  if (r.fetch_fault) absl::StrAppend(&json, ",\"fetchfault\":", *r.fetch_fault);
  if (r.child) {
    absl::StrAppend(&json, ",\"child\":", r.child->process,
                    ",\"cmin\":", r.child->minor_faults,
                    ",\"cmaj\":", r.child->major_faults);
  }
  if (r.exited) absl::StrAppend(&json, ",\"exited\":1");
  if (r.died) absl::StrAppend(&json, ",\"died\":", *r.died);
  if (r.file_ret) absl::StrAppend(&json, ",\"ret\":", *r.file_ret);
  if (r.ret) absl::StrAppend(&json, ",\"ret\":", Hex(*r.ret));
  if (r.error) {
    absl::StrAppend(&json, ",\"err\":", JsonString(ErrnoName(*r.error)));
  }
  if (r.printed) absl::StrAppend(&json, ",\"text\":", JsonString(*r.printed));
  // The recordings do not count the faults of a fetch: its instruction runs on
  // and may take faults of its own.
  const bool faulted = r.minor_faults != 0 || r.major_faults != 0;
  if (faulted && !r.fetch_fault) {
    absl::StrAppend(&json, ",\"min\":", r.minor_faults,
                    ",\"maj\":", r.major_faults);
  }
  if (r.tlb_misses != 0) {
    absl::StrAppend(&json, ",\"tlb_misses\":", r.tlb_misses,
                    ",\"table_loads\":", r.table_loads);
  }
  return json + "}";
}

std::string JsonLine(const DumpResult& dump) {
  std::string json =
      absl::StrCat("{\"dump\":", dump.number, ",\"p\":", dump.process);
  if (dump.parts.maps) {
    absl::StrAppend(&json, ",\"maps\":", List(dump.maps, MapsJson));
  }
  if (dump.parts.smaps) {
    absl::StrAppend(&json, ",\"smaps\":", List(dump.smaps, SmapsJson));
  }
  if (dump.parts.pagemap) {
    absl::StrAppend(&json, ",\"pm\":", List(dump.pages, PageJson));
  }
  if (dump.parts.status) {
    std::vector<std::string> fields;
    for (const auto& [name, value] : dump.status) {
      fields.push_back(absl::StrCat(JsonString(name), ":", value));
    }
    absl::StrAppend(&json, ",\"status\":{", absl::StrJoin(fields, ","), "}");
  }
  return json + "}";
}

std::string ShortName(const std::string& name) {
  absl::string_view shorter = name;
  absl::ConsumeSuffix(&shorter, " (deleted)");
  if (!absl::StartsWith(shorter, "/")) return name;
  absl::ConsumePrefix(&shorter, "/memfd:");
  return std::string(shorter.substr(shorter.rfind('/') + 1));
}

}  // namespace faultline::scenario
