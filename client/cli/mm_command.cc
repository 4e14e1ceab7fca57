// faultline mm: an address space as 2.6.32 kept it: mm_struct, the tree of
// VMAs, and the heap that glibc makes of it.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/subcommands.h"
#include "google/protobuf/descriptor.h"

namespace faultline::cli {
namespace {

constexpr char kFooter[] =
    "Prints every field of the process's mm_struct. With --tree also the\n"
    "red-black tree of its VMAs, a line for each, in the order of their\n"
    "addresses: indented by depth, R red or B black. With --heap the chunks\n"
    "of its malloc heap.\n"
    "\n"
    "Examples:\n"
    "  faultline mm lab-1\n"
    "  faultline mm lab-1 --tree --pid 2\n"
    "  faultline mm lab-1 --heap --at 12      as it was after revision 12";

struct MmFlags {
  std::string server;
  std::string session;
  int64_t at = -1;
  uint32_t pid = 1;
  bool tree = false;
  bool heap = false;
};

// Fields that count; all other numbers are addresses, masks or versions.
bool IsCount(absl::string_view name) {
  for (const char* suffix :
       {"_vm", "_rss", "_count", "_users", "_hits", "_misses", "_reads",
        "_writes", "_locks", "_usage", "_vmas", "_pid", "_pfn", "_asid",
        "nr_ptes", "mmu_notifiers", "pmd_huge_pte", "faultstamp",
        "token_priority"}) {
    if (absl::EndsWith(name, suffix)) return true;
  }
  return false;
}

std::string ValueText(const v1::MmStruct& mm,
                      const google::protobuf::FieldDescriptor& field) {
  using google::protobuf::FieldDescriptor;
  const auto* reflection = mm.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetString(mm, &field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(mm, &field) ? "yes" : "no";
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection->GetUInt32(mm, &field));
    default:
      break;
  }
  const uint64_t value = reflection->GetUInt64(mm, &field);
  return IsCount(field.name()) ? absl::StrCat(value)
                               : absl::StrFormat("0x%x", value);
}

void PrintMm(const v1::MmStruct& mm) {
  const auto* type = mm.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto& field = *type->field(i);
    if (field.is_repeated()) continue;
    std::cout << absl::StrFormat("%-20s %s\n", field.name(),
                                 ValueText(mm, field));
  }
  for (const v1::AuxvEntry& entry : mm.saved_auxv()) {
    std::cout << absl::StrFormat("%-20s AT_%d 0x%x\n", "saved_auxv",
                                 entry.type(), entry.value());
  }
}

void PrintTree(const v1::GetVmaTreeResponse& response) {
  const v1::VmaTree& tree = response.tree();
  std::cout << absl::StrFormat(
      "\n%d VMAs, height %d, black height %d; the last lookup, of 0x%x, "
      "visited %d nodes, all together %d\n",
      tree.nodes(), tree.height(), tree.black_height(), tree.last_lookup(),
      tree.last_lookup_nodes(), tree.nodes_visited());
  for (const v1::VmaNode& node : response.nodes()) {
    const std::string indent(size_t{2} * node.depth(), ' ');
    std::cout << absl::StrFormat("%s%s %012x-%012x  largest hole below 0x%x\n",
                                 indent,
                                 node.color() == v1::RB_COLOR_RED ? "R" : "B",
                                 node.start(), node.end(), node.subtree_gap());
  }
}

std::string StateText(const v1::Chunk& chunk) {
  constexpr absl::string_view kPrefix = "CHUNK_STATE_";
  std::string name = v1::ChunkState_Name(chunk.state());
  if (name.size() <= kPrefix.size()) return "unknown";
  name = absl::AsciiStrToLower(name.substr(kPrefix.size()));
  return chunk.bin() != 0 ? absl::StrCat(name, " ", chunk.bin()) : name;
}

void PrintHeap(const v1::ListChunksResponse& response) {
  const v1::Heap& heap = response.heap();
  if (!heap.initialized()) {
    std::cout << "\nthe program has not called malloc yet\n";
    return;
  }
  std::cout << absl::StrFormat(
      "\nheap from 0x%x, top at 0x%x, %d bytes from brk; mmap threshold %d, "
      "trim threshold %d, top pad %d; %d mappings of %d bytes\n",
      heap.sbrk_base(), heap.top(), heap.system_mem(), heap.mmap_threshold(),
      heap.trim_threshold(), heap.top_pad(), heap.n_mmaps(),
      heap.mmapped_mem());
  for (const v1::Chunk& chunk : response.chunks()) {
    std::cout << absl::StrFormat("0x%012x %10d  %s\n", chunk.addr(),
                                 chunk.size(), StateText(chunk));
  }
  if (!heap.problem().empty()) {
    std::cout << "damaged: " << heap.problem() << "\n";
  }
}

int Print(const MmFlags& flags) {
  const auto moment = MomentOf(flags.session, "--at", flags.at);
  if (!moment.ok()) return FailUsage(moment.status());
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto session = client->OpenSession(moment->session);
  if (!session.ok()) return Fail(session.status());
  const client::Look look =
      moment->revision < 0 ? session->Now() : session->At(moment->revision);
  auto mm = look.Mm(flags.pid);
  if (!mm.ok()) return Fail(mm.status());
  PrintMm(*mm);
  if (flags.tree) {
    auto tree = look.VmaTree(flags.pid);
    if (!tree.ok()) return Fail(tree.status());
    PrintTree(*tree);
  }
  if (flags.heap) {
    auto heap = look.Chunks(flags.pid);
    if (!heap.ok()) return Fail(heap.status());
    PrintHeap(*heap);
  }
  return std::cout.good() ? kExitOk : kExitCannot;
}

}  // namespace

void AddMm(CLI::App& app, Context& context) {
  auto flags = std::make_shared<MmFlags>();
  CLI::App* mm = app.add_subcommand(
      "mm", "Prints the mm_struct of a process, its VMA tree, its heap");
  AddServerOption(*mm, &flags->server);
  mm->add_option("session,--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  mm->add_option("--pid", flags->pid, "The process (default: 1)")
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  mm->add_option("--at", flags->at,
                 "As it was after this revision (default: as it is)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("REVISION");
  mm->add_flag("--tree", flags->tree, "Also the red-black tree of VMAs");
  mm->add_flag("--heap", flags->heap, "Also the chunks of malloc");
  mm->footer(kFooter);
  mm->callback([flags, &context] { context.exit_code = Print(*flags); });
}

}  // namespace faultline::cli
