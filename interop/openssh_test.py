"""A stock ssh, to Debian's sshd behind an ALPN and to a node's own SSH, through `pipe --resume` while the path is
cut, the address changes and UDP is forbidden."""

import getpass
import hashlib
import json
import os
import pathlib
import random
import selectors
import socket
import subprocess
import threading
import unittest

import harness


class Path(threading.Thread):
    """Forwards UDP and TCP of one port number to another, and does to them what `plan` says: pairs
    of a number of forwarded octets and the name of a method."""

    def __init__(self, port_behind, plan):
        super().__init__(daemon=True)
        self.behind = ("127.0.0.1", port_behind)
        self.plan = list(plan)
        self.done = []
        self.forwarded = 0
        self.selector = selectors.DefaultSelector()
        while True:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self.listener.close()
                self.udp.close()
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.udp.setblocking(False)
        self.lock = threading.Lock()
        self.flows = {}  # the client's address -> the socket towards the node
        self.dead = set()  # clients whose datagrams vanish until they begin a new connection
        self.revived = 0
        self.udp_allowed = True
        self.pairs = []
        self.sockets = [self.listener, self.udp]
        self.selector.register(self.udp, selectors.EVENT_READ, None)
        threading.Thread(target=self.accept, daemon=True).start()
        self.start()

    # What can happen to a path.

    def cut(self):
        self.dead |= set(self.flows)
        self.new_address()
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it had ended by itself

    def forbid_udp(self):
        self.udp_allowed = False
        self.cut()

    def new_address(self):
        """What the node sees, as after a NAT has forgotten."""
        for client in list(self.flows):
            self.selector.unregister(self.flows.pop(client))

    def moved(self, octets):
        with self.lock:
            self.forwarded += octets
            while self.plan and self.forwarded >= self.plan[0][0]:
                _, what = self.plan.pop(0)
                getattr(self, what)()
                self.done.append(what)

    # Datagrams, all on one thread.

    def run(self):
        while True:
            for key, _ in self.selector.select():
                self.forward(key.fileobj, key.data)

    def forward(self, source, client):
        for _ in range(64):
            try:
                octets, sender = source.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                return
            whom = client or sender
            if whom in self.dead and not client and octets[0] & 0x80:  # a long header: a handshake
                self.dead.discard(whom)
                self.revived += 1
            if not self.udp_allowed or whom in self.dead:
                continue
            if client:
                self.udp.sendto(octets, client)
            else:
                self.towards_node(sender).send(octets)
            self.moved(len(octets))

    def towards_node(self, client):
        if client not in self.flows:
            flow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            flow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            flow.connect(self.behind)
            flow.setblocking(False)
            self.sockets.append(flow)
            self.flows[client] = flow
            self.selector.register(flow, selectors.EVENT_READ, client)
        return self.flows[client]

    # Streams, each direction on a thread of its own.

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.behind)
            except OSError:
                return
            self.sockets += [near, far]
            with self.lock:
                self.pairs.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(source, target), daemon=True).start()

    def copy(self, source, target):
        try:
            while octets := source.recv(65536):
                target.sendall(octets)
                self.moved(len(octets))
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # cut


class OpenSsh(harness.PeerTest):
    peer = "openssh"
    MEBIBYTES = 64
    CUTS_OVER_UDP = 2
    CUTS_OVER_TCP = 8
    DEADLINE_S = 280

    @classmethod
    def version(cls):
        return harness.package_version("openssh-server")

    def key(self, name):
        path = self.home / name
        harness.run(harness.need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", path)
        return path

    def sshd(self):
        """A daemon of ours on a free port. Gives the port and its host key's line."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        host_key = self.key("host_key")
        user_key = self.key("user_key")
        config = self.home / "sshd_config"
        config.write_text(f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nPidFile none\n"
                          f"AuthorizedKeysFile {user_key}.pub\nStrictModes no\nUsePAM no\n"
                          "PermitRootLogin yes\nPasswordAuthentication no\n")
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.child(harness.need("sshd"), "-D", "-e", "-f", config).wait_for("Server listening")
        public = pathlib.Path(f"{host_key}.pub").read_text().split()
        return port, " ".join(public[:2])

    def server(self):
        """What ssh is to reach: node id, port, ALPN and the line of the host key."""
        port, host_key = self.sshd()
        node = self.child(harness.BIN / "alknet_interop", "splice", self.home / "node", f"127.0.0.1:{port}")
        listening = node.wait_for(r'"listening":"127\.0\.0\.1:(\d+)".*"node_id":"([0-9a-f]{64})"')
        return listening.group(2), int(listening.group(1)), "test/splice", host_key

    def test_a_transfer_both_ways_over_a_path_that_is_cut(self):
        node_id, node_port, alpn, host_key = self.server()
        size = self.MEBIBYTES << 20
        plan = [((n + 1) * size // (2 * self.CUTS_OVER_UDP + 2), "cut") for n in range(self.CUTS_OVER_UDP)]
        plan += [(size // 2, "new_address"), (size, "forbid_udp")]
        plan += [(size + (n + 1) * size * 8 // 10 // self.CUTS_OVER_TCP, "cut") for n in range(self.CUTS_OVER_TCP)]
        path = Path(node_port, sorted(plan))
        (self.home / "known_hosts").write_text(f"node {host_key}\n")
        proxy = (f"{harness.BIN / 'alknet'} pipe alknet://{node_id}@127.0.0.1:{path.port} --alpn {alpn} --resume "
                 f"--identity {self.home / 'user_key'} --home {self.home / 'none'}")
        sent = self.home / "sent"
        noise = random.Random(3)
        digest = hashlib.sha256()
        with sent.open("wb") as file:
            for _ in range(self.MEBIBYTES):
                piece = noise.randbytes(1 << 20)
                digest.update(piece)
                file.write(piece)
        with sent.open("rb") as file, (self.home / "received").open("wb") as received:
            done = subprocess.run(
                [harness.need("ssh"), "-F", "/dev/null", "-i", self.home / "user_key", "-o", "IdentitiesOnly=yes",
                 "-o", f"ProxyCommand={proxy}", "-o", f"UserKnownHostsFile={self.home / 'known_hosts'}",
                 "-o", "HostKeyAlias=node", "-o", "BatchMode=yes", f"{getpass.getuser()}@node",
                 "cat"],
                stdin=file, stdout=received, stderr=subprocess.PIPE, timeout=self.DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        back = hashlib.sha256()
        with (self.home / "received").open("rb") as file:
            while piece := file.read(1 << 20):
                back.update(piece)
        self.assertEqual(back.hexdigest(), digest.hexdigest())
        self.assertEqual(path.plan, [], "the path was not cut as often as it should have been")
        self.assertGreaterEqual(path.revived, self.CUTS_OVER_UDP, "it did not come back over UDP")
        self.assertGreaterEqual(path.done.count("cut"), self.CUTS_OVER_UDP + self.CUTS_OVER_TCP)


class OpenSshToANode(OpenSsh):
    """The same with no sshd: the node runs the command itself."""

    peer = "openssh to a node"

    def server(self):
        home = self.home / "serve"
        made = harness.alknet("init", "--no-input", "--home", home)
        self.assertEqual(made.returncode, 0, made.stderr)
        key = pathlib.Path(f"{self.key('user_key')}.pub").read_text().strip()
        as_whom = 'run_as = "nobody"' if os.geteuid() == 0 else "run_as_self = true"
        config = home / "alknet.toml"
        config.write_text(config.read_text().replace("\n[ssh]\n", f'\n[ssh]\n{as_whom}\nshell = "/bin/sh"\n')
                          + f'\n[[peer]]\nname = "bob"\nkeys = ["{key}"]\nscopes = ["ssh:exec"]\n')
        node = self.child(harness.BIN / "alknet", "serve", "--home", home, "--listen", "127.0.0.1:0")
        port = int(node.wait_for(r"listening.*127\.0\.0\.1:(\d+)").group(1))
        shown = json.loads(harness.alknet("id", "--json", "--home", home).stdout)
        return shown["node_id"], port, "alknet/ssh", " ".join(shown["openssh"].split()[:2])


if __name__ == "__main__":
    unittest.main(verbosity=2)
