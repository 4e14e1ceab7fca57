#include "client/cli/context.h"

#include <CLI/App.hpp>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/cpp/error.h"

namespace faultline::cli {
namespace {

class SessionTarget : public scenario::Target {
 public:
  explicit SessionTarget(client::Session session)
      : session_(std::move(session)) {}

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override {
    return session_.Call(command, settings_);
  }
  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    return session_.ReadProc(path);
  }
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    return session_.ReadProcAt(path, offset, length);
  }
  void set_event_level(v1::EventLevel level) override {
    settings_.event_level = level;
  }
  std::string Describe() const override {
    return absl::StrCat(session_.name(), " on ", session_.address());
  }

 private:
  client::Session session_;
  client::CallSettings settings_;
};

// The session of `place`: the one that exists by that name, or a new one.
absl::StatusOr<client::Session> OpenOrCreate(const Place& place,
                                             const v1::MachineConfig& config) {
  auto client = client::Client::Connect(place.server.empty() ? kDefaultServer
                                                             : place.server);
  if (!client.ok()) return client.status();
  client::SessionSpec spec;
  spec.config = config;
  if (!place.session.empty()) {
    const std::string name = client::SessionName(place.session);
    spec.id = name.substr(name.find('/') + 1);
    const bool as_it_is = !place.fresh && config.ByteSizeLong() == 0;
    if (as_it_is) {
      auto existing = client->OpenSession(name);
      if (!absl::IsNotFound(existing.status())) return existing;
    }
  }
  return client->CreateSession(spec);
}

}  // namespace

int Fail(const absl::Status& status) {
  absl::FPrintF(stderr, "faultline: %s\n", client::Explain(status));
  return kExitCannot;
}

int FailUsage(const absl::Status& status) {
  absl::FPrintF(stderr, "faultline: %s\n", status.message());
  return kExitUsage;
}

absl::StatusOr<Moment> MomentOf(const std::string& session,
                                const std::string& flag, int64_t revision) {
  const size_t at = session.find('@');
  if (at == std::string::npos) return Moment{session, revision};
  Moment moment{session.substr(0, at)};
  if (!absl::SimpleAtoi(session.substr(at + 1), &moment.revision) ||
      moment.revision < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", session,
                     "' is no session and no place in one: after "
                     "@ comes the number of a revision, as in lab-1@7"));
  }
  if (revision >= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", session, "' and ", flag, " ", revision,
                     " both name a revision: leave one out"));
  }
  return moment;
}

void AddServerOption(CLI::App& command, std::string* server) {
  *server = kDefaultServer;
  command
      .add_option(
          "--server", *server,
          "The server's address, host:port (default: $FAULTLINE_SERVER, "
          "or localhost:50051)")
      ->envname("FAULTLINE_SERVER")
      ->type_name("ADDR");
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S",
                          absl::FromUnixSeconds(time.seconds()),
                          absl::LocalTimeZone());
}

std::unique_ptr<scenario::Target> MakeSessionTarget(client::Session session) {
  return std::make_unique<SessionTarget>(std::move(session));
}

scenario::TargetFactory FactoryFor(const Place& place, const Context& context,
                                   std::string* session_name) {
  if (place.server.empty() && place.session.empty()) {
    if (context.hooks->local_machine) return context.hooks->local_machine;
    return [](const v1::MachineConfig&) {
      return absl::UnimplementedError(
          "this program has no machine of its own: give --server");
    };
  }
  return [place, session_name](const v1::MachineConfig& config)
             -> absl::StatusOr<std::unique_ptr<scenario::Target>> {
    auto session = OpenOrCreate(place, config);
    if (!session.ok()) return session.status();
    *session_name = session->name();
    return MakeSessionTarget(*std::move(session));
  };
}

}  // namespace faultline::cli
