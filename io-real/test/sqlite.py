#!/usr/bin/env python3
"""Process tests: nodes in front of SQLite files, killed under load.

    sqlite.py [TEST...]       all of them without a name; $GANDALF names the program
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ci"))
import cluster as harness  # noqa: E402
from cluster import Cluster, Error, wait_until  # noqa: E402

TESTS, test = harness.suite()


def file_of(node):
    return os.path.join(node.directory, "database.sqlite")


def dump(node):
    """All that the sqlite3 shell's .dump would say, but for gandalf's own table."""
    db = sqlite3.connect("file:%s?mode=ro" % file_of(node), uri=True, timeout=10)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [line for line in db.iterdump() if "gandalf_state" not in line]
    finally:
        db.close()


def applied_in(node):
    db = sqlite3.connect("file:%s?mode=ro" % file_of(node), uri=True, timeout=10)
    try:
        return db.execute("SELECT applied FROM gandalf_state").fetchone()[0]
    finally:
        db.close()


def rows(node, statement, *params):
    """The rows without the names of the columns; asked until there is an answer."""
    def ask():
        with node.client(timeout=15) as c:
            return [c("SQL.QUERY", statement, *params)]
    return wait_until("node %d that answers" % node.number, ask)[0][1:]


def execute(node, *words):
    def ask():
        with node.client(timeout=15) as c:
            return [c("SQL.EXEC", *words)]
    return wait_until("node %d that writes" % node.number, ask)[0]


def equal(cluster):
    """The same rows in all files, and the index of the last entry in each."""
    def level():
        # The cluster may write an entry of its own meanwhile: the lives of its members, say.
        index = cluster.level()
        return all(applied_in(node) == index for node in cluster.nodes)

    wait_until("databases that are as far as their nodes", level)
    first = dump(cluster.nodes[0])
    for node in cluster.nodes[1:]:
        assert dump(node) == first, "node %d has other rows" % node.number
    return first


class Load:
    """Writers whose every write is a transaction on two tables: what is applied twice, half or not
    at all shows in the end."""

    def __init__(self, cluster, writers=4):
        self.nodes = cluster.nodes
        self.stop, self.wrong = False, []
        self.done, self.unknown = [[[] for _ in range(writers)] for _ in range(2)]
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(writers)]
        for t in self.threads:
            t.start()

    def once(self, c, w, i):
        if i % 3 == 0:  # One request with two statements.
            return c("SQL.EXEC", "INSERT INTO log(writer, item, chance) VALUES(?1, ?2, random());"
                     "UPDATE sums SET n = n + 1 WHERE writer = ?", str(w), str(i), str(w))
        c.send("MULTI")
        c.send("SQL.EXEC", "INSERT INTO log(writer, item) VALUES(?, ?)", str(w), str(i))
        c.send("SQL.EXEC", "UPDATE sums SET n = n + 1 WHERE writer = ?", str(w))
        c.send("EXEC")
        replies = [c.read() for _ in range(4)]
        return replies[-1]

    def work(self, w):
        i = 0
        while not self.stop:
            node = self.nodes[(w + i) % 3]
            begun = False
            try:
                with node.client(timeout=20) as c:
                    while not self.stop:
                        i += 1
                        try:
                            begun = True
                            self.once(c, w, i)
                            self.done[w].append(i)
                        except Error as e:
                            text = str(e)
                            if text.startswith("UNKNOWN"):
                                self.unknown[w].append(i)
                            elif text.startswith(("DBDOWN", "CLUSTERDOWN", "BUSY")):
                                break
                            else:
                                self.wrong.append(text)
                        begun = False
            except (OSError, EOFError):
                if begun:
                    self.unknown[w].append(i)
            i += 1
            time.sleep(0.02)

    def goes_on(self, more=100):
        begin = sum(len(d) for d in self.done)
        wait_until("writes that go on", lambda: sum(len(d) for d in self.done) >= begin + more)

    def finish(self):
        self.stop = True
        for t in self.threads:
            t.join()
        assert not self.wrong, self.wrong[:5]

    def check(self, node):
        for w in range(len(self.threads)):
            items = [r[0] for r in rows(node, "SELECT item FROM log WHERE writer = ?", str(w))]
            there = set(items)
            assert len(items) == len(there), "applied twice"
            assert rows(node, "SELECT n FROM sums WHERE writer = ?", str(w)) == [[len(items)]]
            missing = [i for i in self.done[w] if i not in there]
            assert not missing, ("acknowledged and gone", missing[:5])
            strangers = there - set(self.done[w]) - set(self.unknown[w])
            assert not strangers, ("never answered, and there", list(strangers)[:5])


def tables(node, writers=4):
    execute(node, "CREATE TABLE log(id INTEGER PRIMARY KEY, writer INTEGER, item INTEGER, chance, "
                  "at DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now', 'localtime')));"
                  "CREATE TABLE sums(writer INTEGER PRIMARY KEY, n INTEGER)")
    for w in range(writers):
        execute(node, "INSERT INTO sums VALUES(?, 0)", str(w))


@test
def sqlite_killed():
    """kill -9 of each node in turn under load: every row once, the same rows in all files."""
    with Cluster(database="sqlite", snapshot_offset=300, tail_count=50) as c:
        leader = c.leader()
        tables(leader)
        load = Load(c)
        load.goes_on()
        for node in list(c.nodes) + [leader]:
            node.kill()
            load.goes_on(150)
            node.start()
            load.goes_on(50)
        for node in c.nodes:  # All at once.
            node.kill()
        c.start()
        load.goes_on(100)
        load.finish()
        assert len(equal(c)) > 200
        for node in c.nodes:
            load.check(node)


@test
def sqlite_lost_and_old_files():
    """A file that was removed, or put back from an old copy, is filled again."""
    with Cluster(database="sqlite", snapshot_offset=200, tail_count=20) as c:
        first, second, third = c.nodes
        tables(c.leader())
        load = Load(c)
        load.goes_on(300)
        first.kill()
        os.makedirs(file_of(first) + ".old")
        for end in ("", "-wal"):
            shutil.copy(file_of(first) + end, file_of(first) + ".old/copy" + end)
        first.start()
        load.goes_on(600)
        first.kill()
        for end in ("", "-wal", "-shm"):
            os.unlink(file_of(first) + end)
        for end in ("", "-wal"):
            shutil.copy(file_of(first) + ".old/copy" + end, file_of(first) + end)
        first.start()
        load.goes_on(100)
        second.kill()
        for end in ("", "-wal", "-shm"):
            os.unlink(file_of(second) + end)
        second.start()
        load.goes_on(100)
        for end in ("", "-wal", "-shm"):  # While it runs.
            os.unlink(file_of(third) + end)
        load.goes_on(100)
        wait_until("a file that is noticed", lambda: os.path.exists(file_of(third)))
        load.finish()
        equal(c)
        for node in c.nodes:
            load.check(node)


@test
def sqlite_foreign_hand():
    """Another program may read; what it writes is noticed and undone before the next answer."""
    with Cluster(database="sqlite") as c:
        leader = c.leader()
        tables(leader)
        before = equal(c)
        db = sqlite3.connect(file_of(leader), timeout=10)
        assert db.execute("SELECT count(*) FROM sums").fetchone() == (4,)
        db.execute("DELETE FROM sums")
        db.commit()
        assert rows(leader, "SELECT count(*) FROM sums") == [[4]]
        assert "another program has written" in leader.log()
        db.close()
        assert equal(c) == before


@test
def sqlite_not_ours():
    """A file with somebody's tables, and another node's, are not taken over."""
    with Cluster(database="sqlite") as c:
        first, second, third = c.nodes
        tables(c.leader())
        c.level()
        first.kill()
        second.kill()
        files = [os.path.join(c.directory, "precious.sqlite"), file_of(second)]
        db = sqlite3.connect(files[0])
        db.execute("CREATE TABLE precious(x)")
        db.commit()
        db.close()
        for file, line in zip(files, ("it holds tables and no gandalf_state", "another node")):
            first.options["database"] = "sqlite:" + file
            first.start()
            assert first.wait() == 1
            assert line in first.log(), first.log()
        first.options["database"] = "sqlite:" + os.path.join(c.directory, "elsewhere.sqlite")
        first.start()
        second.start()
        assert len(rows(first, "SELECT * FROM sums")) == 4
        assert os.path.exists(os.path.join(c.directory, "elsewhere.sqlite"))


@test
def sqlite_backup():
    """A backup of a cluster in front of SQLite becomes another one."""
    with Cluster(database="sqlite") as c:
        tables(c.leader())
        backup = os.path.join(c.directory, "backup")
        tool = [harness.gandalf_path()]
        subprocess.run(tool + ["backup", "--from", "127.0.0.1:%d" % c.nodes[1].client_port,
                               "-o", backup], check=True)
        before = equal(c)
        for node in c.nodes:
            node.kill()
            shutil.rmtree(node.directory)
        for node in c.nodes:
            subprocess.run(tool + ["restore", backup, "--data-dir", node.directory, "--nodes",
                                   ",".join(n.address for n in c.nodes), "--self", node.address],
                           check=True)
        c.start()
        c.leader()
        assert equal(c) == before
        execute(c.nodes[0], "INSERT INTO sums VALUES(9, 9)")
        assert rows(c.nodes[1], "SELECT count(*) FROM sums") == [[5]]


@test
def sqlite_commands():
    """What clients are told."""
    with Cluster(database="sqlite") as c:
        c.leader()
        shown = harness.client_status(c.nodes[2])
        assert "3 of 3 voters answer; there is a leader" in shown, shown
        # One of the requests takes 50,000,000 steps before it is refused.
        with c.nodes[0].client(timeout=harness.PATIENCE) as a, c.nodes[1].client() as b:
            assert a("SQL.EXEC", "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)") == 0
            assert a("SQL.EXEC", "INSERT INTO t(v) VALUES(?), (?)", "x", b"\x00\xff") == 2
            assert b("SQL.QUERY", "SELECT v, typeof(v) FROM t ORDER BY id") == [
                [b"v", b"typeof(v)"], [b"x", b"text"], [b"\x00\xff", b"blob"]]
            assert b("SQL.EXEC", "INSERT INTO t(v) VALUES('y') RETURNING id") == [[b"id"], [3]]
            for words, text in (
                    (("SQL.EXEC", "INSERT INTO t(v) VALUES('x')"), "UNIQUE constraint failed: t.v"),
                    (("SQL.EXEC", "INSERT INTO absent VALUES(1)"), "no such table: absent"),
                    (("SQL.QUERY", "DELETE FROM t"), "a query changes nothing"),
                    (("SQL.EXEC", "PRAGMA journal_mode=DELETE"), "not available through gandalf"),
                    (("SQL.EXEC",), "wrong number of arguments"),
                    (("SQL.QUERY", "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) "
                                   "SELECT count(*) FROM c"), "more than 50000000 steps"),
                    (("SET", "a", "b"), "SQL.EXEC and SQL.QUERY"),
                    (("WATCH", "a"), "SQL.EXEC and SQL.QUERY")):
                try:
                    reply = a(*words)
                    raise AssertionError("%r was answered: %r" % (words, reply))
                except Error as e:
                    assert text in str(e), e
            a.send("MULTI")
            a.send("SQL.EXEC", "DELETE FROM t")
            a.send("SQL.EXEC", "INSERT INTO t(id) VALUES(1), (1)")
            a.send("EXEC")
            assert [a.read() for _ in range(3)] == ["OK", "QUEUED", "QUEUED"]
            try:
                reply = a.read()
                raise AssertionError("EXEC was answered: %r" % reply)
            except Error as e:
                assert "UNIQUE constraint failed" in str(e), e
            assert b("SQL.QUERY", "SELECT count(*) FROM t")[1] == [3]
            assert a("RAFT", "SNAPSHOT") == "OK"
        assert len(equal(c)) > 3


if __name__ == "__main__":
    harness.main(TESTS)
