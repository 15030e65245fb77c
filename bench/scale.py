#!/usr/bin/env python3
"""scale.py - how gandalf behaves as one measure grows: the size of a value, the number of clients, of
nodes, of keys, the length of the log at a restart; and what is bounded when others are slow.

A table for each; everything synced on every node, linearizable reads, on loopback. bench/scale.sh
builds what this needs. Figures of one table come from one run and compare with each other; across
tables and runs the machine's speed drifts.

    --only value|clients|nodes|keys|restart|limits   one table alone
"""
import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
import time

from compare import TOP, Systems, ask, fill, free_ports, redis_benchmark

MIB = 1 << 20


def title(*columns):
    print("\n| " + " | ".join(columns) + " |\n| " + " | ".join(["---:"] * len(columns)) + " |")


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |")
    sys.stdout.flush()


def cluster(systems, count, extra=()):
    """`count` nodes; where the leader's clients connect."""
    ports = free_ports(2 * count)
    systems.cluster("node", ports, extra)
    systems.ready("node", ports[count])
    return systems.leader(ports[count:])


def both(port, clients, requests, keys, size):
    """SET, then GET, each as requests/s, p50, p99 in ms."""
    cells = []
    for command in ("set", "get"):
        try:
            got = redis_benchmark(port, command, clients, 1, requests, keys, size)
        except SystemExit as why:  # A client was refused, say: the other rows still tell something.
            print(why, file=sys.stderr)
            cells += ["failed", "-", "-"]
            continue
        cells += ["%.0f" % got["rps"], "%.3f" % got["p50"], "%.3f" % got["p99"]]
    return cells


HEADS = ("SET/s", "p50 ms", "p99 ms", "GET/s", "p50 ms", "p99 ms")


def run_value(args, systems):
    port = cluster(systems, 3)
    title("bytes of a value", "clients", *HEADS, "SET MiB/s")
    for size, clients, requests in ((16, 50, 40000), (256, 50, 40000), (4096, 50, 20000),
                                    (65536, 50, 3000), (MIB, 10, 300)):
        cells = both(port, clients, max(50, int(requests * args.scale)), 1000 if size < MIB else 20,
                     size)
        rate = "-" if cells[0] == "failed" else "%.1f" % (float(cells[0]) * size / MIB)
        row(size, clients, *cells, rate)


def run_clients(args, systems):
    port = cluster(systems, 3)
    title("clients, 64 bytes", *HEADS)
    for clients in (1, 10, 50, 256, 1000):
        requests = int((2000 if clients == 1 else 20000 if clients == 10 else 60000) * args.scale)
        row(clients, *both(port, clients, max(clients, requests), 10000, 64))


def run_nodes(args, systems):
    title("nodes, 50 clients, 64 bytes", *HEADS, "CPU s per 100,000 SETs, all nodes")
    for count in (1, 2, 3, 5, 7):
        folder = tempfile.mkdtemp(dir=systems.folder)
        own = Systems(args.gandalf, folder)
        try:
            port = cluster(own, count)
            requests = max(200, int(40000 * args.scale))
            before = own.cpu("node")
            redis_benchmark(port, "set", 50, 1, requests)
            cpu = (own.cpu("node") - before) / requests * 100000
            row(count, *both(port, 50, requests, 10000, 64), "%.2f" % cpu)
        finally:
            own.stop_all()


def run_keys(args, systems):
    title("keys of 64 bytes, one node, 50 clients", *HEADS, "resident MB", "bytes a key")
    for keys in (1000, 100000, 1000000, int(10000000 * min(1, args.scale))):
        folder = tempfile.mkdtemp(dir=systems.folder)
        own = Systems(args.gandalf, folder)
        try:
            port = cluster(own, 1)
            empty = own.resident("node")
            fill(port, keys)
            time.sleep(2)
            resident = own.resident("node")
            cells = both(port, 50, max(50, int(60000 * args.scale)), keys, 64)
            row(keys, *cells, resident // 1000000, "%.0f" % ((resident - empty) / keys))
        finally:
            own.stop_all()
            shutil.rmtree(folder, ignore_errors=True)


def run_restart(args, systems):
    title("entries in the log", "seconds from start to the first write", "entries/s")
    ports = free_ports(2)
    extra = ["--snapshot_log_size", "100gb"]
    systems.node("one", ports[0], ports[1], [], extra)
    systems.ready("one", ports[1])
    held = 0
    for entries in (1000, 10000, 100000, 1000000, int(3000000 * min(1, args.scale))):
        if entries <= held:
            continue
        fill(ports[1], entries - held)
        held = entries
        systems.processes["one"].kill()
        systems.processes["one"].wait()
        begin = time.time()
        systems.node("one", ports[0], ports[1], [], extra)
        systems.ready("one", ports[1])
        took = time.time() - begin
        row(entries, "%.2f" % took, "%.0f" % (entries / took))


def deaf_client(port, size):
    """Asks for a value of `size` bytes without end and never reads; bytes asked for until it was
    closed, or None."""
    value = b"v" * size
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n%s\r\n" % (size, value))
        asked = 0
        try:
            for _ in range(4000):
                s.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n" * 10)
                asked += 10
        except (socket.timeout, OSError):
            pass
        return asked


def run_limits(args, systems):
    ports = free_ports(6)
    systems.cluster("node", ports, ["--client_output_limit", "32mb"])
    systems.ready("node", ports[3])
    leader = systems.leader(ports[3:])
    lead = systems.processes["node-%d" % ports[3:].index(leader)]
    others = [p for p in systems.members("node") if p is not lead]

    def resident(process):
        with open("/proc/%d/statm" % process.pid) as f:
            return int(f.read().split()[1]) * 4096 // MIB

    title("what", "leader's resident MiB before", "at the end", "meanwhile")
    before = resident(lead)
    crowd = [socket.create_connection(("127.0.0.1", leader)) for _ in range(1000)]
    got = redis_benchmark(leader, "set", 50, 1, max(50, int(30000 * args.scale)))
    row("1,000 idle connections", before, resident(lead), "%.0f SET/s by 50 others" % got["rps"])
    for s in crowd:
        s.close()
    before = resident(lead)
    asked = deaf_client(leader, MIB)
    row("a client that asks for 1 MiB values and reads none (limit 32 MiB)", before, resident(lead),
        "%d asked for" % asked)
    before = resident(lead)
    others[0].send_signal(signal.SIGSTOP)
    try:
        got = redis_benchmark(leader, "set", 50, 1, max(50, int(30000 * args.scale)), 1000, 4096)
        row("a follower that stands still, %d MiB written" %
            (int(30000 * args.scale) * 4096 // MIB), before, resident(lead),
            "%.0f SET/s of 4 KiB" % got["rps"])
    finally:
        others[0].send_signal(signal.SIGCONT)


def main():
    parts = {"value": run_value, "clients": run_clients, "nodes": run_nodes, "keys": run_keys,
             "restart": run_restart, "limits": run_limits}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gandalf", default=os.path.join(TOP, "build/release/io-real/gandalf"))
    parser.add_argument("--scale", type=float, default=1.0, help="of the requests in each row")
    parser.add_argument("--only", choices=sorted(parts))
    args = parser.parse_args()
    for name, run in parts.items():
        if args.only in (None, name):
            folder = tempfile.mkdtemp(prefix="gandalf-scale-")
            systems = Systems(args.gandalf, folder)
            try:
                run(args, systems)
            finally:
                systems.stop_all()
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
