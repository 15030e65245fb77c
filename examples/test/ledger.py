#!/usr/bin/env python3
"""The replicated ledger as real processes: $LEDGER_NODE names the program.

Three nodes; clients move money about while nodes are killed; no coin is made or lost, and every
node says the same.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ci"))
from cluster import free_ports, wait_until  # noqa: E402

NODE = os.environ["LEDGER_NODE"]
ACCOUNTS = 4
MONEY = 1000


class Line:
    """A connection that speaks lines."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")

    def ask(self, text):
        self.socket.sendall(text.encode() + b"\n")
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the node closed the connection")
        return line.decode().strip()

    def close(self):
        self.file.close()
        self.socket.close()


def ask(port, text):
    line = Line(port)
    try:
        return line.ask(text)
    finally:
        line.close()


class Nodes:
    def __init__(self, directory):
        ports = sorted(free_ports(3)) + free_ports(3)
        self.directory, self.peers, self.clients = directory, ports[:3], ports[3:]
        self.processes = [None] * 3

    def start(self, i):
        others = ["127.0.0.1:%d" % p for p in self.peers if p != self.peers[i]]
        self.processes[i] = subprocess.Popen(
            [NODE, "--host=127.0.0.1", "--port=%d" % self.peers[i]]
            + ["--nodes=" + ",".join(others)]
            + ["--connection_host=127.0.0.1", "--connection_port=%d" % self.clients[i],
               "--data_dir=%s/%d" % (self.directory, i), "--snapshot_offset=50", "--tail_count=10",
               "--log_level=warning"])

    def kill(self, i, how=signal.SIGKILL):
        self.processes[i].send_signal(how)
        status = self.processes[i].wait(timeout=20)
        self.processes[i] = None
        return status

    def leader(self):
        for i in range(3):
            if self.processes[i] is not None and " leader " in ask(self.clients[i], "STATUS"):
                words = ask(self.clients[i], "STATUS").split()
                if words[3] == "leader":
                    return i
        return None

    def says(self, i, text):
        """An answer that says something, from node i."""
        def good():
            answer = ask(self.clients[i], text)
            return answer if answer.startswith(("OK", "ERR")) else None
        return wait_until("an answer of node %d to %s" % (i + 1, text), good)


def load(nodes, number, stop, counts):
    dice = random.Random(number)
    line = None
    while not stop.is_set():
        try:
            if line is None:
                line = Line(nodes.clients[dice.randrange(3)])
            accounts = dice.sample(range(ACCOUNTS), 2)
            answer = line.ask("TRANSFER a%d a%d %d" % (accounts[0], accounts[1],
                                                       dice.randrange(1, 300)))
            counts[answer.split()[0]] = counts.get(answer.split()[0], 0) + 1
        except (OSError, EOFError):
            if line is not None:
                line.close()
            line = None
            time.sleep(0.05)
    if line is not None:
        line.close()


def main():
    with tempfile.TemporaryDirectory() as directory:
        nodes = Nodes(directory)
        for i in range(3):
            nodes.start(i)
        try:
            for a in range(ACCOUNTS):
                assert nodes.says(0, "OPEN a%d" % a) in ("OK 0", "ERR exists")
                assert nodes.says(1, "DEPOSIT a%d %d" % (a, MONEY)) == "OK %d" % MONEY
            assert nodes.says(2, "BALANCE nobody") == "ERR no account"
            assert nodes.says(2, "FROBNICATE") == "ERR unknown"
            stop, counts = threading.Event(), {}
            threads = [threading.Thread(target=load, args=(nodes, n, stop, counts))
                       for n in range(4)]
            for t in threads:
                t.start()
            for turn in range(4):
                time.sleep(1)
                victim = wait_until("a leader", lambda: (nodes.leader() or 0) + 1) - 1
                if turn % 2 == 1:
                    victim = (victim + 1) % 3
                nodes.kill(victim)
                time.sleep(1)
                nodes.start(victim)
                assert nodes.says(victim, "TOTAL") == "OK %d" % (ACCOUNTS * MONEY)
            stop.set()
            for t in threads:
                t.join()
            assert counts.get("OK", 0) > 50, counts
            for a in range(ACCOUNTS):
                answers = {nodes.says(i, "BALANCE a%d" % a) for i in range(3)}
                assert len(answers) == 1, answers
            assert nodes.says(1, "RAFT SNAPSHOT").startswith("OK")
            snapshots = [name for _, _, names in os.walk(directory) for name in names
                         if "snap" in name]
            assert snapshots, "no snapshot was taken"
            print("answers: %s" % counts)
        finally:
            for i in range(3):
                if nodes.processes[i] is not None:
                    status = nodes.kill(i, signal.SIGTERM)
                    assert status == 0, "node %d ended with %d" % (i + 1, status)


main()
