#!/usr/bin/env python3
"""Process tests of what an operator does: inspect, recover, backup, restore; as in
docs/operations.md.

    operations.py [TEST...]        all of them without a name; $GANDALF names the program
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from process import Load, get, harness, put  # noqa: E402
from cluster import Cluster, Error, wait_until  # noqa: E402

TESTS, test = harness.suite()


def gandalf(*words, status=0, answer=None):
    """Runs a subcommand to its end; its output, or what it complained of."""
    done = subprocess.run([harness.gandalf_path(), *words], input=answer or "", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == status, (words, done)
    return done.stdout if status == 0 else done.stdout + done.stderr


def facts(directory, status=0):
    return json.loads(gandalf("inspect", "--json", directory, status=status).splitlines()[0])


def contents(node):
    """Every key and its value."""
    with node.client(timeout=60) as k:
        keys = sorted(k("KEYS", "*"))
        values = []
        for begin in range(0, len(keys), 500):
            values += k("MGET", *keys[begin : begin + 500])
        return dict(zip(keys, values))


@test
def database_of_a_directory():
    """A log is about one kind of database: another is not put under it."""
    with Cluster(count=1) as c:
        (node,) = c.nodes
        with c.leader().client() as k:
            assert k("SET", "a", "b") == "OK"
        assert node.kill(signal.SIGTERM) == 0
        node.options["database"] = "sqlite"
        node.start()
        assert node.wait() == 2
        assert 'it is of "gandalf kvs", and this would be "gandalf sqlite"' in node.log(), node.log()
        node.options["database"] = "kvs"
        node.start()
        with c.leader().client() as k:
            assert k("GET", "a") == b"b"


@test
def tools_tell_their_use():
    """Each by --help; a word that it does not know is named, and nothing is done."""
    for tool in ("inspect", "recover", "backup", "restore"):
        text = gandalf(tool, "--help")
        assert text.startswith("gandalf %s " % tool) and "Exit status" in text, text
        assert gandalf(tool, "-h") == text
        assert '"--hlep" is not expected here' in gandalf(tool, "--hlep", status=2)


@test
def inspect_tells():
    """What a stopped node holds; which of several has the most; a damaged one says where."""
    with Cluster() as c:
        leader = c.leader()
        for i in range(50):
            put(leader, "k%d" % i, "v")
        with leader.client() as k:
            k("RAFT", "SNAPSHOT")
        put(leader, "last", "v")
        c.level()
        behind = c.followers()[0]
        gandalf("inspect", behind.directory, status=1)  # Its node runs.
        behind.kill()
        put(leader, "later", "v")
        c.level(among=[n for n in c.nodes if n is not behind])
        c.stop()
        seen = {n: facts(n.directory) for n in c.nodes}
        for n in c.nodes:
            assert seen[n]["sound"] and seen[n]["usable"], seen[n]
            assert sorted(m["address"] for m in seen[n]["members"]) == sorted(
                m.address for m in c.nodes)
        assert seen[leader]["snapshots"][0]["sound"]
        assert seen[behind]["last"]["index"] < seen[leader]["last"]["index"]
        text = gandalf("inspect", *[n.directory for n in c.nodes])
        assert "verdict  sound" in text and "checksums right" in text, text
        assert ", started 1 times" in text, text
        assert "The most is in %s" % behind.directory not in text, text
        assert "The most is in" in text, text

        # Nothing was changed by looking; a flipped bit in either file is named, with its place.
        assert facts(leader.directory) == seen[leader]
        snapshot = os.path.join(leader.directory, "snapshot", seen[leader]["snapshots"][0]["name"])
        flip(snapshot, os.path.getsize(snapshot) // 2)
        damaged = facts(leader.directory, status=1)
        assert not damaged["sound"] and "snapshot/" in damaged["problems"][0], damaged
        segment = os.path.join(behind.directory, "wal", seen[behind]["segments"][0]["name"])
        middle = seen[behind]["segments"][0]["used"] // 2
        flip(segment, middle - middle % 4096 + 40)  # In a record, not in the padding behind one.
        damaged = facts(behind.directory, status=1)
        assert not damaged["usable"] and "offset" in damaged["problems"][0], damaged
        assert damaged["node_id"] == seen[behind]["node_id"]
        gandalf("inspect", c.directory + "/nowhere", status=1)


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)
        f.seek(offset)
        f.write(bytes([byte[0] ^ 0x40]))


@test
def recover_a_lost_majority():
    """Two of three are gone for good: the third goes on alone, with every acknowledged write; one
    of the dead that comes back is not let in."""
    with Cluster(snapshot_log_size="64kb") as c:
        c.leader()
        load = Load(c)
        load.goes_on(800)
        load.finish()
        c.level()
        survivor, returning, gone = c.nodes
        for n in c.nodes:
            n.kill()
        shutil.rmtree(gone.directory)
        was = facts(survivor.directory)
        assert was["sound"], was

        words = ["recover", "--data-dir", survivor.directory, "--nodes", survivor.address]
        assert "nothing was changed" in gandalf(*words, status=1, answer="no\n")
        assert facts(survivor.directory) == was
        assert "LOST" in gandalf(*words, answer="yes\n")
        now = facts(survivor.directory)
        assert now["sound"] and now["cluster_id"] != was["cluster_id"], now
        assert [m["address"] for m in now["members"]] == [survivor.address]
        assert now["last"]["index"] == was["last"]["index"] + 1
        assert now["node_id"] == was["node_id"] and now["term"] > was["term"]

        survivor.start()
        put(survivor, "new", "life")
        load.check(survivor)
        returning.start()
        time.sleep(2)
        assert survivor.info()["role"] == "leader"
        put(survivor, "new", "again")
        with returning.client(timeout=20) as k:
            try:
                k("GET", "new")
                raise AssertionError("the dead serve")
            except Error as e:
                assert str(e).startswith("CLUSTERDOWN"), e
        survivor.kill()
        survivor.start()
        assert get(survivor, "new") == b"again"
        load.check(survivor)


@test
def recover_refuses():
    """Several addresses, no log, a damaged log, a running node: refused, nothing changed."""
    with Cluster(count=1) as c:
        node = c.nodes[0]
        put(node, "k", "v")
        words = ["recover", "--data-dir", node.directory, "--yes", "--nodes"]
        assert node.directory in gandalf(*words, node.address, status=1)
        node.kill()
        gandalf(*words, node.address + ",127.0.0.1:1", status=2)
        gandalf(*words, "nonsense", status=2)
        gandalf("recover", "--data-dir", node.directory, status=2)
        empty = os.path.join(c.directory, "empty")
        os.mkdir(empty)
        gandalf("recover", "--data-dir", empty, "--nodes", node.address, "--yes", status=1)
        node.start()
        assert get(node, "k") == b"v"


@test
def backup_under_load_and_restore():
    """A backup while writes go on has all that was acknowledged before; three new nodes begin with
    exactly it, and write on."""
    with Cluster(snapshot_log_size="64kb") as c, Cluster(start=False) as fresh:
        leader = c.leader()
        load = Load(c)
        load.goes_on(800)
        before = dict(load.acknowledged)
        backup = os.path.join(c.directory, "backup")
        follower = c.followers()[0]
        text = gandalf("backup", "--from", "127.0.0.1:%d" % follower.client_port, "-o", backup)
        index = int(re.search(r"index (\d+)", text).group(1))
        load.goes_on(200)
        load.finish()
        assert os.listdir(c.directory).count("backup") == 1
        assert not [n for n in os.listdir(c.directory) if n.endswith(".tmp")]

        flip(backup, os.path.getsize(backup) // 3)
        everyone = ",".join(n.address for n in fresh.nodes)
        first = fresh.nodes[0]
        words = ["restore", backup, "--nodes", everyone, "--data-dir"]
        assert "nothing was written" in gandalf(*words, first.directory, "--self", first.address,
                                                status=1)
        flip(backup, os.path.getsize(backup) // 3)
        gandalf(*words, first.directory, "--self", "127.0.0.1:1", status=1)
        for node in fresh.nodes:
            gandalf(*words, node.directory, "--self", node.address)
            seen = facts(node.directory)
            assert seen["sound"] and seen["last"]["index"] == index, seen
        assert "not empty" in gandalf(*words, first.directory, "--self", first.address, status=1)
        assert len({facts(n.directory)["cluster_id"] for n in fresh.nodes}) == 1

        fresh.start()
        fresh.leader()
        restored = contents(fresh.nodes[0])
        for key, value in before.items():
            assert restored.get(key.encode()) == value, key
        for key, value in restored.items():  # Nothing that was not written.
            assert key in (b"gandalf",) or value == b"v" + key.split(b".")[1], (key, value)
        for node in fresh.nodes:
            assert contents(node) == restored
        for node in fresh.nodes:
            put(node, "on%d" % node.number, "v")  # Boots begin above the backup's.
        fresh.level()
        assert len(contents(fresh.nodes[1])) == len(restored) + 3
        assert leader.alive()


@test
def backup_of_a_quiet_cluster():
    """Contents are equal, key by key; a second backup replaces the first; no node, no file."""
    with Cluster(count=1, requirepass="secret") as c, Cluster(count=1, start=False) as fresh:
        node, new = c.nodes[0], fresh.nodes[0]

        def fill():
            with node.client() as k:
                k("AUTH", "secret")
                for i in range(2000):
                    k("SET", "k%d" % i, "x" * (i % 3000))
                return k("DBSIZE")

        size = wait_until("a leader", fill)
        backup = os.path.join(c.directory, "backup")
        words = ["backup", "--from", "127.0.0.1:%d" % node.client_port, "-o", backup]
        assert "NOAUTH" in gandalf(*words, status=1)
        os.environ["GANDALF_PASSWORD"] = "secret"
        try:
            gandalf(*words)
            gandalf(*words)
            kvs = os.path.join(os.path.dirname(harness.gandalf_path()), "..", "kvs", "gandalf-kvs")
            shown = subprocess.run([kvs, "-p", str(node.client_port), "get", "k7"], text=True,
                                   stdout=subprocess.PIPE, timeout=60)
            assert shown.stdout == "x" * 7 + "\n", shown
        finally:
            del os.environ["GANDALF_PASSWORD"]
        assert os.path.getsize(backup) > 1 << 20  # More than a piece.
        node.kill()
        gandalf(*words, status=1)
        assert sorted(n for n in os.listdir(c.directory) if n.startswith("backup")) == ["backup"]
        gandalf("restore", backup, "--data-dir", new.directory, "--nodes", new.address)
        new.start()
        assert len(wait_until("the data", lambda: contents(new))) == size
        assert get(new, "k2999") is None and get(new, "k1999") == b"x" * 1999


if __name__ == "__main__":
    harness.main(TESTS)
