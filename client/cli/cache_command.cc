// faultline cache: the page cache of a file, as its address_space keeps it.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/subcommands.h"

namespace faultline::cli {
namespace {

constexpr char kFooter[] =
    "Prints the address_space of a file: its tree of pages, who maps it, what\n"
    "is dirty or on its way to the disk, and the disk below. With --pages a\n"
    "line for each cached page. FILE is a name, or an inode number as\n"
    "/proc/PID/maps shows it.\n"
    "\n"
    "Examples:\n"
    "  faultline cache lab-1 /data\n"
    "  faultline cache lab-1 17 --pages --at 12     as it was after revision "
    "12";

struct CacheFlags {
  std::string server;
  std::string session;
  std::string file;
  int64_t at = -1;
  bool pages = false;
};

void PrintMapping(const v1::AddressSpace& mapping) {
  const auto row = [](const char* name, const std::string& value) {
    std::cout << absl::StrFormat("%-20s %s\n", name, value);
  };
  row("host", absl::StrCat(mapping.host(), " ", mapping.path()));
  row("file_system", mapping.file_system());
  row("i_size", absl::StrCat(mapping.i_size()));
  row("page_tree", absl::StrCat("height ", mapping.height(), ", ",
                                mapping.nodes(), " nodes"));
  row("nrpages", absl::StrCat(mapping.nrpages()));
  row("nrexceptional", absl::StrCat(mapping.nrexceptional()));
  row("tagged dirty", absl::StrCat(mapping.tagged_dirty()));
  row("tagged writeback", absl::StrCat(mapping.tagged_writeback()));
  row("tagged towrite", absl::StrCat(mapping.tagged_towrite()));
  for (const v1::FileMapping& vma : mapping.i_mmap()) {
    row("i_mmap", absl::StrFormat("pid %d %012x-%012x page %d %s%s", vma.pid(),
                                  vma.start(), vma.end(), vma.pgoff(),
                                  vma.shared() ? "shared" : "private",
                                  vma.may_write() ? " may-write" : ""));
  }
  row("i_mmap_writable", absl::StrCat(mapping.i_mmap_writable()));
  row("i_mmap_nonlinear", absl::StrCat(mapping.i_mmap_nonlinear_size()));
  row("truncate_count", absl::StrCat(mapping.truncate_count()));
  row("writeback_index", absl::StrCat(mapping.writeback_index()));
  row("a_ops", mapping.a_ops());
  row("gfp_mask", absl::StrFormat("0x%x", mapping.gfp_mask()));
  row("flags", absl::StrJoin(mapping.flags(), " "));
  row("i_state",
      absl::StrFormat("0x%x %s", mapping.i_state(), mapping.wb_list()));
  row("private_list", absl::StrCat(mapping.private_list()));
  row("assoc_mapping", absl::StrCat(mapping.assoc_mapping()));
}

void PrintDisk(const v1::BackingDevInfo& bdi) {
  if (bdi.name().empty()) {
    std::cout << "\nno disk: its pages are all there is of it\n";
    return;
  }
  std::cout << absl::StrFormat(
      "\ndisk %s: window %d pages, request %d pages, ratio %d to %d %%\n"
      "dirty %d, under writeback %d; since boot %d dirtied, %d written\n"
      "background threshold %d, dirty threshold %d\n",
      bdi.name(), bdi.ra_pages(), bdi.io_pages(), bdi.min_ratio(),
      bdi.max_ratio(), bdi.reclaimable(), bdi.writeback(), bdi.dirtied(),
      bdi.written(), bdi.background_threshold(), bdi.dirty_threshold());
  const auto list = [](const char* name, const auto& inodes) {
    if (inodes.empty()) return;
    std::cout << name << ": inodes " << absl::StrJoin(inodes, " ") << "\n";
  };
  list("b_dirty", bdi.b_dirty());
  list("b_io", bdi.b_io());
  list("b_more_io", bdi.b_more_io());
  const auto stats = [](const char* name, const v1::DiskStats& s) {
    std::cout << absl::StrFormat(
        "%s: %d requests, %d merged, %d sectors, %d ns of waiting\n", name,
        s.ios(), s.merges(), s.sectors(), s.wait_ns());
  };
  stats("reads", bdi.reads());
  stats("writes", bdi.writes());
  std::cout << absl::StrFormat("%d in flight, busy for %d ns\n",
                               bdi.in_flight(), bdi.busy_ns());
}

void PrintPages(const v1::GetPageCacheResponse& response) {
  std::cout << "\n     page      frame  refs maps order flags\n";
  for (const v1::CachedPage& page : response.pages()) {
    std::cout << absl::StrFormat(
        "%9d %10d %5d %4d %5d %s", page.index(), page.pfn(), page.refcount(),
        page.mapcount(), page.order(), absl::StrJoin(page.flags(), " "));
    if (!page.tags().empty()) {
      std::cout << "  tagged " << absl::StrJoin(page.tags(), " ");
    }
    std::cout << "\n";
  }
}

int Print(const CacheFlags& flags) {
  const auto moment = MomentOf(flags.session, "--at", flags.at);
  if (!moment.ok()) return FailUsage(moment.status());
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto session = client->OpenSession(moment->session);
  if (!session.ok()) return Fail(session.status());
  const client::Look look =
      moment->revision < 0 ? session->Now() : session->At(moment->revision);
  uint64_t inode = 0;
  const auto cache = absl::SimpleAtoi(flags.file, &inode)
                         ? look.PageCache(inode)
                         : look.PageCache(flags.file);
  if (!cache.ok()) return Fail(cache.status());
  PrintMapping(cache->mapping());
  PrintDisk(cache->mapping().backing_dev_info());
  if (flags.pages) PrintPages(*cache);
  return std::cout.good() ? kExitOk : kExitCannot;
}

}  // namespace

void AddCache(CLI::App& app, Context& context) {
  auto flags = std::make_shared<CacheFlags>();
  CLI::App* cache =
      app.add_subcommand("cache", "Prints the page cache of a file");
  AddServerOption(*cache, &flags->server);
  cache->add_option("session,--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  cache->add_option("file,--file", flags->file, "The file")
      ->required()
      ->type_name("FILE");
  cache
      ->add_option("--at", flags->at,
                   "As it was after this revision (default: as it is)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("REVISION");
  cache->add_flag("--pages", flags->pages, "Also every cached page");
  cache->footer(kFooter);
  cache->callback([flags, &context] { context.exit_code = Print(*flags); });
}

}  // namespace faultline::cli
