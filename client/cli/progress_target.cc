#include "client/cli/progress_target.h"

#include <utility>

namespace faultline::cli {
namespace {

class ProgressTarget : public scenario::Target {
 public:
  ProgressTarget(std::unique_ptr<scenario::Target> target, Progress& progress)
      : target_(std::move(target)), progress_(progress) {}

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) override {
    progress_.Update(++done_);
    return target_->Apply(command);
  }
  absl::StatusOr<std::string> ReadProc(const std::string& path) override {
    return target_->ReadProc(path);
  }
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         uint64_t offset,
                                         uint64_t length) override {
    return target_->ReadProcAt(path, offset, length);
  }
  void set_event_level(v1::EventLevel level) override {
    target_->set_event_level(level);
  }
  std::string Describe() const override { return target_->Describe(); }

 private:
  std::unique_ptr<scenario::Target> target_;
  Progress& progress_;
  uint64_t done_ = 0;
};

}  // namespace

scenario::TargetFactory WithProgress(scenario::TargetFactory factory,
                                     Progress& progress) {
  return [factory = std::move(factory),
          &progress](const v1::MachineConfig& config)
             -> absl::StatusOr<std::unique_ptr<scenario::Target>> {
    absl::StatusOr<std::unique_ptr<scenario::Target>> target = factory(config);
    if (!target.ok()) return target.status();
    return std::make_unique<ProgressTarget>(*std::move(target), progress);
  };
}

}  // namespace faultline::cli
