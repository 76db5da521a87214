"""A subscription of an alknet node in Python: `alknet call NODE ticks/watch --subscribe`.

Numbered events, faster than some can take them. The last ones are kept: whoever comes back with `resume_after`
misses none of those, and is told how many others are missing. Arguments: how many, how many are kept, how many come
in a second.
"""

import json
import socket
import struct
import sys
import threading
import time

TOTAL, KEPT, PER_SECOND = map(int, sys.argv[1:])
LISTED = [{"name": "/ticks/watch", "kind": "subscription", "about": "numbered ticks", "input": True}]
begun = time.monotonic()


def newest():
    return min(TOTAL, int((time.monotonic() - begun) * PER_SECOND))


def ticks(last):
    while last < TOTAL:
        seq = max(last + 1, newest() - KEPT + 1)
        while newest() < seq:
            time.sleep(0.001)
        missed = seq - last - 1
        yield {"output": {"tick": seq}, "seq": seq, **({"missed": missed} if missed else {})}
        last = seq


def serve(connection):
    """Each subscription has a connection of its own, which ends when nobody takes it any more."""
    with connection, connection.makefile("rwb") as stream:
        def tell(kind, payload):
            text = json.dumps({"type": kind, "id": event["id"], "payload": payload}).encode()
            stream.write(struct.pack(">I", len(text)) + text)
            stream.flush()

        while head := stream.read(4):
            event = json.loads(stream.read(struct.unpack(">I", head)[0]))
            if event["type"] != "call.requested":
                continue
            if event["payload"]["operationId"] == "/services/list":
                tell("call.responded", {"output": {"operations": LISTED}})
                continue
            for item in ticks(event["payload"].get("resume_after") or 0):
                tell("call.responded", item)
            tell("call.completed", {})


def guarded(connection):
    try:
        serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        pass  # whoever subscribed has gone


listener = socket.socket(fileno=3)
while True:
    threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()
