// faultline session: lists, shows, creates, closes and deletes sessions, and
// tells who is in one.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/subcommands.h"
#include "server/scenario/commands.h"
#include "server/scenario/parser.h"

namespace faultline::cli {
namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  faultline session list\n"
    "  faultline session create lab-1 --boot \"ram=64m seed=7\"\n"
    "  faultline session show lab-1\n"
    "  faultline session participants lab-1\n"
    "  faultline session delete lab-1";

struct SessionFlags {
  std::string server;
  std::string name;
  std::string display_name;
  std::string boot;
  bool all = false;  // those that have left, too
};

// SESSION_STATE_OPEN -> "open".
std::string StateName(v1::SessionState state) {
  constexpr size_t kPrefix = sizeof("SESSION_STATE_") - 1;
  std::string name = v1::SessionState_Name(state);
  if (name.size() <= kPrefix) return absl::StrCat(state);
  name = name.substr(kPrefix);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string Megabytes(uint64_t bytes) {
  return absl::StrCat(bytes >> 20, " MiB");
}

void Show(const v1::Session& session) {
  const v1::MachineConfig& config = session.config();
  std::cout << session.name() << "\n";
  if (!session.display_name().empty()) {
    std::cout << "  title        " << session.display_name() << "\n";
  }
  std::cout << "  state        " << StateName(session.state()) << "\n"
            << "  revision     " << session.revision() << "\n"
            << "  created      " << TimeText(session.create_time()) << "\n"
            << "  last command " << TimeText(session.update_time()) << "\n"
            << "  machine      " << v1::Profile_Name(config.profile()) << ", "
            << v1::Personality_Name(config.personality()) << ", "
            << Megabytes(config.ram_bytes()) << " RAM, "
            << Megabytes(config.swap_bytes()) << " swap, " << config.cpus()
            << " CPU, seed " << config.seed() << "\n";
  for (const v1::Sysctl& sysctl : config.sysctls()) {
    std::cout << "  sysctl       " << sysctl.name() << " = " << sysctl.value();
    for (const uint64_t value : sysctl.more()) std::cout << " " << value;
    std::cout << "\n";
  }
  for (const auto& [key, value] :
       {std::pair("kernelcore   ", config.kernelcore()),
        std::pair("movablecore  ", config.movablecore())}) {
    if (!value.empty()) std::cout << "  " << key << value << "\n";
  }
  if (!session.panic().empty()) {
    std::cout << "  panic        " << session.panic() << "\n";
  }
}

int List(const SessionFlags& flags) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto sessions = client->ListSessions();
  if (!sessions.ok()) return Fail(sessions.status());
  if (sessions->empty()) {
    std::cout << "no sessions; `faultline session create` makes one\n";
    return kExitOk;
  }
  for (const v1::Session& session : *sessions) {
    std::cout << absl::StrFormat(
        "%-32s %-9s revision %-8d %s  %s\n", session.name(),
        StateName(session.state()), session.revision(),
        TimeText(session.update_time()), session.display_name());
  }
  return kExitOk;
}

int ShowOne(const SessionFlags& flags) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto session = client->GetSession(flags.name);
  if (!session.ok()) return Fail(session.status());
  Show(*session);
  return kExitOk;
}

// The machine that --boot asks for, in the words of a scenario's boot line.
absl::StatusOr<v1::MachineConfig> BootConfig(const std::string& boot) {
  if (boot.empty()) return v1::MachineConfig();
  auto script =
      scenario::ParseScript("--boot", absl::StrCat("boot ", boot, "\n"));
  if (!script.ok()) return script.status();
  return scenario::ConfigOf(script->ops.front().boot);
}

int Create(const SessionFlags& flags) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto config = BootConfig(flags.boot);
  if (!config.ok()) return Fail(config.status());
  client::SessionSpec spec;
  spec.id = flags.name;
  spec.display_name = flags.display_name;
  spec.config = *config;
  auto session = client->CreateSession(spec);
  if (!session.ok()) return Fail(session.status());
  std::cout << session->name() << "\n";
  return kExitOk;
}

int Close(const SessionFlags& flags) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto session = client->CloseSession(flags.name);
  if (!session.ok()) return Fail(session.status());
  std::cout << session->name() << " is closed at revision "
            << session->revision() << "\n";
  return kExitOk;
}

int Delete(const SessionFlags& flags) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  absl::Status status = client->DeleteSession(flags.name);
  if (!status.ok()) return Fail(status);
  std::cout << client::SessionName(flags.name) << " is deleted\n";
  return kExitOk;
}

// ROLE_DRIVER -> "driver".
std::string RoleName(v1::Role role) {
  return role == v1::ROLE_OBSERVER ? "observer" : "driver";
}

int Participants(const SessionFlags& flags) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto session = client->OpenSession(flags.name);
  if (!session.ok()) return Fail(session.status());
  auto participants = session->ListParticipants(
      flags.all ? client::WhoLeft::kInclude : client::WhoLeft::kLeaveOut);
  if (!participants.ok()) return Fail(participants.status());
  if (participants->empty()) {
    std::cout << "nobody has joined " << session->name()
              << (flags.all ? "\n" : ", or all have left\n");
    return kExitOk;
  }
  for (const v1::Participant& one : *participants) {
    std::cout << absl::StrFormat(
        "%-40s %-8s %s%s  %s  %s\n", one.name(), RoleName(one.role()),
        TimeText(one.join_time()),
        one.has_leave_time() ? absl::StrCat(" - ", TimeText(one.leave_time()))
                             : "",
        one.peer(), one.display_name());
  }
  return kExitOk;
}

void AddVerb(CLI::App& session, Context& context,
             const std::shared_ptr<SessionFlags>& flags, const char* verb,
             const char* help, int (*run)(const SessionFlags&)) {
  CLI::App* command = session.add_subcommand(verb, help);
  AddServerOption(*command, &flags->server);
  const std::string name = verb;
  if (name != "list") {
    command->add_option("name", flags->name, "The session")
        ->required(name != "create")
        ->type_name("ID");
  }
  if (name == "create") {
    command->add_option("--title", flags->display_name, "For people")
        ->type_name("TEXT");
    command
        ->add_option("--boot", flags->boot,
                     "The machine, as on a scenario's boot line: "
                     "\"ram=64m personality=linux-6.1\"")
        ->type_name("KEY=VALUE ...");
  }
  if (name == "participants") {
    command->add_flag("--all", flags->all, "Also those that have left");
  }
  command->callback(
      [flags, run, &context] { context.exit_code = run(*flags); });
}

}  // namespace

void AddSession(CLI::App& app, Context& context) {
  auto flags = std::make_shared<SessionFlags>();
  CLI::App* session = app.add_subcommand(
      "session", "Lists, shows, creates or deletes sessions");
  session->require_subcommand(1);
  session->footer(kFooter);
  AddVerb(*session, context, flags, "list", "Lists all sessions", List);
  AddVerb(*session, context, flags, "show", "Shows one session", ShowOne);
  AddVerb(*session, context, flags, "create", "Boots a machine", Create);
  AddVerb(*session, context, flags, "participants",
          "Lists who has joined a session", Participants);
  AddVerb(*session, context, flags, "close",
          "Ends a machine; its history stays", Close);
  AddVerb(*session, context, flags, "delete",
          "Deletes a session and its history, for good", Delete);
}

}  // namespace faultline::cli
