#include "server/scenario/parser.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/scenario/suggest.h"
#include "server/scenario/words.h"

namespace faultline::scenario {
namespace {

constexpr size_t kErrorsMax = 20;
constexpr uint64_t kProcessesMax = 100000;

std::vector<Word> SplitWords(absl::string_view line) {
  std::vector<Word> words;
  size_t pos = 0;
  while (pos < line.size()) {
    if (absl::ascii_isspace(line[pos])) {
      ++pos;
      continue;
    }
    size_t end = pos;
    while (end < line.size() && !absl::ascii_isspace(line[end])) ++end;
    words.push_back(
        {std::string(line.substr(pos, end - pos)), static_cast<int>(pos) + 1});
    pos = end;
  }
  return words;
}

// The field of Op that an expression argument fills, or nullptr.
Expr* ExprField(Op* op, Param param) {
  switch (param) {
    case Param::kAddr:
      return &op->addr;
    case Param::kLength:
      return &op->length;
    case Param::kNewLength:
      return &op->new_length;
    case Param::kNewAddr:
      return &op->new_addr;
    case Param::kOffset:
      return &op->offset;
    case Param::kByte:
      return &op->byte;
    case Param::kCount:
      return &op->count;
    case Param::kStride:
      return &op->stride;
    default:
      return nullptr;
  }
}

const NameTable* FlagTable(Param param) {
  switch (param) {
    case Param::kMmapFlags:
      return &MmapFlags();
    case Param::kMremapFlags:
      return &MremapFlags();
    case Param::kMsyncFlags:
      return &MsyncFlags();
    case Param::kMlock2Flags:
      return &Mlock2Flags();
    case Param::kMlockallFlags:
      return &MlockallFlags();
    case Param::kFallocateMode:
      return &FallocateModes();
    case Param::kSeals:
      return &SealNames();
    case Param::kCloneFlags:
      return &CloneFlags();
    case Param::kPrctlOption:
      return &PrctlOptions();
    case Param::kSignal:
      return &SignalNames();
    case Param::kResource:
      return &ResourceNames();
    case Param::kSlabFlags:
      return &SlabFlags();
    case Param::kMbindFlags:
      return &MbindFlags();
    case Param::kMempolicyFlags:
      return &MempolicyFlags();
    default:
      return nullptr;
  }
}

MaybeError ParseFd(const Word& word, bool or_none, Op* op) {
  if (or_none && word.text == "-") return std::nullopt;
  uint64_t number = 0;
  if (MaybeError error = ParseNumberWord(word, &number)) return error;
  op->fd = static_cast<int64_t>(number);
  return std::nullopt;
}

MaybeError ParseExprArgument(Param param, const Word& word, Op* op) {
  Expr* field = ExprField(op, param);
  if (MaybeError error = ParseExprWord(word, field)) return error;
  if (param == Param::kByte && field->IsConstant() &&
      ConstantValue(*field) > 255) {
    return LineError{word.column, absl::StrCat("'", word.text,
                                               "' is not a byte (0 to 255)")};
  }
  return std::nullopt;
}

MaybeError ParseArgument(Param param, const Word& word, Op* op) {
  if (const NameTable* table = FlagTable(param)) {
    return ParseFlags(word, *table, &op->flags);
  }
  if (ExprField(op, param) != nullptr) {
    return ParseExprArgument(param, word, op);
  }
  switch (param) {
    case Param::kProt:
      return ParseProt(word, &op->prot);
    case Param::kAdvice:
      return ParseOneName(word, MadviseAdvice(), &op->flags);
    case Param::kFadvice:
      return ParseOneName(word, FadviseAdvice(), &op->flags);
    case Param::kMempolicyMode:
      return ParseFlags(word, MempolicyModes(), &op->mode);
    case Param::kNodes:
      return ParseNodes(word, &op->nodes);
    case Param::kPolicy:
      return ParseOneName(word, PolicyNames(), &op->flags);
    case Param::kFuture:
      return ParseExprWord(word, &op->future.emplace_back());
    case Param::kNumber:
      return ParseNumberWord(word, &op->flags);
    case Param::kFile:
      return ParseFd(word, false, op);
    case Param::kFileOrNone:
      return ParseFd(word, true, op);
    case Param::kGfp:
      return ParseGfp(word, &op->words);
    case Param::kName:
      op->name = word.text;
      return std::nullopt;
    default:
      op->words.push_back(word.text);
      return std::nullopt;
  }
}

MaybeError ParseTableArguments(const OpSpec& spec,
                               const std::vector<Word>& words, Op* op) {
  const size_t least = spec.required.size();
  const size_t most = least + spec.optional.size();
  if (words.size() < least) {
    return UsageError(spec, op->column, "too few arguments");
  }
  const bool open_end = most > least && spec.optional.back() == Param::kFuture;
  if (words.size() > most && !open_end) {
    return UsageError(spec, words[most].column, "too many arguments");
  }
  for (size_t i = 0; i < words.size(); ++i) {
    const Param param = i < least  ? spec.required[i]
                        : i < most ? spec.optional[i - least]
                                   : Param::kFuture;
    if (MaybeError error = ParseArgument(param, words[i], op)) return error;
  }
  if (spec.kind == OpKind::kProcessMadvise && op->future.size() % 2 != 0) {
    return UsageError(spec, words.back().column, "a range has no length");
  }
  return std::nullopt;
}

bool IsLoadOrStore(OpKind kind) {
  return kind >= OpKind::kRead && kind <= OpKind::kGrow;
}

// One access of `accesses`, for example "write $a 7".
MaybeError ParseAccess(const OpSpec& accesses, int column,
                       std::vector<Word> words, Op* op) {
  if (words.empty())
    return UsageError(accesses, column, "an access is missing");
  const Word name = words.front();
  const OpSpec* spec = FindOp(name.text);
  if (spec == nullptr || !IsLoadOrStore(spec->kind)) {
    return LineError{name.column,
                     absl::StrCat("'", name.text,
                                  "' is none of the accesses read, write, "
                                  "readr, writer and grow")};
  }
  Op& access = op->accesses.emplace_back();
  access.kind = spec->kind;
  access.column = name.column;
  words.erase(words.begin());
  return ParseTableArguments(*spec, words, &access);
}

// The accesses between semicolons, which may touch the words beside them.
MaybeError ParseAccesses(const OpSpec& spec, const std::vector<Word>& words,
                         Op* op) {
  std::vector<Word> access;
  int column = op->column;
  for (const Word& word : words) {
    column = word.column;
    bool first = true;
    for (absl::string_view part : absl::StrSplit(word.text, ';')) {
      if (!first) {
        if (MaybeError error =
                ParseAccess(spec, column, std::move(access), op)) {
          return error;
        }
        access.clear();
        ++column;
      }
      first = false;
      if (!part.empty()) access.push_back({std::string(part), column});
      column += static_cast<int>(part.size());
    }
  }
  return ParseAccess(spec, column, std::move(access), op);
}

MaybeError ParseArguments(const OpSpec& spec, const std::vector<Word>& words,
                          Op* op) {
  switch (spec.kind) {
    case OpKind::kBoot:
      return ParseBoot(words, op);
    case OpKind::kFile:
      return ParseFile(words, op);
    case OpKind::kImage:
      return ParseImage(words, op);
    case OpKind::kExec:
      return ParseExec(words, op);
    case OpKind::kAccesses:
      return ParseAccesses(spec, words, op);
    case OpKind::kSysctl:
      return ParseSysctl(words, op);
    case OpKind::kDump:
      return ParseDump(words, op);
    case OpKind::kExpect:
      return ParseExpect(words, op);
    default:
      return ParseTableArguments(spec, words, op);
  }
}

// Takes "@N" off the front of `words`.
MaybeError TakeProcess(std::vector<Word>* words, int* process) {
  const Word word = words->front();
  if (word.text[0] != '@') return std::nullopt;
  uint64_t number = 0;
  const Word digits{word.text.substr(1), word.column + 1};
  if (ParseNumberWord(digits, &number) || number > kProcessesMax) {
    return LineError{
        word.column,
        absl::StrCat("'", word.text, "' is not a process: write @0, @1, ...")};
  }
  *process = static_cast<int>(number);
  words->erase(words->begin());
  return std::nullopt;
}

// Takes "name:" off the front of `words`.
MaybeError TakeLabel(std::vector<Word>* words, std::string* label) {
  if (words->empty() || words->front().text.back() != ':') {
    return std::nullopt;
  }
  const Word word = words->front();
  *label = word.text.substr(0, word.text.size() - 1);
  if (!IsName(*label) || *label == "brk" || *label == "stk") {
    return LineError{word.column, absl::StrCat("'", *label,
                                               "' cannot be a label: letters, "
                                               "digits and _, not brk or stk")};
  }
  words->erase(words->begin());
  return std::nullopt;
}

MaybeError UnknownOp(const Word& word) {
  if (word.text.find_first_not_of('-') == std::string::npos) {
    return LineError{word.column,
                     "'----' opens the recorded output of a recorded test; "
                     "this is read as a plain scenario"};
  }
  return LineError{word.column, absl::StrCat("unknown op '", word.text, "'",
                                             DidYouMean(word.text, OpNames()))};
}

// Every $name must be the label of an earlier line, or this line's own: a label
// that has returned nothing yet is 0.
MaybeError CheckSymbols(const Op& op, const std::string& own,
                        const std::set<std::string>& labels) {
  std::vector<const Expr*> all = {
      &op.addr, &op.length, &op.new_length, &op.new_addr,    &op.offset,
      &op.byte, &op.count,  &op.stride,     &op.expect.addr, &op.expect.value};
  for (const Expr& expr : op.future) all.push_back(&expr);
  for (const Expr* expr : all) {
    for (const Term& term : expr->terms) {
      const std::string& name = term.symbol;
      if (name.empty() || name == "brk" || name == "stk") continue;
      if (labels.count(name) > 0 || name == own) continue;
      std::vector<std::string> known(labels.begin(), labels.end());
      known.insert(known.end(), {"brk", "stk"});
      return LineError{term.column,
                       absl::StrCat("no line above is labelled '", name, ":'",
                                    DidYouMean(name, known))};
    }
  }
  for (const Op& access : op.accesses) {
    if (MaybeError error = CheckSymbols(access, own, labels)) return error;
  }
  return std::nullopt;
}

MaybeError ParseWords(std::vector<Word> words, Op* op) {
  if (MaybeError error = TakeProcess(&words, &op->process)) return error;
  if (MaybeError error = TakeLabel(&words, &op->label)) return error;
  if (words.empty()) return LineError{1, "the line names no op"};
  const Word name = words.front();
  op->column = name.column;
  const OpSpec* spec = FindOp(name.text);
  if (spec == nullptr) return UnknownOp(name);
  op->kind = spec->kind;
  words.erase(words.begin());
  return ParseArguments(*spec, words, op);
}

}  // namespace

absl::StatusOr<std::optional<Op>> Parser::ParseLine(absl::string_view line) {
  ++line_;
  const absl::string_view code = line.substr(0, line.find('#'));
  std::vector<Word> words = SplitWords(code);
  if (words.empty()) return std::optional<Op>();
  Op op;
  op.line = line_;
  op.text = std::string(absl::StripAsciiWhitespace(code));
  op.process = process_;
  MaybeError error = ParseWords(std::move(words), &op);
  if (!error) error = CheckSymbols(op, op.label, labels_);
  if (!error && op.kind == OpKind::kBoot && seen_op_) {
    error = LineError{op.column, "'boot' must be the first line"};
  }
  if (!error && op.kind == OpKind::kFile &&
      !files_.insert(op.file.number).second) {
    error = LineError{op.column, absl::StrCat("file ", op.file.number,
                                              " is already declared")};
  }
  // A line that failed still counts, so that it is the only one to complain.
  seen_op_ = true;
  process_ = op.process;
  if (!op.label.empty()) labels_.insert(op.label);
  if (!error) return std::optional<Op>(std::move(op));
  const std::string prefix = file_name_.empty() ? "" : file_name_ + ":";
  return absl::InvalidArgumentError(
      absl::StrCat(prefix, line_, ":", error->column, ": ", error->message));
}

void Parser::Continue(std::string file_name) {
  file_name_ = std::move(file_name);
  line_ = 0;
  process_ = 0;
}

absl::StatusOr<Script> ParseScript(const std::string& file_name,
                                   absl::string_view text) {
  Parser parser(file_name);
  return ParseScript(parser, text);
}

absl::StatusOr<Script> ParseScript(Parser& parser, absl::string_view text) {
  Script script;
  script.file_name = parser.file_name();
  std::vector<std::string> errors;
  size_t more = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StatusOr<std::optional<Op>> op = parser.ParseLine(line);
    if (op.ok()) {
      if (op->has_value()) script.ops.push_back(**std::move(op));
    } else if (errors.size() < kErrorsMax) {
      errors.emplace_back(op.status().message());
    } else {
      ++more;
    }
  }
  if (errors.empty()) return script;
  if (more > 0) errors.push_back(absl::StrCat("and ", more, " more errors"));
  return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::stringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  // A directory opens, and fails at the first read.
  const bool readable =
      file && (file.peek() != std::ifstream::traits_type::eof() || errno == 0);
  if (!readable) {
    return absl::ErrnoToStatus(errno == 0 ? EIO : errno,
                               absl::StrCat("cannot read ", path));
  }
  file.clear();
  text << file.rdbuf();
  return text.str();
}

absl::StatusOr<Script> ReadScript(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  return ParseScript(path == "-" ? "<stdin>" : path, *text);
}

}  // namespace faultline::scenario
