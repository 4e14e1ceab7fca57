"""Commands: every call of the contract, errno and signals as data."""

import inspect
import unittest

import faultline
from faultline import commands, v1
from faultline.calls import Calls
from faultline.flags import *

import serving


def setUpModule():
    global client
    client = serving.client_of_module(unittest.addModuleCleanup)


OPS = {field.name for field in v1.Command.DESCRIPTOR.oneofs[0].fields}
SAMPLES = {
    "type": 0,
    "param": 0,
    "count": 0,
    "offset": 0,
    "mode": 0,
    "ranges": [(4096, 4096)],
    "option": 65,
    "uid": 1000,
    "pgoff": 0,
    "addr": 4096,
    "addrs": [4096, 8192],
    "kinds": [v1.ACCESS_KIND_READ],
    "length": 4096,
    "old_length": 4096,
    "new_length": 8192,
    "prot": PROT_READ,
    "advice": MADV_DONTNEED,
    "flags": 1,
    "name": "a",
    "path": "/f",
    "fd": 3,
    "data": b"x",
    "size": 1,
    "resource": RLIMIT_STACK,
    "soft": 1,
    "pfn": 1,
    "value": 1,
    "nanoseconds": 1,
    "target": 1,
    "signal": SIGTERM,
    "cmd": 1034,
    "kind": v1.ACCESS_KIND_READ,
    "major": 254,
    "minor": 0,
    "policy": v1.REPLACEMENT_POLICY_NONE,
}


def required(method):
    return [
        name
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_POSITIONAL
        and name != "self"
    ]


class EveryCall(unittest.TestCase):
    def methods(self):
        return {
            name: method
            for name, method in vars(Calls).items()
            if inspect.isfunction(method) and not name.startswith("_")
        }

    def test_each_operation_of_the_contract_has_a_method(self):
        methods = set(self.methods())
        self.assertEqual(methods - {"load", "store", "fetch"}, OPS - {"access"})

    def test_each_method_is_accepted_by_the_server(self):
        lab = client.create_session()
        for name, method in self.methods().items():
            if name in ("exit", "kill"):
                continue  # last, below
            arguments = {n: SAMPLES[n] for n in required(method)}
            with self.subTest(name, **arguments):
                before = lab.revision
                outcome = getattr(lab, name)(**arguments)
                self.assertEqual(outcome.revision, before + 1)
                self.assertEqual(lab.revision, before + 1)
                self.assertFalse(outcome.no_process)
        self.assertEqual(lab.kill(1, SIGTERM).errno, None)
        self.assertTrue(lab.exit(1).no_process)
        recorded = {e.command.WhichOneof("op") for e in lab.history()}
        self.assertEqual(recorded, OPS)

    def test_commands_makes_the_same_without_executing(self):
        for name, method in self.methods().items():
            arguments = {n: SAMPLES[n] for n in required(method)}
            command = getattr(commands, name)(**arguments)
            self.assertIsInstance(command, v1.Command)

    def test_a_call_by_name(self):
        lab = client.create_session()
        outcome = lab.call("mmap", 1, length=4096, prot=3, flags=0x22)
        self.assertEqual(outcome.value, 0x7FFFF7FFE000)
        self.assertEqual(lab.call("wait", 1, pid=7).errno, Errno.ECHILD)


class Results(unittest.TestCase):
    def setUp(self):
        self.lab = client.create_session()

    def test_many_accesses_are_one_command(self):
        page = self.lab.mmap(8192).check().value
        write, read = v1.ACCESS_KIND_WRITE, v1.ACCESS_KIND_READ
        outcome = self.lab.access_many(
            [0, 4096, 0],
            [write, write, read],
            values=b"\x07\x08\x00",
            base=page,
            data=True,
        )
        self.assertEqual((outcome.min_flt, outcome.accesses), (2, 3))
        self.assertEqual(outcome.data, b"\x07\x08\x07")

    def test_an_address_and_what_a_store_cost(self):
        page = self.lab.mmap(8192).check().value
        outcome = self.lab.store(page, 7, count=2)
        self.assertEqual((outcome.min_flt, outcome.accesses), (2, 2))
        self.assertEqual(repr(outcome), "<Outcome 0, 2 minor faults>")
        self.assertEqual(self.lab.load(page).value, 7)

    def test_events_are_sentences_and_fields(self):
        page = self.lab.mmap(4096).value
        outcome = self.lab.store(page, 7)
        first, second = outcome.events
        self.assertEqual(first.kind, "page_fault_user")
        self.assertEqual(first.body.address, page)
        self.assertEqual(second.kind, "fault_resolved")
        self.assertIn("got a new zeroed page", str(second))
        self.assertEqual(
            str(outcome), f"0, 1 minor fault\n{first.text}\n{second.text}"
        )

    def test_the_event_level_is_a_setting(self):
        page = self.lab.mmap(4096).value
        quiet = self.lab.with_settings(event_level=v1.EVENT_LEVEL_NONE)
        outcome = quiet.store(page, 7)
        self.assertEqual((outcome.min_flt, outcome.events), (1, ()))
        loud = self.lab.with_settings(event_level=v1.EVENT_LEVEL_ALL)
        kinds = [event.kind for event in loud.mmap(4096).events]
        self.assertIn("vma_merge", kinds)

    def test_an_errno_is_data(self):
        outcome = self.lab.munmap(1, 4096)
        self.assertEqual(outcome.errno, Errno.EINVAL)
        self.assertEqual(outcome.value, -22)
        self.assertFalse(outcome.ok)
        self.assertEqual(repr(outcome), "<Outcome EINVAL>")
        self.assertEqual(f"{outcome.errno}", "EINVAL")

    def test_check_raises_what_python_raises(self):
        with self.assertRaises(FileNotFoundError):
            self.lab.open("/nowhere").check()
        with self.assertRaises(OSError) as raised:
            self.lab.munmap(1, 4096).check()
        self.assertEqual(raised.exception.errno, 22)
        with self.assertRaises(faultline.NoProcess):
            self.lab.fork(pid=9).check()

    def test_a_signal_is_data(self):
        outcome = self.lab.load(2**64 - 1)
        self.assertEqual(outcome.signal.signal, SIGSEGV)
        self.assertEqual(outcome.signal.addr, 2**64 - 1)
        self.assertEqual(str(outcome.signal), "SIGSEGV at 0xffffffffffffffff")
        with self.assertRaises(faultline.Signalled) as raised:
            outcome.check()
        self.assertEqual(raised.exception.signal, outcome.signal)

    def test_an_errno_that_this_client_does_not_know(self):
        unknown = Errno(133)
        self.assertEqual((unknown.name, int(unknown)), ("E133", 133))

    def test_fork_and_copy_on_write(self):
        lab = self.lab
        page = lab.mmap(4096).value
        lab.store(page, 7)
        child = lab.fork().value
        lab.store(page, 9, pid=child)
        self.assertEqual(lab.load(page).value, 7)
        self.assertEqual(lab.load(page, pid=child).value, 9)
        self.assertTrue(lab.exit(3, pid=child).exited)
        waited = lab.wait()
        self.assertEqual((waited.value, waited.data), (child, b"\0\3\0\0"))

    def test_a_file_and_its_bytes(self):
        lab = self.lab
        lab.create_file("/f", data=bytes(range(256))).check()
        fd = lab.open("/f", O_RDWR).check().value
        lab.write(fd, b"\xff", 3).check()
        self.assertEqual(lab.read(fd, 3, 2).data, b"\2\xff\4")


class Arguments(unittest.TestCase):
    def test_what_does_not_fit_is_named(self):
        for make, words in (
            (lambda: commands.mmap(-1), "mmap: length: -1 does not fit"),
            (lambda: commands.mmap(2**64), "mmap: length"),
            (lambda: commands.fork(pid=-1), "fork: pid"),
            (lambda: commands.store(0, -1), "access: value"),
            (lambda: faultline.make_command("mmmap"), "no call 'mmmap'"),
            (lambda: faultline.make_command("pid"), "no call 'pid'"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                make()
        with self.assertRaisesRegex(TypeError, "set_vma_name: name"):
            commands.set_vma_name(0, 0, 7)

    def test_flags_are_ints_with_linux_names(self):
        self.assertEqual(MAP_PRIVATE | MAP_ANONYMOUS, 0x22)
        self.assertEqual(str(PROT_READ | PROT_WRITE), "PROT_READ|PROT_WRITE")
        self.assertEqual(commands.mmap(1, prot=3), commands.mmap(1))


class Order(unittest.TestCase):
    def test_a_repeated_request_id_gives_the_first_outcome(self):
        lab = client.create_session()
        first = lab.call(commands.mmap(4096), request_id="mine")
        again = client.open_session(lab.name).call(
            commands.mmap(4096), request_id="mine"
        )
        self.assertEqual(again.value, first.value)
        self.assertEqual(again.revision, 1)
        with self.assertRaises(faultline.RequestIdReused):
            lab.call(commands.fork(), request_id="mine")

    def test_an_expected_revision(self):
        lab = client.create_session()
        lab.call(commands.fork(), expected_revision=0)
        with self.assertRaises(faultline.RevisionMismatch) as raised:
            lab.call(commands.fork(), expected_revision=0)
        self.assertEqual(raised.exception.metadata["revision"], "1")
        self.assertEqual(lab.describe().revision, 1)


if __name__ == "__main__":
    unittest.main()
