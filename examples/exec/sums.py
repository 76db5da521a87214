"""Operations of an alknet node in Python: `alknet call NODE sums/add a=1 b=2`.

The node checks the input against the schema, and who may call; docs/protocol/call.md has the frames.
"""

import json
import socket
import struct
import threading

NUMBERS = {"type": "object", "required": ["a", "b"], "additionalProperties": False,
           "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}


def add(numbers, caller):
    return {"sum": numbers["a"] + numbers["b"], "for": caller.get("id")}


OPERATIONS = {"/sums/add": (add, "the sum of two numbers", NUMBERS)}


def answer(request):
    if request["operationId"] == "/services/list":
        return {"operations": [{"name": name, "kind": "query", "about": about, "input": schema}
                               for name, (_, about, schema) in OPERATIONS.items()]}
    function, _, _ = OPERATIONS[request["operationId"]]
    return function(request["input"], request.get("forwarded_for", {}))


def serve(connection):
    with connection, connection.makefile("rwb") as stream:
        while head := stream.read(4):
            event = json.loads(stream.read(struct.unpack(">I", head)[0]))
            if event["type"] != "call.requested":
                continue  # an abort: what it is about has been answered
            try:
                kind, payload = "call.responded", {"output": answer(event["payload"])}
            except Exception as failure:  # the node tells the caller
                kind, payload = "call.error", {"code": "INTERNAL", "message": str(failure), "retryable": False}
            text = json.dumps({"type": kind, "id": event["id"], "payload": payload}).encode()
            stream.write(struct.pack(">I", len(text)) + text)
            stream.flush()


listener = socket.socket(fileno=3)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
