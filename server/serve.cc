#include "server/serve.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "server/limits.h"
#include "server/service/transport.h"

namespace faultline {
namespace {

using Durability = storage::Store::Durability;

constexpr char kServeFooter[] =
    "A session that nobody uses costs nothing but its journal and its\n"
    "snapshots, of which the server keeps a few of each. SIGTERM or\n"
    "Ctrl-C stops the server after it has answered what it accepted; a second\n"
    "one stops it at once, and what was acknowledged is kept all the same.\n"
    "\n"
    "Examples:\n"
    "  faultline serve                                here, on port 50051\n"
    "  faultline serve --data /srv/faultline --durability power\n"
    "  faultline serve --snapshot-commands 1000       wakes sooner, writes "
    "more\n"
    "  faultline serve --listen 127.0.0.1:0           any free port, which\n"
    "                                                 the first line tells\n"
    "  faultline serve --listen unix:/run/faultline.sock\n"
    "\n"
    "Exit status: 0 stopped; 3 wrong usage; 4 it cannot listen there; 5 the\n"
    "data directory cannot be used; 6 stopped by a second signal.";

template <class... Args>
void Log(const absl::FormatSpec<Args...>& format, const Args&... args) {
  absl::FPrintF(stderr, "faultline: %s\n", absl::StrFormat(format, args...));
}

// Classes of clients hold many connections.
void RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// SIGTERM and SIGINT, kept from every thread that starts from now on.
sigset_t BlockStopSignals() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  return stop;
}

void WaitForStop(const sigset_t& stop) {
  int signal = 0;
  sigwait(&stop, &signal);
}

// Nothing that was acknowledged is lost when a process ends just like that.
void ExitOnNextSignal(const sigset_t& stop) {
  std::thread([stop] {
    WaitForStop(stop);
    Log("stopped at once; calls without an answer were cut off");
    std::_Exit(kServeInterrupted);
  }).detach();
}

absl::optional<Durability> DurabilityOf(absl::string_view word) {
  if (word == "process") return Durability::kProcessDeath;
  if (word == "power") return Durability::kPowerLoss;
  return absl::nullopt;
}

std::string Shown(const std::string& path) {
  if (path == ":memory:") return "memory only, nothing is kept";
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.string();
}

const char* Survives(const ServeOptions& options) {
  if (options.store.path == ":memory:") return "nothing";
  return options.store.durability == Durability::kPowerLoss
             ? "a loss of power"
             : "the death of the server";
}

}  // namespace

int Serve(const ServeOptions& options) {
  TrustLocks();
  const sigset_t stop = BlockStopSignals();
  RaiseFileLimit();
  // First what has no effect: a wrong address leaves no data directory behind.
  const absl::Status listen = Server::Check(options.server);
  if (!listen.ok()) {
    Log("%s", std::string(listen.message()));
    return kServeAddressBad;
  }
  absl::StatusOr<std::unique_ptr<storage::Store>> store =
      storage::Store::Open(options.store);
  if (!store.ok()) {
    Log("%s", std::string(store.status().message()));
    return kServeDataBad;
  }
  SessionTable table(**store, options.table);
  Gradebook gradebook(**store, table);
  absl::StatusOr<std::unique_ptr<Server>> server =
      Server::Start(table, gradebook, options.server);
  if (!server.ok()) {
    Log("%s", std::string(server.status().message()));
    return kServeAddressBad;
  }
  if (options.server.allow_remote) {
    Log("warning: other computers may reach %s, and there is no "
        "authentication: everyone there may use and delete sessions",
        (*server)->address());
  }
  Log("data: %s (what is acknowledged survives %s)", Shown(options.store.path),
      Survives(options));
  absl::PrintF("listening on %s\n", (*server)->address());
  std::fflush(stdout);

  WaitForStop(stop);
  Log("stopping: answering what was accepted (once more to stop at once)");
  ExitOnNextSignal(stop);
  (*server)->Shutdown(absl::Seconds(limits::kDrainSecondsMax));
  Log("stopped");
  return kServeStopped;
}

std::function<int()> AddServe(CLI::App& serve) {
  auto options = std::make_shared<ServeOptions>();
  options->store.path = "faultline-data";
  serve.footer(kServeFooter);
  serve
      .add_option("--listen", options->server.listen,
                  "host:port, [ipv6]:port or unix:/path; port 0: any free one")
      ->capture_default_str();
  serve.add_flag("--allow-remote", options->server.allow_remote,
                 "Listen where other computers can reach the server; it asks "
                 "nobody for a password");
  serve
      .add_option("--data", options->store.path,
                  "The data directory; it is created, its parent is not; "
                  ":memory: keeps nothing")
      ->capture_default_str();
  serve
      .add_option_function<std::string>(
          "--durability",
          [options](const std::string& word) {
            options->store.durability = *DurabilityOf(word);
          },
          "What an acknowledgement survives: process (the death of the server) "
          "or power (a loss of power)")
      ->check([](const std::string& word) {
        if (DurabilityOf(word)) return std::string();
        return absl::StrCat("'", word, "' is neither 'process' nor 'power'");
      })
      ->default_str("process");
  AutomaticSnapshots::Options& snapshots = options->table.snapshots;
  serve
      .add_option("--snapshot-commands", snapshots.commands,
                  "Keep a snapshot of a session's machine after so many "
                  "commands, so that it wakes without replaying them all; 0: "
                  "not because of commands")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  serve
      .add_option("--snapshot-bytes", snapshots.bytes,
                  "The same, after so many bytes of commands; 0: not because "
                  "of bytes")
      ->check(CLI::NonNegativeNumber)
      ->type_name("BYTES")
      ->capture_default_str();
  serve
      .add_flag("--reflection,!--no-reflection", options->server.reflection,
                "Tell clients like grpcurl what methods there are")
      ->default_str("true");
  return [options] { return Serve(*options); };
}

}  // namespace faultline
