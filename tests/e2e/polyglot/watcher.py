"""A watcher of a session, in Python: watcher.py ADDRESS SESSION START.

Prints `REVISION TAG SENDER` for each change until the session is closed; a line
that is cut is laid again.
"""

import sys

import faultline

address, session_name, start = sys.argv[1:]
session = faultline.connect(address).open_session(session_name)
print("ready", flush=True)
with session.watch(int(start), include_commands=True) as changes:
    for change in changes:
        tag = change.command.access.stride
        print(change.revision, tag, change.sender, flush=True)
