"""Debian's browsers, driven over their own remote protocols: what loads, and over which version of HTTP.

Each `*_visit` opens a page in a new profile, waits until it is loaded, evaluates an expression there (a
promise is awaited) and gives its value, which is a string.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import pathlib

import websockets

import harness

LOAD_SECONDS = 60
WHICH = "performance.getEntriesByType('navigation')[0].nextHopProtocol"


class Remote:
    """Commands over one WebSocket, answered by their id, and events in between."""

    def __init__(self, socket):
        self.socket = socket
        self.ids = itertools.count(1)

    async def call(self, method, params, **more):
        number = next(self.ids)
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params, **more}))
        while True:
            message = json.loads(await self.socket.recv())
            if message.get("id") == number:
                if "result" not in message:
                    raise AssertionError(f"{method}: {message}")
                return message["result"]

    async def event(self, method):
        while True:
            message = json.loads(await self.socket.recv())
            if message.get("method") == method:
                return message


async def drive_chromium(address, url, expression):
    async with websockets.connect(address, max_size=None) as socket:
        remote = Remote(socket)
        target = (await remote.call("Target.createTarget", {"url": "about:blank"}))["targetId"]
        attached = await remote.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        session = {"sessionId": attached["sessionId"]}
        await remote.call("Page.enable", {}, **session)
        gone = await remote.call("Page.navigate", {"url": url}, **session)
        if "errorText" in gone:
            return gone["errorText"]
        await remote.event("Page.loadEventFired")
        asked = {"expression": expression, "awaitPromise": True}
        done = await remote.call("Runtime.evaluate", asked, **session)
        return done["result"].get("value", json.dumps(done))


async def drive_firefox(address, url, expression):
    async with websockets.connect(f"{address}/session", max_size=None) as socket:
        remote = Remote(socket)
        await remote.call("session.new", {"capabilities": {}})
        context = (await remote.call("browsingContext.getTree", {}))["contexts"][0]["context"]
        await remote.call("browsingContext.navigate", {"context": context, "url": url, "wait": "complete"})
        asked = {"expression": expression, "awaitPromise": True, "target": {"context": context}}
        done = await remote.call("script.evaluate", asked)
        return done.get("result", {}).get("value", json.dumps(done))


def visit(drive, test, program, pattern, url, expression, *arguments):
    child = test.child(harness.need(program), *arguments)
    address = child.wait_for(pattern)[1]
    return asyncio.run(asyncio.wait_for(drive(address, url, expression), LOAD_SECONDS))


def key_hash(certificate):
    """SHA-256 of its public key, as Chromium's options name it."""
    key = harness.run("openssl", "x509", "-in", certificate, "-noout", "-pubkey").stdout
    der = harness.run("openssl", "pkey", "-pubin", "-outform", "DER", stdin=key).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def chromium_visit(test, url, expression, certificate, *options):
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
    return visit(drive_chromium, test, "chromium", r"DevTools listening on (ws://\S+)", url, expression, *quiet,
                 f"--ignore-certificate-errors-spki-list={key_hash(certificate)}", "--remote-debugging-port=0",
                 f"--user-data-dir={test.home / 'chromium'}", *options, "about:blank")


def firefox_visit(test, url, expression, authority, **preferences):
    profile = test.home / "firefox"
    profile.mkdir()
    added = harness.run(harness.need("certutil"), "-A", "-d", f"sql:{profile}", "-n", "test", "-t", "C,,", "-i",
                        authority)
    test.assertEqual(added.returncode, 0, added.stderr)
    quiet = {"network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False}
    known = {**quiet, **preferences}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in known.items()]
    pathlib.Path(profile / "user.js").write_text("".join(lines))
    return visit(drive_firefox, test, "firefox-esr", r"WebDriver BiDi listening on (ws://\S+)", url, expression,
                 "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0")
