#!/usr/bin/env python3
"""The house rules that a compiler does not check, above all the law of
dependencies: which directory may include which.

    python3 tests/lint/tidy.py [ROOT]

prints `path:line: [rule] what is wrong`, one line per problem, and ends with
status 1 if there is one. Needs nothing but the standard library. To add a
rule, write a generator of Problems, mark it with @rule, and give it a passing
and a failing tree in tidy_test.py.
"""

import argparse
import dataclasses
import os
import re
import sys
from typing import Callable, Iterator


# --- The law of dependencies -------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Layer:
    """A directory, what it may include of ours, and of others' libraries.

    A directory may always include itself and C++ standard headers. `ours` are
    path prefixes; `others` are names of LIBRARIES.
    """

    path: str
    ours: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


M = "server/machine/"
TO_HW = (M + "base/", M + "trace/", M + "hw/")
# The aggregates at the machine's root that an algorithm of the kernel half
# takes and returns. They stand above every directory that they are made of and
# are open to each of them; machine.h is not among them: it is the whole.
AGGREGATES = (
    M + "kernel.h",
    M + "command.h",
    M + "kernel_command.h",
    M + "outcome.h",
    M + "personality.h",
    M + "config_error.h",
)
TO_MM = TO_HW + (M + "mm/",) + AGGREGATES
TO_TASK_FS = TO_MM + (M + "task/", M + "fs/")
SCENARIO = "server/scenario/"
SERVICE = (
    "server/session/",
    "server/grading/",
    "server/gradebook/",
    "server/codec/",
    M,
    "server/limits.h",
)

# The longest path that a file starts with is its layer.
LAYERS = (
    Layer(M + "base/"),
    Layer(M + "trace/", (M + "base/",)),
    Layer(M + "hw/", TO_HW),
    Layer(M + "mm/", TO_MM),
    Layer(M + "task/", TO_TASK_FS),
    Layer(M + "fs/", TO_TASK_FS),
    Layer(M + "malloc/", TO_TASK_FS),
    Layer(M + "syscalls/", TO_TASK_FS + (M + "malloc/",)),
    Layer(M + "proc/", TO_TASK_FS),
    Layer(M, (M,)),
    Layer(M + "kernel_command.h", (M + "base/", M + "trace/")),
    Layer(
        M + "command.h", (M + "base/", M + "trace/", M + "kernel_command.h")
    ),
    Layer(M + "outcome.h", (M + "base/", M + "trace/", M + "command.h")),
    Layer(M + "personality.", (M + "base/", M + "command.h")),
    Layer(M + "config_error.h"),
    Layer("server/limits.h"),
    Layer(SCENARIO, (), ("absl", "messages")),
    Layer("server/codec/", (M, "server/limits.h"), ("absl", "messages")),
    Layer(
        "server/local_machine.",
        (M, "server/codec/", SCENARIO),
        ("absl", "messages"),
    ),
    Layer(
        "server/grading/",
        (M, "server/codec/", SCENARIO, "server/local_machine.h")
        + ("server/limits.h",),
        ("absl", "messages", "openssl", "yaml"),
    ),
    Layer(
        "server/session/",
        (M, "server/codec/", "storage/", "server/limits.h"),
        ("absl", "messages"),
    ),
    Layer(
        "server/gradebook/",
        ("server/session/", "server/grading/", "server/codec/", M, "storage/")
        + ("server/limits.h",),
        ("absl", "messages"),
    ),
    Layer("server/service/", SERVICE, ("absl", "messages", "grpc", "system")),
    Layer("server/web/", SERVICE, ("absl", "messages", "grpc", "system")),
    Layer(
        "server/",
        ("server/", "storage/", "client/cpp/", "client/cli/"),
        ("absl", "messages", "grpc", "system", "cli"),
    ),
    Layer("storage/", (), ("absl", "sqlite", "zstd", "zlib", "openssl", "system")),
    Layer(
        "client/",
        ("client/", SCENARIO),
        ("absl", "messages", "grpc", "system", "cli", "editline"),
    ),
    Layer(
        "client/cpp/", ("client/cpp/",), ("absl", "messages", "grpc", "system")
    ),
    Layer(
        "tests/",
        ("tests/", "server/", "storage/", "client/"),
        tuple(
            "absl messages grpc system cli editline sqlite zstd zlib openssl "
            "googletest json".split()
        ),
    ),
)

# Which library a header is of; the first that matches. `messages` are the
# generated classes of our contract and protobuf's own.
LIBRARIES = (
    ("grpc", re.compile(r"grpc(pp)?/|.*\.grpc\.pb\.h$")),
    ("messages", re.compile(r"google/|.*\.pb\.h$")),
    ("absl", re.compile(r"absl/")),
    ("sqlite", re.compile(r"sqlite3(ext)?\.h$")),
    ("zlib", re.compile(r"zlib\.h$")),
    ("zstd", re.compile(r"(zstd|zstd_errors|zdict)\.h$")),
    ("openssl", re.compile(r"openssl/")),
    ("cli", re.compile(r"CLI/")),
    ("yaml", re.compile(r"yaml-cpp/")),
    ("editline", re.compile(r"editline/|histedit\.h$")),
    ("googletest", re.compile(r"(gtest|gmock)/")),
    ("json", re.compile(r"nlohmann/")),
    (
        "system",
        re.compile(
            r"(sys|netinet|arpa|net|linux|asm|asm-generic|bits|sanitizer)/"
            r"|(unistd|fcntl|signal|elf|link|dlfcn|sched|termios|poll|spawn"
            r"|netdb|dirent|ftw|glob|getopt|pthread|semaphore|execinfo|ucontext"
            r"|sysexits|syslog|pwd|grp|malloc|alloca|setjmp|time|string|stdio"
            r"|stdlib|stdint|errno|limits|cpuid|cxxabi)\.h$"
        ),
    ),
)

STANDARD_HEADERS = frozenset(
    """
    algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv
    cfloat charconv chrono cinttypes climits clocale cmath compare complex
    concepts condition_variable coroutine csetjmp csignal cstdarg cstddef
    cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype deque exception
    execution filesystem format forward_list fstream functional future
    initializer_list iomanip ios iosfwd iostream istream iterator latch limits
    list locale map memory memory_resource mutex new numbers numeric optional
    ostream queue random ranges ratio regex scoped_allocator semaphore set
    shared_mutex source_location span sstream stack stdexcept stop_token
    streambuf string string_view strstream syncstream system_error thread tuple
    type_traits typeindex typeinfo unordered_map unordered_set utility valarray
    variant vector version
    """.split()
)

# --- What the simulator must not use -----------------------------------------

# In server/machine: (what, pattern, why, where it is allowed all the same).
BANNED_IN_MACHINE = (
    (
        "a clock",
        r"\b(chrono|system_clock|steady_clock|high_resolution_clock|std::clock"
        r"|gettimeofday|clock_gettime|timespec_get|localtime|gmtime|std::time)"
        r"\b|(?<![\w:.>])time\s*\(\s*(NULL|nullptr|0|&)",
        "time is simulated nanoseconds, moved by commands and costs",
        (),
    ),
    (
        "a thread or a lock",
        r"\b(std::(jthread|thread|async|future|promise|latch|barrier"
        r"|(recursive_|shared_|timed_)*mutex|condition_variable\w*|lock_guard"
        r"|unique_lock|scoped_lock|call_once)|thread_local|pthread_\w+)\b",
        "a machine is a value; the session above it holds the lock",
        (),
    ),
    (
        "an atomic",
        r"\b(std::atomic\w*|__atomic_\w+|__sync_\w+)\b",
        "a machine is used by one thread; only shared chunks are counted",
        (M + "base/cow.h",),
    ),
    (
        "a foreign source of chance",
        r"\b(random_device|mt19937(_64)?|minstd_rand0?|default_random_engine)\b"
        r"|(?<![\w.>])(srand|rand|random|drand48|getrandom)\s*\(",
        "use the machine's own generator, base/prng.h",
        (),
    ),
    (
        "floating point",
        r"\b(float|double)\b",
        "state is integers; only the text of proc/ may divide",
        (M + "proc/",),
    ),
    (
        "input or output",
        r"\bstd::(cin|cout|cerr|clog|[io]?fstream|filesystem)\b"
        r"|(?<![\w.>])(f?printf|puts|fopen|fwrite|fread|getenv|syscall)\s*\(",
        "Apply() is pure; say it in an event or an Outcome",
        (),
    ),
    (
        "a pointer as a number",
        r"\b(u?intptr_t)\b|std::less<[^<>]*\*>|std::hash<[^<>]*\*>",
        "addresses of objects differ from run to run",
        (),
    ),
)

BANNED_STANDARD_IN_MACHINE = frozenset(
    """
    barrier chrono condition_variable csignal ctime filesystem fstream future
    iostream latch locale mutex random semaphore shared_mutex stop_token
    syncstream thread
    """.split()
)

# --- The tree ----------------------------------------------------------------

TOP_LEVEL = frozenset(
    "CMakeLists.txt CMakePresets.json proto server client storage tests deploy "
    "README.md".split()
)
SKIPPED_DIRECTORIES = frozenset(
    [".git", ".cache", "build", "node_modules", "__pycache__"]
)
CXX = (".h", ".cc")
PROSE = CXX + (".proto", ".cmake", ".py", ".sh", ".md", ".ts", ".js", ".txt")
LINE_MAX = 80

CXX_TOKEN = re.compile(
    r"""
    R"(?P<tag>[^()\\\s]{0,16})\((?P<raw>.*?)\)(?P=tag)"
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<comment>//(?:[^\n\\]|\\.)*|/\*.*?\*/)
  | (?<![0-9A-Za-z_])(?P<char>'(?:\\.|[^'\\\n])+')
    """,
    re.DOTALL | re.VERBOSE,
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


@dataclasses.dataclass(frozen=True)
class Problem:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


@dataclasses.dataclass(frozen=True)
class Include:
    path: str
    quoted: bool
    line: int


def _read(path: str) -> str:
    with open(path, encoding="utf-8", newline="", errors="replace") as f:
        return f.read()


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


class File:
    """One text file, and views of it in which some things are blanked out.

    Blanking keeps every line and column where it was.
    """

    def __init__(self, path: str, text: str):
        self.path = path
        self.text = text
        self.lines = text.split("\n")

    def is_cxx(self) -> bool:
        return self.path.endswith(CXX)

    def line_of(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    def _without(self, kinds: tuple[str, ...]) -> str:
        def replace(m: re.Match) -> str:
            drop = any(m[kind] is not None for kind in kinds)
            return _blank(m[0]) if drop else m[0]

        return CXX_TOKEN.sub(replace, self.text)

    def code(self) -> str:
        """Without comments and literals."""
        return self._without(("raw", "string", "comment", "char"))

    def includes(self) -> Iterator[Include]:
        for m in INCLUDE.finditer(self._without(("raw", "comment"))):
            yield Include(m[2], m[1] == '"', self.line_of(m.start(1)))

    def raw_string_lines(self) -> set[int]:
        """The lines that a raw string literal touches."""
        touched: set[int] = set()
        for m in CXX_TOKEN.finditer(self.text):
            if m["raw"] is not None:
                first = self.line_of(m.start())
                touched.update(range(first, self.line_of(m.end()) + 1))
        return touched


class Tree:
    """The project's files, read once."""

    def __init__(self, root: str):
        self.root = root
        self.top_level = sorted(os.listdir(root))
        self.paths: set[str] = set()
        self.files: list[File] = []
        for directory, subdirectories, names in os.walk(root):
            subdirectories[:] = sorted(
                d for d in subdirectories if d not in SKIPPED_DIRECTORIES
            )
            for name in sorted(names):
                full = os.path.join(directory, name)
                path = os.path.relpath(full, root).replace(os.sep, "/")
                self.paths.add(path)
                if name.endswith(PROSE):
                    self.files.append(File(path, _read(full)))

    def cxx(self, under: str = "") -> Iterator[File]:
        return (
            f for f in self.files if f.is_cxx() and f.path.startswith(under)
        )


Rule = Callable[[Tree], Iterator[tuple[str, int, str]]]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    def add(check: Rule) -> Rule:
        RULES[name] = check
        return check

    return add


# --- Rules: who may include whom ---------------------------------------------


def layer_of(path: str) -> Layer | None:
    """The layer of a file, or None for a path that belongs to none."""
    found = [l for l in LAYERS if path.startswith(l.path)]
    return max(found, key=lambda l: len(l.path), default=None)


def library_of(header: str) -> str | None:
    for name, pattern in LIBRARIES:
        if pattern.match(header):
            return name
    return None


def is_ours(header: str) -> bool:
    return header.startswith(("server/", "storage/", "client/", "tests/"))


@rule("layer")
def check_layers(tree: Tree):
    """Our own headers: arrows only point down."""
    for file in tree.cxx():
        layer = layer_of(file.path)
        if layer is None:
            yield file.path, 1, "no layer has this path; C++ goes elsewhere"
            continue
        for include in file.includes():
            if not is_ours(include.path):
                continue
            if layer_of(include.path) == layer:
                continue
            if include.path.startswith(layer.ours):
                continue
            yield file.path, include.line, (
                f"{layer.path} must not include {include.path}: "
                + (
                    f"it may use {', '.join(layer.ours)}"
                    if layer.ours
                    else "it stands alone"
                )
            )


@rule("library")
def check_libraries(tree: Tree):
    """Others' headers: which layer may use which library."""
    for file in tree.cxx():
        layer = layer_of(file.path)
        if layer is None:
            continue
        for include in file.includes():
            header = include.path
            if is_ours(header) or header in STANDARD_HEADERS:
                continue
            library = library_of(header)
            if library is None:
                yield file.path, include.line, (
                    f"{header}: neither ours (path from the root), nor "
                    "standard C++, nor a library that tests/lint/tidy.py knows"
                )
            elif library not in layer.others:
                yield file.path, include.line, (
                    f"{layer.path} must not include {header} ({library}): it "
                    + (
                        f"may use {', '.join(layer.others)}"
                        if layer.others
                        else "uses standard C++ only"
                    )
                )


@rule("include")
def check_includes(tree: Tree):
    """An include names a file that is there, from the root, in quotes."""
    for file in tree.cxx():
        for include in file.includes():
            header = include.path
            if is_ours(header):
                if not include.quoted:
                    yield file.path, include.line, f'write "{header}"'
                elif header not in tree.paths:
                    yield file.path, include.line, f"there is no {header}"
            elif re.match(r"faultline/v\d+/", header):
                proto = "proto/" + re.sub(r"(\.grpc)?\.pb\.h$", ".proto", header)
                if proto not in tree.paths:
                    yield file.path, include.line, f"there is no {proto}"
            elif header in STANDARD_HEADERS and include.quoted:
                yield file.path, include.line, f"write <{header}>"


# --- Rules: the simulator ----------------------------------------------------


@rule("machine")
def check_machine_words(tree: Tree):
    """The simulator is deterministic and does no I/O."""
    for file in tree.cxx(M):
        code = INCLUDE.sub(lambda m: _blank(m[0]), file.code())
        for what, pattern, why, allowed in BANNED_IN_MACHINE:
            if file.path.startswith(allowed):
                continue
            for m in re.finditer(pattern, code):
                word = m[0].rstrip("({< ")
                yield file.path, file.line_of(m.start()), (
                    f"{what} ({word}) in the simulator: {why}"
                )
        for include in file.includes():
            if include.path in BANNED_STANDARD_IN_MACHINE or (
                include.path == "atomic" and file.path != M + "base/cow.h"
            ):
                yield file.path, include.line, (
                    f"<{include.path}> has no use in the simulator"
                )


@rule("hash-order")
def check_hash_iteration(tree: Tree):
    """The order of a hash container must not reach the machine's state."""
    declared = re.compile(
        r"\bunordered_(?:multi)?(?:map|set)\s*<[^;{}()]*>\s*&?\s*(\w+)"
    )
    names: set[str] = set()
    for file in tree.cxx(M):
        names.update(m[1] for m in declared.finditer(file.code()))
    if not names:
        return
    any_name = "|".join(sorted(map(re.escape, names)))
    iterated = re.compile(
        rf"\bfor\s*\([^;()]*:\s*(?:\w+(?:\.|->))*({any_name})\s*\)"
        rf"|\b({any_name})\s*\.\s*c?begin\s*\("
    )
    for file in tree.cxx(M):
        for m in iterated.finditer(file.code()):
            yield file.path, file.line_of(m.start()), (
                f"iterates over the hash container {m[1] or m[2]}: its order "
                "is not defined; use std::map, a vector or an index list"
            )


@rule("proc-const")
def check_proc_is_const(tree: Tree):
    """proc/ reads: it takes no kernel that it could change."""
    mutable = re.compile(r"(?<!const )\b(Kernel|Machine)\s*[&*]")
    for file in tree.cxx(M + "proc/"):
        for m in mutable.finditer(file.code()):
            yield file.path, file.line_of(m.start()), (
                f"proc/ only reads: take a const {m[1]}&"
            )


@rule("models")
def check_models(tree: Tree):
    """Each file of mm/ opens with what of Linux it models."""
    for file in tree.cxx(M + "mm/"):
        if not file.path.endswith(".cc"):
            continue
        opening = []
        for line in file.lines:
            if not line.startswith("//"):
                break
            opening.append(line.lstrip("/ "))
        if not re.search(r"\bModels [a-z]+/[\w./-]+", " ".join(opening)):
            yield file.path, 1, (
                "the opening comment lacks its model: "
                "`// Models mm/mmap.c (v6.18): do_mmap()`"
            )


# --- Rules: form -------------------------------------------------------------


@rule("form")
def check_form(tree: Tree):
    """Final newline, no tabs, no carriage returns, nothing after the text."""
    for file in tree.files:
        if file.path.endswith(".txt") and not is_cmake(file.path):
            continue  # data of a test
        if not file.text:
            yield file.path, 1, "the file is empty"
            continue
        if not file.text.endswith("\n"):
            yield file.path, len(file.lines), "no newline at the end"
        elif file.text.endswith("\n\n"):
            yield file.path, len(file.lines) - 1, "empty lines at the end"
        raw = file.raw_string_lines() if file.is_cxx() else set()
        for number, line in enumerate(file.lines, 1):
            if "\r" in line:
                yield file.path, number, "a carriage return"
                break
            if file.is_cxx() and "\t" in line and number not in raw:
                yield file.path, number, "a tab"
            if (
                line != line.rstrip()
                and number not in raw
                and not file.path.endswith(".md")
            ):
                yield file.path, number, "white space at the end of the line"


@rule("width")
def check_width(tree: Tree):
    """80 columns, but for what cannot be broken."""
    unbreakable = re.compile(r"https?://|^\s*#\s*(include|ifndef|define|endif)")
    for file in tree.cxx():
        raw = None
        for number, line in enumerate(file.lines, 1):
            if len(line) <= LINE_MAX or unbreakable.search(line):
                continue
            raw = file.raw_string_lines() if raw is None else raw
            if number not in raw:
                yield file.path, number, f"{len(line)} columns, not {LINE_MAX}"


@rule("guard")
def check_guards(tree: Tree):
    """A header's guard is its path."""
    for file in tree.cxx():
        if not file.path.endswith(".h"):
            continue
        guard = "FAULTLINE_" + re.sub(r"\W", "_", file.path).upper() + "_"
        code = file.code()
        first = re.search(r"^\s*#.*$", code, re.M)
        if first is None or first[0].split() != ["#ifndef", guard]:
            line = file.line_of(first.start()) if first else 1
            yield file.path, line, f"the guard must open with #ifndef {guard}"
        elif not re.search(rf"^#define {guard}$", code, re.M):
            yield file.path, file.line_of(first.start()), f"no #define {guard}"
        elif not file.text.endswith(f"#endif  // {guard}\n"):
            yield file.path, len(file.lines) - 1, (
                f"the last line must be `#endif  // {guard}`"
            )


@rule("todo")
def check_todo(tree: Tree):
    """A thing left to do has the number of its issue."""
    words = "TO" "DO|FIX" "ME|XX" "X"
    bare = re.compile(rf"\b({words})\b(?!\(#\d+\))")
    for file in tree.files:
        for number, line in enumerate(file.lines, 1):
            if m := bare.search(line):
                yield file.path, number, (
                    f"{m[1]} without an issue: write {m[1]}(#12)"
                )


@rule("place")
def check_places(tree: Tree):
    """No path of somebody's machine in what we ship."""
    foreign = re.compile(r"(?<![\w.])/(work|home/\w+|Users/\w+)/\w")
    for file in tree.files:
        if file.path.startswith("tests/") and not file.is_cxx():
            continue
        for number, line in enumerate(file.lines, 1):
            if m := foreign.search(line):
                yield file.path, number, f"a path of one machine: {m[0]}…"


# --- Rules: the tree ---------------------------------------------------------


def is_cmake(path: str) -> bool:
    return path.endswith(".cmake") or path.split("/")[-1] == "CMakeLists.txt"


@rule("dead-file")
def check_dead_files(tree: Tree):
    """A source is built by some CMakeLists.txt; a header is included."""
    built: set[str] = set()
    listed = re.compile(r"(\$\{PROJECT_SOURCE_DIR\}/)?([\w./+-]+\.cc)\b")
    for file in tree.files:
        if is_cmake(file.path):
            for m in listed.finditer(re.sub(r"#.*", "", file.text)):
                directory = "" if m[1] else os.path.dirname(file.path)
                path = os.path.normpath(os.path.join(directory, m[2]))
                built.add(path.replace(os.sep, "/"))
    included = {i.path for file in tree.cxx() for i in file.includes()}
    for file in tree.cxx():
        if file.path.endswith(".cc") and file.path not in built:
            yield file.path, 1, "no CMakeLists.txt or *.cmake lists this file"
        if file.path.endswith(".h") and file.path not in included:
            yield file.path, 1, "nothing includes this header"


@rule("top-level")
def check_top_level(tree: Tree):
    """What stands at the root is decided."""
    for name in tree.top_level:
        if name.startswith(".") or name in SKIPPED_DIRECTORIES:
            continue
        if name not in TOP_LEVEL:
            yield name, 1, (
                "the top level is fixed; put it beside what it is about"
            )


# --- Main --------------------------------------------------------------------


def problems_of(tree: Tree) -> list[Problem]:
    found = [
        Problem(path, line, name, message)
        for name, check in RULES.items()
        for path, line, message in check(tree)
    ]
    return sorted(found, key=lambda p: (p.path, p.line, p.rule))


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Checks the house rules that a compiler does not."
    )
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument(
        "root",
        nargs="?",
        default=os.path.normpath(os.path.join(here, "..", "..")),
        help="the tree to check (default: the one this file is in)",
    )
    root = parser.parse_args().root
    if not os.path.isfile(os.path.join(root, "CMakeLists.txt")):
        parser.error(f"{root} is not the root of a project: no CMakeLists.txt")
    tree = Tree(root)
    problems = problems_of(tree)
    for problem in problems:
        print(problem)
    print(
        f"tidy: {len(tree.files)} files, {len(RULES)} rules, "
        f"{len(problems)} problems"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
