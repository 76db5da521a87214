#!/usr/bin/env python3
"""What OpenSSH's regress suite calls as ssh: `alknet ssh` in its place.

Of the options the suite uses, -n and -F are heeded, and -o where it names a ProxyCommand; -E, -q and -v are passed
over. The words of the configuration go into the `~/.ssh` of a home of its own, which ALKNET_PROGRAM reads. A
ProxyCommand, which it does not know, gets the one connection to a port that is made for it. -Q is ssh's own to answer.
"""

import contextlib
import getopt
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

KEPT = ("hostname", "user", "hostkeyalias", "identityfile")


def settings_of(options):
    """The first word counts, as for ssh."""
    settings = {}
    lines = [value.replace("=", " ", 1) for name, value in options if name == "-o"]
    lines += pathlib.Path(dict(options)["-F"]).read_text(encoding="utf-8").splitlines()
    for line in lines:
        name, value = [*line.split(None, 1), "", ""][:2]
        if name.lower() == "identityfile" and not value.endswith("ed25519"):
            continue  # of other kinds it takes those of an agent
        settings.setdefault(name.lower(), value.strip())
    return settings


def serve_once(listener, command):
    connection, _ = listener.accept()
    with connection:
        subprocess.run(["sh", "-c", f"exec {command}"], stdin=connection, stdout=connection, check=False)


def main():
    if "-Q" in sys.argv:
        ssh = shutil.which("ssh")
        os.execv(ssh, [ssh, *sys.argv[sys.argv.index("-Q"):]])
    options, (host, *command) = getopt.getopt(sys.argv[1:], "E:F:o:nqv")
    settings = settings_of(options)
    with contextlib.ExitStack() as stack:
        port = settings["port"]
        if "proxycommand" in settings:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            proxy = settings["proxycommand"].replace("%h", settings["hostname"]).replace("%p", port)
            port = listener.getsockname()[1]
            threading.Thread(target=serve_once, args=(listener, proxy), daemon=True).start()
        home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alknet-interop-")))
        (home / ".ssh").mkdir(mode=0o700)
        kept = "".join(f"  {name} {settings[name]}\n" for name in KEPT)
        (home / ".ssh/config").write_text(f"Host *\n{kept}  Port {port}\n", encoding="utf-8")
        (home / ".ssh/config").chmod(0o600)
        shutil.copy(settings["userknownhostsfile"], home / ".ssh/known_hosts")
        done = subprocess.run([os.environ["ALKNET_PROGRAM"], "ssh", f"ssh://{host}", *command], check=False,
                              env={**os.environ, "HOME": str(home)},
                              stdin=subprocess.DEVNULL if ("-n", "") in options else None)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
