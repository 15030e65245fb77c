"""cluster.py - real gandalf nodes for tests: on free loopback ports, in temporary folders.

Python's standard library only. A test makes a Cluster, talks to its nodes by Client, and the
cluster is gone when the `with` block ends. Nothing outside the block's folder is touched, and only
processes that it started are signalled.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def gandalf_path():
    """The program under test: $GANDALF, or the first build that has one."""
    if os.environ.get("GANDALF"):
        return os.environ["GANDALF"]
    for preset in ("debug", "asan", "release"):
        path = os.path.join(TOP, "build", preset, "io-real", "gandalf")
        if os.path.exists(path):
            return path
    raise SystemExit("no gandalf built: run cmake --build, or set GANDALF")


def client_status(node):
    """What `gandalf-kvs status` prints of the node's cluster."""
    program = os.path.join(os.path.dirname(gandalf_path()), "..", "kvs", "gandalf-kvs")
    done = subprocess.run([program, "--port", str(node.client_port), "status"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


# Sanitized builds are slower; every wait is a bound that a passing test never reaches.
PATIENCE = float(os.environ.get("GANDALF_PATIENCE", "30"))


GIVEN = set()


def free_ports(count):
    """Ports that nobody has, each given once: a second call must not name those of the first, which
    may not be bound yet."""
    sockets = []
    ports = []
    while len(ports) < count:
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        sockets.append(s)
        if s.getsockname()[1] not in GIVEN:
            ports.append(s.getsockname()[1])
    GIVEN.update(ports)
    for s in sockets:
        s.close()
    return ports


def wait_until(what, condition, patience=None):
    """Returns the first true value of condition(); an exception counts as false."""
    end = time.monotonic() + (patience or PATIENCE)
    last = None
    while time.monotonic() < end:
        try:
            value = condition()
            if value:
                return value
        except (OSError, Error, EOFError) as e:
            last = e
        time.sleep(0.02)
    raise AssertionError("waited in vain for: %s%s" % (what, " (%r)" % last if last else ""))


class Error(Exception):
    """An error reply."""


class Client:
    """One RESP2 connection."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    @staticmethod
    def encode(*args):
        out = [b"*%d\r\n" % len(args)]
        for arg in args:
            if not isinstance(arg, bytes):
                arg = str(arg).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
        return b"".join(out)

    def send(self, *args):
        self.send_raw(self.encode(*args))

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the node closed the connection")
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def read(self):
        """One reply; an error reply is raised, also from within an array."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            while len(self.buffer) < size + 2:
                self._fill()
            data, self.buffer = self.buffer[:size], self.buffer[size + 2 :]
            return data
        if kind == b"*":
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        raise AssertionError("not RESP2: %r" % line)

    def __call__(self, *args):
        self.send(*args)
        return self.read()


class Node:
    def __init__(self, cluster, number, port, client_port):
        self.cluster = cluster
        self.number = number
        self.port = port
        self.client_port = client_port
        self.directory = os.path.join(cluster.directory, "node%d" % number)
        self.log_path = self.directory + ".log"
        self.process = None
        self.options = {}
        self.before_exec = None

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def command(self):
        options = {
            "host": "127.0.0.1",
            "port": self.port,
            "nodes": ",".join(n.address for n in self.cluster.nodes if n is not self),
            "connection_host": "127.0.0.1",
            "connection_port": self.client_port,
            "data_dir": self.directory,
        }
        options.update(self.cluster.options)
        options.update(self.options)
        return [gandalf_path()] + [
            "--%s=%s" % (k, v) for k, v in options.items() if v is not None and v != ""
        ]

    def start(self):
        assert self.process is None or self.process.poll() is not None
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=self.before_exec,
        )
        log.close()
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, signum=signal.SIGKILL):
        """Signals, and for a signal that ends it waits for the end; returns the exit status."""
        self.process.send_signal(signum)
        if signum in (signal.SIGSTOP, signal.SIGCONT):
            return None
        return self.wait()

    def wait(self, patience=None):
        return self.process.wait(patience or PATIENCE)

    def client(self, timeout=10):
        return Client(self.client_port, timeout)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def info(self):
        """INFO raft as a dictionary."""
        with self.client(timeout=5) as c:
            text = c("INFO", "raft").decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


class Cluster:
    """Three nodes (or `count`) with `options` for each; started unless told otherwise."""

    def __init__(self, count=3, start=True, **options):
        self.directory = tempfile.mkdtemp(prefix="gandalf-test-")
        self.options = {"heartbeat": 50, "timeout": 500, "segment_size": "1mb"}
        self.options.update(options)
        ports = free_ports(2 * count)
        self.nodes = []
        for i in range(count):
            self.nodes.append(Node(self, i + 1, ports[2 * i], ports[2 * i + 1]))
        if start:
            self.start()

    def start(self):
        for node in self.nodes:
            if not node.alive():
                node.start()
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        ends = {n.number: n.process.poll() if n.process else None for n in self.nodes}
        bad = self.stop()
        if kind is not None or bad:
            for node in self.nodes:
                if os.path.exists(node.log_path):
                    end = ends[node.number]
                    state = "running" if end is None else "ended with status %d" % end
                    print("---- node %d (%s), last lines" % (node.number, state), file=sys.stderr)
                    print("\n".join(node.log().splitlines()[-25:]), file=sys.stderr)
        shutil.rmtree(self.directory, ignore_errors=True)
        if kind is None and bad:
            raise AssertionError("ended badly: " + ", ".join(bad))

    def stop(self):
        """Asks those that live to stop, as an operator would, and returns how some failed to: what
        a sanitizer finds at the end, leaks above all, is the program's exit status."""
        living = [n for n in self.nodes if n.alive()]
        bad = []
        for node in living:
            node.process.send_signal(signal.SIGCONT)
            node.process.send_signal(signal.SIGTERM)
        for node in living:
            try:
                status = node.process.wait(PATIENCE)
                if status != 0:
                    bad.append("node %d with status %d" % (node.number, status))
            except subprocess.TimeoutExpired:
                bad.append("node %d did not stop" % node.number)
                node.process.kill()
                node.process.wait()
        return bad

    def leader(self, among=None):
        """The one leader of the highest term that all of `among` follow; waits for it."""

        def look():
            among_nodes = among or [n for n in self.nodes if n.alive()]
            infos = [(n, n.info()) for n in among_nodes]
            leaders = [n for n, i in infos if i["role"] == "leader"]
            names = {i["leader"] for _, i in infos}
            terms = {i["term"] for _, i in infos}
            if len(leaders) == 1 and len(names) == 1 and len(terms) == 1:
                return leaders[0]
            return None

        return wait_until("a leader that all follow", look)

    def followers(self):
        leader = self.leader()
        return [n for n in self.nodes if n is not leader and n.alive()]

    def level(self, among=None):
        """Waits until all have applied the same, and returns the index."""

        def look():
            infos = [n.info() for n in (among or [n for n in self.nodes if n.alive()])]
            applied = {i["applied_index"] for i in infos}
            commits = {i["commit_index"] for i in infos}
            return int(applied.pop()) if len(applied) == 1 and applied == commits else None

        return wait_until("nodes that have applied the same", look)


class Skip(Exception):
    """What a test needs is not on this machine."""


def suite():
    """The tests of a script by name, none at first, and the decorator that puts one in."""
    tests = {}

    def test(function):
        tests[function.__name__] = function
        return function

    return tests, test


def main(tests):
    """Runs the tests named on the command line (all without a name). Exit status 77: skipped."""
    names = sys.argv[1:] or sorted(tests)
    status = 0
    for name in names:
        begin = time.monotonic()
        try:
            tests[name]()
            print("ok   %s (%.1f s)" % (name, time.monotonic() - begin))
        except Skip as e:
            print("skip %s: %s" % (name, e))
            status = status or (77 if len(names) == 1 else 0)
        except Exception:  # Every failure counts, whatever its kind.
            import traceback

            traceback.print_exc()
            print("FAIL %s" % name)
            status = 1
        sys.stdout.flush()
    sys.exit(status)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO |WARN |ERROR) ")
