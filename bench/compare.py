#!/usr/bin/env python3
"""compare.py - gandalf beside Redis: the same closed loop, interleaved rounds, ratios of medians.

Three gandalf nodes (everything synced on each before it is acknowledged, linearizable reads), one gandalf
node alone, one Redis with `appendonly yes, appendfsync always`, one without. Prints a table; --json FILE
keeps the numbers. Needs a release build, redis-server and redis-benchmark. Everything listens on loopback
and is stopped, by its process id, at the end.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESTS = [  # name, command, clients, pipeline, requests
    ("SET 1", "set", 1, 1, 3000),
    ("SET 50", "set", 50, 1, 60000),
    ("SET 256", "set", 256, 1, 80000),
    ("SET 50 -P 16", "set", 50, 16, 300000),
    ("GET 50", "get", 50, 1, 100000),
    ("GET 50 -P 16", "get", 50, 16, 600000),
]
MARKS = [  # test, system, against, floor, goal
    ("SET 50", "three", "redis-aof", 0.5, 1.0),
    ("SET 256", "three", "redis-aof", 0.45, 0.9),
    ("SET 50 -P 16", "three", "redis-aof", 0.3, 0.7),
    ("GET 50", "three", "redis", 0.6, 0.9),
    ("GET 50 -P 16", "three", "redis", 0.4, 0.8),
    ("SET 50", "one", "redis-aof", 0.8, 1.1),
]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def ask(port, *words, timeout=5):
    """One command; the first line of the reply, or None."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
            data = b"*%d\r\n" % len(words)
            for w in words:
                data += b"$%d\r\n%s\r\n" % (len(w), w.encode())
            s.sendall(data)
            reply = b""
            while b"\r\n" not in reply or (reply[:1] == b"$" and len(reply) < 40):
                more = s.recv(65536)
                if not more:
                    break
                reply += more
            return reply.decode(errors="replace")
    except OSError:
        return None


class Systems:
    def __init__(self, gandalf, folder):
        self.gandalf, self.folder, self.processes, self.ports = gandalf, folder, {}, {}

    def start(self, name, command):
        log = open(os.path.join(self.folder, name + ".log"), "wb")
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def node(self, name, peer, client, others):
        self.start(name, [self.gandalf, "--host", "127.0.0.1", "--port", str(peer), "--connection_host",
                          "127.0.0.1", "--connection_port", str(client), "--data_dir",
                          os.path.join(self.folder, name), "--log_level", "warning"] +
                   (["--nodes", ",".join("127.0.0.1:%d" % p for p in others)] if others else []))

    def start_all(self):
        p = free_ports(10)
        for i in range(3):
            self.node("three-%d" % i, p[i], p[3 + i], [q for q in p[:3] if q != p[i]])
        self.node("one", p[6], p[7], [])
        for name, port, extra in (("redis-aof", p[8], ["--appendonly", "yes", "--appendfsync", "always"]),
                                  ("redis", p[9], [])):
            os.makedirs(os.path.join(self.folder, name))
            self.start(name, ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                              "--dir", os.path.join(self.folder, name)] + extra)
        self.ports = {"one": p[7], "redis-aof": p[8], "redis": p[9]}
        for name, port in list(self.ports.items()) + [("three", p[3])]:
            deadline = time.time() + 20
            while not (ask(port, "SET", "ready", "1") or "").startswith("+OK"):
                if time.time() > deadline:
                    sys.exit("compare.py: %s did not start: see %s" % (name, self.folder))
                time.sleep(0.1)
        for port in p[3:6]:
            if "role:leader" in (ask(port, "INFO", "raft") or ""):
                self.ports["three"] = port
        if "three" not in self.ports:
            sys.exit("compare.py: three nodes, no leader")

    def cpu(self, prefix):
        ticks = 0
        for name, process in self.processes.items():
            if name == prefix or name.startswith(prefix + "-") and prefix == "three":
                with open("/proc/%d/stat" % process.pid) as f:
                    fields = f.read().rsplit(") ", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop_all(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()


def measure(port, test, scale):
    _, command, clients, pipeline, requests = test
    out = subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-t", command, "-c",
                          str(clients), "-P", str(pipeline), "-n", str(max(1, int(requests * scale))), "-d", "64",
                          "-r", "10000", "--csv"], capture_output=True, text=True, timeout=300).stdout
    row = out.strip().splitlines()[-1].replace('"', "").split(",")
    return {"rps": float(row[1]), "p50": float(row[4]), "p99": float(row[6]), "max": float(row[7])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gandalf", default=os.path.join(TOP, "build/release/io-real/gandalf"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the requests in each round")
    parser.add_argument("--json")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="gandalf-compare-")
    systems = Systems(args.gandalf, folder)
    results = {}
    try:
        systems.start_all()
        for _ in range(args.rounds):
            for test in TESTS:
                for name in ("three", "redis-aof", "one", "redis"):
                    before = systems.cpu(name)
                    row = measure(systems.ports[name], test, args.scale)
                    row["cpu"] = (systems.cpu(name) - before) / (test[4] * args.scale) * 100000
                    results.setdefault(test[0], {}).setdefault(name, []).append(row)
    finally:
        systems.stop_all()
        shutil.rmtree(folder, ignore_errors=True)

    def median(test, name, what):
        return statistics.median(r[what] for r in results[test][name])

    print("| | " + " | ".join(n for n in ("three", "one", "redis-aof", "redis")) + " |")
    print("| --- | --- | --- | --- | --- |")
    for test in TESTS:
        print("| %s | %s |" % (test[0], " | ".join("%.0f/s, p50 %.3f ms, p99 %.3f ms, cpu %.2f s" % (
            median(test[0], n, "rps"), median(test[0], n, "p50"), median(test[0], n, "p99"),
            median(test[0], n, "cpu")) for n in ("three", "one", "redis-aof", "redis"))))
    print("\n| mark | ratio | floor | goal |\n| --- | --- | --- | --- |")
    for test, name, other, floor, goal in MARKS:
        ratio = median(test, name, "rps") / median(test, other, "rps")
        print("| %s, %s against %s | %.2f | %.2f | %.2f |" % (test, name, other, ratio, floor, goal))
    ratio = median("SET 1", "three", "p50") / median("SET 1", "redis-aof", "p50")
    print("| SET 1 p50, three against redis-aof (lower is better) | %.2f | 2.0 | 1.3 |" % ratio)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)


main()
