#!/usr/bin/env python3
"""Process tests: nodes in front of databases of their own, both killed in every order.

    database.py [TEST...]       all of them without a name; $GANDALF names the program
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ci"))
import cluster as harness  # noqa: E402
from cluster import Client, Cluster, Error, Skip, free_ports, wait_until  # noqa: E402

TESTS, test = harness.suite()
KEY = b"__gandalf:applied"


class Database:
    """One database: `kind` is redis or kvs; `keeps` says what outlives kill -9."""

    def __init__(self, directory, kind, port, keeps):
        self.kind, self.port, self.keeps = kind, port, keeps
        self.directory = directory
        self.process = None
        os.makedirs(directory, exist_ok=True)

    def command(self):
        if self.kind == "redis":
            if not shutil.which("redis-server"):
                raise Skip("no redis-server")
            return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                    "--dir", self.directory, "--appendonly", "yes" if self.keeps else "no"]
        program = os.path.join(os.path.dirname(harness.gandalf_path()), "..", "kvs",
                               "gandalf-kvs-server")
        keep = ["--dir", self.directory, "--appendfsync", "always"] if self.keeps else []
        return [program, "--port", str(self.port)] + keep

    def start(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("a database that answers", lambda: self.ask("PING") == "PONG")

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, *words):
        with Client(self.port, timeout=30) as c:
            return c(*words)

    def contents(self):
        """Every key's DUMP and deadline."""
        with Client(self.port, timeout=30) as c:
            return {k: (c("DUMP", k), c("PEXPIRETIME", k)) for k in c("KEYS", "*") if k != KEY}


TRANSFER = """
local from = tonumber(redis.call('GET', KEYS[1]) or '0')
if from < tonumber(ARGV[1]) then return redis.error_reply('ERR not enough') end
redis.call('DECRBY', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[3], ARGV[2])
return {redis.call('INCRBY', KEYS[2], ARGV[1]), ARGV[2]}
"""


def refused(c, *words):
    """What a command is refused with."""
    try:
        reply = c(*words)
    except Error as e:
        return str(e)
    raise AssertionError("%r was answered: %r" % (words, reply))


class Fronted:
    """Three nodes, each in front of a database of its own."""

    def __init__(self, kind, keeps=False, **options):
        self.cluster = Cluster(start=False, **options)
        self.databases = []
        for node, port in zip(self.cluster.nodes, free_ports(3)):
            directory = os.path.join(self.cluster.directory, "database%d" % node.number)
            self.databases.append(Database(directory, kind, port, keeps))
            node.options["database"] = "resp://127.0.0.1:%d" % port

    def __enter__(self):
        try:
            for database in self.databases:
                database.start()
            self.cluster.start()
            self.cluster.leader()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *what):
        self.cluster.__exit__(*what)
        for database in self.databases:
            database.kill()

    def served(self):
        """Waits until every node answers."""
        for node in self.cluster.nodes:
            def answers(node=node):
                with node.client(timeout=15) as c:
                    return [c("GET", "nothing")]
            wait_until("node %d that serves" % node.number, answers)

    def equal(self):
        """Waits for the end of all applying; the three databases must hold the same."""
        self.served()

        def level():
            # The cluster may write an entry of its own meanwhile: the lives of its members, say.
            index = b"%d" % self.cluster.level()
            return all(d.ask("GET", KEY).split()[0] == index for d in self.databases)

        wait_until("databases that are as far as their nodes", level)
        all_contents = [d.contents() for d in self.databases]
        for number, contents in enumerate(all_contents[1:], 2):
            for k in set(contents) | set(all_contents[0]):
                assert contents.get(k) == all_contents[0].get(k), (number, k)
        return all_contents[0]


class Load:
    """Writers whose every write is one transaction on several keys: what is applied twice, half or
    not at all shows in the end."""

    def __init__(self, fronted, writers=4, rich=True):
        self.nodes, self.rich = fronted.cluster.nodes, rich
        self.stop, self.wrong = False, []
        self.done = [[] for _ in range(writers)]
        self.unknown = [[] for _ in range(writers)]
        self.refused = [[] for _ in range(writers)]
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(writers)]
        for t in self.threads:
            t.start()

    def once(self, c, w, name):
        for words in ([("MULTI",), ("INCR", "n%d" % w), ("APPEND", "s%d" % w, name + " ")]
                      + ([("LPUSH", "l%d" % w, name), ("ZADD", "z%d" % w, len(name), name)]
                         if self.rich else []) + [("EXEC",)]):
            c.send(*words)
        replies, error = [], None
        for _ in range(6 if self.rich else 4):
            try:
                replies.append(c.read())
            except Error as e:
                error = e
        if error is not None:
            raise error
        return replies[-1]

    def work(self, w):
        i = 0
        while not self.stop:
            node = self.nodes[(w + i) % 3]
            name = "w%d.%d" % (w, i)
            begun = False
            try:
                with node.client(timeout=20) as c:
                    while not self.stop:
                        i += 1
                        name = "w%d.%d" % (w, i)
                        try:
                            begun = True
                            self.once(c, w, name)
                            self.done[w].append(name)
                        except Error as e:
                            text = str(e)
                            if text.startswith("UNKNOWN"):
                                self.unknown[w].append(name)
                            elif text.startswith(("DBDOWN", "CLUSTERDOWN", "BUSY")):
                                self.refused[w].append(name)
                                break
                            else:
                                self.wrong.append(text)
                        begun = False
            except (OSError, EOFError):
                if begun:
                    self.unknown[w].append(name)
            i += 1
            time.sleep(0.02)

    def count(self):
        return sum(len(d) for d in self.done)

    def goes_on(self, more=100):
        begin = self.count()
        wait_until("writes that go on", lambda: self.count() >= begin + more)

    def finish(self):
        self.stop = True
        for t in self.threads:
            t.join()
        assert not self.wrong, self.wrong[:5]

    def check(self, node):
        with node.client(timeout=30) as c:
            for w in range(len(self.threads)):
                names = (c("GET", "s%d" % w) or b"").decode().split()
                there = set(names)
                assert len(names) == len(there), "applied twice"
                assert int(c("GET", "n%d" % w) or 0) == len(names), "INCR is not APPEND"
                if self.rich:
                    assert [x.decode() for x in c("LRANGE", "l%d" % w, 0, -1)] == names[::-1]
                    assert c("ZCARD", "z%d" % w) == len(names)
                missing = [n for n in self.done[w] if n not in there]
                assert not missing, ("acknowledged and gone", missing[:5])
                ghosts = [n for n in self.refused[w] if n in there]
                assert not ghosts, ("refused and applied", ghosts[:5])
                strangers = there - set(self.done[w]) - set(self.unknown[w])
                assert not strangers, ("never sent", list(strangers)[:5])


def kill_in_every_order(kind, keeps, rich):
    with Fronted(kind, keeps, snapshot_offset=300, tail_count=50) as f:
        load = Load(f, rich=rich)
        load.goes_on()
        for number, (node, database) in enumerate(zip(f.cluster.nodes, f.databases)):
            database.kill()  # The database alone.
            load.goes_on(50)
            database.start()
            load.goes_on(50)
            node.kill()  # The node alone.
            load.goes_on(50)
            node.start()
            load.goes_on(50)
            first, second = (node, database) if number % 2 else (database, node)
            first.kill()  # Both, and back in the order of one, then of the other.
            second.kill()
            load.goes_on(50)
            first.start() if first is database else None
            node.start()
            time.sleep(0.3)
            second.start() if second is database else None
            load.goes_on(50)
        f.served()
        load.finish()
        f.equal()
        for node in f.cluster.nodes:
            load.check(node)


@test
def redis_that_forgets():
    """Redis without persistence: each kill -9 empties it, and the node fills it again."""
    kill_in_every_order("redis", False, True)


@test
def redis_that_keeps():
    """Redis with its append-only file: the node goes on where the database is."""
    kill_in_every_order("redis", True, True)


@test
def kvs_server_that_forgets():
    kill_in_every_order("kvs", False, False)


@test
def kvs_server_that_keeps():
    kill_in_every_order("kvs", True, False)


@test
def all_databases_at_once():
    """All three databases die, empty: the cluster says so, keeps its log, and fills them again."""
    with Fronted("redis", snapshot_offset=100, tail_count=20) as f:
        load = Load(f)
        load.goes_on(300)
        for d in f.databases:
            d.kill()

        def told():
            with f.cluster.nodes[0].client() as c:
                try:
                    c("GET", "n0")
                except Error as e:
                    return str(e).startswith("DBDOWN")
        wait_until("-DBDOWN", told)
        f.cluster.leader()
        for d in f.databases:
            d.start()
        load.goes_on(100)
        load.finish()
        f.equal()
        load.check(f.cluster.nodes[1])


@test
def database_far_behind():
    """A node whose database stays away keeps lag_limit of the log, and its vote, and no more."""
    with Fronted("redis", lag_limit="64kb") as f:
        leader = f.cluster.leader()
        behind = next(n for n in f.cluster.nodes if n is not leader)
        third = next(n for n in f.cluster.nodes if n not in (leader, behind))
        database = f.databases[behind.number - 1]
        database.kill()

        def raft(node, field):
            with node.client() as c:
                text = c("INFO", "raft").decode()
            return int(next(x for x in text.split() if x.startswith(field + ":")).split(":")[1])
        with leader.client(timeout=30) as c:
            for i in range(400):
                assert c("SET", "k%d" % i, "x" * 4000) == "OK"
            assert raft(behind, "log_bytes") < 1 << 20, raft(behind, "log_bytes")
            assert raft(behind, "last_index") < raft(leader, "last_index") - 200
            third.kill()  # One that leads and one that takes nothing: reads go on, by its vote.
            time.sleep(1)
            assert c("GET", "k399") == b"x" * 4000
        database.start()
        third.start()
        f.equal()
        assert raft(behind, "last_index") == raft(leader, "last_index")


@test
def flushed_by_hand():
    """FLUSHALL behind the node's back is noticed before the next answer, and undone."""
    with Fronted("redis") as f:
        node, database = f.cluster.nodes[0], f.databases[0]
        with node.client() as c:
            assert c("SET", "k", "v") == "OK"
            for round_ in range(3):
                database.ask("FLUSHALL")

                def back():
                    value = c("GET", "k")
                    assert value == b"v", value
                    return True
                wait_until("the value", back)
                if round_ == 0:
                    c("RAFT", "SNAPSHOT")
        f.equal()


@test
def foreign_database():
    """A database with somebody's data is not taken over."""
    with Fronted("redis") as f:
        node, database = f.cluster.nodes[2], f.databases[2]
        node.kill()
        database.kill()
        database.start()
        database.ask("SET", "precious", "1")
        node.start()
        assert node.wait() == 1
        assert "it holds 1 keys and no __gandalf:applied" in node.log(), node.log()
        assert database.ask("GET", "precious") == b"1"
        database.ask("FLUSHALL")
        node.start()
        f.equal()


@test
def swapped_databases():
    """Another node's database is refused, and so is one that is ahead of a node without a log."""
    with Fronted("redis") as f:
        first, second = f.cluster.nodes[:2]
        with first.client() as c:
            assert c("SET", "k", "v") == "OK"
        f.cluster.level()
        for n in (first, second):
            n.kill()
        own = [n.options["database"] for n in (first, second)]
        first.options["database"], second.options["database"] = own[1], own[0]
        for n in (first, second):
            n.start()
            assert n.wait() == 1
            assert "it belongs to another node" in n.log(), n.log()
        shutil.rmtree(first.directory)
        first.options["database"], second.options["database"] = own
        second.start()
        first.start()
        assert first.wait() == 1
        assert "this node has no log" in first.log(), first.log()

        def value():
            with second.client(timeout=15) as c:
                return c("GET", "k") == b"v"
        wait_until("the value", value)


@test
def stopped_database():
    """A database that stands still (SIGSTOP) is away; when it wakes, what it had not yet read from
    the old connection changes nothing."""
    with Fronted("redis") as f:
        load = Load(f)
        load.goes_on()
        f.databases[0].process.send_signal(signal.SIGSTOP)
        time.sleep(7)
        f.databases[0].process.send_signal(signal.SIGCONT)
        f.served()
        load.goes_on(50)
        load.finish()
        f.equal()
        load.check(f.cluster.nodes[0])


@test
def snapshot_of_large_values():
    """How much a snapshot holds in memory does not grow with the values of the database."""
    # An address sanitizer keeps what was freed for a while: here it is counted.
    options = os.environ.get("ASAN_OPTIONS", "")
    os.environ["ASAN_OPTIONS"] = (options + ":" if options else "") + "quarantine_size_mb=1"
    with Fronted("redis") as f:
        node = f.cluster.nodes[0]

        def most():  # KiB of memory that the node ever had.
            with open("/proc/%d/status" % node.process.pid) as status:
                return int(next(x for x in status if x.startswith("VmHWM")).split()[1])
        with node.client(timeout=60) as c, Client(f.databases[0].port, timeout=60) as d:
            assert c("SET", "k", "v") == "OK"
            for i in range(128):  # By the database's other door: the log need not carry them.
                assert d("SET", "large%d" % i, os.urandom(1 << 20)) == "OK"
            before = most()
            assert c("RAFT", "SNAPSHOT") == "OK"
            more = most() - before
            assert more < 32 << 10, "%d KiB for a snapshot of 128 MiB" % more
        folder = os.path.join(node.directory, "snapshot")
        assert sum(os.path.getsize(os.path.join(folder, x)) for x in os.listdir(folder)) > 128 << 20
        assert "snapshot abandoned" not in node.log(), node.log()


class Door:
    """Between a node and its database: it notes what is asked, and holds the first SCAN's answer."""

    def __init__(self, port, hold):
        self.port, self.hold, self.scanning, self.asked = port, hold, set(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        for number in range(1000):
            node = self.listener.accept()[0]
            database = socket.create_connection(("127.0.0.1", self.port))
            for way in ((node, database, True, number), (database, node, False, number)):
                threading.Thread(target=self.carry, args=way, daemon=True).start()

    def carry(self, source, sink, asks, number):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if asks:
                    self.asked.append((time.monotonic(), number, data))
                    if b"SCAN" in data:
                        self.scanning.add(number)
                elif number in self.scanning and self.hold > 0:
                    time.sleep(self.hold)
                    self.hold = 0
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


@test
def snapshot_of_busy_database():
    """A database that is busy with what a snapshot asks is not asked meanwhile whether it is there."""
    f, hold = Fronted("redis"), 4.5  # The patience is 5 s, a look is taken each 2 s.
    door = Door(f.databases[0].port, hold)
    node = f.cluster.nodes[0]
    node.options["database"] = "resp://127.0.0.1:%d" % door.listener.getsockname()[1]
    with f:
        with node.client(timeout=30) as c:
            assert c("SET", "k", "v") == "OK"
            assert c("RAFT", "SNAPSHOT") == "OK"
            begin = next(when for when, number, data in door.asked if b"SCAN" in data)
            asked = [data for when, number, data in door.asked
                     if number not in door.scanning and begin <= when < begin + hold - 0.1]
            assert not asked, asked
            asked = len(door.asked)
            wait_until("a look at the database", lambda: len(door.asked) > asked)  # Again.
        assert "the database is away" not in node.log(), node.log()
        f.equal()


@test
def commands():
    """Every kind of data goes through; what cannot be replicated is refused; replicas are equal."""
    with Fronted("redis") as f:
        shown = harness.client_status(f.cluster.nodes[0])
        assert "3 of 3 voters answer; there is a leader" in shown, shown
        with f.cluster.nodes[0].client() as c, f.cluster.nodes[1].client() as d:
            assert c("HSET", "h", "f", "1", "g", "2") == 2
            assert c("SADD", "set", "1", "2", "3") == 3
            assert c("RPUSH", "l", "a", "b") == 2
            first, second = c("XADD", "x", "*", "f", "v"), c("XADD", "x", "*", "f", "v")
            for words in (("MULTI",), ("XADD", "x", "*", "f", "v"), ("XADD", "x", "*", "f", "w"),
                          ("EXEC",)):
                c.send(*words)
            third, fourth = [c.read() for _ in range(4)][-1]
            ids = [tuple(map(int, i.split(b"-"))) for i in (first, second, third, fourth)]
            assert ids == sorted(set(ids)), ids
            assert c("XADD", "y", "%d-1" % (ids[-1][0] + 10 ** 9), "f", "v")
            assert "equal or smaller" in refused(c, "XADD", "y", "*", "f", "v")
            assert c("PFADD", "hll", "a", "b") == 1 and d("PFCOUNT", "hll") == 2
            assert c("SET", "e", "v", "EX", "1000") == "OK"
            assert c("EXPIRE", "l", "1000") == 1
            assert c("SETEX", "e2", "1000", "v") == "OK"
            assert c("GETEX", "e2", "PX", "500000") == b"v"
            dump = c("DUMP", "h")
            assert c("RESTORE", "h2", "100000", dump) == "OK"
            assert d("HGETALL", "h2") == [b"f", b"1", b"g", b"2"]
            assert d("DBSIZE") == 9
            assert KEY not in d("KEYS", "*") and len(d("KEYS", "*")) == 9
            assert KEY not in d("SCAN", "0", "COUNT", "100")[1]
            assert all(d("RANDOMKEY") != KEY for _ in range(50))
            for words in (("SPOP", "set"), ("BLPOP", "l", "0"), ("EVAL", "return 1", "0"),
                          ("SUBSCRIBE", "c"), ("CONFIG", "NONSENSE"), ("REPLICAOF", "no", "one"),
                          ("GET", KEY), ("SORT", "l", "BY", "nosort", "GET", "__gandalf:*"),
                          ("WATCH", "l"), ("XREAD", "BLOCK", "0", "STREAMS", "x", "0"),
                          ("LPUSH", "h", "1"), ("NOSUCH",), ("GET",), ("DEBUG", "DIGEST"),
                          ("COPY", "h", "h9", "DB", "1"), ("HELLO", "3")):
                try:
                    reply = c(*words)
                    raise AssertionError("%r was answered: %r" % (words, reply))
                except Error:
                    pass
            c.send("MULTI"), c.send("INCR", "n"), c.send("HGET", "h", "f"), c.send("EXEC")
            assert [c.read() for _ in range(4)] == ["OK", "QUEUED", "QUEUED", [1, b"1"]]
            f.equal()  # Full: the replicas hold the same of every kind.
            assert c("FLUSHDB") == "OK" and d("DBSIZE") == 0
            assert c("INCR", "n") == 1
        f.equal()


@test
def scripts_that_are_declared():
    """EVAL goes through the log; a digest is put for its text; what differs by replica is refused."""
    with Fronted("redis", database_scripts="yes") as f:
        first, second = f.cluster.nodes[:2]
        incr = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
        with first.client() as c, second.client() as d:
            assert c("EVAL", incr, "1", "n", "5") == 5
            assert d("EVAL_RO", "return redis.call('GET', KEYS[1])", "1", "n") == b"5"
            assert c("EVAL", "return {1, {2, 'three'}, false, redis.status_reply('FINE')}", "0") == \
                [1, [2, b"three"], None, "FINE"]
            # Node 1 has the text by its EVAL; node 2 wants it first, and keeps it when its database
            # has forgotten all.
            digest = hashlib.sha1(incr.encode()).hexdigest()
            assert c("EVALSHA", digest, "1", "n", "1") == 6
            assert refused(d, "EVALSHA", digest, "1", "n", "1").startswith("NOSCRIPT ")
            assert d("SCRIPT", "EXISTS", digest, "0" * 40) == [0, 0]
            assert d("SCRIPT", "LOAD", incr) == digest.encode()
            assert d("EVALSHA", digest, "1", "n", "1") == 7
            f.databases[1].kill()
            f.databases[1].start()
            wait_until("the database that is back", lambda: d("EVALSHA", digest, "1", "n", "1") > 7)
            for words in (("MULTI",), ("EVALSHA", digest, "1", "m", "1"),
                          ("EVAL", incr, "1", "m", "2"), ("EXEC",)):
                c.send(*words)
            assert [c.read() for _ in range(4)] == ["OK", "QUEUED", "QUEUED", [1, 3]]
            assert refused(c, "EVAL", "return redis.call('INCR', KEYS[1]) + nothing", "1", "half")
            assert d("GET", "half") == b"1"  # As in Redis: what was done before the error stays.
            assert refused(c, "EVAL", "this is no Lua", "0").startswith("ERR ")
            for text, reason in (("redis.call('SET', KEYS[1], redis.call('TIME')[1])", "'time'"),
                                 ("redis.call('SPOP', KEYS[1])", "another member"),
                                 ("redis.call('SRANDMEMBER', KEYS[1])", "'srandmember'"),
                                 ("return redis.call('RANDOMKEY')", "'randomkey'"),
                                 ("redis.call('SET', KEYS[1], math.random())", "math.random"),
                                 ("redis.call('EXPIRE', KEYS[1], 5)", "PEXPIREAT"),
                                 ("redis.call('SET', KEYS[1], 1, 'EX', 5)", "PXAT"),
                                 ("redis.call('SET', '__gandalf:applied', 1)", "gandalf's own")):
                assert reason in refused(c, "EVAL", text, "1", "k"), text
            assert "gandalf's own" in refused(c, "EVAL", incr, "1", KEY, "1")
            assert "functions" in refused(c, "FCALL", "f", "0")
            assert refused(c, "SCRIPT", "KILL").startswith("ERR unknown subcommand")
            assert c("SCRIPT", "FLUSH") == "OK"
            assert refused(c, "EVALSHA", digest, "1", "n", "1").startswith("NOSCRIPT ")
        f.equal()
    with Fronted("redis") as f:
        with f.cluster.nodes[0].client() as c:
            assert "database_scripts" in refused(c, "EVAL", "return 1", "0")
            assert refused(c, "SCRIPT", "LOAD", "return 1").startswith("ERR ")


@test
def scripts_under_kills():
    """Scripts that move money while nodes and databases are killed: none twice, none half."""
    money, moved, stop, wrong = 100000, [], threading.Event(), []
    digest = hashlib.sha1(TRANSFER.encode()).hexdigest()

    def work(f, w):
        i = 0
        while not stop.is_set():
            try:
                with f.cluster.nodes[(w + i) % 3].client(timeout=20) as c:
                    while not stop.is_set():
                        i += 1
                        name, known = "w%d.%d" % (w, i), i % 2 == 0
                        keys = ["3", "a%d" % (i % 3), "a%d" % ((i + 1 + w % 2) % 3), "done"]
                        try:
                            c("EVALSHA" if known else "EVAL", digest if known else TRANSFER, *keys,
                              i % 50, name)
                            moved.append(name)
                        except Error as e:
                            if str(e).startswith(("DBDOWN", "CLUSTERDOWN", "BUSY")):
                                break  # Another node may do better.
                            if not str(e).startswith(("UNKNOWN", "NOSCRIPT", "ERR not enough")):
                                wrong.append(str(e))
                                return
            except (OSError, EOFError):
                pass
            i += 1
            time.sleep(0.02)

    with Fronted("redis", database_scripts="yes", snapshot_offset=300, tail_count=50) as f:
        with f.cluster.nodes[0].client() as c:
            c("MSET", "a0", money, "a1", money, "a2", money)
        threads = [threading.Thread(target=work, args=(f, w)) for w in range(4)]
        for t in threads:
            t.start()

        def goes_on(more):
            begin = len(moved)
            wait_until("scripts that go on", lambda: wrong or len(moved) >= begin + more)
        try:
            goes_on(100)
            for node, database in zip(f.cluster.nodes, f.databases):
                database.kill()
                goes_on(50)
                database.start()
                goes_on(50)
                node.kill()
                goes_on(50)
                node.start()
                goes_on(50)
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert not wrong, wrong[:5]
        contents = f.equal()
        assert set(contents) == {b"a0", b"a1", b"a2", b"done"}, sorted(contents)
        with f.cluster.nodes[2].client(timeout=30) as c:
            assert sum(int(c("GET", "a%d" % i)) for i in range(3)) == 3 * money
            names = [x.decode() for x in c("LRANGE", "done", 0, -1)]
        assert len(names) == len(set(names)), "applied twice"
        assert not set(moved) - set(names), "acknowledged and gone"


@test
def kvs_server_alone():
    """gandalf-kvs-server keeps what it acknowledged over kill -9, and cuts a torn end."""
    with Fronted("kvs", True) as f:
        d = f.databases[0]
        f.cluster.nodes[0].kill()
        d.kill()
        with open(os.path.join(d.directory, "appendonly"), "ab") as file:
            file.write(b"torn")
        d.start()
        assert d.ask("SET", "mine", "v") == "OK"
        d.kill()
        d.start()
        assert d.ask("GET", "mine") == b"v"
        d.ask("DEL", "mine")
        f.cluster.nodes[0].start()
        f.equal()


if __name__ == "__main__":
    harness.main(TESTS)
