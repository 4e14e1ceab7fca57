#!/usr/bin/env python3
"""Copy-on-write, measured: what a child's writes cost, page by page.

    PYTHONPATH=build/release/python python3 client/python/examples/cow.py [HOST:PORT]

The cells (# %%) run one by one in a notebook or an editor that knows them.
"""

# %% A machine of our own on the server.
import collections
import sys

import faultline
from faultline import PAGE_SIZE, commands

address = sys.argv[1] if len(sys.argv) > 1 else "localhost:50051"
client = faultline.connect(address)
lab = client.create_session(display_name="copy-on-write")

# %% The parent maps sixteen pages and touches them all.
PAGES = 16
start = lab.mmap(PAGES * PAGE_SIZE).check().value
touched = lab.store(start, 1, count=PAGES)
print(f"the parent touches {PAGES} pages: {touched.min_flt} minor faults")

# %% After fork they are shared: nothing is copied, a load does not fault.
child = lab.fork().check().value
print("the child loads them:", lab.load(start, count=PAGES, pid=child).min_flt)

# %% Every second page the child writes is copied, once.
writes = [
    commands.store(start + i * PAGE_SIZE, 2, pid=child)
    for _ in range(2)
    for i in range(0, PAGES, 2)
]
how = collections.Counter(
    faultline.v1.FaultResolution.Name(event.body.how)
    for outcome in lab.run(writes)
    for event in outcome.events
    if event.kind == "fault_resolved"
)
for name, count in how.items():
    print(f"the child writes: {count} x {name}")

# %% Whose frame is it? The copied pages have one mapping, the others two.
mapcounts = [
    lab.page(lab.walk(start + i * PAGE_SIZE, pid=child).pfn).mapcount
    for i in range(PAGES)
]
print("mappings of the child's frames:", *mapcounts)

# %% The parent's bytes are as they were.
values = [lab.load(start + i * PAGE_SIZE).value for i in range(PAGES)]
assert values == [1] * PAGES
print("the parent still reads:", *values)

# %% The address space of the child; in a notebook, a picture.
print(lab.maps(child))

# %% Everything is recorded: replayed, it comes out the same.
report = lab.replay()
print(f"replayed: {report.equal} of {report.commands} commands are equal")
