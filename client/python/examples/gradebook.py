#!/usr/bin/env python3
"""A small class: an exercise, three students, and what they believe.

    PYTHONPATH=build/release/python \\
        python3 client/python/examples/gradebook.py [HOST:PORT]

The cells (# %%) run one by one in a notebook or an editor that knows them.
"""

# %% The exercise. Each student gets a number of pages of their own.
import collections
import re
import sys

import faultline

EXERCISE = """
id: first-touch
title: The first touch
attempts: 1
text: |
  A process maps {n} pages, writes to each of them, and then to each again.
variables:
  - {name: n, range: {min: 6, max: 30}}
setup: |
  a: mmap 0 {n}p rw- PRIVATE|ANON
  first: writer $a {n} 1p 1
  again: writer $a {n} 1p 2
questions:
  - id: faults
    text: How many minor faults are there in all?
    answer: total.min
    explanation: The first write brings the page; then it is there.
    misconceptions:
      - tag: faults-on-every-access
        answer: 2 * n
        note: A page that is present, and may be written to, does not fault.
      - tag: memory-is-there-when-mapped
        answer: "0"
        note: mmap makes a promise; the first access makes the page.
  - id: kB
    text: By how many kB has VmRSS grown?
    answer: status(VmRSS) - at(a, status(VmRSS))
"""

address = sys.argv[1] if len(sys.argv) > 1 else "localhost:50051"
grading = faultline.connect(address).grading
grading.create_exercise(EXERCISE, replace=True)

# %% What each student makes of the number of pages.
BELIEFS = {
    "ada": lambda n: {"faults": n, "kB": 4 * n},
    "bob": lambda n: {"faults": 2 * n, "kB": 4 * n},
    "cy": lambda n: {"faults": 0, "kB": 4 * n},
}
for student, answers in BELIEFS.items():
    attempt = grading.start_attempt("first-touch", student)
    pages = int(re.search(r"(\d+) pages", attempt.variant.text)[1])
    attempt.submit(answers(pages))
    attempt.grade()

# %% The grades, and the misconceptions behind them.
tags = collections.Counter()
for grade in grading.grades("first-touch"):
    print(f"{grade.student}: {grade.score:g} of {grade.score_max:g}")
    tags.update(tag for check in grade.checks for tag in check.tags)
for tag, count in sorted(tags.items()):
    print(f"{count} x {tag}")

# %% One of them in full.
(bob,) = grading.grades("first-touch", student="bob")
check = bob.check("faults")
print("bob:", check.message, check.explanation.strip())
print("decided by:", check.deciding_event)
