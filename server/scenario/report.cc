#include "server/scenario/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/scenario/names.h"

namespace faultline::scenario {
namespace {

constexpr char kIndent[] = "       ";

std::string NameOr(const NameTable& names, int value,
                   absl::string_view otherwise) {
  const char* name = names.NameOf(static_cast<uint64_t>(value));
  return name != nullptr ? name : absl::StrCat(otherwise, " ", value);
}

std::string ErrorName(int error) {
  return NameOr(ErrnoNames(), error, "errno");
}
std::string SignalName(int signal) {
  return NameOr(SignalNames(), signal, "signal");
}

// SignalCodes() has the codes of two signals, so a number alone is not enough.
std::string CodeName(int signal, int code) {
  static const struct {
    int signal;
    int code;
    const char* name;
  } kCodes[] = {{11, 1, "SEGV_MAPERR"},
                {11, 2, "SEGV_ACCERR"},
                {7, 1, "BUS_ADRALN"},
                {7, 2, "BUS_ADRERR"},
                {7, 3, "BUS_OBJERR"}};
  for (const auto& entry : kCodes) {
    if (entry.signal == signal && entry.code == code) return entry.name;
  }
  return absl::StrCat("code ", code);
}

std::string FaultsText(const OpResult& r) {
  std::vector<std::string> parts;
  if (r.minor_faults > 0) {
    parts.push_back(Count(r.minor_faults, "minor fault"));
  }
  if (r.major_faults > 0) {
    parts.push_back(Count(r.major_faults, "major fault"));
  }
  if (r.tlb_misses > 0) {
    parts.push_back(absl::StrCat(
        r.tlb_misses, r.tlb_misses == 1 ? " TLB miss" : " TLB misses"));
    parts.push_back(Count(r.table_loads, "page-table load"));
  }
  return absl::StrJoin(parts, ", ");
}

// What the operation gave, after the "=".
std::string ResultText(const OpResult& r, const v1::Outcome& outcome,
                       const Style& style) {
  if (r.skip) return style.Dim("the process has ended");
  if (r.signal) {
    return style.Bad(absl::StrFormat(
        "%s (%s) at 0x%x", SignalName(r.signal->number),
        CodeName(r.signal->number, r.signal->code), r.signal->addr));
  }
  if (r.error) return style.Bad(absl::StrCat("-1 ", ErrorName(*r.error)));
  if (r.child) {
    return absl::StrCat("process ", r.child->process, ", with pid ",
                        outcome.value());
  }
  if (r.exited) return "ended";
  if (r.value) return absl::StrCat(*r.value);
  if (r.file_ret) return absl::StrCat(*r.file_ret);
  if (r.ret)
    return *r.ret < 10 ? absl::StrCat(*r.ret) : absl::StrFormat("0x%x", *r.ret);
  return "done";
}

class TextPrinter : public Printer {
 public:
  TextPrinter(std::ostream& out, Style style) : out_(out), style_(style) {}

  void PrintOp(const OpResult& r, const v1::Outcome& outcome) override {
    out_ << absl::StrFormat("%4d  ", r.number) << style_.Bold(r.op);
    if (r.printed) {
      out_ << "\n" << *r.printed;
      if (!r.printed->empty() && r.printed->back() != '\n') out_ << "\n";
      return;
    }
    out_ << "  = " << ResultText(r, outcome, style_);
    if (r.died) {
      out_ << "; "
           << style_.Bad(absl::StrCat("killed by ", SignalName(*r.died)));
    }
    const std::string faults = FaultsText(r);
    if (!faults.empty()) out_ << "  " << style_.Note(faults);
    out_ << "\n";
    PrintEvents(outcome);
  }

  void PrintDump(const DumpResult& dump) override {
    out_ << style_.Bold(absl::StrCat("process ", dump.process)) << "\n";
    if (dump.parts.maps) {
      for (const MapsRow& row : dump.maps) {
        out_ << absl::StrFormat("%s%012x-%012x %s %8x %3d %s\n", kIndent,
                                row.start, row.end, row.perms, row.offset,
                                row.inode, row.name);
      }
    }
    if (dump.parts.smaps) PrintSmaps(dump);
    if (dump.parts.pagemap) PrintPages(dump);
    for (const auto& [name, value] : dump.status) {
      out_ << absl::StrFormat("%s%-13s %d\n", kIndent, name, value);
    }
  }

  void PrintExpectation(const Op& op, bool held,
                        const std::string& what) override {
    if (held) {
      out_ << "      " << style_.Good("holds: ") << op.text << "\n";
    } else {
      out_ << "      " << style_.Bad("FAILS: ") << op.text << "  (" << what
           << ")\n";
    }
  }

  void PrintEnd(const Summary& summary) override {
    out_ << "\n" << summary.Text(style_);
  }

 private:
  // Of the many like faults of a long access, the first few.
  static constexpr int kEventsMax = 12;

  void PrintEvents(const v1::Outcome& outcome) {
    int printed = 0;
    for (const v1::Event& event : outcome.events()) {
      if (++printed > kEventsMax) {
        out_ << kIndent
             << style_.Dim(absl::StrCat(
                    "… and ", Count(static_cast<uint64_t>(
                                        outcome.events_size() - kEventsMax),
                                    "more event")))
             << "\n";
        return;
      }
      out_ << kIndent << style_.Dim(event.text()) << "\n";
    }
  }

  void PrintSmaps(const DumpResult& dump) {
    for (const SmapsRow& row : dump.smaps) {
      out_ << absl::StrFormat("%s%012x-%012x", kIndent, row.start, row.end);
      for (const auto& [name, kilobytes] : row.kilobytes) {
        if (kilobytes != 0) out_ << " " << name << " " << kilobytes;
      }
      out_ << " [" << row.flags << "]\n";
    }
  }

  void PrintPages(const DumpResult& dump) {
    for (const PageRow& row : dump.pages) {
      out_ << absl::StrFormat("%spage %x %s ", kIndent, row.vpn, row.flags);
      if (row.zero_page) {
        out_ << "the zero page";
      } else if (row.ordinal != 0) {
        out_ << absl::StrFormat("frame #%d mapped %d flags %x", row.ordinal,
                                row.mapcount, row.kpageflags);
      } else {
        out_ << "in swap";
      }
      out_ << "\n";
    }
  }

  std::ostream& out_;
  Style style_;
};

class JsonPrinter : public Printer {
 public:
  explicit JsonPrinter(std::ostream& out) : out_(out) {}

  void PrintOp(const OpResult& result, const v1::Outcome&) override {
    out_ << JsonLine(result) << "\n";
  }
  void PrintDump(const DumpResult& dump) override {
    out_ << JsonLine(dump) << "\n";
  }
  // The runner reports a failure on stderr; the lines stay comparable with
  // those of the real kernel, which has no expectations.
  void PrintExpectation(const Op&, bool, const std::string&) override {}
  void PrintEnd(const Summary&) override {}

 private:
  std::ostream& out_;
};

std::string Tally(const std::map<std::string, int>& counts) {
  return absl::StrJoin(counts, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.first, " ", entry.second);
  });
}

}  // namespace

void Summary::Add(const OpResult& result, const v1::Outcome& outcome) {
  ++operations_;
  if (result.skip) ++skipped_;
  minor_faults_ += result.minor_faults;
  major_faults_ += result.major_faults;
  cost_ns_ += outcome.cost_ns();
  if (result.error) ++errors_[ErrorName(*result.error)];
  if (result.signal) ++signals_[SignalName(result.signal->number)];
  for (const v1::Event& event : outcome.events()) {
    if (event.has_fault_resolved()) {
      ++resolutions_[event.fault_resolved().how()];
    }
  }
}

std::string ResolutionText(int resolution) {
  switch (resolution) {
    case v1::FAULT_RESOLUTION_ANON_ZERO_PAGE:
      return "the shared zero page (do_anonymous_page, read)";
    case v1::FAULT_RESOLUTION_ANON_PAGE:
      return "a new zeroed page (do_anonymous_page)";
    case v1::FAULT_RESOLUTION_COW_COPY:
      return "a private copy of a shared page (wp_page_copy)";
    case v1::FAULT_RESOLUTION_COW_ZERO_PAGE:
      return "a new page in place of the zero page (wp_page_copy)";
    case v1::FAULT_RESOLUTION_COW_REUSE:
      return "the page reused by its last owner (wp_page_reuse)";
    case v1::FAULT_RESOLUTION_FILE_READ:
      return "a page of the page cache (do_read_fault)";
    case v1::FAULT_RESOLUTION_FILE_AROUND:
      return "a page of the page cache and its neighbours (do_fault_around)";
    case v1::FAULT_RESOLUTION_FILE_COW:
      return "a private copy of a file page (do_cow_fault)";
    case v1::FAULT_RESOLUTION_FILE_SHARED:
      return "a shared file page, writable (do_shared_fault)";
    case v1::FAULT_RESOLUTION_SHARED_MKWRITE:
      return "a shared page made writable (wp_page_shared)";
    case v1::FAULT_RESOLUTION_SPURIOUS:
      return "nothing to do: the entry allowed it already";
    case v1::FAULT_RESOLUTION_SWAP_IN:
      return "the page back from swap (do_swap_page)";
    case v1::FAULT_RESOLUTION_GUP:
      return "pinned by the kernel";
    default:
      return absl::StrCat("in a way this client does not know (", resolution,
                          ")");
  }
}

std::string Summary::Text(const Style& style) const {
  std::string text =
      style.Bold(Count(static_cast<uint64_t>(operations_), "operation"));
  absl::StrAppend(&text, ", ", Count(minor_faults_, "minor fault"), ", ",
                  Count(major_faults_, "major fault"), ", ",
                  absl::StrFormat("%.1f", static_cast<double>(cost_ns_) / 1e3),
                  " simulated microseconds\n");
  if (!errors_.empty()) {
    absl::StrAppend(&text, "  errors:  ", Tally(errors_), "\n");
  }
  if (!signals_.empty()) {
    absl::StrAppend(&text, "  signals: ", Tally(signals_), "\n");
  }
  if (skipped_ > 0) {
    absl::StrAppend(&text, "  skipped: ", skipped_,
                    " (their process had ended)\n");
  }
  for (const auto& [resolution, count] : resolutions_) {
    absl::StrAppendFormat(&text, "  %6d x %s\n", count,
                          ResolutionText(resolution));
  }
  return text;
}

std::unique_ptr<Printer> MakeTextPrinter(std::ostream& out, Style style) {
  return std::make_unique<TextPrinter>(out, style);
}

std::unique_ptr<Printer> MakeJsonPrinter(std::ostream& out) {
  return std::make_unique<JsonPrinter>(out);
}

}  // namespace faultline::scenario
