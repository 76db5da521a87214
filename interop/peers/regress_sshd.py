#!/usr/bin/env python3
"""What OpenSSH's regress suite calls as sshd: a node in its place.

    regress_sshd.py -t                      every configuration is good
    regress_sshd.py -i -f CONFIG            standard input and output are a connection to the node
    regress_sshd.py -f CONFIG               the same for whoever connects to the port of CONFIG, as a daemon
    regress_sshd.py -T ...                  Debian's sshd: the suite asks it about its own words

Before each connection the node is given what CONFIG and its authorized_keys say, as far as a node has it. The
environment names the program (ALKNET_PROGRAM), the node's home (ALKNET_HOME_OF_NODE), its port (ALKNET_SSH_PORT) and
the directory of the suite (ALKNET_REGRESS_OBJECTS).
"""

import argparse
import base64
import fcntl
import getpass
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

HOME = pathlib.Path(os.environ.get("ALKNET_HOME_OF_NODE", "."))
OBJECTS = os.environ.get("ALKNET_REGRESS_OBJECTS", "")
KINDS = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ssh-rsa")  # of the keys that a node takes
OPTION = re.compile(r'([\w-]+)(?:="((?:[^"\\]|\\.)*)")?(?:,|(?= |$))')


def settings_of(path):
    """The words of an sshd_config, by keyword in lower case; the first line counts, as for sshd."""
    settings = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        words = line.strip().replace("=", " ", 1).split()
        if words and not words[0].startswith("#"):
            settings.setdefault(words[0].lower(), words[1:])
    return settings


def options_of(line):
    """The options of a line of authorized_keys, and the kind and the octets of its key."""
    options, at = [], 0
    if not line.startswith(("ssh-", "ecdsa-", "sk-")):
        while match := OPTION.match(line, at):
            options.append((match[1].lower(), match[2] or ""))
            at = match.end()
            if line[at:at + 1] == " ":
                break
    kind, key = line[at:].split()[:2]
    return options, kind, key


def name_of(kind, key):
    if kind == "ssh-ed25519":
        return f"{kind} {key}"
    digest = hashlib.sha256(base64.b64decode(key)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def certified(kind, key, principals):
    """As a node has an authority among a peer's keys."""
    if kind == "ssh-ed25519":
        return [f'cert-authority,principals="{principal}" {kind} {key}' for principal in principals]
    return [f"cert:{principal}:{name_of(kind, key)}" for principal in principals]


class Permitted:
    """Who may log in, and what may be forwarded."""

    def __init__(self, settings):
        self.keys = []
        # Keys and authorities are left out; for revoked certificates and ssh-keygen's lists a node has nothing.
        self.revoked = {key for place in settings.get("revokedkeys", [])
                        for _, _, key in self.lines(pathlib.Path(place))}
        tcp = settings.get("allowtcpforwarding", ["yes"])[0]
        allowed = tcp in ("yes", "local"), tcp in ("yes", "remote")
        self.connect, self.listen = allowed
        self.to = settings.get("permitopen")
        self.at = settings.get("permitlisten")
        user = getpass.getuser()
        for place in settings.get("authorizedkeysfile", []):
            self.read_keys(pathlib.Path(place.replace("%u", user)), user, allowed)
        for place in settings.get("trustedusercakeys", []):
            principals = [user]
            if named := settings.get("authorizedprincipalsfile"):
                principals = self.principals(pathlib.Path(named[0].replace("%u", user)))
            for _, kind, key in self.lines(pathlib.Path(place)):
                if key not in self.revoked:
                    self.keys += certified(kind, key, principals)

    @staticmethod
    def principals(path):
        """Of those whose line has options, which a node does not have, none."""
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line.strip() for line in lines if len(line.split()) == 1]

    @staticmethod
    def lines(path):
        octets = path.read_bytes() if path.exists() else b""
        text = "" if octets.startswith(b"SSHKRL") else octets.decode()
        return [options_of(line.strip()) for line in text.splitlines() if line.strip()]

    def read_keys(self, path, user, allowed):
        for options, kind, key in self.lines(path):
            names = [name for name, _ in options]
            if kind not in KINDS or "command" in names or key in self.revoked:
                continue
            if "cert-authority" in names:
                principals = [value.split(",") for name, value in options if name == "principals"]
                self.keys += certified(kind, key, principals[0] if principals else [user])
            else:
                self.keys.append(name_of(kind, key))
            for name, _ in options:
                if name in ("restrict", "no-port-forwarding"):
                    self.connect = self.listen = False
                elif name == "port-forwarding":
                    self.connect, self.listen = allowed
            if to := [value for name, value in options if name == "permitopen"]:
                self.to = to

    def rules(self):
        """Lines of alknet.toml."""
        scopes = ["ssh:exec", "ssh:shell"]
        scopes += ["ssh:connect"] if self.connect else []
        scopes += ["ssh:listen"] if self.listen else []
        text = ""
        if self.keys:
            text += f'\n[[peer]]\nname = "regress"\nkeys = {json.dumps(self.keys)}\nscopes = {json.dumps(scopes)}\n'
            for claim, places in (("connect", self.to), ("listen", self.at)):
                for place in places or ["127.0.0.1", "localhost", f"{OBJECTS}/*"]:
                    text += (f'\n[[forwarding.rules]]\nclaim = "{claim}"\ntarget = "{place}"\naction = "allow"\n'
                             'peers = ["regress"]\n')
        return text


def apply(config):
    """The node is as `config` says; one at a time."""
    text = (HOME / "base.toml").read_text(encoding="utf-8") + Permitted(settings_of(config)).rules()
    with open(HOME / "base.toml", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = HOME / "alknet.toml"
        if there.read_text(encoding="utf-8") == text:
            return
        (HOME / "next.toml").write_text(text, encoding="utf-8")
        os.rename(HOME / "next.toml", there)
        program = os.environ["ALKNET_PROGRAM"]
        done = subprocess.run([program, "reload", "--home", HOME], capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"regress_sshd: the node refuses {config}: {done.stderr.decode()}")


def learn_host_key():
    """The suite knows the host by the keys that it has made; the node's is one more."""
    known = pathlib.Path(OBJECTS) / "known_hosts"
    line = (HOME / "host_key").read_text(encoding="utf-8")
    if line not in known.read_text(encoding="utf-8"):
        with known.open("a", encoding="utf-8") as file:
            file.write(line)


def copy(read, write, end):
    try:
        while octets := read(65536):
            while octets:
                octets = octets[write(octets):]
    except OSError:
        pass  # one end is gone
    end()


def connected():
    return socket.create_connection(("127.0.0.1", int(os.environ["ALKNET_SSH_PORT"])))


def half_close(connection):
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it had ended


def on_standard_streams():
    node = connected()
    threading.Thread(target=copy, daemon=True,
                     args=(lambda size: os.read(0, size), node.send, lambda: half_close(node))).start()
    copy(node.recv, lambda octets: os.write(1, octets), lambda: os._exit(0))


def relay(client):
    node = connected()
    ways = [threading.Thread(target=copy, args=(source.recv, target.send, lambda target=target: half_close(target)))
            for source, target in ((client, node), (node, client))]
    for way in ways:
        way.start()
    for way in ways:
        way.join()
    client.close()
    node.close()


def as_daemon(settings, log):
    listener = socket.create_server(("127.0.0.1", int(settings["port"][0])), backlog=128)
    if os.fork():
        return
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if log else nowhere, 2)
    pid = pathlib.Path(settings["pidfile"][0])
    signal.signal(signal.SIGTERM, lambda *_: (pid.unlink(missing_ok=True), os._exit(0)))
    pid.write_text(f"{os.getpid()}\n", encoding="utf-8")
    while True:
        client, _ = listener.accept()
        threading.Thread(target=relay, args=(client,), daemon=True).start()


def main():
    parser = argparse.ArgumentParser(prefix_chars="-", description=__doc__.split("\n", maxsplit=1)[0])
    for flag in "tTi":
        parser.add_argument(f"-{flag}", action="store_true")
    parser.add_argument("-f")
    parser.add_argument("-o", action="append")
    parser.add_argument("-E")
    options = parser.parse_args()
    if options.T:
        sshd = shutil.which("sshd", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
        os.execv(sshd, [sshd, *sys.argv[1:]])
    if options.t:
        learn_host_key()
        return
    if options.E and options.i:
        sys.stderr = open(options.E, "a", encoding="utf-8")
    apply(options.f)
    if options.i:
        on_standard_streams()
    else:
        as_daemon(settings_of(options.f), options.E)


if __name__ == "__main__":
    main()
