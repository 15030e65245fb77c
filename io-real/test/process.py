#!/usr/bin/env python3
"""Process tests: real nodes, killed, stopped, starved and fed with nonsense.

    process.py [TEST...]        all of them without a name; $GANDALF names the program

Each runs on ports and in a folder of its own, so they may run at the same time.
"""

import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ci"))
import cluster as harness  # noqa: E402
from cluster import Client, Cluster, Error, Skip, wait_until  # noqa: E402

TESTS, test = harness.suite()


def put(node, key, value, patience=None):
    """SET through `node`, patiently: answers that certainly changed nothing are tried again."""

    def once():
        with node.client(timeout=15) as c:
            return c("SET", key, value) == "OK"

    return wait_until("SET %s by node %d" % (key, node.number), once, patience)


def get(node, key):
    def once():
        with node.client(timeout=15) as c:
            return [c("GET", key)]

    return wait_until("GET %s by node %d" % (key, node.number), once)[0]


# ---------------------------------------------------------------- elections


@test
def election():
    """A leader is elected; killed, another follows; back, it follows the new one."""
    with Cluster() as c:
        first = c.leader()
        term = int(first.info()["term"])
        put(first, "a", "1")
        first.kill()
        second = c.leader()
        assert second is not first
        assert int(second.info()["term"]) > term
        assert get(second, "a") == b"1"
        put(second, "b", "2")
        first.start()
        c.leader()
        c.level()
        assert get(first, "b") == b"2"
        assert first.info()["role"] == "follower"


@test
def no_majority():
    """One node of three: it answers CLUSTERDOWN, and serves again when a second is back."""
    with Cluster() as c:
        leader = c.leader()
        put(leader, "k", "v")
        others = [n for n in c.nodes if n is not leader]
        for n in others:
            n.kill()

        def refused():
            with leader.client(timeout=20) as k:
                try:
                    k("SET", "lost", "x")
                except Error as e:
                    return str(e).startswith(("CLUSTERDOWN", "UNKNOWN"))
            return False

        wait_until("a refusal", refused)
        with leader.client(timeout=20) as k:
            try:
                k("GET", "k")
                raise AssertionError("a read was answered without a majority")
            except Error as e:
                assert str(e).startswith("CLUSTERDOWN"), e
        others[0].start()
        assert get(leader, "k") == b"v"
        put(others[0], "k2", "v2")
        assert get(leader, "k2") == b"v2"


@test
def single_node():
    """A cluster of one serves, and keeps what it has over kill -9."""
    with Cluster(count=1) as c:
        node = c.nodes[0]
        for i in range(50):
            put(node, "k%d" % i, i)
        node.kill()
        node.start()
        for i in range(50):
            assert get(node, "k%d" % i) == str(i).encode()


# ---------------------------------------------------------------- requests at any node


@test
def forwarding():
    """Each node takes writes, and each answers reads with what was just written elsewhere."""
    with Cluster() as c:
        c.leader()
        for round_ in range(20):
            for writer in c.nodes:
                value = "%d.%d" % (round_, writer.number)
                with writer.client() as k:
                    assert k("SET", "key", value) == "OK"
                for reader in c.nodes:
                    with reader.client() as k:
                        assert k("GET", "key") == value.encode()
        with c.nodes[0].client() as k:
            for i in range(100):
                assert k("INCR", "n") == i + 1


@test
def pipelining():
    """A thousand requests in one write, of all kinds, answered in order, at every node."""
    with Cluster() as c:
        c.leader()
        for node in c.nodes:
            with node.client(timeout=20) as k:
                key = "p%d" % node.number
                k.send_raw(b"".join(
                    Client.encode("INCR", key) + Client.encode("GET", key) + b"PING\r\n"
                    for _ in range(300)))
                for i in range(300):
                    assert k.read() == i + 1
                    assert k.read() == str(i + 1).encode()
                    assert k.read() == "PONG"


@test
def half_closed():
    """Replies still owed are sent after the client's FIN."""
    with Cluster() as c:
        c.leader()
        for node in c.nodes:
            with node.client() as k:
                k.send_raw(b"".join(Client.encode("INCR", "h%d" % node.number) for _ in range(50)))
                k.socket.shutdown(socket.SHUT_WR)
                assert [k.read() for _ in range(50)] == list(range(1, 51))
                assert k.socket.recv(1) == b""


@test
def moved():
    """follower: redirect. A follower names the key's slot and the leader's address for clients."""
    with Cluster(follower="redirect") as c:
        leader = c.leader()
        for node in c.followers():
            with node.client() as k:
                try:
                    k("SET", "foo", "bar")
                    raise AssertionError("a follower took a write")
                except Error as e:
                    assert str(e) == "MOVED 12182 127.0.0.1:%d" % leader.client_port, e
                slots = k("CLUSTER", "SLOTS")
                assert slots[0][0] == 0 and slots[0][1] == 16383
                assert slots[0][2][1] == leader.client_port
                assert b"cluster_state:ok" in k("CLUSTER", "INFO")
        with leader.client() as k:
            assert k("SET", "foo", "bar") == "OK"


@test
def transactions():
    """Two clients on two nodes: WATCH notices the other's write, MULTI is one step."""
    with Cluster() as c:
        a_node, b_node = c.followers()[0], c.leader()
        with a_node.client() as a, b_node.client() as b:
            assert a("SET", "k", "1") == "OK"
            assert a("WATCH", "k") == "OK"
            assert b("SET", "k", "2") == "OK"
            assert a("MULTI") == "OK"
            assert a("SET", "k", "3") == "QUEUED"
            assert a("EXEC") is None
            assert b("GET", "k") == b"2"
            assert a("WATCH", "k") == "OK"
            assert a("MULTI") == "OK"
            assert a("INCR", "k") == "QUEUED"
            assert a("GET", "k") == "QUEUED"
            assert a("EXEC") == [3, b"3"]
            assert b("GET", "k") == b"3"
            # Both count, by WATCH and retry: none of the increments is lost.
            assert a("SET", "n", "0") == "OK"

        def count(node, times):
            with node.client(timeout=20) as k:
                while times:
                    k("WATCH", "n")
                    n = int(k("GET", "n"))
                    k("MULTI")
                    k("SET", "n", n + 1)
                    times -= k("EXEC") is not None

        threads = [threading.Thread(target=count, args=(n, 30)) for n in (a_node, b_node)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert get(a_node, "n") == b"60"


# ---------------------------------------------------------------- crashes


class Load:
    """Writers at every node, each with keys of its own; what was acknowledged is remembered."""

    def __init__(self, cluster, writers=6):
        self.cluster = cluster
        self.stop_flag = False
        self.acknowledged = {}
        self.unknown = 0
        self.lock = threading.Lock()
        self.wrong = []
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(writers)]
        for t in self.threads:
            t.start()

    def work(self, number):
        i = 0
        while not self.stop_flag:
            node = self.cluster.nodes[(number + i) % len(self.cluster.nodes)]
            try:
                with node.client(timeout=15) as k:
                    while not self.stop_flag:
                        key, value = "w%d.%d" % (number, i), "v%d" % i
                        i += 1
                        try:
                            reply = k("SET", key, value)
                        except Error as e:
                            if not str(e).startswith(("UNKNOWN", "CLUSTERDOWN", "BUSY", "MOVED")):
                                self.wrong.append(str(e))
                            self.unknown += 1
                            continue
                        if reply != "OK":
                            self.wrong.append(repr(reply))
                        with self.lock:
                            self.acknowledged[key] = value.encode()
            except (OSError, EOFError):
                i += 1
                time.sleep(0.05)

    def count(self):
        with self.lock:
            return len(self.acknowledged)

    def goes_on(self, more=200):
        """Waits until `more` further writes are acknowledged."""
        begin = self.count()
        wait_until("writes that go on", lambda: self.count() >= begin + more)

    def finish(self):
        self.stop_flag = True
        for t in self.threads:
            t.join()
        assert not self.wrong, self.wrong[:5]

    def check(self, node):
        with node.client(timeout=30) as k:
            keys = list(self.acknowledged)
            for begin in range(0, len(keys), 500):
                part = keys[begin : begin + 500]
                for key, value in zip(part, k("MGET", *part)):
                    assert value == self.acknowledged[key], (node.number, key, value)


@test
def kill_each_under_load():
    """kill -9 of each node in turn, and of the leader, under load: every acknowledged write stays."""
    with Cluster() as c:
        c.leader()
        load = Load(c)
        try:
            for node in list(c.nodes):
                load.goes_on()
                node.kill()
                load.goes_on()
                node.start()
                c.leader()
            load.goes_on()
            leader = c.leader()
            leader.kill()
            load.goes_on()
            leader.start()
            c.leader()
        finally:
            load.finish()
        c.level()
        for node in c.nodes:
            load.check(node)
        print("     %d acknowledged, %d not" % (len(load.acknowledged), load.unknown))


@test
def restart_of_all():
    """kill -9 of all three at once, under load, three times: every acknowledged write stays."""
    with Cluster() as c:
        load = Load(c)
        try:
            for _ in range(3):
                load.goes_on()
                for node in c.nodes:
                    node.process.send_signal(signal.SIGKILL)
                for node in c.nodes:
                    node.wait()
                c.start()
                c.leader()
            load.goes_on()
        finally:
            load.finish()
        c.level()
        for node in c.nodes:
            load.check(node)


@test
def stopped_leader():
    """SIGSTOP of the leader; another leads and takes a write; awake, the old one shows no old data."""
    with Cluster() as c:
        old = c.leader()
        put(old, "k", "old")
        with old.client(timeout=20) as waiting:
            assert waiting("GET", "k") == b"old"
            old.kill(signal.SIGSTOP)
            others = [n for n in c.nodes if n is not old]
            new = c.leader(among=others)
            put(new, "k", "new")
            # The request lies in the old leader's socket before it wakes.
            waiting.send("GET", "k")
            old.kill(signal.SIGCONT)
            try:
                assert waiting.read() == b"new"
            except Error as e:
                assert str(e).startswith("CLUSTERDOWN"), e
        assert get(old, "k") == b"new"


@test
def catch_up_past_compaction():
    """A node that was away while the log was compacted gets a snapshot, and then all the rest."""
    with Cluster(snapshot_offset=500, tail_count=50, segment_size="256kb") as c:
        away = c.followers()[0]
        put(away, "before", "1")
        away.kill()
        writer = c.leader()
        time.sleep(1.5)  # Until then the log is held for whoever was heard of just now.
        with writer.client(timeout=30) as k:
            for i in range(0, 4000, 100):
                k.send_raw(b"".join(
                    Client.encode("SET", "c%d" % j, "x" * 100) for j in range(i, i + 100)))
                for _ in range(100):
                    assert k.read() == "OK"
        away.start()
        c.leader()
        c.level()
        # It came by a snapshot: the log that it would have needed was gone, and is not there now.
        assert int(away.info()["first_index"]) > 1000, away.info()
        with away.client() as k:
            assert k("DBSIZE") == 4001
            assert k("GET", "c3999") == b"x" * 100
        away.kill()  # What it received is durable.
        away.start()
        c.leader()
        with away.client() as k:
            assert k("DBSIZE") == 4001


@test
def graceful_stop():
    """SIGTERM: replies are finished, leadership goes to another at once, status 0 within 5 s."""
    with Cluster() as c:
        leader = c.leader()
        with leader.client() as k:
            k.send_raw(b"".join(Client.encode("INCR", "n") for _ in range(500)))
            # Stopped while these are on their way: each is answered, by a number or by an error.
            begin = time.monotonic()
            status = leader.kill(signal.SIGTERM)
            took = time.monotonic() - begin
            assert status == 0, status
            assert took < 5, took
        new = c.leader()
        assert new is not leader
        put(new, "after", "1")
        for node in c.nodes:
            if node.alive():
                assert node.kill(signal.SIGINT) == 0
        c.start()
        assert get(leader, "after") == b"1"


@test
def stop_with_an_open_write():
    """SIGTERM while a write waits for a majority that is gone: the client is told, status 0."""
    with Cluster() as c:
        leader = c.leader()
        for node in c.nodes:
            if node is not leader:
                node.kill()
        with leader.client(timeout=20) as k:
            k.send("SET", "a", "b")
            time.sleep(0.1)
            assert leader.kill(signal.SIGTERM) == 0
        assert "without finishing" not in leader.log(), leader.log()


@test
def hang_up_is_ignored():
    with Cluster(count=1) as c:
        node = c.nodes[0]
        put(node, "k", "v")
        node.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert get(node, "k") == b"v"


# ---------------------------------------------------------------- disks


@test
def damaged_log():
    """A flipped bit in front of valid records: the node says file and offset, and does not start."""
    with Cluster(count=1) as c:
        node = c.nodes[0]
        for i in range(200):
            put(node, "k%d" % i, "value-%d" % i * 20)
        node.kill()
        segments = []
        for folder, _, names in os.walk(node.directory):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    at = f.read().find(b"value-100")
                if at >= 0:
                    segments.append((path, at))
        assert segments, "no file has the value"
        path, at = segments[0]
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(b"V")
        node.start()
        status = node.wait()
        line = harness.last_line(node.log())
        assert status == 1, (status, line)
        assert os.path.basename(path) in line, line
        numbers = [int(n) for n in re.findall(r"\d+", line.split(os.path.basename(path), 1)[1])]
        # The record's offset: at the damage or before it, and near.
        assert any(at - 65536 <= n <= at for n in numbers), (line, at)
        with open(path, "r+b") as f:  # Mended, it starts.
            f.seek(at)
            f.write(b"v")
        node.start()
        assert get(node, "k199") == b"value-199" * 20


@test
def torn_tail():
    """Rubbish behind the last record is cut off: what was acknowledged is all there."""
    with Cluster(count=1) as c:
        node = c.nodes[0]
        put(node, "k", "v" * 100)
        node.kill()
        found = None
        for folder, _, names in os.walk(node.directory):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    data = f.read()
                at = data.rfind(b"v" * 100)
                if at >= 0:
                    found = (path, at)
        path, at = found
        with open(path, "r+b") as f:
            f.seek((at // 4096 + 1) * 4096)
            f.write(os.urandom(700))
        node.start()
        assert get(node, "k") == b"v" * 100
        put(node, "k2", "v2")


@test
def full_disk():
    """A disk that fills: errors, never a lost write; with room again all goes on, a restart too."""
    if os.geteuid() != 0:
        raise Skip("mounting a small disk needs root")
    with Cluster(count=1, start=False, segment_size="256kb") as c:
        node = c.nodes[0]
        os.mkdir(node.directory)
        mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", node.directory]
        if subprocess.call(mount, stderr=subprocess.DEVNULL) != 0:
            raise Skip("mounting is not allowed here")
        try:
            node.start()
            acknowledged = 0
            put(node, "first", "1")
            try:
                with node.client(timeout=20) as k:
                    for i in range(3000):
                        if k("SET", "f%d" % i, "x" * 2000) == "OK":
                            acknowledged = i + 1
            except (Error, EOFError, OSError):
                pass  # An error, or no answer yet.
            assert 0 < acknowledged < 3000, acknowledged
            assert "space" in node.log(), harness.last_line(node.log())
            assert node.alive()
            assert get(node, "first") == b"1"  # Reads go on.
            again = ["mount", "-o", "remount,size=64m", node.directory]
            assert subprocess.call(again) == 0
            put(node, "roomy", "1")  # Room again: writes go on, by themselves.
            node.kill()
            node.start()
            assert get(node, "first") == b"1"
            assert get(node, "roomy") == b"1"
            with node.client(timeout=20) as k:
                for i in range(acknowledged):
                    assert k("GET", "f%d" % i) == b"x" * 2000, i
                assert k("SET", "more", "room") == "OK"
            node.kill()
        finally:
            if node.alive():
                node.kill()
            subprocess.call(["umount", node.directory])


# ---------------------------------------------------------------- start: one clear line each


def refused_start(arguments, want, status, before_exec=None):
    done = subprocess.run([harness.gandalf_path()] + arguments, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
                          preexec_fn=before_exec)
    line = harness.last_line(done.stderr)
    assert done.returncode == status, (done.returncode, done.stderr)
    assert want in line, line
    return line


@test
def bad_configuration():
    """Each fault of the configuration: one line with file and line, status 2."""
    directory = tempfile.mkdtemp(prefix="gandalf-test-")
    try:
        path = os.path.join(directory, "gandalf.conf")

        def with_text(text):
            with open(path, "w") as f:
                f.write(text)
            return ["--config", path]

        cases = [
            (["--port", "x"], 'port: bad value "x"'),
            (["--prot", "1"], 'unknown key "prot"'),
            (["--config", "/no/such/file"], "/no/such/file: cannot read it"),
            (with_text("host: 127.0.0.1\nprot: 7\n"), path + ':2: unknown key "prot"'),
        ]
        for arguments, want in cases:
            done = subprocess.run([harness.gandalf_path()] + arguments, stderr=subprocess.PIPE,
                                  text=True, timeout=30)
            assert done.returncode == 2, done
            assert want in done.stderr, done.stderr
            assert done.stderr.count("\n") == 1, done.stderr
        with_text("host: [a\n")
        done = subprocess.run([harness.gandalf_path(), "--check-config", path],
                              stderr=subprocess.PIPE, text=True, timeout=30)
        assert done.returncode == 2 and path + ":" in done.stderr, done
        with_text("host: 127.0.0.1\nport: 7001\nnodes: [127.0.0.1:7002, 127.0.0.1:7003]\n")
        done = subprocess.run([harness.gandalf_path(), "--check-config", path],
                              stdout=subprocess.DEVNULL, timeout=30)
        assert done.returncode == 0, done
        assert os.listdir(directory) == ["gandalf.conf"]
        for n in (1, 2, 3):
            conf = os.path.join(harness.TOP, "ci", "gandalf_%d.conf" % n)
            done = subprocess.run([harness.gandalf_path(), "--check-config", conf],
                                  stdout=subprocess.DEVNULL, timeout=30)
            assert done.returncode == 0, done
        help_text = subprocess.run([harness.gandalf_path(), "--help"], stdout=subprocess.PIPE,
                                   text=True, timeout=30)
        assert help_text.returncode == 0 and "connection_port" in help_text.stdout
    finally:
        shutil.rmtree(directory)


@test
def busy_directory_and_ports():
    """A directory or a port that another node has: one line, status 1; the other goes on."""
    with Cluster(count=1) as c:
        node = c.nodes[0]
        put(node, "k", "v")
        peer, client, other = harness.free_ports(3)
        base = ["--port=%d" % peer, "--connection_port=%d" % client]
        line = refused_start(base + ["--data_dir=" + node.directory], "another process", 1)
        assert node.directory in line
        fresh = os.path.join(c.directory, "fresh")
        line = refused_start(
            ["--port=%d" % peer, "--connection_port=%d" % node.client_port, "--data_dir=" + fresh],
            "127.0.0.1:%d" % node.client_port, 1)
        assert "in use" in line, line
        line = refused_start(
            ["--port=%d" % node.port, "--connection_port=%d" % other, "--data_dir=" + fresh],
            "127.0.0.1:%d" % node.port, 1)
        line = refused_start(base + ["--data_dir=" + os.path.join(c.directory, "a", "b")],
                             os.path.join(c.directory, "a", "b"), 1)
        assert "No such file" in line, line
        line = refused_start(base + ["--data_dir=" + node.log_path], node.log_path, 1)
        assert get(node, "k") == b"v"


@test
def unreadable_directory():
    """A directory that may not be read: one line, status 1."""
    directory = tempfile.mkdtemp(prefix="gandalf-test-")
    data = os.path.join(directory, "data")
    os.mkdir(data)
    try:
        def as_nobody():
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)

        os.chmod(directory, 0o755)
        os.chmod(data, 0o700 if os.geteuid() == 0 else 0o000)
        program = os.path.join(directory, "gandalf")
        shutil.copy(harness.gandalf_path(), program)
        os.chmod(program, 0o755)
        peer, client = harness.free_ports(2)
        done = subprocess.run(
            [program, "--data_dir=" + data, "--port=%d" % peer, "--connection_port=%d" % client],
            stderr=subprocess.PIPE, text=True, timeout=30, preexec_fn=as_nobody)
        assert done.returncode == 1, done
        assert data in done.stderr and "Permission denied" in done.stderr, done.stderr
    finally:
        os.chmod(data, 0o700)
        shutil.rmtree(directory)


@test
def foreign_directory():
    """A directory of another node or of another cluster is refused with a line."""
    with Cluster() as c:
        c.leader()
        put(c.nodes[0], "k", "v")
        c.level()
        for node in c.nodes:
            node.kill()
        # Node 2 on node 1's data, with an id that contradicts it.
        impostor = c.nodes[1]
        impostor.directory, kept = c.nodes[0].directory, impostor.directory
        impostor.options = {"id": 77}
        impostor.start()
        assert impostor.wait() == 1
        line = harness.last_line(impostor.log())
        assert "77" in line or "id" in line, line
        impostor.directory = kept
        impostor.options = {}
        c.start()
        assert get(c.nodes[2], "k") == b"v"


@test
def other_cluster():
    """A peer of another cluster reaches us, where a member of its own was: refused and logged."""
    with Cluster(count=2) as b, Cluster(count=1, start=False) as a:
        put(b.nodes[0], "who", "b")
        b.level()
        gone, stranger, ours = b.nodes[1], b.nodes[0], a.nodes[0]
        gone.kill()
        ours.port = gone.port  # Where the stranger looks for its peer.
        ours.start()
        put(ours, "who", "a")
        term = ours.info()["term"]
        wait_until("a line about the other cluster",
                   lambda: "cluster" in ours.log() or "cluster" in stranger.log())
        time.sleep(2)
        assert ours.log().count("another cluster") < 12, "asked again and again"
        assert get(ours, "who") == b"a"
        assert ours.info()["role"] == "leader" and ours.info()["term"] == term
        ours.kill()
        gone.start()
        assert get(stranger, "who") == b"b"


@test
def unknown_peer():
    """A fresh node that believes it is of our cluster is refused; we go on as we were."""
    with Cluster(count=1) as a, Cluster(count=1, start=False) as b:
        put(a.nodes[0], "k", "v")
        term = a.nodes[0].info()["term"]
        b.nodes[0].options = {"nodes": a.nodes[0].address}
        b.nodes[0].start()
        time.sleep(2)
        assert a.nodes[0].info()["term"] == term
        assert a.nodes[0].info()["role"] == "leader"
        assert get(a.nodes[0], "k") == b"v"


# ---------------------------------------------------------------- nonsense at the ports


def garbage():
    rng = random.Random(7)
    yield b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(rng.randrange(256) for _ in range(500))
    yield b"*1000000000\r\n"
    yield b"*3\r\n$99999999999\r\n"
    yield b"*2\r\n$-5\r\n"
    yield b"*-7\r\nPING\r\n"
    yield b"*1\r\n:5\r\n"
    yield b"$5\r\nhello\r\n"
    yield b"\x00" * 1000
    yield b"a" * 200000
    yield b"*1\r\n$4\r\nPINGxx"
    yield struct.pack("<II", 0xFFFFFFFF, 0) + b"x" * 100
    yield struct.pack("<I", 0x7FFFFFFF) + b"\x01" * 64
    for size in (1, 7, 64, 4096, 100000):
        yield bytes(rng.randrange(256) for _ in range(size))


@test
def nonsense():
    """Bytes of other protocols, wrong RESP, oversized frames at both ports: nothing else changes."""
    with Cluster() as c:
        leader = c.leader()
        put(leader, "k", "v")
        terms = {n.info()["term"] for n in c.nodes}
        for data in garbage():
            for port in (leader.client_port, leader.port):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                    try:
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                        while s.recv(65536):
                            pass
                    except OSError:
                        pass
        for i in range(100):  # Half a request, then gone.
            with socket.create_connection(("127.0.0.1", leader.client_port)) as s:
                s.sendall(b"*2\r\n$3\r\nGE")
        assert all(n.alive() for n in c.nodes)
        assert get(leader, "k") == b"v"
        assert c.leader() is leader
        assert {n.info()["term"] for n in c.nodes} == terms
        for line in leader.log().splitlines():
            assert harness.LOG_LINE.match(line), line


@test
def silence_at_the_peers_port():
    """Who connects there and says nothing takes no more than a few descriptors; a peer finds a place."""
    with Cluster() as c:
        leader = c.leader()
        crowd = [socket.create_connection(("127.0.0.1", leader.port)) for _ in range(300)]

        def most_are_closed():
            gone = 0
            for s in crowd:
                s.setblocking(False)
                try:
                    gone += s.recv(1) == b""
                except BlockingIOError:
                    pass
                except OSError:
                    gone += 1
            return gone >= 200

        wait_until("closed connections", most_are_closed)
        follower = next(n for n in c.nodes if n is not leader)
        follower.kill()
        follower.start()
        put(follower, "k", "v")
        for s in crowd:
            s.close()


@test
def protocol_errors():
    """Wrong RESP gets Redis's own words, and the connection is closed."""
    with Cluster(count=1, proto_max_bulk_len="64kb") as c:
        c.leader()
        cases = [
            (b"*1\r\n:5\r\n", "Protocol error: expected '$', got ':'"),
            (b"*1\r\n$-5\r\n", "Protocol error: invalid bulk length"),
            (b"*99999999999\r\n", "Protocol error: invalid multibulk length"),
            (b"*1\r\n$65537\r\n", "Protocol error: invalid bulk length"),
        ]
        for data, want in cases:
            with c.nodes[0].client() as k:
                k.send_raw(data)
                try:
                    k.read()
                    raise AssertionError(data)
                except Error as e:
                    assert want in str(e), (data, e)
                assert k.socket.recv(1) == b""
        with c.nodes[0].client() as k:
            try:
                k("NOSUCH", "a")
                raise AssertionError("NOSUCH")
            except Error as e:
                assert str(e).startswith("ERR unknown command 'NOSUCH'"), e
            assert k("PING") == "PONG"


@test
def limits():
    """max_clients and requirepass."""
    with Cluster(count=1, max_clients=5, requirepass="secret") as c:
        node = c.nodes[0]

        def authorized():
            with node.client() as k:
                return k("AUTH", "secret") == "OK"

        wait_until("AUTH", authorized)
        with node.client() as k:
            for words in (("GET", "x"), ("SET", "x", "1")):
                try:
                    k(*words)
                    raise AssertionError(words)
                except Error as e:
                    assert str(e).startswith("NOAUTH"), e
            assert k("AUTH", "secret") == "OK"

            def write():
                return k("SET", "x", "1") == "OK"

            wait_until("a leader", write)
        crowd = []
        refused = 0
        for _ in range(12):
            try:
                k = node.client(timeout=5)
                crowd.append(k)
                k("AUTH", "secret")
            except (Error, EOFError, OSError):
                refused += 1
        assert refused >= 7, refused
        for k in crowd:
            k.close()
        wait_until("room for clients", authorized)


# ---------------------------------------------------------------- other people's clients


def need(program):
    path = shutil.which(program)
    if path is None:
        raise Skip(program + " is not installed")
    return path


@test
def redis_benchmark():
    """redis-benchmark runs to its end, plain and pipelined."""
    program = need("redis-benchmark")
    count = os.environ.get("GANDALF_BENCHMARK_COUNT", "10000")
    with Cluster(heartbeat=100, timeout=1000) as c:
        leader = c.leader()
        for extra in ([], ["-P", "16"]):
            done = subprocess.run(
                [program, "-p", str(leader.client_port), "-t", "set,get,incr", "-c", "50", "-n",
                 count, "-q"] + extra,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
            assert done.returncode == 0, done.stdout
            lines = re.findall(r"(SET|GET|INCR): ([0-9.]+) requests per second", done.stdout)
            assert len(lines) == 3, done.stdout
            print("     " + ", ".join("%s %s/s" % (n, r) for n, r in lines), *extra)
        with leader.client() as k:
            assert k("GET", "counter:__rand_int__") == str(2 * int(count)).encode()


@test
def redis_cli():
    """redis-cli: commands, and a redirection that it follows."""
    program = need("redis-cli")
    with Cluster(follower="redirect") as c:
        c.leader()
        follower = c.followers()[0]

        def cli(*words):
            done = subprocess.run([program, "-c", "-p", str(follower.client_port)] + list(words),
                                  stdout=subprocess.PIPE, text=True, timeout=30)
            return done.stdout.strip()

        assert cli("SET", "k", "v") == "OK"
        assert cli("GET", "k") == "v"
        assert cli("PING") == "PONG"


@test
def python_redis():
    """python3-redis, plain and as a cluster client."""
    try:
        import redis
        from redis.cluster import RedisCluster
    except ImportError:
        raise Skip("python3-redis is not installed")
    with Cluster(follower="redirect") as c:
        leader = c.leader()
        plain = redis.Redis(port=leader.client_port)
        assert plain.set("k", "v") and plain.get("k") == b"v"
        with plain.pipeline(transaction=True) as p:
            assert p.set("a", 1).incr("a").get("a").execute() == [True, 2, b"2"]
        follower = c.followers()[0]
        clustered = RedisCluster(host="127.0.0.1", port=follower.client_port)
        for i in range(50):
            assert clustered.set("c%d" % i, i)
            assert clustered.get("c%d" % i) == str(i).encode()
        clustered.close()
    with Cluster() as c:
        follower = c.followers()[0]
        plain = redis.Redis(port=follower.client_port)
        assert plain.incr("n") == 1 and plain.mget("n", "none") == [b"1", None]


@test
def ioredis():
    """ioredis, plain and as a cluster client, while the leader is killed."""
    node_program = need("node")
    script = """
    const Redis = require('ioredis');
    const [leader, follower] = process.argv.slice(2).map(Number);
    (async () => {
      const plain = new Redis(leader, '127.0.0.1');
      await plain.set('k', 'v');
      if (await plain.get('k') !== 'v') throw new Error('get');
      plain.disconnect();
      const cluster = new Redis.Cluster([{host: '127.0.0.1', port: follower}]);
      for (let i = 0; i < 50; i++) {
        await cluster.set('i' + i, i);
        if (await cluster.get('i' + i) !== String(i)) throw new Error('cluster get');
      }
      cluster.disconnect();
      console.log('fine');
    })().catch(e => { console.error(e); process.exit(1); });
    """
    modules = os.path.join(harness.TOP, "build", "npm", "node_modules")  # ci/test.sh puts it there.
    environment = dict(os.environ)
    environment.setdefault("NODE_PATH", modules)
    found = subprocess.run([node_program, "-e", "require('ioredis')"], env=environment,
                           stderr=subprocess.DEVNULL)
    if found.returncode != 0:
        raise Skip("ioredis is not installed: npm install --prefix build/npm ioredis")
    with Cluster(follower="redirect") as c:
        leader = c.leader()
        follower = c.followers()[0]
        path = os.path.join(c.directory, "test.js")
        with open(path, "w") as f:
            f.write(script)
        done = subprocess.run([node_program, path, str(leader.client_port),
                               str(follower.client_port)],
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60)
        assert done.returncode == 0 and "fine" in done.stdout, done.stdout


if __name__ == "__main__":
    harness.main(TESTS)
