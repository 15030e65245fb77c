#!/usr/bin/env python3
"""Process tests: members and leadership of a running cluster are changed.

    members.py [TEST...]        all of them without a name; $GANDALF names the program
"""

import os
import shutil
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ci"))
import cluster as harness  # noqa: E402
from cluster import Cluster, Error, wait_until  # noqa: E402

TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


def refused(client, *words):
    try:
        reply = client(*words)
    except Error as e:
        return str(e)
    raise AssertionError("not refused: %r, %r" % (words, reply))


def id_of(node):
    """The harness numbers nodes as it starts them; their ids are by their addresses."""
    with node.client() as k:
        facts = k("RAFT", "STATUS")
        return facts[facts.index(b"id") + 1]


@test
def too_few_would_answer():
    """A change that those who answer today could not carry is refused and changes nothing; FORCE
    goes on."""
    with Cluster() as c:
        leader = c.leader()
        dead, alive = c.followers()
        silent, other = id_of(dead), id_of(alive)
        dead.kill()
        with leader.client(timeout=30) as k:

            # Until an election timeout has passed it still counts as one that answers.
            time.sleep(2)
            assert "no majority answers" in refused(k, "RAFT", "REMOVE", other)
            assert "does not answer" in refused(k, "RAFT", "PROMOTE", silent)
            assert len(k("RAFT", "NODES")) == 3
            # A voter is one already: nothing but the check is in the way.
            assert k("RAFT", "PROMOTE", silent, "FORCE") == "OK"
            # The silent one can go: who is left answers.
            assert k("RAFT", "REMOVE", silent) == "OK"
            assert len(k("RAFT", "NODES")) == 2
            assert k("SET", "a", "b") == "OK"


@test
def last_voter_stays():
    with Cluster(count=1) as c:
        with c.leader().client(timeout=30) as k:
            # Before an entry of its term is committed, a leader says that it is busy.
            assert k("SET", "a", "b") == "OK"
            text = refused(k, "RAFT", "REMOVE", id_of(c.nodes[0]))
            assert "no voter" in text, text
            assert k("SET", "a", "b") == "OK"


def kinds(client):
    """Id and kind of each member."""
    rows = client("RAFT", "NODES")
    return {row[row.index(b"id") + 1]: row[row.index(b"member") + 1].decode() for row in rows}


def ends_by_itself(node, word):
    wait_until("node %d stops by itself" % node.number, lambda: not node.alive())
    assert word in node.log(), node.log()[-2000:]


@test
def grow_replace_shrink():
    """One node becomes three while a counter is counted; an emptied disk is not let in again, and is
    replaced; a removed node hears of it. Nothing is lost."""
    with Cluster(count=4, start=False) as c:
        first, second, third, fourth = c.nodes
        counted = 0
        for node in c.nodes:
            node.options = {"nodes": "", "join": "no" if node is first else "yes"}
        first.start()
        c.leader(among=[first])
        with first.client(timeout=30) as k:

            def count(times):
                for _ in range(times):
                    assert isinstance(k("INCR", "n"), int)
                return counted + times

            counted = count(100)
            text = refused(k, "RAFT", "ADD", 2, second.address)
            assert "nobody answers" in text, text
            second.start()
            third.start()
            for number, node in ((2, second), (3, third)):
                wait_until("node %d waits" % number, lambda: "waiting to be added" in node.log())
                assert k("RAFT", "ADD", number, node.address) == "OK"
                counted = count(100)
            assert kinds(k) == {1: "voter", 2: "voter", 3: "voter"}
            with third.client(timeout=30) as other:
                assert int(other("GET", "n")) == counted

            second.kill()
            shutil.rmtree(second.directory)
            second.options["id"] = 2
            second.start()
            ends_by_itself(second, "by another data directory")
            counted = count(100)
            fourth.start()
            wait_until("node 4 waits", lambda: "waiting to be added" in fourth.log())
            assert k("RAFT", "REPLACE", 2, 4, fourth.address) == "OK"
            assert kinds(k) == {1: "voter", 3: "voter", 4: "voter"}
            assert "ids are used once" in refused(k, "RAFT", "ADD", 2, second.address, "FORCE")
            wait_until("node 4 serves", lambda: "serving clients" in fourth.log())
            with fourth.client(timeout=30) as other:
                assert int(other("GET", "n")) == counted
            assert k("RAFT", "REMOVE", 3) == "OK"
            ends_by_itself(third, "was removed from the cluster")
            counted = count(100)
        for node in (first, fourth):
            node.options = {"nodes": ""}
            node.kill()
            node.start()
        with c.leader(among=[first, fourth]).client(timeout=30) as k:
            assert int(k("GET", "n")) == counted


class Counter(threading.Thread):
    """INCRs a key of its own; a write whose outcome is not known makes the count a range."""

    def __init__(self, cluster, number):
        super().__init__()
        self.cluster, self.key = cluster, "c%d" % number
        self.number, self.last, self.maybe = number, 0, 0
        self.times, self.wrong, self.stopped = [], [], False

    def run(self):
        turn = self.number
        while not self.stopped:
            turn += 1
            sent = False
            try:
                with self.cluster.nodes[turn % len(self.cluster.nodes)].client(timeout=15) as k:
                    while not self.stopped:
                        sent = True
                        try:
                            value = k("INCR", self.key)
                        except Error as e:
                            sent = False
                            if str(e).startswith("UNKNOWN"):
                                self.maybe += 1
                            elif not str(e).startswith(("CLUSTERDOWN", "BUSY", "MOVED")):
                                self.wrong.append(str(e))
                            continue
                        sent = False
                        if not self.last < value <= self.last + 1 + self.maybe:
                            self.wrong.append("%d after %d" % (value, self.last))
                        self.maybe -= value - self.last - 1
                        self.last = value
                        self.times.append(time.monotonic())
            except (OSError, EOFError):
                self.maybe += 1 if sent else 0
                time.sleep(0.02)


@test
def transfers_under_load():
    """Leadership goes on twenty times under load: no INCR is lost or done twice, and no pause is as
    long as an election timeout."""
    with Cluster() as c:
        c.leader()
        counters = [Counter(c, i) for i in range(6)]
        for t in counters:
            t.start()
        windows = []
        try:
            for _ in range(20):
                leader = c.leader()
                begin = time.monotonic()
                with leader.client(timeout=30) as k:
                    assert k("RAFT", "TRANSFER") == "OK"
                wait_until("another leader", lambda: c.leader() is not leader)
                time.sleep(0.2)
                windows.append((begin, time.monotonic()))
        finally:
            for t in counters:
                t.stopped = True
            for t in counters:
                t.join()
        assert not [w for t in counters for w in t.wrong], [t.wrong[:3] for t in counters]
        c.level()
        for node in c.nodes:
            with node.client(timeout=30) as k:
                for t in counters:
                    assert t.last <= int(k("GET", t.key)) <= t.last + t.maybe, (t.key, t.last)
        pauses = []
        times = sorted(x for t in counters for x in t.times)
        for begin, end in windows:
            marks = [begin] + [x for x in times if begin <= x <= end] + [end]
            pauses.append(max(b - a for a, b in zip(marks, marks[1:])))
        print("     %d INCRs, %d of unknown outcome, longest pause %.0f ms"
              % (len(times), sum(t.maybe for t in counters), max(pauses) * 1000))
        assert max(pauses) < 1.0, pauses


if __name__ == "__main__":
    harness.main(TESTS)
