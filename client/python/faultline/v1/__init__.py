"""The contract, proto/faultline/v1: every message and enum under one name.

    from faultline import v1
    v1.Command(pid=1, fork=v1.Fork())

The modules *_pb2 are generated when Faultline is built.
"""

from faultline.v1.access_kind_pb2 import *
from faultline.v1.command_pb2 import *
from faultline.v1.errno_pb2 import *
from faultline.v1.event_pb2 import *
from faultline.v1.exercise_pb2 import *
from faultline.v1.grade_pb2 import *
from faultline.v1.grading_pb2 import *
from faultline.v1.heap_pb2 import *
from faultline.v1.history_pb2 import *
from faultline.v1.inspect_pb2 import *
from faultline.v1.kernel_calls_pb2 import *
from faultline.v1.kernel_command_pb2 import *
from faultline.v1.machine_calls_pb2 import *
from faultline.v1.machine_pb2 import *
from faultline.v1.mm_struct_pb2 import *
from faultline.v1.outcome_pb2 import *
from faultline.v1.page_cache_pb2 import *
from faultline.v1.participant_pb2 import *
from faultline.v1.reclaim_pb2 import *
from faultline.v1.replacement_pb2 import *
from faultline.v1.session_pb2 import *
from faultline.v1.slab_pb2 import *
from faultline.v1.snapshot_pb2 import *
from faultline.v1.watch_pb2 import *
