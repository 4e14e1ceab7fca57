#!/usr/bin/env python3
"""Tests of tidy.py: small made-up trees, and what the lint says of them.

Each rule has trees that pass and trees that fail; a rule without both fails
the test at the end.
"""

import os
import subprocess
import sys
import tempfile
import unittest

import tidy

TIDY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tidy.py")


def header(path: str, body: str = "") -> str:
    """A header at `path` that keeps every rule of form."""
    guard = "FAULTLINE_" + path.replace("/", "_").replace(".", "_").upper() + "_"
    return f"#ifndef {guard}\n#define {guard}\n{body}#endif  // {guard}\n"


def source(*includes: str) -> str:
    return "".join(f"#include {name}\n" for name in includes)


def write_tree(root: str, files: dict[str, str]) -> None:
    for path, text in {"CMakeLists.txt": "project(x)\n", **files}.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8", newline="") as f:
            f.write(text)


def problems(rule: str, files: dict[str, str]) -> list[str]:
    """`path:line` of each problem that one rule finds in a tree."""
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, files)
        found = tidy.RULES[rule](tidy.Tree(root))
        return sorted(f"{path}:{line}" for path, line, _ in found)


MM = "server/machine/mm/mmap.cc"

# Who includes what: (rule, includer, header, is it lawful?).
INCLUDES = [
    # The ladder inside the machine.
    ("layer", "server/machine/base/a.h", "server/machine/base/b.h", True),
    ("layer", "server/machine/base/a.h", "server/machine/trace/b.h", False),
    ("layer", "server/machine/trace/a.h", "server/machine/base/b.h", True),
    ("layer", "server/machine/trace/a.h", "server/machine/hw/b.h", False),
    ("layer", "server/machine/hw/a.h", "server/machine/trace/b.h", True),
    ("layer", "server/machine/hw/a.h", "server/machine/mm/b.h", False),
    ("layer", "server/machine/hw/a.h", "server/machine/kernel.h", False),
    ("layer", MM, "server/machine/hw/b.h", True),
    ("layer", MM, "server/machine/kernel.h", True),
    ("layer", MM, "server/machine/task/b.h", False),
    ("layer", MM, "server/machine/syscalls/b.h", False),
    ("layer", MM, "server/machine/machine.h", False),
    ("layer", "server/machine/task/a.cc", "server/machine/mm/b.h", True),
    ("layer", "server/machine/task/a.cc", "server/machine/fs/b.h", True),
    ("layer", "server/machine/fs/a.cc", "server/machine/task/b.h", True),
    ("layer", "server/machine/fs/a.cc", "server/machine/proc/b.h", False),
    ("layer", "server/machine/syscalls/a.cc", "server/machine/fs/b.h", True),
    ("layer", "server/machine/syscalls/a.cc", "server/machine/proc/b.h", False),
    ("layer", "server/machine/malloc/a.cc", "server/machine/mm/b.h", True),
    ("layer", "server/machine/malloc/a.cc", "server/machine/proc/b.h", False),
    ("layer", "server/machine/syscalls/a.cc", "server/machine/malloc/b.h", True),
    ("layer", "server/machine/task/a.cc", "server/machine/malloc/b.h", False),
    ("layer", "server/machine/proc/a.cc", "server/machine/task/b.h", True),
    ("layer", "server/machine/proc/a.cc", "server/machine/syscalls/b.h", False),
    ("layer", "server/machine/machine.cc", "server/machine/proc/b.h", True),
    ("layer", "server/machine/kernel.h", "server/machine/fs/b.h", True),
    ("layer", "server/machine/outcome.h", "server/machine/trace/b.h", True),
    ("layer", "server/machine/outcome.h", "server/machine/mm/b.h", False),
    ("layer", "server/machine/command.h", "server/machine/outcome.h", False),
    ("layer", "server/machine/machine.h", "server/codec/b.h", False),
    ("layer", "server/machine/personality.cc", "server/machine/mm/b.h", False),
    ("layer", MM, "server/machine/config_error.h", True),
    # The house around it.
    ("layer", "storage/a.cc", "storage/b.h", True),
    ("layer", "storage/a.cc", "server/limits.h", False),
    ("layer", "storage/a.cc", "server/machine/command.h", False),
    ("layer", "server/codec/a.cc", "server/machine/command.h", True),
    ("layer", "server/codec/a.cc", "server/limits.h", True),
    ("layer", "server/codec/a.cc", "storage/b.h", False),
    ("layer", "server/scenario/a.cc", "server/scenario/b.h", True),
    ("layer", "server/scenario/a.cc", "server/machine/machine.h", False),
    ("layer", "server/scenario/a.cc", "client/cpp/b.h", False),
    ("layer", "server/grading/a.cc", "server/machine/machine.h", True),
    ("layer", "server/grading/a.cc", "server/scenario/b.h", True),
    ("layer", "server/grading/a.cc", "server/local_machine.h", True),
    ("layer", "server/grading/a.cc", "server/session/b.h", False),
    ("layer", "server/grading/a.cc", "storage/b.h", False),
    ("layer", "server/local_machine.cc", "server/codec/b.h", True),
    ("layer", "server/local_machine.cc", "server/session/b.h", False),
    ("layer", "server/session/a.cc", "storage/b.h", True),
    ("layer", "server/session/a.cc", "server/codec/b.h", True),
    ("layer", "server/session/a.cc", "server/service/b.h", False),
    ("layer", "server/service/a.cc", "server/session/b.h", True),
    ("layer", "server/service/a.cc", "server/limits.h", True),
    ("layer", "server/service/a.cc", "storage/b.h", False),
    ("layer", "server/service/a.cc", "server/web/b.h", False),
    ("layer", "server/web/a.cc", "server/grading/b.h", True),
    ("layer", "server/web/a.cc", "server/service/b.h", False),
    ("layer", "server/main.cc", "server/service/b.h", True),
    ("layer", "server/main.cc", "storage/b.h", True),
    ("layer", "server/main.cc", "client/cli/b.h", True),
    ("layer", "server/limits.h", "storage/b.h", False),
    ("layer", "client/cpp/a.cc", "client/cpp/b.h", True),
    ("layer", "client/cpp/a.cc", "client/cli/b.h", False),
    ("layer", "client/cli/strace/a.cc", "client/cpp/b.h", True),
    ("layer", "client/cli/strace/a.cc", "server/scenario/b.h", True),
    ("layer", "client/cli/a.cc", "server/machine/base/b.h", False),
    ("layer", "client/cli/a.cc", "server/limits.h", False),
    ("layer", "tests/e2e/a.cc", "server/machine/machine.h", True),
    ("layer", "server/machine/mm/a.cc", "tests/b.h", False),
    ("layer", "lib/a.cc", "storage/b.h", False),
    # Others' libraries.
    ("library", MM, "vector", True),
    ("library", MM, "absl/status/status.h", False),
    ("library", MM, "sys/mman.h", False),
    ("library", MM, "string.h", False),
    ("library", MM, "faultline/v1/command.pb.h", False),
    ("library", MM, "mmap.h", False),
    ("library", MM, "boost/any.hpp", False),
    ("library", "server/grading/a.cc", "absl/strings/str_cat.h", True),
    ("library", "server/grading/a.cc", "faultline/v1/command.pb.h", True),
    ("library", "server/grading/a.cc", "grpcpp/server.h", False),
    ("library", "server/grading/a.cc", "sqlite3.h", False),
    ("library", "server/grading/a.cc", "yaml-cpp/parser.h", True),
    ("library", "server/service/a.cc", "yaml-cpp/parser.h", False),
    ("library", "server/codec/a.cc", "faultline/v1/command.pb.h", True),
    ("library", "server/codec/a.cc", "google/protobuf/message.h", True),
    ("library", "server/codec/a.cc", "faultline/v1/machine.grpc.pb.h", False),
    ("library", "server/codec/a.cc", "grpcpp/grpcpp.h", False),
    ("library", "server/session/a.cc", "faultline/v1/command.pb.h", True),
    ("library", "server/session/a.cc", "grpcpp/grpcpp.h", False),
    ("library", "server/session/a.cc", "sqlite3.h", False),
    ("library", "server/session/a.cc", "unistd.h", False),
    ("library", "server/service/a.cc", "grpcpp/grpcpp.h", True),
    ("library", "server/service/a.cc", "faultline/v1/machine.grpc.pb.h", True),
    ("library", "server/service/a.cc", "sqlite3.h", False),
    ("library", "server/main.cc", "grpcpp/grpcpp.h", True),
    ("library", "server/main.cc", "CLI/CLI.hpp", True),
    ("library", "server/main.cc", "sqlite3.h", False),
    ("library", "storage/a.cc", "sqlite3.h", True),
    ("library", "storage/a.cc", "zstd.h", True),
    ("library", "storage/a.cc", "fcntl.h", True),
    ("library", "storage/a.cc", "faultline/v1/command.pb.h", False),
    ("library", "storage/a.cc", "grpc/grpc.h", False),
    ("library", "client/cpp/a.cc", "grpcpp/grpcpp.h", True),
    ("library", "client/cpp/a.cc", "editline/readline.h", False),
    ("library", "client/cli/a.cc", "editline/readline.h", True),
    ("library", "client/cli/a.cc", "sqlite3.h", False),
    ("library", "client/cli/a.cc", "gtest/gtest.h", False),
    ("library", "tests/storage/a.cc", "gtest/gtest.h", True),
    ("library", "tests/storage/a.cc", "sqlite3.h", True),
]

MODELS = "// The maps.\n// Models mm/mmap.c (v6.18): do_mmap().\n"

# (rule, files, where it is broken: nothing for a tree that passes).
CASES = [
    ("layer", {"storage/a.cc": '// #include "server/limits.h"\n'}, []),
    ("layer", {"storage/a.cc": 'auto s = R"(\n#include "server/x.h"\n)";\n'}, []),
    ("layer", {"storage/a.cc": '\n#  include  "server/x.h"\n'}, ["storage/a.cc:2"]),
    ("library", {MM: "/*\n#include <thread.h>\n*/\n"}, []),
    (
        "include",
        {
            "storage/a.cc": source("<vector>", '"storage/b.h"', '"zstd.h"'),
            "storage/b.h": "",
        },
        [],
    ),
    ("include", {"storage/a.cc": source('"storage/b.h"')}, ["storage/a.cc:1"]),
    (
        "include",
        {"storage/a.cc": source("<storage/b.h>"), "storage/b.h": ""},
        ["storage/a.cc:1"],
    ),
    ("include", {"storage/a.cc": source('"vector"')}, ["storage/a.cc:1"]),
    (
        "include",
        {
            "server/codec/a.cc": source('"faultline/v1/command.pb.h"'),
            "proto/faultline/v1/command.proto": "",
        },
        [],
    ),
    (
        "include",
        {"server/codec/a.cc": source('"faultline/v1/command.pb.h"')},
        ["server/codec/a.cc:1"],
    ),
    # The simulator's banned words, one each, and what only looks like them.
    ("machine", {MM: "auto t = std::chrono::seconds(1);\n"}, [f"{MM}:1"]),
    ("machine", {MM: "auto t = time(nullptr);\n"}, [f"{MM}:1"]),
    ("machine", {MM: "k.clock.Advance(k.time(0));\n"}, []),
    ("machine", {MM: "\nstd::thread t;\n"}, [f"{MM}:2"]),
    ("machine", {MM: "std::lock_guard<M> l(m);\n"}, [f"{MM}:1"]),
    ("machine", {MM: "thread_local int x;\n"}, [f"{MM}:1"]),
    ("machine", {MM: "std::atomic<int> x;\n"}, [f"{MM}:1"]),
    (
        "machine",
        {"server/machine/base/cow.h": "#include <atomic>\nstd::atomic<int> x;\n"},
        [],
    ),
    ("machine", {MM: "std::random_device d;\n"}, [f"{MM}:1"]),
    ("machine", {MM: "int x = rand();\n"}, [f"{MM}:1"]),
    ("machine", {MM: "int x = k.prng.random();\n"}, []),
    ("machine", {MM: "double x;\nfloat y;\n"}, [f"{MM}:1", f"{MM}:2"]),
    ("machine", {"server/machine/proc/loadavg.cc": "double x;\n"}, []),
    ("machine", {"server/session/a.cc": "std::thread t;\ndouble x;\n"}, []),
    ("machine", {MM: 'printf("x");\n'}, [f"{MM}:1"]),
    ("machine", {MM: "std::cerr << 1;\n"}, [f"{MM}:1"]),
    ("machine", {MM: 'snprintf(b, n, "x");\n'}, []),
    ("machine", {MM: "auto x = uintptr_t(&y);\n"}, [f"{MM}:1"]),
    ("machine", {MM: "// a thread, a double\n/* float */ int x;\n"}, []),
    ("machine", {MM: "auto s = \"float \\\" double\"; auto c = 'd';\n"}, []),
    ("machine", {MM: "int x = 1'000'000; float y;\n"}, [f"{MM}:1"]),
    ("machine", {MM: source("<chrono>", "<map>", "<mutex>")}, [f"{MM}:1", f"{MM}:3"]),
    (
        "hash-order",
        {MM: "std::unordered_map<int, std::vector<int>> m;\nm.find(3);\n"},
        [],
    ),
    (
        "hash-order",
        {MM: "std::map<int, int> m;\nfor (auto& [k, v] : m) {\n}\n"},
        [],
    ),
    (
        "hash-order",
        {
            "server/machine/mm/a.h": "std::unordered_map<int, int> seen_;\n",
            MM: "\nfor (auto& [k, v] : x->seen_) {\n}\n",
        },
        [f"{MM}:2"],
    ),
    (
        "hash-order",
        {MM: "std::unordered_set<int> s;\nauto i = s.begin();\n"},
        [f"{MM}:2"],
    ),
    ("proc-const", {"server/machine/proc/a.h": "S Maps(const Kernel& k);\n"}, []),
    (
        "proc-const",
        {"server/machine/proc/a.h": "S Maps(Kernel& k);\n"},
        ["server/machine/proc/a.h:1"],
    ),
    ("proc-const", {"server/machine/mm/a.h": "void Unmap(Kernel& k);\n"}, []),
    ("models", {MM: MODELS + '#include "x.h"\n'}, []),
    ("models", {MM: "// A long\n// story. Models\n// mm/mmap.c.\n"}, []),
    ("models", {"server/machine/mm/mmap.h": "// No model needed.\n"}, []),
    ("models", {"server/machine/hw/tlb.cc": "// No model needed.\n"}, []),
    ("models", {MM: "// The maps.\nint x;\n"}, [f"{MM}:1"]),
    ("models", {MM: "int x;\n// Models mm/mmap.c\n"}, [f"{MM}:1"]),
    ("form", {"storage/a.cc": "int x;\n"}, []),
    ("form", {"storage/a.cc": "int x;"}, ["storage/a.cc:1"]),
    ("form", {"storage/a.cc": ""}, ["storage/a.cc:1"]),
    ("form", {"storage/a.cc": "int x;\n\n"}, ["storage/a.cc:2"]),
    ("form", {"storage/a.cc": "if (x)\n\treturn;\n"}, ["storage/a.cc:2"]),
    ("form", {"storage/a.cc": "int x;  \n"}, ["storage/a.cc:1"]),
    ("form", {"storage/a.cc": "int x;\r\nint y;\r\n"}, ["storage/a.cc:1"]),
    ("form", {"tests/a_test.cc": 'auto s = R"(a\tb \n)";\n'}, []),
    ("form", {"deploy/a.sh": "echo x"}, ["deploy/a.sh:1"]),
    ("form", {"tests/data/a.txt": "x\ty \r\n\n"}, []),
    ("width", {"storage/a.cc": "x" * 80 + "\n"}, []),
    ("width", {"storage/a.cc": "\n" + "x" * 81 + "\n"}, ["storage/a.cc:2"]),
    ("width", {"storage/a.cc": "// …" + "x" * 76 + "\n"}, []),
    ("width", {"storage/a.cc": "// https://a.example/" + "x" * 80 + "\n"}, []),
    ("width", {"storage/a.cc": "#include <" + "x" * 80 + ">\n"}, []),
    ("width", {"tests/a.cc": 'auto s = R"(\n' + "x" * 90 + '\n)";\n'}, []),
    ("width", {"README.md": "x" * 90 + "\n"}, []),
    ("guard", {"storage/a_b.h": header("storage/a_b.h", "int x;\n")}, []),
    (
        "guard",
        {"storage/a.h": "// What it is.\n" + header("storage/a.h")},
        [],
    ),
    ("guard", {"storage/a.h": header("storage/b.h")}, ["storage/a.h:1"]),
    ("guard", {"storage/a.h": "#pragma once\n"}, ["storage/a.h:1"]),
    ("guard", {"storage/a.h": "int x;\n"}, ["storage/a.h:1"]),
    (
        "guard",
        {"storage/a.h": header("storage/a.h").replace("#define", "#undef")},
        ["storage/a.h:1"],
    ),
    (
        "guard",
        {"storage/a.h": header("storage/a.h").replace("  // FAULTLINE", " //")},
        ["storage/a.h:3"],
    ),
    ("todo", {"storage/a.cc": "// TO" "DO(#12): shrink it\n"}, []),
    ("todo", {"storage/a.cc": "// What kTO" "DOs are\n"}, []),
    ("todo", {"storage/a.cc": "\n// TO" "DO: shrink it\n"}, ["storage/a.cc:2"]),
    ("todo", {"deploy/a.sh": "# FIX" "ME(ann)\n"}, ["deploy/a.sh:1"]),
    ("place", {"README.md": "see framework/work/x and /workbench\n"}, []),
    ("place", {"tests/traces/a.txt": "open(\"/home/ann/x\")\n"}, []),
    ("place", {"README.md": "see /home/ann/x\n"}, ["README.md:1"]),
    ("place", {"tests/a.cc": 'Open("/work/x");\n'}, ["tests/a.cc:1"]),
    (
        "dead-file",
        {
            "storage/CMakeLists.txt": "lib(storage a.cc sub/b.cc)\n",
            "storage/a.cc": source('"storage/a.h"'),
            "storage/a.h": "",
            "storage/sub/b.cc": "",
        },
        [],
    ),
    (
        "dead-file",
        {
            "storage/CMakeLists.txt": "lib(storage # a.cc\n aa.cc)\n",
            "storage/a.cc": "",
        },
        ["storage/a.cc:1"],
    ),
    (
        "dead-file",
        {
            "deploy/x.cmake": "lib(x ${PROJECT_SOURCE_DIR}/storage/a.cc)\n",
            "storage/a.cc": "",
        },
        [],
    ),
    ("dead-file", {"storage/a.h": ""}, ["storage/a.h:1"]),
    ("top-level", {"README.md": "x\n", ".ci/run": "x\n", "build/x": "x\n"}, []),
    ("top-level", {"utils/a.py": "x\n"}, ["utils:1"]),
    ("top-level", {"NOTES.md": "x\n"}, ["NOTES.md:1"]),
]


class TidyTest(unittest.TestCase):
    def test_who_may_include_whom(self):
        for rule, includer, name, lawful in INCLUDES:
            with self.subTest(includer=includer, include=name):
                found = problems(rule, {includer: source(f'"{name}"')})
                self.assertEqual([] if lawful else [f"{includer}:1"], found)

    def test_each_rule_passes_and_fails_where_it_should(self):
        for rule, files, expected in CASES:
            with self.subTest(rule=rule, files=files):
                self.assertEqual(expected, problems(rule, files))

    def test_every_rule_has_a_passing_and_a_failing_tree(self):
        verdicts = {(rule, not expected) for rule, _, expected in CASES}
        verdicts |= {(rule, lawful) for rule, _, _, lawful in INCLUDES}
        wanted = {(rule, ok) for rule in tidy.RULES for ok in (True, False)}
        self.assertEqual(set(), wanted - verdicts)

    def run_tidy(self, files: dict[str, str]) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, files)
            return subprocess.run(
                [sys.executable, TIDY, root], capture_output=True, text=True
            )

    def test_a_clean_tree_ends_with_status_0(self):
        run = self.run_tidy(
            {
                "storage/CMakeLists.txt": "lib(storage a.cc)\n",
                "storage/a.cc": source('"storage/a.h"'),
                "storage/a.h": header("storage/a.h"),
            }
        )
        self.assertEqual(
            (0, f"tidy: 4 files, {len(tidy.RULES)} rules, 0 problems\n"),
            (run.returncode, run.stdout),
        )

    def test_problems_are_printed_in_order_with_status_1(self):
        run = self.run_tidy(
            {
                "storage/CMakeLists.txt": "lib(storage a.cc b.cc)\n",
                "storage/b.cc": "int x;",
                "storage/a.cc": "\n" + source('"server/limits.h"'),
                "server/CMakeLists.txt": "lib(server main.cc)\n",
                "server/main.cc": source('"server/limits.h"'),
                "server/limits.h": header("server/limits.h"),
            }
        )
        self.assertEqual(1, run.returncode)
        self.assertEqual(
            [
                "storage/a.cc:2: [layer] storage/ must not include "
                "server/limits.h: it stands alone",
                "storage/b.cc:1: [form] no newline at the end",
                f"tidy: 7 files, {len(tidy.RULES)} rules, 2 problems",
            ],
            run.stdout.splitlines(),
        )

    def test_a_directory_that_is_no_project_is_refused(self):
        with tempfile.TemporaryDirectory() as root:
            run = subprocess.run(
                [sys.executable, TIDY, root], capture_output=True, text=True
            )
        self.assertEqual(2, run.returncode)
        self.assertIn("no CMakeLists.txt", run.stderr)


if __name__ == "__main__":
    unittest.main()
