"""What the documents show is what happens."""

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import runpy
import sys
import tomllib
import unittest
from unittest import mock

import faultline

import serving

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
DEFAULT = "localhost:50051"

EXAMPLE = """\
the parent touches 16 pages: 16 minor faults
the child loads them: 0
the child writes: 8 x FAULT_RESOLUTION_COW_COPY
mappings of the child's frames: 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2
the parent still reads: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
process 2 of {session} at revision 36: 196 KiB in 2 VMAs
  7ffff7fef000-7ffff7fff000 rw-p     64 KiB
  7ffffffde000-7ffffffff000 rw-p    132 KiB  [stack]
replayed: 36 of 36 commands are equal
"""

GRADEBOOK = """\
ada: 2 of 2
bob: 1 of 2
cy: 1 of 2
1 x faults-on-every-access
1 x memory-is-there-when-mapped
bob: A page that is present, and may be written to, does not fault. \
The first write brings the page; then it is there.
decided by: Minor fault: a first write at 0x7ffff7ffe000 got a new zeroed \
page, frame 0x4407.
"""


def setUpModule():
    global client
    client = serving.client_of_module(unittest.addModuleCleanup)


class Documents(unittest.TestCase):
    def check(self, path, examples):
        """Runs the >>> lines of a document against our server."""
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            text = file.read().replace(DEFAULT, client.address)
        # A block ends with ```, which is no output.
        text = text.replace("\n```", "\n\n```")
        test = doctest.DocTestParser().get_doctest(text, {}, path, path, 0)
        self.assertGreaterEqual(len(test.examples), examples)
        output = io.StringIO()
        runner = doctest.DocTestRunner(verbose=False)
        runner.run(test, out=output.write)
        self.assertEqual(output.getvalue(), "")

    def test_the_tour(self):
        self.check("README.md", 13)

    def test_the_readme_of_the_client(self):
        self.check("client/python/README.md", 17)

    def run_example(self, name):
        script = os.path.join(ROOT, "client/python/examples", name)
        output = io.StringIO()
        with (
            mock.patch.object(sys, "argv", [script, client.address]),
            contextlib.redirect_stdout(output),
        ):
            runpy.run_path(script)
        return output.getvalue()

    def test_the_example(self):
        before = {session.name for session in client.list_sessions()}
        output = self.run_example("cow.py")
        after = {session.name for session in client.list_sessions()}
        (session,) = after - before
        self.assertEqual(output, EXAMPLE.format(session=session))

    def test_the_class(self):
        self.assertEqual(self.run_example("gradebook.py"), GRADEBOOK)


class Package(unittest.TestCase):
    def test_every_module_and_name_has_a_docstring(self):
        modules = [faultline]
        for found in pkgutil.iter_modules(faultline.__path__):
            modules.append(importlib.import_module(f"faultline.{found.name}"))
        self.assertGreater(len(modules), 12)
        for module in modules:
            self.assertTrue(module.__doc__, module)
            for name, value in vars(module).items():
                if name.startswith("_") or not callable(value):
                    continue
                if getattr(value, "__module__", "") == module.__name__:
                    self.assertTrue(value.__doc__, f"{module}: {name}")

    def test_what_pip_would_install(self):
        home = os.path.dirname(os.path.dirname(faultline.__file__))
        with open(os.path.join(home, "pyproject.toml"), "rb") as file:
            project = tomllib.load(file)
        self.assertEqual(project["project"]["version"], faultline.__version__)
        packages = project["tool"]["setuptools"]["packages"]
        found = [
            os.path.relpath(path, home).replace(os.sep, ".")
            for path, _, names in os.walk(os.path.join(home, "faultline"))
            if "__init__.py" in names
        ]
        self.assertEqual(sorted(packages), sorted(found))


if __name__ == "__main__":
    unittest.main()
