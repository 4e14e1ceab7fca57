"""Run: batches, in order, and after the line was cut."""

import unittest

import faultline
from faultline import commands, v1

import serving


def setUpModule():
    global client
    client = serving.client_of_module(unittest.addModuleCleanup)


def stores(page, count):
    """A load after each store shows that they come in order."""
    for i in range(count):
        yield commands.store(page, i % 256)
        yield commands.load(page)


class Batches(unittest.TestCase):
    def setUp(self):
        self.lab = client.create_session()
        self.page = self.lab.mmap(4096).check().value

    def check(self, outcomes, count):
        self.assertEqual(len(outcomes), 2 * count)
        for i, outcome in enumerate(outcomes):
            self.assertEqual(outcome.revision, i + 2)
        values = [outcome.value for outcome in outcomes[1::2]]
        self.assertEqual(values, [i % 256 for i in range(count)])

    def test_outcomes_come_in_order(self):
        for batch_size in (1, 7, 4096):
            with self.subTest(batch_size):
                self.setUp()
                outcomes = list(
                    self.lab.run(stores(self.page, 100), batch_size=batch_size)
                )
                self.check(outcomes, 100)
                self.assertEqual(self.lab.revision, 201)

    def test_packed_answers_say_the_same(self):
        program = [
            commands.mmap(8192),
            commands.munmap(1, 1),
            commands.load(0),
            commands.store(self.page, 3),
            commands.fork(),
            commands.mincore(self.page, 4096),
            commands.tick(2**33 + 1),
        ]
        plain = list(self.lab.run(program))
        other = client.create_session()
        other.mmap(4096)
        packed = list(
            other.with_settings(event_level=v1.EVENT_LEVEL_NONE).run(
                program, packed=True
            )
        )
        self.assertEqual(list(map(repr, packed)), list(map(repr, plain)))
        for a, b in zip(packed, plain):
            self.assertEqual(a.value, b.value)
            self.assertEqual(a.errno, b.errno)
            self.assertEqual(a.signal, b.signal)
            self.assertEqual(a.data, b.data)
            self.assertEqual(a.cost_ns, b.cost_ns)
            self.assertEqual(a.revision, b.revision)
        self.assertEqual(packed[-1].cost_ns, 2**33 + 1)

    def test_nothing_is_nothing(self):
        self.assertEqual(list(self.lab.run([])), [])
        self.assertEqual(self.lab.describe().revision, 1)

    def test_more_batches_than_are_on_their_way_at_once(self):
        outcomes = list(self.lab.run(stores(self.page, 500), batch_size=10))
        self.check(outcomes, 500)

    def test_a_command_that_cannot_be_ends_it(self):
        bad = v1.Command(pid=1)
        program = [commands.fork()] * 4 + [bad] + [commands.fork()] * 4
        outcomes = []
        with self.assertRaises(faultline.InvalidArgument) as raised:
            for outcome in self.lab.run(program, batch_size=2):
                outcomes.append(outcome)
        self.assertEqual(len(outcomes), 4)
        self.assertEqual(raised.exception.metadata["batch"], "2")
        self.assertEqual(raised.exception.violations[0].field, "commands[0].op")
        self.assertEqual(self.lab.describe().revision, 5)

    def test_an_expected_revision_is_of_the_first_command(self):
        outcomes = list(
            self.lab.run(
                stores(self.page, 3), batch_size=2, expected_revision=1
            )
        )
        self.check(outcomes, 3)
        with self.assertRaises(faultline.RevisionMismatch):
            list(self.lab.run(stores(self.page, 1), expected_revision=1))

    def test_the_size_of_a_batch_has_bounds(self):
        for size in (0, 4097):
            with self.assertRaises(ValueError):
                list(self.lab.run([], batch_size=size))


class Cuts(unittest.TestCase):
    """However often the line is cut, each command is executed once."""

    COUNT = 3000

    def setUp(self):
        self.server = serving.Server()
        self.addCleanup(self.server.close)
        self.relay = serving.Relay(self.server.address)
        self.addCleanup(self.relay.close)
        self.client = faultline.connect(self.relay.address)
        self.addCleanup(self.client.close)

    def drive(self, disturb):
        lab = self.client.create_session()
        page = lab.mmap(4096).check().value
        outcomes = []
        for outcome in lab.run(stores(page, self.COUNT), batch_size=20):
            outcomes.append(outcome)
            if outcome.revision % 1000 == 0:
                disturb()
        revisions = [outcome.revision for outcome in outcomes]
        self.assertEqual(revisions, list(range(2, 2 * self.COUNT + 2)))
        self.assertEqual(lab.describe().revision, 2 * self.COUNT + 1)
        recorded = list(lab.history(2))
        for entry, command in zip(recorded, stores(page, self.COUNT)):
            self.assertEqual(entry.command.access.kind, command.access.kind)
            self.assertEqual(entry.command.access.value, command.access.value)
        self.assertTrue(lab.verify().ok)

    def test_the_line_is_cut(self):
        self.drive(self.relay.cut)

    def test_the_server_is_killed(self):
        def restart():
            self.server.kill()
            self.server.start()
            self.relay.target = self.server.address

        self.drive(restart)

    def test_unary_calls_go_on_over_a_cut(self):
        lab = self.client.create_session()
        for i in range(50):
            if i % 10 == 5:
                self.relay.cut()
            self.assertEqual(lab.fork().revision, i + 1)


if __name__ == "__main__":
    unittest.main()
