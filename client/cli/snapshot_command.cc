// faultline snapshot: takes, lists, shows and deletes the snapshots of a
// session, and makes new sessions of them.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "client/cli/picture.h"
#include "client/cli/subcommands.h"

namespace faultline::cli {
namespace {

constexpr char kFooter[] =
    "A snapshot is the whole machine after a revision. The server takes some\n"
    "by itself, so that older revisions are quickly looked at; those that you\n"
    "take stay until you delete them. A session that is made of one stands\n"
    "alone: the first session and the snapshot may be deleted.\n"
    "\n"
    "Examples:\n"
    "  faultline snapshot create lab-1 before-fork\n"
    "  faultline snapshot create lab-1 --at 12    as it was after revision 12\n"
    "  faultline snapshot list lab-1\n"
    "  faultline snapshot restore lab-1 before-fork lab-2\n"
    "  faultline snapshot delete lab-1 before-fork";

struct SnapshotFlags {
  std::string server;
  std::string session;
  std::string snapshot;
  std::string new_session;
  std::string display_name;
  int64_t at = -1;
};

absl::StatusOr<client::Session> Open(const SnapshotFlags& flags) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return client.status();
  return client->OpenSession(flags.session);
}

// "sessions/lab-1/snapshots/before" -> "before".
std::string IdOf(const std::string& name) {
  return name.substr(name.rfind('/') + 1);
}

std::string KindName(v1::SnapshotKind kind) {
  switch (kind) {
    case v1::SNAPSHOT_KIND_USER:
      return "user";
    case v1::SNAPSHOT_KIND_AUTOMATIC:
      return "automatic";
    default:
      return absl::StrCat("kind ", static_cast<int>(kind));
  }
}

std::string Size(int64_t bytes) {
  return SizeText(static_cast<uint64_t>(std::max<int64_t>(bytes, 0)));
}

int Create(const SnapshotFlags& flags) {
  auto session = Open(flags);
  if (!session.ok()) return Fail(session.status());
  client::SnapshotSpec spec;
  spec.id = flags.snapshot;
  spec.display_name = flags.display_name;
  if (flags.at >= 0) spec.revision = flags.at;
  auto snapshot = session->CreateSnapshot(spec);
  if (!snapshot.ok()) return Fail(snapshot.status());
  std::cout << snapshot->name() << "\n";
  return kExitOk;
}

int List(const SnapshotFlags& flags) {
  auto session = Open(flags);
  if (!session.ok()) return Fail(session.status());
  auto snapshots = session->ListSnapshots();
  if (!snapshots.ok()) return Fail(snapshots.status());
  if (snapshots->empty()) {
    std::cout << "no snapshots of " << session->name()
              << "; `faultline snapshot create` takes one\n";
    return kExitOk;
  }
  for (const v1::Snapshot& one : *snapshots) {
    std::string line =
        absl::StrFormat("%-24s %-9s revision %-8d %9s, %9s of it new  %s  %s",
                        IdOf(one.name()), KindName(one.kind()), one.revision(),
                        Size(one.bytes()), Size(one.stored_bytes()),
                        TimeText(one.create_time()), one.display_name());
    line.resize(line.find_last_not_of(' ') + 1);
    std::cout << line << "\n";
  }
  return kExitOk;
}

int Show(const SnapshotFlags& flags) {
  auto session = Open(flags);
  if (!session.ok()) return Fail(session.status());
  auto snapshot = session->GetSnapshot(flags.snapshot);
  if (!snapshot.ok()) return Fail(snapshot.status());
  std::cout << snapshot->name() << "\n";
  if (!snapshot->display_name().empty()) {
    std::cout << "  title        " << snapshot->display_name() << "\n";
  }
  std::cout << "  kind         " << KindName(snapshot->kind()) << "\n"
            << "  revision     " << snapshot->revision() << "\n"
            << "  taken        " << TimeText(snapshot->create_time()) << "\n"
            << "  size         " << Size(snapshot->bytes()) << "\n"
            << "  stored anew  " << Size(snapshot->stored_bytes()) << "\n"
            << "  fingerprint  "
            << absl::StrFormat("%016x", snapshot->fingerprint()) << "\n";
  return kExitOk;
}

int Delete(const SnapshotFlags& flags) {
  auto session = Open(flags);
  if (!session.ok()) return Fail(session.status());
  absl::Status status = session->DeleteSnapshot(flags.snapshot);
  if (!status.ok()) return Fail(status);
  std::cout << session->SnapshotName(flags.snapshot) << " is deleted\n";
  return kExitOk;
}

int Restore(const SnapshotFlags& flags) {
  auto session = Open(flags);
  if (!session.ok()) return Fail(session.status());
  client::RestoreSpec spec;
  const std::string name = client::SessionName(flags.new_session);
  if (!flags.new_session.empty()) spec.id = name.substr(name.find('/') + 1);
  spec.display_name = flags.display_name;
  auto restored = session->RestoreSnapshot(flags.snapshot, spec);
  if (!restored.ok()) return Fail(restored.status());
  std::cout << restored->name() << "\n";
  return kExitOk;
}

void AddTitle(CLI::App* command, SnapshotFlags& flags) {
  command->add_option("--title", flags.display_name, "For people")
      ->type_name("TEXT");
}

CLI::App* AddVerb(CLI::App& app, Context& context,
                  const std::shared_ptr<SnapshotFlags>& flags, const char* verb,
                  const char* help, int (*run)(const SnapshotFlags&)) {
  CLI::App* command = app.add_subcommand(verb, help);
  AddServerOption(*command, &flags->server);
  command->add_option("session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  command->callback(
      [flags, run, &context] { context.exit_code = run(*flags); });
  return command;
}

void AddName(CLI::App* command, SnapshotFlags& flags) {
  command->add_option("snapshot", flags.snapshot, "The snapshot, as listed")
      ->required()
      ->type_name("NAME");
}

void AddCreate(CLI::App& app, Context& context,
               const std::shared_ptr<SnapshotFlags>& flags) {
  CLI::App* create = AddVerb(app, context, flags, "create",
                             "Keeps the machine under a name", Create);
  create
      ->add_option("snapshot", flags->snapshot,
                   "Its name (default: one that nothing else has)")
      ->type_name("NAME");
  create
      ->add_option("--at", flags->at,
                   "As it was after this revision (default: as it is)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("REVISION");
  AddTitle(create, *flags);
}

void AddRestore(CLI::App& app, Context& context,
                const std::shared_ptr<SnapshotFlags>& flags) {
  CLI::App* restore = AddVerb(app, context, flags, "restore",
                              "Makes a new session of it", Restore);
  AddName(restore, *flags);
  restore
      ->add_option("new", flags->new_session,
                   "The new session (default: a name that nothing else has)")
      ->type_name("ID");
  AddTitle(restore, *flags);
}

}  // namespace

void AddSnapshot(CLI::App& app, Context& context) {
  auto flags = std::make_shared<SnapshotFlags>();
  CLI::App* snapshot = app.add_subcommand(
      "snapshot", "Takes, lists, deletes or restores snapshots of a session");
  snapshot->require_subcommand(1);
  snapshot->footer(kFooter);
  AddCreate(*snapshot, context, flags);
  AddVerb(*snapshot, context, flags, "list", "Lists those of a session", List);
  AddName(AddVerb(*snapshot, context, flags, "show", "Shows one", Show),
          *flags);
  AddRestore(*snapshot, context, flags);
  AddName(AddVerb(*snapshot, context, flags, "delete",
                  "Deletes one; the history stays", Delete),
          *flags);
}

}  // namespace faultline::cli
