// Every bound of the service in one place. What a client sends beyond one of
// these is answered with INVALID_ARGUMENT or RESOURCE_EXHAUSTED and the bound;
// nothing in the server grows without one.
#ifndef FAULTLINE_SERVER_LIMITS_H_
#define FAULTLINE_SERVER_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace faultline::limits {

inline constexpr uint64_t kKiB = uint64_t{1} << 10;
inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr uint64_t kGiB = uint64_t{1} << 30;
inline constexpr uint64_t kTiB = uint64_t{1} << 40;

// --- Messages. gRPC clients receive 4 MiB by default: we never send more.
inline constexpr size_t kRequestBytesMax = 4 * kMiB;
inline constexpr size_t kResponseBytesMax = 4 * kMiB - 64 * kKiB;
// What gRPC itself lets through: more than a request may have, so that we can
// say what is wrong and what to do.
inline constexpr size_t kReceiveBytesMax = 8 * kMiB;
// What one response of a stream or a page aims at.
inline constexpr size_t kChunkBytes = kMiB;
// The text and the details of an error travel in a trailer, the text twice;
// clients refuse metadata of more than 8 KiB.
inline constexpr size_t kErrorTextBytesMax = 512;
inline constexpr size_t kErrorBytesMax = 3 * kKiB;
inline constexpr int kFieldViolationsMax = 8;
inline constexpr size_t kFieldViolationsBytesMax = 3 * kKiB / 2;

// --- Commands.
inline constexpr uint64_t kAccessCountMax = uint64_t{1} << 24;
inline constexpr size_t kManyEntriesMax = size_t{1} << 16;  // of AccessMany
inline constexpr size_t kPathBytesMax = 4095;      // PATH_MAX with its NUL
inline constexpr size_t kNameBytesMax = 255;       // sysctls, names of VMAs
inline constexpr size_t kDataBytesMax = 2 * kMiB;  // CreateFile, Write, Read
// UIO_MAXIOV is 1024; more is EINVAL, as long as it is not absurd.
inline constexpr size_t kMadviseRangesMax = 4096;
// Words of a mask of nodes: what Linux reads of one at most.
inline constexpr size_t kNodeWordsMax = 512;
// What a client that is a replacement policy may answer in one command, and the
// accesses that the policy OPT may be told of.
inline constexpr size_t kVictimsMax = 4096;
// How long a client that is a policy may think, and how often an access is
// planned anew because others changed the machine meanwhile.
inline constexpr int64_t kVictimSecondsMax = 10;
inline constexpr int kVictimPlansMax = 16;
inline constexpr size_t kFutureMax = 65536;
// mincore answers one byte per page.
inline constexpr uint64_t kMincoreBytesMax = kDataBytesMax * 4096;
inline constexpr uint64_t kUserBytesMax = uint64_t{1} << 47;
// argv and envp together.
inline constexpr int kExecStringsMax = 65536;
inline constexpr size_t kExecBytesMax = 2 * kMiB;
inline constexpr uint32_t kByteMax = 255;
inline constexpr uint32_t kFileModeMax = 07777;
inline constexpr uint32_t kDevMajorMax = (1U << 12) - 1;
inline constexpr uint32_t kDevMinorMax = (1U << 20) - 1;
// Of one outcome; what is more becomes one EventsLost.
inline constexpr size_t kEventsPerOutcomeMax = 8192;

// --- Machines.
inline constexpr uint64_t kRamBytesMin = 4 * kMiB;
inline constexpr uint64_t kRamBytesMax = kTiB;
inline constexpr uint64_t kSwapBytesMax = kTiB;
inline constexpr uint32_t kCpusMax = 64;
inline constexpr int kSysctlsMax = 64;
inline constexpr int kMemoryRangesMax = 128;    // E820_MAX_ENTRIES_ZEROPAGE
inline constexpr int kZonePagesMax = 8;         // there are five zones
inline constexpr int kSysctlMoreMax = 4;        // as many zones, but one
inline constexpr int kCoreMemoryBytesMax = 32;  // kernelcore=, movablecore=

// --- Sessions.
// The last part of a name: of a session, of a participant.
inline constexpr size_t kResourceIdBytesMax = 63;
inline constexpr size_t kDisplayNameBytesMax = 256;
inline constexpr size_t kRequestIdBytesMax = 64;
inline constexpr int64_t kSessionsMax = 100'000;
// Machines in memory at a time; the others wait in the journal.
inline constexpr size_t kLiveMachinesMax = 1024;
// Of one session, those that left included: their names stay with what they
// sent.
inline constexpr int64_t kParticipantsPerSessionMax = 10'000;
// Commands of one session that were received and not yet executed.
inline constexpr size_t kQueuedCommandsPerSessionMax = 4096;

// --- Snapshots. Automatic ones are taken after so many commands, or bytes in
// the journal: what waking a session replays at most, tens of milliseconds. A
// machine of kSnapshotWorthBytes costs about as much to save as these commands
// to replay; of a machine n times as large it is n times as many.
inline constexpr int64_t kSnapshotCommands = 10'000;
inline constexpr int64_t kSnapshotBytes = 16 * kMiB;
inline constexpr int64_t kSnapshotWorthBytes = 4 * kMiB;
// Of one session: automatic ones, thinned so that they spread over its history,
// and those of users, who are told.
inline constexpr int64_t kAutomaticSnapshotsMax = 16;
inline constexpr int64_t kUserSnapshotsMax = 256;
// All that there can be: one automatic one more until they are thinned.
inline constexpr int64_t kSnapshotsMax =
    kAutomaticSnapshotsMax + 1 + kUserSnapshotsMax;
// Copies of machines that wait to be saved; more are not taken.
inline constexpr size_t kSnapshotsWaitingMax = 64;
// Damaged ones that are passed over before a history is replayed from its
// start.
inline constexpr int64_t kSnapshotTriesMax = 4;
// Machines of past revisions that are kept for the next look.
inline constexpr size_t kPastMachinesMax = 8;
// A look at the past also keeps the machine this many revisions before, for one
// who steps back.
inline constexpr int64_t kPastStepsBack = 64;

// --- Calls of one connection at a time.
inline constexpr int kStreamsPerConnectionMax = 1000;

// --- Requests that wait for one of the service's own threads.
inline constexpr size_t kQuickRequestsMax = 4096;  // reads of a session
inline constexpr size_t kSlowRequestsMax = 64;     // replays

// --- The Run stream.
inline constexpr int kBatchCommandsMax = 4096;
// Of all outcomes of a batch: bytes that it asks for, and events; what is more
// becomes EventsLost.
inline constexpr uint64_t kBatchDataBytesMax = 32 * kMiB;
inline constexpr size_t kEventsPerBatchMax = size_t{1} << 17;
// Batches read and not yet answered, per stream.
inline constexpr int kBatchesInFlightMax = 8;

// --- Watching.
// Of the server, and sessions that they watch at a time.
inline constexpr int64_t kWatchersMax = 10'000;
inline constexpr size_t kWatchedSessionsMax = 1024;
inline constexpr int kWatchPidsMax = 64;
inline constexpr int kWatchKindsMax = 64;
// All watchers share these, so that they leave the machines their time: turns,
// in each of which one watcher gets at most one message, and bytes.
inline constexpr double kWatchTurnsPerSecond = 1000;
inline constexpr double kWatchBytesPerSecond = 32.0 * kMiB;
// Turns that may be taken at once after a rest.
inline constexpr double kWatchTurnsBurst = 50;
// A message of changes ends before it is longer, unless one change is.
inline constexpr size_t kWatchMessageBytesMax = 128 * kKiB;
// Commands are derived and kept in segments.
inline constexpr int64_t kWatchSegmentCommandsMax = 256;
inline constexpr size_t kWatchSegmentBytesMax = 128 * kKiB;
// Encoded selections that a segment keeps for watchers with equal filters.
inline constexpr size_t kWatchSelectionsPerSegmentMax = 16;
// Of the segments kept for all watchers, and derived ahead of one of them.
inline constexpr size_t kWatchCacheBytesMax = 64 * kMiB;
inline constexpr size_t kWatchAheadBytesMax = 4 * kMiB;
// Machines that follow one session's journal for its watchers, where these are
// far apart; and how far apart is far, in commands.
inline constexpr size_t kReplicasPerSessionMax = 4;
inline constexpr int64_t kReplicaSkipMax = 1024;

// --- Exercises and grades.
inline constexpr size_t kExerciseIdBytesMax = 40;  // of a session's 63
inline constexpr size_t kExerciseBytesMax = 256 * kKiB;
inline constexpr size_t kYamlDepthMax = 16;
inline constexpr int kExpressionDepthMax = 64;
inline constexpr int kExpressionNodesMax = 256;
inline constexpr size_t kFilledTextBytesMax = 64 * kKiB;
inline constexpr int kVariablesMax = 64;
inline constexpr int kChecksMax = 64;  // questions or goals
inline constexpr double kPointsMax = 1000;
inline constexpr int kAttemptsPerStudentMax = 100;
inline constexpr size_t kStudentBytesMax = 128;
inline constexpr size_t kSecretBytesMax = 64;
inline constexpr size_t kAnswerBytesMax = 16 * kKiB;
// Draws that `require` may refuse before there is no such variant.
inline constexpr int kDrawsMax = 1000;
// Variants that CreateExercise and `faultline exercise lint` try.
inline constexpr int kLintSeeds = 20;
// What grading executes for one submission: a set-up is one batch, and nobody
// solves an exercise with more commands than fit into another.
inline constexpr size_t kSetupCommandsMax = 1024;
inline constexpr int64_t kAttemptCommandsMax = 4096;
inline constexpr uint64_t kTrialAccessesMax = uint64_t{1} << 20;
inline constexpr size_t kTrialEventsMax = size_t{1} << 17;
// Of the commands and of what they read; and of a recorded command's text.
inline constexpr size_t kTrialBytesMax = 32 * kMiB;
inline constexpr size_t kStepTextBytesMax = 256;
inline constexpr int64_t kExercisesMax = 10'000;
inline constexpr int64_t kAttemptsMax = 1'000'000;
inline constexpr int64_t kGradesPerAttemptMax = 100;
// What a student is shown, and each text of a check that is kept: a response
// has room for one variant, and for one report.
inline constexpr size_t kTitleBytesMax = 256;
inline constexpr size_t kVariantBytesMax = kMiB;
inline constexpr size_t kReportTextBytesMax = 4 * kKiB;
// How often what others did at the same time is looked at anew before the
// client is told to repeat its request.
inline constexpr int kStartTriesMax = 8;
inline constexpr int kGradeTriesMax = 4;
// Starts of attempts and gradings that wait for a thread: a class that begins
// at the same minute.
inline constexpr size_t kStudentRequestsMax = 4096;
// Grades read from the store at a time.
inline constexpr int64_t kGradeReadRows = 16;

// --- Pages of lists.
inline constexpr int kSessionPageDefault = 50;
inline constexpr int kSessionPageMax = 1000;
inline constexpr int kParticipantPageDefault = 50;
inline constexpr int kParticipantPageMax = 1000;
inline constexpr int kSnapshotPageDefault = 50;
inline constexpr int kSnapshotPageMax = 1000;
inline constexpr int kCommandPageDefault = 100;
inline constexpr int kCommandPageMax = 10000;
inline constexpr int kVmaPageDefault = 1000;
inline constexpr int kVmaPageMax = 10000;
inline constexpr int kExercisePageDefault = 50;
inline constexpr int kExercisePageMax = 1000;
inline constexpr int kGradePageDefault = 50;
inline constexpr int kGradePageMax = 1000;
inline constexpr size_t kPageTokenBytesMax = 512;

// --- Time.
inline constexpr int kProgressMillis = 500;    // between messages of progress
inline constexpr int kWatchMarkMillis = 5000;  // between marks of a watch
// What a watcher has to read its last message when the server stops.
inline constexpr int kWatchDrainMillis = 1000;
inline constexpr int kDrainSecondsMax = 30;    // of a graceful shutdown
inline constexpr int kRetryDelayMillis = 500;  // what UNAVAILABLE asks for

}  // namespace faultline::limits

#endif  // FAULTLINE_SERVER_LIMITS_H_
