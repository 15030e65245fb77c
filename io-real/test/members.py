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

TESTS, test = harness.suite()


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
def removed_before_it_was_met():
    """Added and removed in one breath, before it ever heard a word of the log: it hears of it."""
    with Cluster(count=2, start=False) as c:
        first, second = c.nodes
        first.options = {"nodes": "", "join": "no"}
        second.options = {"nodes": "", "join": "yes"}
        first.start()
        second.start()
        c.leader(among=[first])
        with first.client(timeout=30) as k:
            wait_until("node 2 waits", lambda: "waiting to be added" in second.log())
            assert k("SET", "a", "b") == "OK"
            assert k("RAFT", "ADD", 2, second.address, "LEARNER") == "OK"
            assert k("RAFT", "REMOVE", 2) == "OK"
            ends_by_itself(second, "was removed from the cluster")
            assert kinds(k) == {1: "voter"}


@test
def replaced_where_it_was():
    """An emptied member is not taken for who it was, and takes a new id at the same address."""
    with Cluster() as c:
        with c.leader().client(timeout=30) as k:
            assert k("SET", "a", "b") == "OK"
        lost = next(n for n in c.nodes if n is not c.leader())
        old = id_of(lost)
        c.level()  # Whose disk it was is on record.
        lost.kill()
        shutil.rmtree(lost.directory)
        lost.options = {"nodes": "", "join": "yes"}
        lost.start()
        wait_until("the emptied node is told", lambda: "was at this address" in lost.log())
        leader = c.leader(among=[n for n in c.nodes if n is not lost])
        with leader.client(timeout=30) as k:
            assert k("RAFT", "REPLACE", old, 4, lost.address) == "OK"
            assert 4 in kinds(k) and old not in kinds(k), kinds(k)
        with lost.client(timeout=30) as k:
            assert k("GET", "a") == b"b"


@test
def grow_replace_shrink():
    """One node becomes three while a counter is counted; an emptied disk is not let in again, and is
    replaced; a removed node hears of it. Nothing is lost."""
    with Cluster(count=5, start=False) as c:
        first, second, third, fourth, fifth = c.nodes
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
            for order in (("ADD", 4, second.address), ("MOVE", 3, second.address, "FORCE"),
                          ("REPLACE", 3, 4, second.address)):
                assert "a member is at this address" in refused(k, "RAFT", *order), order
            refused(k, "RAFT", "REMOVE", 3, "LEARNER")
            assert kinds(k) == {1: "voter", 2: "voter", 3: "voter"}
            fourth.start()
            wait_until("node 4 waits", lambda: "waiting to be added" in fourth.log())
            assert k("RAFT", "ADD", 4, fourth.address, "LEARNER") == "OK"
            # Typed at once: it may not have answered its leader yet.
            assert k("RAFT", "PROMOTE", 4) == "OK"
            assert kinds(k)[4] == "voter"
            assert k("RAFT", "REMOVE", 4) == "OK"
            ends_by_itself(fourth, "was removed from the cluster")
            with third.client(timeout=30) as other:
                assert int(other("GET", "n")) == counted

            second.kill()
            shutil.rmtree(second.directory)
            second.options["id"] = 2
            second.start()
            ends_by_itself(second, "by another data directory")
            counted = count(100)
            fifth.start()
            wait_until("node 5 waits", lambda: "waiting to be added" in fifth.log())
            assert k("RAFT", "REPLACE", 2, 5, fifth.address) == "OK"
            assert kinds(k) == {1: "voter", 3: "voter", 5: "voter"}
            assert "ids are used once" in refused(k, "RAFT", "ADD", 2, second.address, "FORCE")
            wait_until("node 5 serves", lambda: "serving clients" in fifth.log())
            with fifth.client(timeout=30) as other:
                assert int(other("GET", "n")) == counted
            assert k("RAFT", "REMOVE", 3) == "OK"
            ends_by_itself(third, "was removed from the cluster")
            counted = count(100)
        for node in (first, fifth):
            node.options = {"nodes": ""}
            node.kill()
            node.start()
        with c.leader(among=[first, fifth]).client(timeout=30) as k:
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
        for t in counters:  # Of each client by itself.
            for begin, end in windows:
                marks = [begin] + [x for x in t.times if begin <= x <= end] + [end]
                pauses.append(max(b - a for a, b in zip(marks, marks[1:])))
        done, maybe = sum(len(t.times) for t in counters), sum(t.maybe for t in counters)
        print("     %d INCRs, %d of unknown outcome, longest pause of a client %.0f ms"
              % (done, maybe, max(pauses) * 1000))
        assert maybe <= 20 * len(counters), maybe  # One for each client and transfer.
        assert max(pauses) < 1.0, pauses


class Bench(threading.Thread):
    """One client as redis-benchmark is one: batches in a pipeline, half of them SETs of keys never
    used before, half INCRs of a counter of its own. Writes whose outcome is not known are counted;
    without any the counter must be exact. It leaves a node that is not among `nodes` any more."""

    BATCH = 16

    def __init__(self, number, nodes):
        super().__init__()
        self.number, self.nodes, self.node = number, nodes, None
        self.key = "n%d" % number
        self.acknowledged, self.counted, self.maybe = {}, 0, 0
        self.pauses, self.wrong, self.stopped, self.turn = [], [], False, number
        self.serial = 0
        self.last_ns = time.monotonic()

    def run(self):
        while not self.stopped:
            self.turn += 1
            present = list(self.nodes)
            self.node = present[self.turn % len(present)]
            try:
                with self.node.client(timeout=15) as k:
                    while not self.stopped and self.node in self.nodes:
                        self.batch(k)
            except (OSError, EOFError):
                time.sleep(0.02)
            self.node = None

    def batch(self, k):
        asked, out = [], []
        for i in range(self.BATCH):
            self.serial += 1
            key = "w%d.%d" % (self.number, self.serial)
            asked.append(key if i % 2 else None)
            out.append(k.encode("SET", key, "v%s" % key) if i % 2 else k.encode("INCR", self.key))
        left = sum(1 for key in asked if key is None)
        try:
            k.send_raw(b"".join(out))
            for key in asked:
                self.answer(k, key)
                left -= key is None
        except (OSError, EOFError):
            self.maybe += left
            raise

    def answer(self, k, key):
        try:
            reply = k.read()
        except Error as e:
            if str(e).startswith("UNKNOWN"):
                self.maybe += key is None
            elif not str(e).startswith(("CLUSTERDOWN", "BUSY", "MOVED")):
                self.wrong.append(str(e))
            return
        now = time.monotonic()
        self.pauses.append((self.last_ns, now - self.last_ns))
        self.last_ns = now
        if key is not None:
            self.acknowledged[key] = b"v" + key.encode()
        elif not self.counted < reply <= self.counted + 1 + self.maybe:
            self.wrong.append("%d after %d" % (reply, self.counted))
        else:
            self.maybe -= reply - self.counted - 1
            self.counted = reply

    def check(self, node):
        with node.client(timeout=60) as k:
            assert self.counted <= int(k("GET", self.key)) <= self.counted + self.maybe, self.key
            keys = list(self.acknowledged)
            for begin in range(0, len(keys), 500):
                part = keys[begin : begin + 500]
                for key, value in zip(part, k("MGET", *part)):
                    assert value == self.acknowledged[key], (node.number, key, value)


class Life:
    """A cluster and its load: members come, are replaced, lead, and go."""

    def __init__(self, cluster, first):
        self.cluster, self.members, self.serving = cluster, {1: first}, [first]
        self.clients = [Bench(i, self.serving) for i in range(8)]
        for c in self.clients:
            c.start()

    def leader(self):
        """Who is being replaced may have ended already."""
        return self.cluster.leader(among=[n for n in self.members.values() if n.alive()])

    def order(self, *words, done):
        """Told that it is done; or, where time cuts the answer short, what it says: it goes on by
        itself. Then it is waited for."""
        with self.leader().client(timeout=60) as k:
            try:
                assert k(*words) == "OK", words
            except Error as error:
                assert str(error).startswith("UNKNOWN"), (words, error)
                wait_until("%s %s" % words[1:3], done)

    def is_voter(self, id_):
        with self.leader().client(timeout=30) as k:
            return kinds(k).get(id_) == "voter"

    def goes_on(self, more=500):
        """The load is not stuck; every member takes part in it."""
        begin = [len(c.acknowledged) for c in self.clients]
        wait_until("load that goes on", lambda: all(
            len(c.acknowledged) >= b + more // len(self.clients)
            for c, b in zip(self.clients, begin)))

    def arrive(self, id_, node):
        self.members[id_] = node
        wait_until("node %d serves" % id_, lambda: "serving clients" in node.log())
        self.serving.append(node)
        self.goes_on()

    def leave(self, node):
        """Clients go elsewhere, as an operator would see to."""
        self.serving.remove(node)
        wait_until("clients that have left", lambda: all(c.node is not node for c in self.clients))

    def replace(self, old_id, id_, node):
        old = self.members[old_id]
        node.options = {"nodes": "", "join": "yes"}
        node.start()
        wait_until("node %d waits" % id_, lambda: "waiting to be added" in node.log())
        self.leave(old)
        self.order("RAFT", "REPLACE", old_id, id_, node.address, done=lambda: self.is_voter(id_))
        del self.members[old_id]
        # The answer has come when it is done, and not before.
        with self.leader().client(timeout=30) as k:
            assert sorted(kinds(k).items()) == [(i, "voter") for i in sorted(self.members)] + [
                (id_, "voter")]
        ends_by_itself(old, "was removed from the cluster")
        self.arrive(id_, node)

    def remove(self, id_):
        node = self.members[id_]
        self.leave(node)
        self.order("RAFT", "REMOVE", id_, done=lambda: not self.is_voter(id_))
        del self.members[id_]
        ends_by_itself(node, "was removed from the cluster")
        self.goes_on()

    def transfer(self):
        leader = self.leader()
        with leader.client(timeout=30) as k:
            # Whoever is to take over may hang on its disk: refused then, and asked again.
            wait_until("a transfer", lambda: self.leader() is not leader
                       or k("RAFT", "TRANSFER") == "OK")
        assert wait_until("another leader", lambda: self.leader() is not leader)

    def finish(self):
        for c in self.clients:
            c.stopped = True
        for c in self.clients:
            c.join()
        assert not [w for c in self.clients for w in c.wrong], [c.wrong[:3] for c in self.clients]


@test
def whole_life_under_load():
    """1 -> 3 -> 5 -> 3 nodes, each of five replaced in turn, leadership handed on twenty times, while
    clients write as fast as they can: every acknowledged write is read back, counters are exact."""
    with Cluster(count=10, start=False, snapshot_log_size="1mb") as c:
        first = c.nodes[0]
        first.options = {"nodes": ""}
        first.start()
        c.leader(among=[first])
        life = Life(c, first)
        try:
            life.goes_on()
            # It asks by itself: a leader, then a follower, which sends it on.
            for id_, asked in ((2, 0), (3, 1)):
                node = c.nodes[id_ - 1]
                node.options = {"nodes": "", "join": c.nodes[asked].address}
                node.start()
                wait_until("node %d votes" % id_, lambda: life.is_voter(id_))
                life.arrive(id_, node)
            # An operator adds those that wait.
            for id_ in (4, 5):
                node = c.nodes[id_ - 1]
                node.options = {"nodes": "", "join": "yes"}
                node.start()
                wait_until("node %d waits" % id_, lambda: "waiting to be added" in node.log())
                life.order("RAFT", "ADD", id_, node.address, done=lambda: life.is_voter(id_))
                assert life.is_voter(id_)
                life.arrive(id_, node)
            for id_ in range(1, 6):
                life.replace(id_, id_ + 5, c.nodes[id_ + 4])
            pauses = []
            for _ in range(20):
                begin = time.monotonic()
                life.transfer()
                life.goes_on(100)
                pauses.append(max(p for t in life.clients for at, p in list(t.pauses)
                                  if at >= begin - 1))
            print("     pauses of clients by 20 transfers: median %.0f ms, longest %.0f ms"
                  % (sorted(pauses)[10] * 1000, max(pauses) * 1000))
            # One that does not lead, and then the one that does.
            leader = next(i for i, n in life.members.items() if n is life.leader())
            life.remove(next(i for i in life.members if i != leader))
            leader = next(i for i, n in life.members.items() if n is life.leader())
            life.remove(leader)
            assert len(life.members) == 3
        finally:
            life.finish()
        members = list(life.members.values())
        c.level(among=members)
        for _ in range(2):  # As they are, and after kill -9 of all.
            for node in members:
                for t in life.clients:
                    t.check(node)
            for node in members:
                node.options = {"nodes": ""}
                node.kill()
            for node in members:
                node.start()
            c.leader(among=members)
        print("     %d SETs, %d INCRs, %d of unknown outcome, longest pause of a client %.0f ms"
              % (sum(len(t.acknowledged) for t in life.clients),
                 sum(t.counted for t in life.clients), sum(t.maybe for t in life.clients),
                 max(p for t in life.clients for _, p in t.pauses) * 1000))


if __name__ == "__main__":
    harness.main(TESTS)
