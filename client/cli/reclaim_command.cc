// faultline slabs, lru, swaps: what the kernel of a session keeps of its
// memory besides processes and files.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/subcommands.h"

namespace faultline::cli {
namespace {

constexpr char kSlabsFooter[] =
    "A line for each cache of the slab allocator, the newest first: objects "
    "in\n"
    "use and of all its slabs, their size with what the allocator adds, and\n"
    "what slabs are made of. Caches that were merged share a line.\n"
    "\n"
    "Example:\n"
    "  faultline slabs lab-1 --at 12     as it was after revision 12";

constexpr char kLruFooter[] =
    "Prints the LRU lists that reclaim looks for pages on, and what it has "
    "cost\n"
    "so far. With --list a line for each page of one list, from its tail on,\n"
    "where reclaim begins.\n"
    "\n"
    "Examples:\n"
    "  faultline lru lab-1\n"
    "  faultline lru lab-1 --list inactive_file";

constexpr char kSwapsFooter[] =
    "A line for each swap area, as /proc/swaps has it; sizes are pages.\n"
    "\n"
    "Example:\n"
    "  faultline swaps lab-1";

struct LookFlags {
  std::string server;
  std::string session;
  int64_t at = -1;
  std::string list;  // of lru
};

int PrintSlabs(const client::Look& look, const LookFlags&) {
  const auto slabs = look.Slabs();
  if (!slabs.ok()) return Fail(slabs.status());
  std::cout << "name                   active  objects   size order per-slab "
               "slabs partial\n";
  for (const v1::SlabCache& s : slabs->caches()) {
    std::cout << absl::StrFormat(
        "%-20s %8d %8d %6d %5d %8d %5d %7d%s\n", s.name(), s.active_objects(),
        s.objects(), s.size(), s.order(), s.objects_per_slab(), s.slabs(),
        s.node_partial() + s.cpu_partial(),
        s.aliases().empty()
            ? ""
            : absl::StrCat("  also ", absl::StrJoin(s.aliases(), " ")));
  }
  return kExitOk;
}

void PrintLruPages(const v1::GetLruResponse& lru) {
  std::cout << "\n     frame pages maps flags\n";
  for (const v1::LruPage& page : lru.pages()) {
    std::cout << absl::StrFormat(
        "%10d %5d %4d%s%s%s\n", page.pfn(), page.pages(), page.mapcount(),
        page.referenced() ? " referenced" : "",
        page.workingset() ? " workingset" : "", page.dirty() ? " dirty" : "");
  }
}

int PrintLru(const client::Look& look, const LookFlags& flags) {
  const auto lru = look.Lru(flags.list);
  if (!lru.ok()) return Fail(lru.status());
  for (const v1::LruList& list : lru->lists()) {
    std::cout << absl::StrFormat("%-16s %10d pages\n", list.lru(),
                                 list.pages());
  }
  std::cout << absl::StrFormat(
      "anon_cost %d, file_cost %d, nonresident_age %d, kswapd_failures %d\n",
      lru->anon_cost(), lru->file_cost(), lru->nonresident_age(),
      lru->kswapd_failures());
  if (!flags.list.empty()) PrintLruPages(*lru);
  return kExitOk;
}

int PrintSwaps(const client::Look& look, const LookFlags&) {
  const auto swaps = look.Swaps();
  if (!swaps.ok()) return Fail(swaps.status());
  std::cout << "area file                             type           pages "
               "      used priority\n";
  for (const v1::SwapArea& area : swaps->areas()) {
    std::cout << absl::StrFormat(
        "%4d %-32s %-9s %10d %10d %8d\n", area.area(), area.path(),
        area.partition() ? "partition" : "file", area.pages(),
        area.used_pages(), area.priority());
  }
  std::cout << absl::StrFormat("%d pages are in memory as well\n",
                               swaps->cached_pages());
  if (swaps->token_pid() != 0) {
    std::cout << absl::StrFormat("process %d has the swap token\n",
                                 swaps->token_pid());
  }
  return kExitOk;
}

using Print = int (*)(const client::Look& look, const LookFlags& flags);

int LookAndPrint(const LookFlags& flags, Print print) {
  const auto moment = MomentOf(flags.session, "--at", flags.at);
  if (!moment.ok()) return FailUsage(moment.status());
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto session = client->OpenSession(moment->session);
  if (!session.ok()) return Fail(session.status());
  const int code = print(
      moment->revision < 0 ? session->Now() : session->At(moment->revision),
      flags);
  if (code != kExitOk) return code;
  return std::cout.good() ? kExitOk : kExitCannot;
}

// Declares one of them; the caller adds what it alone has.
CLI::App* AddLook(CLI::App& app, Context& context, const char* name,
                  const char* about, const char* footer,
                  const std::shared_ptr<LookFlags>& flags, Print print) {
  CLI::App* command = app.add_subcommand(name, about);
  AddServerOption(*command, &flags->server);
  command->add_option("session,--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  command
      ->add_option("--at", flags->at,
                   "As it was after this revision (default: as it is)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("REVISION");
  command->footer(footer);
  command->callback([flags, print, &context] {
    context.exit_code = LookAndPrint(*flags, print);
  });
  return command;
}

}  // namespace

void AddSlabs(CLI::App& app, Context& context) {
  AddLook(app, context, "slabs", "Prints the caches of the slab allocator",
          kSlabsFooter, std::make_shared<LookFlags>(), PrintSlabs);
}

void AddLru(CLI::App& app, Context& context) {
  auto flags = std::make_shared<LookFlags>();
  AddLook(app, context, "lru", "Prints the LRU lists", kLruFooter, flags,
          PrintLru)
      ->add_option("--list", flags->list, "Also every page of this list")
      ->type_name("NAME");
}

void AddSwaps(CLI::App& app, Context& context) {
  AddLook(app, context, "swaps", "Prints the swap areas", kSwapsFooter,
          std::make_shared<LookFlags>(), PrintSwaps);
}

}  // namespace faultline::cli
