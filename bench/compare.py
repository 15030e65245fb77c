#!/usr/bin/env python3
"""compare.py - gandalf beside what people would pick instead: the same closed loop, interleaved rounds,
medians of the ratios of each round.

Three gandalf nodes (everything synced on each before it is acknowledged, linearizable reads), one gandalf
node alone, three etcd members, one Redis with `appendonly yes, appendfsync always`, one without. Prints
tables; --json FILE keeps the numbers, --html FILE and --png FILE draw them. bench/compare.sh installs and
builds what this needs. Everything listens on loopback and is stopped, by its process id, at the end.

    --only load|memory|restart|snapshot|pause   one part alone
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESTS = [  # name, command, clients, pipeline, requests of a turn, turns of a round: short ones, since a
    # disk that is shared with other machines changes its speed within seconds
    ("SET 1", "set", 1, 1, 600, 5),
    ("SET 50", "set", 50, 1, 20000, 3),
    ("SET 256", "set", 256, 1, 27000, 3),
    ("SET 50 -P 16", "set", 50, 16, 100000, 3),
    ("GET 50", "get", 50, 1, 100000, 1),
    ("GET 50 -P 16", "get", 50, 16, 600000, 1),
]
SYSTEMS = ("etcd", "three", "redis-aof", "one", "redis")  # Those whose ratios are marks, side by side.
MARKS = [  # test, system, against, floor, goal
    ("SET 50", "three", "etcd", 4, 7),
    ("SET 256", "three", "etcd", 4, 7),
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

    def node(self, name, peer, client, others, extra=()):
        self.start(name, [self.gandalf, "--host", "127.0.0.1", "--port", str(peer), "--connection_host",
                          "127.0.0.1", "--connection_port", str(client), "--data_dir",
                          os.path.join(self.folder, name), "--log_level", "warning"] +
                   (["--nodes", ",".join("127.0.0.1:%d" % p for p in others)] if others else []) + list(extra))

    def etcd(self, ports):
        members = ["m%d=http://127.0.0.1:%d" % (i, ports[i]) for i in range(3)]
        for i in range(3):
            peer, client = ["http://127.0.0.1:%d" % ports[k] for k in (i, 3 + i)]
            self.start("etcd-%d" % i, [
                "etcd", "--name", "m%d" % i, "--data-dir", os.path.join(self.folder, "etcd-%d" % i),
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--initial-cluster", ",".join(members), "--initial-cluster-state", "new",
                "--log-level", "error"])

    def redis(self, name, port, extra):
        os.makedirs(os.path.join(self.folder, name))
        self.start(name, ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                          "--dir", os.path.join(self.folder, name)] + extra)

    def three(self, ports, extra=()):
        self.cluster("three", ports, extra)

    def cluster(self, name, ports, extra=()):
        """Half of the ports are the members', the other half their clients'."""
        count = len(ports) // 2
        for i in range(count):
            self.node("%s-%d" % (name, i), ports[i], ports[count + i],
                      [q for q in ports[:count] if q != ports[i]], extra)

    def ready(self, name, port):
        deadline = time.time() + 30
        while not (ask(port, "SET", "ready", "1") or "").startswith("+OK"):
            if time.time() > deadline:
                sys.exit("compare.py: %s did not start: see %s" % (name, self.folder))
            time.sleep(0.02)

    def leader(self, ports):
        for _ in range(200):
            for port in ports:
                if "role:leader" in (ask(port, "INFO", "raft") or ""):
                    return port
            time.sleep(0.05)
        sys.exit("compare.py: three nodes, no leader")

    def start_all(self, with_etcd):
        p = free_ports(16)
        self.three(p[:6])
        self.node("one", p[6], p[7], [])
        self.redis("redis-aof", p[8], ["--appendonly", "yes", "--appendfsync", "always"])
        self.redis("redis", p[9], [])
        self.ports = {"one": p[7], "redis-aof": p[8], "redis": p[9]}
        for name, port in list(self.ports.items()) + [("three", p[3])]:
            self.ready(name, port)
        self.ports["three"] = self.leader(p[3:6])
        if with_etcd:
            self.etcd(p[10:16])
            self.ports["etcd"] = p[13]
            self.endpoints = ",".join("127.0.0.1:%d" % q for q in p[13:16])

    def members(self, name):
        return [process for each, process in self.processes.items()
                if each == name or each.rsplit("-", 1)[0] == name and each[-1].isdigit()]

    def cpu_each(self, name):
        seconds = []
        for process in self.members(name):
            with open("/proc/%d/stat" % process.pid) as f:
                fields = f.read().rsplit(") ", 1)[1].split()
            seconds.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
        return seconds

    def cpu(self, name):
        return sum(self.cpu_each(name))

    def written(self):
        """Bytes that the disk was given: by the device's own count, since a process's counts each page
        that a write makes dirty with the whole large folio around it. The others are idle meanwhile."""
        device = os.stat(self.folder).st_dev
        with open("/sys/dev/block/%d:%d/stat" % (os.major(device), os.minor(device))) as f:
            return int(f.read().split()[6]) * 512

    def resident_each(self, name):
        sizes = []
        for process in self.members(name):
            with open("/proc/%d/status" % process.pid) as f:
                sizes.append(int(re.search(r"^VmRSS:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024)
        return sizes

    def resident(self, name):
        return sum(self.resident_each(name))

    def stop_all(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()


def percentile(text, part):
    for line in text.splitlines():
        match = re.match(r"([\d.]+)% <= ([\d.]+) milliseconds", line)
        if match and float(match.group(1)) >= part:
            return float(match.group(2))
    return 0.0


def redis_benchmark(port, command, clients, pipeline, requests, keys=10000, size=64):
    text = subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-t", command, "-c",
                           str(clients), "-P", str(pipeline), "-n", str(requests), "-d", str(size), "-r",
                           str(keys)], capture_output=True, text=True, timeout=600).stdout
    text = text.replace("\r", "\n")
    rate = re.search(r"throughput summary: ([\d.]+)", text)
    row = re.search(r"avg\s+min\s+p50\s+p95\s+p99\s+max\s*\n\s*([\d. ]+)", text)
    if not rate or not row:
        sys.exit("compare.py: redis-benchmark said:\n" + text[-800:])
    values = [float(v) for v in row.group(1).split()]
    return {"rps": float(rate.group(1)), "p50": values[2], "p99": values[4],
            "p99.9": percentile(text, 99.9), "max": values[5]}


def measure(systems, name, test, args):
    _, command, clients, pipeline, requests, _ = test
    requests = max(1, int(requests * args.scale))
    if name != "etcd":
        return redis_benchmark(systems.ports[name], command, clients, pipeline, requests), requests
    # An eighth, so that a round of it takes about as long, but enough for each client to get going.
    requests = max(100 * clients, requests // 8)
    line = subprocess.run([args.etcd_load, systems.endpoints, "put" if command == "set" else "get",
                           str(clients), str(requests), "10000", "64"], capture_output=True, text=True,
                          timeout=600)
    if line.returncode != 0:
        sys.exit("compare.py: " + line.stderr)
    values = [float(v) for v in line.stdout.split()]
    return dict(zip(("rps", "p50", "p99", "p99.9", "max"), values)), requests + clients  # Each warmed up by one.


def median(results, test, name, what):
    return statistics.median(r[what] for r in results[test][name])


def ratio(results, test, name, other, what):
    """The median of the ratios of two systems' turns that were next to each other."""
    return statistics.median(a[what] / b[what] for a, b in
                             zip(results[test][name], results[test][other], strict=True))


def mark(rows, what, value, floor, goal, lower=False):
    fine = value <= floor if lower else value >= floor
    good = value <= goal if lower else value >= goal
    rows.append((what, value, floor, goal, "goal" if good else "floor" if fine else "BELOW"))


def tables(results):
    """What is printed of the load, and stands in the HTML: (title, rows of text, the first their heads)."""
    load = [("", "system", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU s per 100,000", "disk bytes per op")]
    each = [("system", "process", "CPU s per 100,000, SET 50", "GET 50", "resident MiB after the load")]
    for test in TESTS:
        for name in [n for n in SYSTEMS if n in results[test[0]]]:
            values = [median(results, test[0], name, w) for w in ("rps", "p50", "p99", "p99.9", "cpu", "bytes")]
            load.append((test[0], name) + tuple(("%.0f %.3f %.3f %.3f %.2f %.0f" % tuple(values)).split()))
    for name in [n for n in SYSTEMS if n in results["GET 50"]]:
        last = results["GET 50"][name][-1]["resident each"]
        for k, size in enumerate(last):
            cpu = ["%.2f" % statistics.median(row["cpu each"][k] for row in results[test][name])
                   for test in ("SET 50", "GET 50")]
            each.append((name, "%d of %d" % (k + 1, len(last)), *cpu, "%.1f" % (size / 2**20)))
    return ("Medians of all turns.", load), ("Each process.", each)


def run_load(args, folder, rows):
    systems = Systems(args.gandalf, folder)
    results = {}
    names = [n for n in SYSTEMS if n != "etcd" or args.etcd_load]
    try:
        systems.start_all("etcd" in names)
        time.sleep(2)
        for _ in range(args.rounds):
            for test in [each for each in TESTS for _ in range(each[5])]:
                for name in names:
                    if name == "etcd" and test[3] > 1:
                        continue
                    cpu, written = systems.cpu_each(name), systems.written()
                    row, requests = measure(systems, name, test, args)
                    row["cpu each"] = [(after - before) / requests * 100000 for before, after in
                                       zip(cpu, systems.cpu_each(name), strict=True)]
                    row["cpu"] = sum(row["cpu each"])
                    row["resident each"] = systems.resident_each(name)
                    row["bytes"] = (systems.written() - written) / requests
                    results.setdefault(test[0], {}).setdefault(name, []).append(row)
    finally:
        systems.stop_all()
    for title, table in tables(results):
        print("%s\n\n| %s |" % (title, " | ".join(table[0])))
        print("| --- | --- |" + " ---: |" * (len(table[0]) - 2))
        for row in table[1:]:
            print("| %s |" % " | ".join(row))
        print()
    for test, name, other, floor, goal in MARKS:
        if other in results[test]:
            mark(rows, "%s, %s against %s" % (test, name, other),
                 ratio(results, test, name, other, "rps"), floor, goal)
    mark(rows, "SET 1 p50, three against redis-aof", ratio(results, "SET 1", "three", "redis-aof", "p50"),
         2.0, 1.3, lower=True)
    if "etcd" in names:
        mark(rows, "CPU of 100,000 SETs by 50 clients, three against etcd",
             ratio(results, "SET 50", "three", "etcd", "cpu"), 0.25, 0.12, lower=True)
    return results


def run_memory(args, folder, rows):
    systems = Systems(args.gandalf, folder)
    p = free_ports(3)
    try:
        systems.node("one", p[0], p[1], [])
        systems.redis("redis", p[2], [])
        sizes = {}
        for name, port in (("one", p[1]), ("redis", p[2])):
            systems.ready(name, port)
            fill(port, 1000000)
            time.sleep(3)
            sizes[name] = systems.resident(name)
            print("%s: %d MB resident with 1,000,000 keys of 64 bytes" % (name, sizes[name] >> 20))
        mark(rows, "resident memory, 1,000,000 keys, one against redis", sizes["one"] / sizes["redis"],
             1.5, 1.0, lower=True)
    finally:
        systems.stop_all()


def fill(port, count):
    """Exactly `count` keys, by pipelines of a thousand."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        reader = s.makefile("rb")
        for first in range(0, count, 1000):
            data = b"".join(b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$64\r\n%s\r\n" % (n, b"x" * 64)
                            for n in range(first, min(first + 1000, count)))
            s.sendall(data)
            for _ in range(first, min(first + 1000, count)):
                if not reader.readline().startswith(b"+OK"):
                    sys.exit("compare.py: a SET failed")


def run_restart(args, folder, rows):
    systems = Systems(args.gandalf, folder)
    p = free_ports(2)
    extra = ["--snapshot_log_size", "100gb"]
    took = []
    try:
        systems.node("one", p[0], p[1], [], extra)
        systems.ready("one", p[1])
        fill(p[1], 1000000)
        for _ in range(3):
            process = systems.processes["one"]
            process.kill()
            process.wait()
            begin = time.time()
            systems.node("one", p[0], p[1], [], extra)
            systems.ready("one", p[1])
            took.append(time.time() - begin)
        print("restart with 1,000,000 entries: " + ", ".join("%.2f s" % t for t in took) +
              " (the election of the node alone is in it)")
        mark(rows, "restart with 1,000,000 entries in the log, s", statistics.median(took), 3, 1,
             lower=True)
    finally:
        systems.stop_all()


def run_snapshot(args, folder, rows):
    systems = Systems(args.gandalf, folder)
    p = free_ports(6)
    try:
        systems.three(p, ["--snapshot_log_size", "100gb"])
        systems.ready("three", p[3])
        leader = systems.leader(p[3:6])
        fill(leader, 1000000)
        tails = {False: [], True: []}
        for _ in range(args.rounds):
            for during in (False, True):
                stop = threading.Event()

                def shoot():
                    while not stop.is_set():
                        ask(leader, "RAFT", "SNAPSHOT", timeout=60)

                shooter = threading.Thread(target=shoot)
                if during:
                    shooter.start()
                    time.sleep(0.1)
                tails[during].append(redis_benchmark(leader, "set", 50, 1, 40000, 1000000)["p99.9"])
                stop.set()
                if during:
                    shooter.join()
        with_one, without = statistics.median(tails[True]), statistics.median(tails[False])
        print("p99.9 of SET: %.2f ms while snapshots of 1,000,000 keys are taken, %.2f ms without" %
              (with_one, without))
        mark(rows, "p99.9 of SET during a snapshot against without", with_one / without, 3, 1.5,
             lower=True)
    finally:
        systems.stop_all()


def run_pause(args, folder, rows):
    systems = Systems(args.gandalf, folder)
    p = free_ports(6)
    pauses = []
    try:
        systems.three(p)
        systems.ready("three", p[3])
        for _ in range(args.rounds):
            leader = systems.leader(p[3:6])
            dead = p[3:6].index(leader)
            others = [q for q in p[3:6] if q != leader]
            process = systems.processes["three-%d" % dead]
            process.kill()
            begin = time.time()
            while not any((ask(q, "SET", "pause", "1", timeout=0.2) or "").startswith("+OK")
                          for q in others):
                pass
            pauses.append(time.time() - begin)
            process.wait()
            systems.node("three-%d" % dead, p[dead], leader, [q for q in p[:3] if q != p[dead]])
            systems.ready("three", leader)
            time.sleep(2)
        print("writes stood still after kill -9 of the leader: " +
              ", ".join("%.2f s" % t for t in pauses))
        mark(rows, "pause after kill -9 of the leader, s", statistics.median(pauses), 2, 0.5,
             lower=True)
    finally:
        systems.stop_all()


def draw(results, rows, html, png):
    """Bars of requests a second, a group for each test; and the marks as a table."""
    import base64
    import io
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(11, 5))
    for k, name in enumerate(SYSTEMS):
        heights = [median(results, t[0], name, "rps") if name in results[t[0]] else 0 for t in TESTS]
        axes.bar([i + 0.16 * k for i in range(len(TESTS))], heights, 0.15, label=name)
    axes.set_xticks([i + 0.32 for i in range(len(TESTS))])
    axes.set_xticklabels([t[0] for t in TESTS])
    axes.set_yscale("log")
    axes.set_ylabel("requests a second (log)")
    axes.legend()
    figure.tight_layout()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    if png:
        with open(png, "wb") as f:
            f.write(picture.getvalue())
    if html:
        marks = "".join("<tr><td>%s<td>%.2f<td>%s<td>%s<td>%s" % row for row in rows)
        more = "".join("<p>%s<table><tr><th>%s%s</table>" % (
            title, "<th>".join(table[0]), "".join("<tr><td>" + "<td>".join(row) for row in table[1:]))
                       for title, table in tables(results))
        with open(html, "w") as f:
            f.write("<!doctype html><meta charset=utf-8><title>gandalf compared</title><style>body{font:"
                    "15px sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:left}</style>"
                    "<h1>gandalf compared</h1><img alt='requests a second by system' src='data:image/png;"
                    "base64,%s'><table><tr><th>mark<th>measured<th>floor<th>goal<th>meets%s</table>%s" %
                    (base64.b64encode(picture.getvalue()).decode(), marks, more))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gandalf", default=os.path.join(TOP, "build/release/io-real/gandalf"))
    parser.add_argument("--etcd-load", help="the built bench/etcd_load.go; without it no etcd")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the requests in each round")
    parser.add_argument("--only", choices=("load", "memory", "restart", "snapshot", "pause"))
    parser.add_argument("--json")
    parser.add_argument("--html")
    parser.add_argument("--png")
    args = parser.parse_args()
    rows, results = [], None
    for name, run in (("load", run_load), ("memory", run_memory), ("restart", run_restart),
                      ("snapshot", run_snapshot), ("pause", run_pause)):
        if args.only in (None, name):
            folder = tempfile.mkdtemp(prefix="gandalf-compare-")
            try:
                results = run(args, folder, rows) or results
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            sys.stdout.flush()
    print("\n| mark | measured | floor | goal | meets |\n| --- | ---: | ---: | ---: | --- |")
    for row in rows:
        print("| %s | %.2f | %s | %s | %s |" % row)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"marks": rows, "rounds": results}, f, indent=1)
    if results and (args.html or args.png):
        draw(results, rows, args.html, args.png)


if __name__ == "__main__":
    main()
