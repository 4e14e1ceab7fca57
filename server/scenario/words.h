// Private to the parser: the words of a line, with their columns, and the
// parsers of single arguments.

#ifndef FAULTLINE_SERVER_SCENARIO_WORDS_H_
#define FAULTLINE_SERVER_SCENARIO_WORDS_H_

#include <optional>
#include <string>
#include <vector>

#include "server/scenario/names.h"
#include "server/scenario/op_table.h"
#include "server/scenario/script.h"

namespace faultline::scenario {

struct Word {
  std::string text;
  int column = 0;  // 1-based.
};

struct LineError {
  int column = 0;
  std::string message;
};

// Nothing when all is well.
using MaybeError = std::optional<LineError>;

MaybeError ParseNumberWord(const Word& word, uint64_t* out);
MaybeError ParseExprWord(const Word& word, Expr* out);
MaybeError ParseProt(const Word& word, uint64_t* out);
// Names of `table` or numbers, joined by "|".
MaybeError ParseFlags(const Word& word, const NameTable& table, uint64_t* out);
// Exactly one name of `table`, or a number.
MaybeError ParseOneName(const Word& word, const NameTable& table,
                        uint64_t* out);
// "0,2-3", "none" or "-": the words of a mask of nodes.
MaybeError ParseNodes(const Word& word, std::vector<uint64_t>* out);
MaybeError ParseGfp(const Word& word, std::vector<std::string>* out);

// The ops whose arguments follow no table. `words` are the arguments; `op` has
// kind and column.
MaybeError ParseBoot(const std::vector<Word>& words, Op* op);
MaybeError ParseFile(const std::vector<Word>& words, Op* op);
MaybeError ParseImage(const std::vector<Word>& words, Op* op);
MaybeError ParseExec(const std::vector<Word>& words, Op* op);
MaybeError ParseSysctl(const std::vector<Word>& words, Op* op);
MaybeError ParseDump(const std::vector<Word>& words, Op* op);
MaybeError ParseExpect(const std::vector<Word>& words, Op* op);

// "mmap takes ADDR LEN PROT FLAGS [FILE|- [PGOFF]]", for an error at `column`.
LineError UsageError(const OpSpec& spec, int column, const char* problem);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_WORDS_H_
