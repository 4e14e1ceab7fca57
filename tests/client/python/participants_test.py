"""Several clients in one session."""

import threading
import unittest

import faultline
from faultline import v1

import serving


def setUpModule():
    global client
    client = serving.client_of_module(unittest.addModuleCleanup)


class Participants(unittest.TestCase):
    def setUp(self):
        self.lab = client.create_session()

    def test_what_a_participant_sends_has_its_name(self):
        ada = self.lab.join("ada", display_name="Ada's notebook")
        self.assertEqual(ada.participant, f"{self.lab.name}/participants/ada")
        ada.fork()
        list(ada.run([faultline.commands.fork()]))
        self.lab.fork()
        senders = [entry.sender for entry in self.lab.history()]
        self.assertEqual(senders[:2], [ada.participant] * 2)
        self.assertRegex(senders[2], r"^ipv4:127\.0\.0\.1:\d+$")

    def test_who_is_there(self):
        ada = self.lab.join("ada", display_name="Ada's notebook")
        self.lab.join("bob", role=v1.ROLE_OBSERVER)
        found = {p.name.rpartition("/")[2]: p for p in self.lab.participants()}
        self.assertEqual(list(found), ["ada", "bob"])
        self.assertEqual(found["ada"].display_name, "Ada's notebook")
        self.assertEqual(found["ada"].role, v1.ROLE_DRIVER)
        self.assertEqual(found["bob"].role, v1.ROLE_OBSERVER)
        self.assertTrue(ada.leave().HasField("leave_time"))
        self.assertEqual(len(list(self.lab.participants())), 1)
        self.assertEqual(len(list(self.lab.participants(include_left=True))), 2)

    def test_an_observer_looks_and_sends_nothing(self):
        bob = self.lab.join("bob", role=v1.ROLE_OBSERVER)
        with self.assertRaises(faultline.PermissionDenied) as raised:
            bob.fork()
        self.assertEqual(raised.exception.reason, "PARTICIPANT_IS_OBSERVER")
        self.assertEqual(bob.maps()[-1].name, "[stack]")

    def test_who_has_left_is_refused(self):
        ada = self.lab.join()
        self.assertTrue(ada.fork().ok)
        ada.leave()
        with self.assertRaises(faultline.NotFound) as raised:
            ada.fork()
        self.assertEqual(raised.exception.reason, "PARTICIPANT_NOT_FOUND")
        with self.assertRaisesRegex(ValueError, "has not joined"):
            self.lab.leave()

    def test_a_name_is_taken_once(self):
        self.lab.join("ada")
        with self.assertRaises(faultline.AlreadyExists):
            self.lab.join("ada")
        again = client.open_session(self.lab.name).as_participant("ada")
        self.assertTrue(again.fork().ok)
        self.assertEqual(
            again.as_participant(again.participant).participant,
            again.participant,
        )

    def test_the_commands_of_many_form_one_order(self):
        calls = 50
        revisions = {}

        def drive(name):
            mine = client.open_session(self.lab.name).join(name)
            revisions[mine.participant] = [
                mine.tick(1).revision for _ in range(calls)
            ]

        threads = [
            threading.Thread(target=drive, args=(name,))
            for name in ("ada", "bob", "carol")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(revisions), 3)
        recorded = {e.revision: e.sender for e in self.lab.history()}
        self.assertEqual(list(recorded), list(range(1, 3 * calls + 1)))
        for sender, own in revisions.items():
            self.assertEqual([recorded[r] for r in own], [sender] * calls)


if __name__ == "__main__":
    unittest.main()
