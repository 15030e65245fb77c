#!/usr/bin/env python3
"""Process tests of what one client does to a node, and to the others: much at once, and without
taking in what it is answered.

    clients.py [TEST...]           all of them without a name; $GANDALF names the program
"""

import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from process import get, harness, put  # noqa: E402
from cluster import Client, Cluster, Error, wait_until  # noqa: E402

TESTS, test = harness.suite()


@test
def deaf_client():
    """Who asks for much and reads nothing is held up; who reads late gets all of it, in order."""
    with Cluster(count=1, client_output_limit="8mb") as c:
        node = c.nodes[0]
        put(node, "k", "x" * (1 << 20))
        put(node, "other", "served")

        def resident():
            with open("/proc/%d/statm" % node.process.pid) as f:
                return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        before = resident()
        with socket.create_connection(("127.0.0.1", node.client_port), timeout=30) as s:
            s.sendall(b"GET k\r\n" * 200 + b"PING\r\n")
            for _ in range(50):
                assert resident() - before < 64 << 20, resident() - before
                assert get(node, "other") == b"served"
                time.sleep(0.1)
            size = 200 * len(b"$1048576\r\n\r\n" + b"x" * (1 << 20)) + len(b"+PONG\r\n")
            tail = b""
            while size > 0:
                data = s.recv(1 << 20)
                assert data, size
                size -= len(data)
                tail = (tail + data)[-7:]
            assert tail == b"+PONG\r\n", tail


@test
def deaf_client_goes():
    """What one that read nothing had asked for ends when it goes: nothing of it stays."""
    with Cluster(count=1, client_output_limit="1mb") as c:
        node = c.nodes[0]
        put(node, "k", "x" * (1 << 18))

        def clients():
            with node.client() as k:
                return len(k("CLIENT", "LIST").splitlines())

        for _ in range(3):
            with socket.create_connection(("127.0.0.1", node.client_port), timeout=30) as s:
                s.sendall(b"GET k\r\n" * 500)
                time.sleep(0.3)
        wait_until("nobody but the one who asks", lambda: clients() == 1)
        wait_until("no request is held", lambda: node.info()["pending_bytes"] == "0")


@test
def pipeline_without_a_leader():
    """More requests than a node works on at once, all of them refused: each has its reply."""
    with Cluster() as c:
        leader = c.leader()
        put(leader, "k", "v")
        for n in c.nodes:
            if n is not leader:
                n.kill()
        with leader.client(timeout=30) as k:
            k.send_raw(Client.encode("GET", "k") * 2500)
            for i in range(2500):
                try:
                    assert k.read() == b"v", i  # It led for a moment more.
                except Error as e:
                    assert str(e).startswith("CLUSTERDOWN"), (i, e)


@test
def transaction_of_answers():
    """Commands that the node answers itself count for the size of a transaction, too."""
    with Cluster(count=1, proto_max_bulk_len="64kb") as c:
        c.leader()
        with c.nodes[0].client(timeout=30) as k:
            assert k("MULTI") == "OK"
            refused = 0
            for _ in range(200):
                try:
                    assert k("COMMAND") == "QUEUED"
                except Error as e:
                    assert "too large" in str(e), e
                    refused += 1
            assert refused == 1, refused
            try:
                k("EXEC")
                raise AssertionError("EXEC")
            except Error as e:
                assert str(e).startswith("EXECABORT"), e
            assert k("PING") == "PONG"


@test
def snapshot_under_steady_reads():
    """A snapshot is taken, and the log cut, also where reads never pause."""
    with Cluster(count=1) as c:
        node = c.nodes[0]
        put(node, "k", "v")
        stop = threading.Event()

        def ask():
            """Always more is asked than the node works on at once."""
            reads, answers = Client.encode("GET", "k") * 4096, 4096 * len(b"$1\r\nv\r\n")
            with socket.create_connection(("127.0.0.1", node.client_port), timeout=30) as s:
                s.sendall(reads)
                owed = answers
                while not stop.is_set():
                    s.sendall(reads)
                    owed += answers
                    while owed > answers:
                        owed -= len(s.recv(1 << 20))

        readers = [threading.Thread(target=ask) for _ in range(8)]
        for reader in readers:
            reader.start()
        try:
            with node.client(timeout=20) as k:
                for i in range(5):
                    assert k("SET", "n", str(i)) == "OK"
                    assert k("RAFT", "SNAPSHOT") == "OK"
        finally:
            stop.set()
            for reader in readers:
                reader.join()
        assert get(node, "n") == b"4"


if __name__ == "__main__":
    harness.main(TESTS)
