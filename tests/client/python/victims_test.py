"""A replacement policy in Python."""

import unittest

import faultline
from faultline import v1
from faultline.flags import *

import serving


def setUpModule():
    global client
    client = serving.client_of_module(unittest.addModuleCleanup)


class Victims(unittest.TestCase):
    def setUp(self):
        config = v1.MachineConfig(swap_bytes=1 << 20)
        self.lab = client.create_session(config=config)
        self.base = self.lab.mmap(8 * PAGE_SIZE).check().value
        self.lab.set_replacement(v1.REPLACEMENT_POLICY_CLIENT, 2).check()

    def page(self, n):
        return self.base + n * PAGE_SIZE

    def test_the_function_chooses_and_the_session_replays_without_it(self):
        asked = []

        def newest(wanted):
            asked.append((wanted.address, [f.addr for f in wanted.frames]))
            return max(wanted.frames, key=lambda f: f.loaded_at).addr

        with self.lab.choose_victims(newest):
            for n in 0, 1, 2, 3:
                self.lab.store(self.page(n), n + 1).check()
        self.assertEqual(
            asked,
            [
                (self.page(2), [self.page(0), self.page(1)]),
                (self.page(3), [self.page(0), self.page(2)]),
            ],
        )
        state = self.lab.replacement()
        self.assertEqual(
            sorted(frame.addr for frame in state.pages),
            [self.page(0), self.page(3)],
        )
        self.assertEqual((state.faults, state.replacements), (4, 2))
        self.assertTrue(self.lab.verify().ok)

    def test_without_a_client_the_access_stops(self):
        self.lab.store(self.page(0), 1).check()
        self.lab.store(self.page(1), 1).check()
        stopped = self.lab.store(self.page(2), 1)
        self.assertEqual(stopped.errno, Errno.EAGAIN)
        self.assertEqual(stopped.proto.victim_wanted.address, self.page(2))
        self.lab.evict_page(self.page(1)).check()
        self.lab.store(self.page(2), 1).check()

    def test_a_wrong_answer_ends_it(self):
        self.lab.store(self.page(0), 1).check()
        self.lab.store(self.page(1), 1).check()
        with self.assertRaises(faultline.InvalidArgument):
            with self.lab.choose_victims(lambda wanted: 0):
                self.assertEqual(
                    self.lab.store(self.page(2), 1).errno, Errno.EAGAIN
                )

    def test_one_client_at_a_time(self):
        with self.lab.choose_victims(lambda wanted: 0):
            with self.assertRaises(faultline.AlreadyExists):
                self.lab.choose_victims(lambda wanted: 0)


if __name__ == "__main__":
    unittest.main()
