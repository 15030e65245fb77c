#!/usr/bin/env python3
"""external_copy.py - two ways to copy a real Redis behind a node, side by side, in one run.

    SYNC   redis-cli --rdb: the full stream that a replica would be given. Redis forks.
    SCAN   RAFT SNAPSHOT of the node in front of it: SCAN, DUMP and PEXPIRETIME of each key, while
           applies wait (kvs/proxy_snapshot.c).

One node, one Redis with 1,000,000 keys of 100 bytes. Each way is taken in turn, without writes and while
a client writes through the node; a second client PINGs Redis, a third GETs from it, so that what
they wait at most can be seen. Then the way back: a Redis started on the RDB file, and the node
filling a database that was emptied. bench/external_copy.sh builds what this needs.

    --keys N  --rounds N  --writes N (a second, in the rounds that have any)
"""
import argparse
import glob
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from compare import TOP, Systems, ask, free_ports

TICK = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


def request(*words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Connection:
    def __init__(self, port, timeout=600):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.reader = self.socket.makefile("rb")

    def send(self, *words):
        self.socket.sendall(request(*words))

    def answer(self):
        line = self.reader.readline()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return self.reader.read(int(line[1:]) + 2)[:-2]
        return line[:-2]

    def __call__(self, *words):
        self.send(*words)
        return self.answer()

    def close(self):
        self.reader.close()
        self.socket.close()


def fill(port, keys):
    """Straight into Redis: the node's log need not carry them. Values that do not compress."""
    chance = random.Random(7)
    c = Connection(port)
    for first in range(0, keys, 1000):
        last = min(first + 1000, keys)
        c.socket.sendall(b"".join(request("SET", b"key:%012d" % n, chance.randbytes(100))
                                  for n in range(first, last)))
        for _ in range(first, last):
            if c.answer() != b"+OK":
                sys.exit("external_copy.py: a SET failed")
    c.close()


def info(port, section):
    return dict(line.split(":", 1) for line in
                Connection(port)("INFO", section).decode().split("\r\n") if ":" in line)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def cpu(pid):
    """Seconds, with those of children that have ended."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(x) for x in fields[11:15]) / TICK


def memory(pid):
    """Bytes that are the process's own; what it shares with a fork counts by its share."""
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return sum(int(line.split()[1]) << 10 for line in f if line.startswith("Pss:"))
    except (OSError, IndexError):
        return 0


class Watch:
    """What others see meanwhile: the longest wait of each client, and the memory of Redis, with the
    child that it may have forked, and of the node."""

    def __init__(self, redis, node, redis_port, node_port, keys, writes):
        self.stop, self.longest, self.threads = threading.Event(), {}, []
        self.redis, self.node, self.keys = redis, node, keys
        self.redis_peak = self.node_peak = 0
        self.written = 0
        self.start(self.look)
        self.start(self.client, "PING", redis_port, lambda n: ("PING",), 0.005)
        self.start(self.client, "GET", redis_port, lambda n: ("GET", "key:%012d" % (n * 7919 % keys)), 0.005)
        if writes > 0:
            self.start(self.writer, node_port, writes)

    def start(self, run, *args):
        self.threads.append(threading.Thread(target=run, args=args, daemon=True))
        self.threads[-1].start()

    def look(self):
        while not self.stop.is_set():
            both = memory(self.redis) + sum(memory(p) for p in children(self.redis))
            self.redis_peak = max(self.redis_peak, both)
            self.node_peak = max(self.node_peak, memory(self.node))
            self.stop.wait(0.1)

    def client(self, name, port, words, gap):
        c, n = Connection(port), 0
        while not self.stop.is_set():
            began = time.monotonic()
            c(*words(n))
            self.longest[name] = max(self.longest.get(name, 0), time.monotonic() - began)
            n += 1
            self.stop.wait(gap)
        c.close()

    def writer(self, port, rate):
        """Bunches of 50, each behind the answers of the one before; keys all over the place, so that each
        write after a fork copies a page."""
        c, chance = Connection(port), random.Random(3)
        while not self.stop.is_set():
            began = time.monotonic()
            c.socket.sendall(b"".join(
                request("SET", b"key:%012d" % chance.randrange(self.keys), chance.randbytes(100))
                for _ in range(50)))
            for _ in range(50):
                if c.answer() != b"+OK":
                    sys.exit("external_copy.py: a write failed")
            took = time.monotonic() - began
            self.written += 50
            self.longest["write"] = max(self.longest.get("write", 0), took)
            self.stop.wait(max(0, 50 / rate - took))
        c.close()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.systems = Systems(args.gandalf, folder)

    def start(self):
        peer, self.port, self.redis_port = free_ports(3)
        self.rdb = os.path.join(self.folder, "copy.rdb")
        self.systems.redis("redis", self.redis_port, ["--repl-diskless-sync-delay", "0"])
        while not (ask(self.redis_port, "PING") or "").startswith("+PONG"):
            time.sleep(0.05)
        self.systems.node("node", peer, self.port, [], [
            "--database", "resp://127.0.0.1:%d" % self.redis_port, "--log_level", "info",
            "--snapshot_log_size", "100gb"])
        self.systems.ready("node", self.port)
        self.redis = self.systems.processes["redis"].pid
        self.node = self.systems.processes["node"].pid

    def sync(self):
        cli = subprocess.Popen(["redis-cli", "-p", str(self.redis_port), "--rdb", self.rdb],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, said = cli.communicate()
        if cli.returncode != 0:
            sys.exit("external_copy.py: redis-cli --rdb: %s" % said.decode())
        while b"rdb_bgsave_in_progress:1" in Connection(self.redis_port)("INFO", "persistence"):
            time.sleep(0.01)
        return os.path.getsize(self.rdb)

    def scan(self):
        said = Connection(self.port)("RAFT", "SNAPSHOT")
        if said != b"+OK":
            sys.exit("external_copy.py: RAFT SNAPSHOT: %s" % said.decode())
        return max(os.path.getsize(x) for x in glob.glob(os.path.join(self.folder, "node", "snapshot", "*")))

    def waited(self):
        with open(os.path.join(self.folder, "node.log")) as f:
            return int(re.findall(r"applies waited (\d+) ms", f.read())[-1]) / 1000

    def measure(self, way, writes):
        before = memory(self.redis), memory(self.node)
        used = cpu(self.redis), cpu(self.node)
        watch = Watch(self.redis, self.node, self.redis_port, self.port, self.args.keys, writes)
        try:
            time.sleep(1)
            began = time.monotonic()
            size = {"SYNC": self.sync, "SCAN": self.scan}.get(way, lambda: time.sleep(5))()
            took = time.monotonic() - began
            time.sleep(0.5)
        finally:
            watch.end()
        return {"way": way, "writes": watch.written, "seconds": took, "bytes": size or 0,
                "redis more": watch.redis_peak - before[0], "node more": watch.node_peak - before[1],
                "redis CPU": cpu(self.redis) - used[0], "node CPU": cpu(self.node) - used[1],
                "cow": int(info(self.redis_port, "persistence")["rdb_last_cow_size"]) if way == "SYNC" else 0,
                "peak": int(info(self.redis_port, "memory")["used_memory_peak"]),
                "applies waited": self.waited() if way == "SCAN" else 0, **watch.longest}

    def back(self):
        """Until it answers again: a Redis started on the RDB file; a database emptied, filled by its node."""
        port = free_ports(1)[0]
        folder = os.path.join(self.folder, "again")
        os.makedirs(folder)
        os.rename(self.rdb, os.path.join(folder, "dump.rdb"))
        began = time.monotonic()
        self.systems.start("again", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                     "--dir", folder])
        while not (ask(port, "PING", timeout=60) or "").startswith("+PONG"):
            time.sleep(0.02)
        loaded = time.monotonic() - began
        held = Connection(port)("DBSIZE")
        began = time.monotonic()
        Connection(self.redis_port)("FLUSHALL", "ASYNC")
        c = Connection(self.port)
        while c("GET", "key:000000000001")[:1] in (b"-", b"$"):  # An error, or a null.
            time.sleep(0.02)
        filled = time.monotonic() - began
        if int(held[1:]) < self.args.keys or int(Connection(self.redis_port)("DBSIZE")[1:]) < self.args.keys:
            sys.exit("external_copy.py: keys are missing in what came back")
        print("\nback again: a Redis started on the RDB file %.1f s, during which it serves nobody; the node filling the "
              "emptied database in place %.1f s" % (loaded, filled))


def load():
    return os.getloadavg()[0]


COLUMNS = (("seconds", "s", "%.1f", 1), ("bytes", "MB", "%.1f", 1e6), ("redis more", "Redis + MB", "%.0f", 1e6),
           ("peak", "used_memory_peak MB", "%.0f", 1e6),
           ("cow", "copied on write MB", "%.0f", 1e6), ("node more", "node + MB", "%.0f", 1e6),
           ("redis CPU", "CPU s of Redis", "%.2f", 1), ("node CPU", "of the node", "%.2f", 1),
           ("PING", "PING ms", "%.0f", 1e-3), ("GET", "GET ms", "%.0f", 1e-3), ("write", "write ms", "%.0f", 1e-3),
           ("applies waited", "applies waited s", "%.1f", 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--writes", type=int, default=5000)
    parser.add_argument("--gandalf", default=os.path.join(TOP, "build", "release", "io-real", "gandalf"))
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="gandalf-copy-")
    bench, rows, loads = Bench(args, folder), [], []
    try:
        bench.start()
        fill(bench.redis_port, args.keys)
        used = info(bench.redis_port, "memory")["used_memory"]
        print("%d keys of 100 bytes, used_memory %d MB" % (args.keys, int(used) // 1000000))
        for _ in range(args.rounds):
            for writes in (0, args.writes):
                for way in ("none", "SYNC", "SCAN"):
                    loads.append(load())
                    rows.append(bench.measure(way, writes))
                    rows[-1]["asked"] = writes
        print("medians of %d rounds; waits: the longest of any; load of the machine %.1f to %.1f\n" %
              (args.rounds, min(loads), max(loads)))
        print("| copy | writes/s asked | done | " + " | ".join(c[1] for c in COLUMNS) + " |")
        print("| --- | " + " | ".join(["---:"] * (len(COLUMNS) + 2)) + " |")
        for writes in (0, args.writes):
            for way in ("none", "SYNC", "SCAN"):
                mine = [r for r in rows if r["way"] == way and r["asked"] == writes]
                cells = []
                for key, _, form, unit in COLUMNS:
                    pick = max if key in ("PING", "GET", "write") else statistics.median
                    cells.append(form % (pick(r.get(key, 0) for r in mine) / unit))
                print("| %s | %d | %d | %s |" % (way, writes, statistics.median(r["writes"] for r in mine),
                                                " | ".join(cells)))
        bench.back()
    finally:
        bench.systems.stop_all()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
