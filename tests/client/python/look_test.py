"""Looking into a machine, and how an address space is shown."""

import html.parser
import unittest

import faultline
from faultline.flags import *
from faultline.maps import AddressSpace, Vma, size_text

import serving

BASE = 0x10000000


def setUpModule():
    global client
    client = serving.client_of_module(unittest.addModuleCleanup)


class Machine(unittest.TestCase):
    def setUp(self):
        self.lab = client.create_session()
        fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        self.lab.mmap(3 * PAGE_SIZE, flags=fixed, addr=BASE).check()
        self.lab.store(BASE, 7).check()

    def test_a_proc_file_as_linux_writes_it(self):
        text = self.lab.read_proc("/proc/1/maps")
        self.assertTrue(
            text.startswith("10000000-10003000 rw-p 00000000 00:00 0 \n"), text
        )
        self.assertIn("VmRSS:\t", self.lab.read_proc("/proc/1/status"))

    def test_the_mm_struct_and_the_tree(self):
        mm = self.lab.mm()
        self.assertEqual(mm.map_count, 2)
        self.assertEqual(mm.mmap, BASE)
        self.assertEqual(mm.anon_rss, 2)
        tree, nodes = self.lab.vma_tree()
        self.assertEqual(tree.nodes, 2)
        self.assertEqual([node.start for node in nodes][0], BASE)
        self.assertEqual(nodes[0].next, nodes[1].start)
        self.assertEqual(self.lab.at(0).mm().map_count, 1)

    def test_the_heap(self):
        heap, chunks = self.lab.chunks()
        self.assertFalse(heap.initialized)
        mem = self.lab.malloc(100).check().value
        heap, chunks = self.lab.chunks()
        self.assertEqual(heap.system_mem, 132 << 10)
        self.assertIn(mem, [chunk.addr for chunk in chunks])

    def test_the_page_cache_of_a_file(self):
        self.lab.create_file("/data").check()
        fd = self.lab.open("/data", 2).check().value
        self.lab.write(fd, b"x", 2 * PAGE_SIZE).check()
        mapping, pages = self.lab.page_cache("/data")
        self.assertEqual(mapping.nrpages, 1)
        self.assertEqual([page.index for page in pages], [2])
        by_number, _ = self.lab.page_cache(mapping.host)
        self.assertEqual(by_number.path, "/data")

    def test_a_file_that_is_not_there_is_pythons_error(self):
        with self.assertRaises(FileNotFoundError) as raised:
            self.lab.read_proc("/proc/nothing")
        self.assertEqual(raised.exception.filename, "/proc/nothing")

    def test_a_part_of_a_file_of_numbers(self):
        entry = self.lab.read_proc_bytes("/proc/1/pagemap", BASE // 512, 8)
        pfn = int.from_bytes(entry, "little") & ((1 << 55) - 1)
        self.assertEqual(pfn, self.lab.walk(BASE).pfn)
        part = self.lab.read_proc_bytes("/proc/1/maps", 9, 8)
        self.assertEqual(part, b"10003000")

    def test_what_has_no_end_is_not_read_whole(self):
        with self.assertRaises(OSError) as raised:
            self.lab.read_proc_bytes("/proc/1/pagemap")
        self.assertEqual(raised.exception.errno, Errno.EFBIG)

    def test_a_file_of_more_than_one_part(self):
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        count = 28_000  # about 41 bytes each, more than 1 MiB
        commands = (
            faultline.commands.mmap(
                PAGE_SIZE,
                flags=flags,
                addr=BASE + (i + 4) * 2 * PAGE_SIZE,
                prot=PROT_READ,
            )
            for i in range(count)
        )
        for outcome in self.lab.run(commands, packed=True):
            outcome.check()
        text = self.lab.read_proc("/proc/1/maps")
        self.assertGreater(len(text), 1 << 20)
        lines = text.splitlines()
        self.assertEqual(len(lines), count + 2)
        maps = self.lab.maps()
        self.assertEqual(len(maps), count + 2)
        for line, vma in zip(lines, maps):
            self.assertEqual(int(line.partition("-")[0], 16), vma.start)

    def test_frames_and_zones(self):
        walk = self.lab.walk(BASE)
        self.assertEqual([step.level for step in walk.steps], [4, 3, 2, 1])
        page = self.lab.page(walk.pfn)
        self.assertEqual((page.kind, page.mapcount), ("anon", 1))
        zones = self.lab.zones()
        areas = self.lab.free_areas()
        self.assertEqual([zone.name for zone in zones], list(areas))
        for zone in zones:
            free = sum(n << order for order, n in enumerate(areas[zone.name]))
            # What the per-CPU lists hold is free and in no block.
            self.assertLessEqual(free, zone.free + 2048)
            self.assertGreater(free, 0)
        self.assertEqual(self.lab.verify_machine(), "")

    def test_no_such_process_or_frame(self):
        with self.assertRaises(faultline.NotFound) as raised:
            self.lab.maps(pid=9)
        self.assertEqual(raised.exception.reason, "PROCESS_NOT_FOUND")
        with self.assertRaises(faultline.NotFound):
            self.lab.page(2**64 - 1)


class History(unittest.TestCase):
    def setUp(self):
        self.lab = client.create_session()
        self.page = self.lab.mmap(4096).value
        for value in range(5):
            self.lab.store(self.page, value)

    def test_the_recorded_commands(self):
        entries = list(self.lab.history(3))
        self.assertEqual([e.revision for e in entries], [3, 4, 5, 6])
        self.assertEqual(
            [e.command.access.value for e in entries], [1, 2, 3, 4]
        )

    def test_a_replay_and_a_verification(self):
        report = self.lab.replay()
        self.assertEqual((report.commands, report.equal), (6, 6))
        self.assertEqual(self.lab.replay(2).commands, 2)
        seen = []
        report = self.lab.verify(lambda done, total: seen.append((done, total)))
        self.assertTrue(report.ok)
        self.assertTrue(all(done <= total <= 6 for done, total in seen))

    def test_a_fingerprint(self):
        now = self.lab.fingerprint()
        self.assertEqual(now.revision, 6)
        self.assertEqual(self.lab.fingerprint(6).fingerprint, now.fingerprint)
        self.assertNotEqual(
            self.lab.fingerprint(5).fingerprint, now.fingerprint
        )


class TableParser(html.parser.HTMLParser):
    """The texts of the cells, and whether every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.rows, self.titles = [], [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.titles += [v for k, v in attributes if k == "title"]
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open[-1] == "td":
            self.rows[-1].append(data)


class Shown(unittest.TestCase):
    def setUp(self):
        self.maps = AddressSpace(
            "sessions/a",
            2,
            7,
            [
                Vma(0x1000, 0x3000, "r-xp", "/bin/<b>&\"'", 0, 0, 5),
                Vma(0x3000, 0x4000, "rw-p", "", 0, 0, 0),
                Vma(0x7FFF0000, 0x7FFF1000, "rw-p", "[stack]", 0, 0, 0),
            ],
        )

    def test_as_text(self):
        self.assertEqual(
            repr(self.maps),
            "process 2 of sessions/a at revision 7: 16 KiB in 3 VMAs\n"
            "  000000001000-000000003000 r-xp      8 KiB  /bin/<b>&\"'\n"
            "  000000003000-000000004000 rw-p      4 KiB\n"
            "  00007fff0000-00007fff1000 rw-p      4 KiB  [stack]",
        )

    def test_as_a_picture(self):
        parser = TableParser()
        parser.feed(self.maps._repr_html_())
        parser.close()
        self.assertEqual(parser.open, [])
        self.assertEqual(
            parser.rows[1:],
            [
                [
                    "000000001000",
                    "000000003000",
                    "r-xp",
                    "8 KiB",
                    "/bin/<b>&\"'",
                ],
                ["000000003000", "000000004000", "rw-p", "4 KiB"],
                ["00007fff0000", "00007fff1000", "rw-p", "4 KiB", "[stack]"],
            ],
        )
        self.assertEqual(len(parser.titles), 4)  # three VMAs and one gap
        self.assertEqual(parser.titles[2], "2 GiB unmapped")

    def test_an_empty_one(self):
        empty = AddressSpace("sessions/a", 1, 0, [])
        self.assertIn("0 B in 0 VMAs", repr(empty))
        parser = TableParser()
        parser.feed(empty._repr_html_())
        self.assertEqual(parser.open, [])

    def test_as_a_sequence(self):
        self.assertEqual(self.maps.find(0x2FFF), self.maps[0])
        self.assertEqual(self.maps.find(0x3000), self.maps[1])
        self.assertIsNone(self.maps.find(0x4000))
        self.assertEqual(self.maps.size, 16384)
        self.assertEqual([vma.size for vma in self.maps], [8192, 4096, 4096])

    def test_sizes(self):
        for size, text in (
            (0, "0 B"),
            (1023, "1023 B"),
            (132 << 10, "132 KiB"),
            (3 << 29, "1.5 GiB"),
            (1 << 47, "128 TiB"),
        ):
            self.assertEqual(size_text(size), text)

    def test_of_a_real_machine(self):
        maps = client.create_session().maps()
        self.assertIsInstance(maps[-1], Vma)
        self.assertEqual(maps[-1].name, "[stack]")
        self.assertEqual(maps.revision, 0)
        self.assertIn("[stack]", maps._repr_html_())


if __name__ == "__main__":
    unittest.main()
