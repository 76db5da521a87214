#!/usr/bin/env python3
"""SSH beside OpenSSH, in CPU seconds of a GiB: ./dev bench --ssh.

A stock `ssh -L` to Debian's sshd and to our node, with each cipher, down and up; `alknet forward -L` to the node
beside `ssh -L` to sshd, on the loopback device and over a link of 50 ms (interop/reach/link.cpp); what a session costs
that does nothing; how long it takes to log in, and what a round trip of 64 octets takes. Ours and theirs take turns,
as in compare.py, and the medians of the rounds count. Needs root. Prints Markdown.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from compare import TICKS, judged, need, row

ROOT = pathlib.Path(__file__).resolve().parent.parent
GIB, MIB = 1 << 30, 1 << 20
CIPHERS = {"aes128-gcm@openssh.com": {"down": 0.65, "up": 0.95},
           "chacha20-poly1305@openssh.com": {"down": 0.6, "up": 0.7}}
KEY_EXCHANGE = "KexAlgorithms=curve25519-sha256"  # with sshd it would be another one, which is dearer
WAYS = ("down", "up")
LINK = "delay=25ms rate=1000M queue=50000000"  # 50 ms there and back
START_SECONDS = 30
PIECE = 256 << 10
NODE_PORT, SSHD_PORT, TARGET_PORT = 4433, 4422, 4499


# The target of the forwards, and who uses it: programs of their own, whose CPU is not counted.

def answer(connection):
    """A line says what is wanted: `down N`, `up` until EOF, or `echo`."""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = b""
        while not line.endswith(b"\n"):
            if not (octet := connection.recv(1)):
                return
            line += octet
        what, *size = line.split()
        piece = bytearray(PIECE)
        if what == b"down":
            left = int(size[0])
            noise = os.urandom(PIECE)
            while left:
                left -= connection.send(memoryview(noise)[:min(left, PIECE)])
        elif what == b"up":
            count = 0
            while got := connection.recv_into(piece):
                count += got
            connection.sendall(b"%d\n" % count)
        else:
            while got := connection.recv_into(piece):
                connection.sendall(piece[:got])


def target(host):
    with socket.create_server((host, TARGET_PORT), backlog=512) as listener:
        print("ready", flush=True)
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def load(port, way, size):
    """One transfer through the local end of a forward, or `size` round trips; prints the seconds."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        piece = bytearray(PIECE)
        began = time.monotonic()
        if way == "down":
            connection.sendall(b"down %d\n" % size)
            left = size
            while left and (got := connection.recv_into(piece)):
                left -= got
            if left:
                sys.exit(f"bench: {left} octets are missing")
        elif way == "up":
            connection.sendall(b"up\n")
            noise, left = os.urandom(PIECE), size
            while left:
                left -= connection.send(memoryview(noise)[:min(left, PIECE)])
            connection.shutdown(socket.SHUT_WR)
            if int(connection.recv(64) or 0) != size:
                sys.exit("bench: not all has arrived")
        else:
            connection.sendall(b"echo\n")
            for _ in range(size):
                connection.sendall(b"x" * 64)
                got = 0
                while got < 64:
                    got += connection.recv_into(piece, 64 - got) or sys.exit("bench: the echo has ended")
        print(time.monotonic() - began, flush=True)


def tree(pid):
    """A process and all below it."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    return [pid, *(one for child in children for one in tree(int(child)))]


def cpu(pid):
    """The CPU seconds of all of them, with those that have ended."""
    ticks = 0
    for one in tree(pid):
        with contextlib.suppress(FileNotFoundError):
            fields = pathlib.Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def kib(pid):
    """What all of them have in memory, pages of files that others share by their part."""
    total = 0
    for one in tree(pid):
        with contextlib.suppress(FileNotFoundError):
            text = pathlib.Path(f"/proc/{one}/smaps_rollup").read_text(encoding="utf-8")
            total += int(text.split("\nPss:")[1].split()[0])
    return total


class Machine:
    """This one, or a side of a link: how its programs are started."""

    def __init__(self, network=None):
        self.network = network
        self.host = "10.77.0.2" if network else "127.0.0.1"
        self.children = []

    def words(self, side, command):
        words = [str(word) for word in command]
        return self.network.inside(side, *words) if self.network else words

    def start(self, side, *command, output=subprocess.DEVNULL):
        child = subprocess.Popen(self.words(side, command), stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def run(self, side, *command):
        done = subprocess.run(self.words(side, command), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: {command} failed: {done.stderr.decode(errors='replace')[-800:]}")
        return done.stdout

    def stop(self):
        for child in reversed(self.children):
            child.terminate()
            child.wait()
        self.children = []


def wait_for(child, port):
    """Until somebody listens there, in the network of `child`."""
    deadline = time.monotonic() + START_SECONDS
    while not any(f":{port:04X} " in line and " 0A " in line for name in ("tcp", "tcp6") for line in
                  pathlib.Path(f"/proc/{child.pid}/net/{name}").read_text(encoding="ascii").splitlines()):
        if time.monotonic() > deadline or child.poll() is not None:
            sys.exit(f"bench: nobody listens on port {port}: {child.args}")
        time.sleep(0.01)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Bench:
    """sshd and our node on a machine, and the forwards to their target."""

    def __init__(self, options, directory, machine):
        self.options, self.directory, self.machine = options, directory, machine
        self.alknet = pathlib.Path(options.bin).resolve() / "alknet"
        self.key = directory / "key"
        if not self.key.exists():
            for name in ("key", "host_key"):
                subprocess.run([need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", directory / name],
                               check=True)
        target_program = machine.start("b", sys.executable, __file__, "--target", "127.0.0.1", output=subprocess.PIPE)
        target_program.stdout.readline()
        self.start_sshd()
        self.start_node()

    def start_sshd(self):
        config = self.directory / "sshd_config"
        config.write_text(f"ListenAddress {self.machine.host}:{SSHD_PORT}\nHostKey {self.directory / 'host_key'}\n"
                          f"PidFile none\nAuthorizedKeysFile {self.key}.pub\nStrictModes no\nUsePAM no\n"
                          "PermitRootLogin yes\nPasswordAuthentication no\nMaxStartups 1000\n", encoding="utf-8")
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.sshd = self.machine.start("b", need("sshd"), "-D", "-f", config)
        wait_for(self.sshd, SSHD_PORT)

    def start_node(self):
        home = pathlib.Path(tempfile.mkdtemp(dir=self.directory)) / "home"
        self.machine.run("b", self.alknet, "init", "--no-input", "--home", home)
        config = home / "alknet.toml"
        ssh_port = free_port()
        text = config.read_text(encoding="utf-8").replace(
            "\n[ssh]\n", f'\n[ssh]\nlisten = ["{self.machine.host}:{ssh_port}"]\n')
        text += (f'\n[[peer]]\nname = "bench"\nkeys = ["{self.key.with_suffix(".pub").read_text().strip()}"]\n'
                 f'scopes = ["ssh:connect"]\n\n[[forwarding.rules]]\ntarget = "127.0.0.1:{TARGET_PORT}"\n'
                 'action = "allow"\npeers = ["bench"]\n')
        config.write_text(text, encoding="utf-8")
        self.node = self.machine.start("b", self.alknet, "serve", "--home", home, "--listen",
                                       f"{self.machine.host}:{NODE_PORT}")
        wait_for(self.node, ssh_port)
        self.node_ssh_port = ssh_port
        shown = json.loads(self.machine.run("b", self.alknet, "id", "--json", "--home", home))
        self.address = f"alknet://{shown['node_id']}@{self.machine.host}:{NODE_PORT}"

    # How the target is reached.

    def ssh(self, port, *arguments):
        return [need("ssh"), "-F", "/dev/null", "-i", self.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-o", KEY_EXCHANGE, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
                "ExitOnForwardFailure=yes", "-p", port, *arguments, f"root@{self.machine.host}"]

    def ours(self, *arguments):
        return [self.alknet, "forward", self.address, "-i", self.key, "--home", self.directory / "none", *arguments]

    def forward(self, command, server):
        """A forward that stands: the port here, whoever keeps it, and the server at its end."""
        port = free_port()
        words = [f"127.0.0.1:{port}:127.0.0.1:{TARGET_PORT}" if word == "-L here" else word for word in command]
        client = self.machine.start("a", *words)
        wait_for(client, port)
        self.load(port, "down", MIB)
        return port, client, server

    def stock(self, cipher, ours):
        port = self.node_ssh_port if ours else SSHD_PORT
        return self.forward(self.ssh(port, "-N", "-c", cipher, "-L", "-L here"), self.node if ours else self.sshd)

    def load(self, port, way, size):
        return float(self.machine.run("a", sys.executable, __file__, "--load", port, way, size))

    def transfer(self, forward, way):
        """CPU seconds a GiB of client and server, and MiB a second."""
        port, client, server = forward
        size = self.options.megabytes * MIB
        before = cpu(client.pid), cpu(server.pid)
        seconds = self.load(port, way, size)
        after = cpu(client.pid), cpu(server.pid)
        return *((end - start) * GIB / size for start, end in zip(before, after)), size / MIB / seconds


def rounds(count, *measures):
    """The medians of what each gives; they take turns."""
    seen = [[] for _ in measures]
    for _ in range(count):
        for results, measure in zip(seen, measures):
            results.append(measure())
    return [tuple(statistics.median(column) for column in zip(*results)) for results in seen]


def over(ours, theirs):
    return ours / max(theirs, 1e-9)  # of a clock of 10 ms, too little work costs nothing


def at_least(ratio, least):
    return f"{ratio:.2f}", f"≥ {least}" + ("" if ratio >= least else ", missed")


def stock_clients(bench):
    print("\nStock `ssh -L`, CPU seconds a GiB; the first ratio is that of the servers\n")
    row("cipher, way", "server", "client, s", "server, s", "MiB a second", "ratio", "wanted", "ratio of MiB")
    row(*["---"] * 8)
    for cipher, wanted in CIPHERS.items():
        forwards = [bench.stock(cipher, ours) for ours in (False, True)]
        for way in WAYS:
            sshd, node = rounds(bench.options.rounds, *(
                lambda forward=forward: bench.transfer(forward, way) for forward in forwards))
            name = f"{cipher.split('@')[0]}, {way}"
            row(name, "sshd", *(f"{figure:.2f}" for figure in sshd[:2]), f"{sshd[2]:.0f}", "", "", "")
            row(name, "node", *(f"{figure:.2f}" for figure in node[:2]), f"{node[2]:.0f}",
                *judged(over(node[1], sshd[1]), wanted[way]), f"{over(node[2], sshd[2]):.2f}")


def both_ends(bench, title, cpu_wanted, throughput_wanted):
    print(f"\n{title}\n")
    row("way", "ends", "both, s", "MiB a second", "ratio of s", "wanted", "ratio of MiB", "wanted")
    row(*["---"] * 8)
    theirs = bench.stock("aes128-gcm@openssh.com", False)
    ours = bench.forward(bench.ours("-L", "-L here"), bench.node)
    for way in WAYS:
        sshd, node = rounds(bench.options.rounds, *(
            lambda forward=forward: bench.transfer(forward, way) for forward in (theirs, ours)))
        row(way, "ssh, sshd", f"{sum(sshd[:2]):.2f}", f"{sshd[2]:.0f}", "", "", "", "")
        ratio = over(sum(node[:2]), sum(sshd[:2]))
        cpu_cells = judged(ratio, cpu_wanted) if cpu_wanted else (f"{ratio:.2f}", "")
        row(way, "alknet forward, node", f"{sum(node[:2]):.2f}", f"{node[2]:.0f}", *cpu_cells,
            *at_least(over(node[2], sshd[2]), throughput_wanted))


def idle_sessions(bench):
    """KiB of the server for each session that has logged in and does nothing."""
    count = bench.options.idle
    print(f"\n{count} sessions of stock ssh that do nothing, KiB of the server for each\n")
    row("server", "KiB", "wanted")
    row("---", "---", "---")
    for name, server, port, wanted in (("sshd", bench.sshd, SSHD_PORT, None),
                                       ("node", bench.node, bench.node_ssh_port, 16)):
        kept = len(bench.machine.children)
        figures = []
        for sessions in (count // 10, count):
            while len(bench.machine.children) - kept < sessions:
                local = free_port()
                client = bench.machine.start("a", *bench.ssh(port, "-N", "-L", f"127.0.0.1:{local}:127.0.0.1:1"))
                wait_for(client, local)
            figures.append((sessions, kib(server.pid)))
        for client in bench.machine.children[kept:]:
            client.terminate()
            client.wait()
        del bench.machine.children[kept:]
        (few, before), (many, after) = figures
        each = (after - before) / (many - few)
        row(name, f"{each:.1f}", f"≤ {wanted}" + ("" if each <= wanted else ", missed") if wanted else "")


def set_up(bench):
    """From the start of the client to the first octet of the target, and a round trip of 64 octets."""
    there = f"127.0.0.1:{TARGET_PORT}"
    ways = {"ssh, sshd": bench.ssh(SSHD_PORT, "-W", there), "ssh, node": bench.ssh(bench.node_ssh_port, "-W", there),
            "alknet forward, node": bench.ours("-W", there)}

    def once(command):
        began = time.monotonic()
        with subprocess.Popen(bench.machine.words("a", command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as client:
            client.stdin.write(b"down 1\n")
            client.stdin.flush()
            if len(client.stdout.read(1)) != 1:
                sys.exit(f"bench: {command} brought nothing")
            took = time.monotonic() - began
            client.stdin.close()
            client.wait()
        return (took * 1e3,)

    trips = {"ssh, sshd": bench.stock("aes128-gcm@openssh.com", False),
             "ssh, node": bench.stock("aes128-gcm@openssh.com", True),
             "alknet forward, node": bench.forward(bench.ours("-L", "-L here"), bench.node)}

    def trip(forward):
        return (bench.load(forward[0], "echo", bench.options.trips) / bench.options.trips * 1e6,)

    count = bench.options.rounds * 4
    took = rounds(count, *(lambda command=command: once(command) for command in ways.values()))
    trip_took = rounds(bench.options.rounds, *(lambda forward=forward: trip(forward) for forward in trips.values()))
    print("\nFrom the start of the client to the first octet, and a round trip of 64 octets, one at a time\n")
    row("ends", "first octet, ms", "ratio", "round trip, µs", "ratio")
    row(*["---"] * 5)
    for name, (first,), (one,) in zip(ways, took, trip_took):
        row(name, f"{first:.1f}", f"{first / took[0][0]:.2f}", f"{one:.0f}", f"{one / trip_took[0][0]:.2f}")


def over_a_link(options, directory):
    """The same two ends, with 50 ms between them."""
    os.environ["ALKNET_BIN"] = str(pathlib.Path(options.bin).resolve())
    sys.path[:0] = [str(ROOT / "interop"), str(ROOT / "interop" / "reach")]
    import reach  # which looks at ALKNET_BIN
    reach.require_root()
    network = reach.Network()
    machine = Machine(network)
    try:
        network.be(LINK)
        both_ends(Bench(options, directory, machine), "With 50 ms there and back, CPU seconds a GiB of both ends",
                  None, 2)
    finally:
        machine.stop()
        network.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=1024, help="of each transfer, MiB")
    parser.add_argument("--idle", type=int, default=200, help="sessions that do nothing")
    parser.add_argument("--trips", type=int, default=5000)
    parser.add_argument("--only", default="", help="one of stock, both, idle, first, link")
    parser.add_argument("--target")
    parser.add_argument("--load", nargs=3)
    options = parser.parse_args()
    if options.target:
        target(options.target)
    elif options.load:
        load(int(options.load[0]), options.load[1], int(options.load[2]))
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without stopping what was started
        with tempfile.TemporaryDirectory(prefix="alknet-bench-") as name:
            report(options, pathlib.Path(name))


def report(options, directory):
    parts = {"stock": stock_clients,
             "both": lambda bench: both_ends(bench, "Both ends, CPU seconds a GiB of both together", 0.5, 1.5),
             "idle": idle_sessions, "first": set_up}
    machine = Machine()
    try:
        if options.only != "link":
            bench = Bench(options, directory, machine)
            for name, part in parts.items():
                if options.only in ("", name):
                    part(bench)
    finally:
        machine.stop()
    if options.only in ("", "link"):
        over_a_link(options, directory)


if __name__ == "__main__":
    sys.exit(main())
