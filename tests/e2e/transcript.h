// A section of a document as something to be done: the files that the reader
// is told to save, the commands, and what they are said to print.
#ifndef FAULTLINE_TESTS_E2E_TRANSCRIPT_H_
#define FAULTLINE_TESTS_E2E_TRANSCRIPT_H_

#include <map>
#include <string>
#include <vector>

namespace faultline::e2e {

// Either a file to be saved, or a command.
struct Step {
  std::string file;     // "" for a command
  std::string command;  // after "$ "
  std::string text;     // of the file, or what the command prints
};

// Of the section under this heading, in order: a block after a line that has
// "Save this as `NAME`" is a file, and in a ```text block each line that begins
// with "$ " is a command.
std::vector<Step> ReadSection(const std::string& path,
                              const std::string& heading);

// What differs from run to run: the ids of attempts. The document's are learnt
// from what is printed in their place.
class Names {
 public:
  // `documented` with the ids that this run has. Ids that have not been met
  // are taken from `actual`, one after the other.
  std::string Translate(const std::string& documented,
                        const std::string& actual = "");

 private:
  std::map<std::string, std::string> actual_;  // by the documented
};

// With every time of day as it is written replaced by one and the same.
std::string WithoutTimes(const std::string& text);

}  // namespace faultline::e2e

#endif  // FAULTLINE_TESTS_E2E_TRANSCRIPT_H_
