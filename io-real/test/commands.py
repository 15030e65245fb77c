#!/usr/bin/env python3
"""Process tests of what people and tools type: gandalf-kvs, and the commands about the connection.

    commands.py [TEST...]       all of them without a name; $GANDALF names the program
"""

import os
import pty
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ci"))
import cluster as harness  # noqa: E402
from cluster import Cluster, Error, wait_until  # noqa: E402

TESTS, test = harness.suite()


def kvs_path():
    return os.path.join(os.path.dirname(harness.gandalf_path()), "..", "kvs", "gandalf-kvs")


class Terminal:
    """A program at a terminal of its own, typed at."""

    def __init__(self, words, environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(words[0], words, {**os.environ, "TERM": "dumb", **environment})
        self.text = ""

    def until(self, want):
        end = time.monotonic() + 30
        while want not in self.text:
            assert time.monotonic() < end, (want, self.text)
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    assert want in self.text, (want, self.text)
        seen, self.text = self.text.split(want, 1)
        return seen.replace("\r", "")

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


@test
def kvs_prompt():
    """At a terminal: replies as redis-cli shows them, history kept, names completed, no secrets."""
    home = tempfile.mkdtemp(prefix="gandalf-test-")
    try:
        with Cluster(count=1) as c:
            node = c.leader()
            with node.client() as client:
                wait_until("a leader", lambda: client("SET", "k", "a\"b\n\x01") == "OK")
                client("SET", "n", "7")
            prompt = "127.0.0.1:%d> " % node.client_port
            terminal = Terminal([kvs_path(), "-p", str(node.client_port)], {"HOME": home})
            terminal.until(prompt)

            def typed(line):
                terminal.type(line + "\n")
                # Behind the echo: on a busy machine the terminal gives its own before the editor's.
                seen = terminal.until(prompt)
                while seen.startswith(line + "\n"):
                    seen = seen[len(line) + 1:]
                return seen

            commands = ["get k", "get nokey", "incr n", "incr k", "mget k nokey n", "keys nothing*",
                        "cluster slots", "hello 3", "config get save", "set n 1", "object help",
                        "lcs k n", "ttl nokey", "echo 'a b'"]
            shown = {line: typed(line) for line in commands}
            assert shown["get k"] == '"a\\"b\\n\\x01"\n', shown
            assert shown["get nokey"] == "(nil)\n", shown
            assert shown["incr n"] == "(integer) 8\n", shown
            assert shown["incr k"].startswith("(error) ERR value is not"), shown
            assert shown["mget k nokey n"].splitlines()[1:] == ["2) (nil)", '3) "8"'], shown
            assert shown["keys nothing*"] == "(empty array)\n", shown
            assert shown["config get save"].startswith('1# "save" => ""\n'), shown
            assert shown["echo 'a b'"] == '"a b"\n', shown
            assert "match" in typed("get 'oops"), "unbalanced quotes are told"
            assert "COMMAND LIST" in typed("help")
            terminal.type("multi\n")
            terminal.until("(tx)> ")
            terminal.type("incr n\n")
            terminal.until("(tx)> ")
            assert typed("exec").splitlines()[-1] == "1) (integer) 2"
            assert "voters answer" in typed("status")
            typed("auth hunter2")
            terminal.type("setra\t")
            terminal.until("nge")
            terminal.type(" n 0 5\n")
            terminal.until(prompt)
            terminal.type("quit\n")
            assert terminal.end() == 0
            with open(os.path.join(home, ".gandalf_kvs_history")) as f:
                history = f.read()
            assert "mget" in history and "hunter2" not in history, history
    finally:
        shutil.rmtree(home, ignore_errors=True)


@test
def kvs_client():
    """gandalf-kvs: a command, lines, JSON, errors, MOVED, the cluster as a table."""
    program = kvs_path()
    with Cluster(follower="redirect") as c:
        leader = c.leader()
        follower = c.followers()[0]
        with leader.client() as client:
            wait_until("SET", lambda: client("SET", "k", "v") == "OK")

        def kvs(*words, node=leader, status=0, lines=None):
            done = subprocess.run([program, "--port", str(node.client_port), *words], input=lines,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=60)
            assert done.returncode == status, (words, done)
            return done.stdout

        assert kvs("get", "k") == "v\n"
        assert kvs("set", "m", "1", node=follower) == "OK\n"  # It follows MOVED.
        assert kvs("--json", "mget", "k", "nokey") == '["v",null]\n'
        assert kvs("incr", "k", status=1).startswith("ERR value is not an integer")
        assert kvs(lines='set "a b" "x\\ty"\nget "a b"\n') == "OK\nx\ty\n"
        table = kvs("status", node=follower).splitlines()
        assert len(table) >= 4, table
        assert sum(line.split()[4:5] == ["leader"] for line in table) == 1, table
        follower.kill()
        table = kvs("status").splitlines()
        assert table[-1].startswith("2 of 3 voters answer"), table
        with Cluster(count=1, start=False) as other:
            other.nodes[0].client_port = follower.client_port
            other.start()
            wait_until("the stranger", lambda: "a stranger" in kvs("status"))
            table = kvs("status").splitlines()
            assert table[-1].startswith("2 of 3 voters answer"), table
        assert "usage:" in kvs("--help") and "gandalf-kvs " in kvs("--version")
        assert kvs("--host", "127.0.0.1", "get", "k") == "v\n"
        assert kvs("hello", "3").splitlines()[0] == "server"
        assert '"proto":3' in kvs("--json", "hello", "3")
        assert subprocess.run([program, "--port", str(harness.free_ports(1)[0]), "ping"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode != 0


class Answering(threading.Thread):
    """A server that answers whatever it is asked with the same bytes."""

    def __init__(self, reply):
        super().__init__(daemon=True)
        self.reply = reply
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection:
                while connection.recv(4096):
                    connection.sendall(self.reply)


@test
def kvs_reply_forms():
    """Every kind of reply that RESP3 has, at a terminal, as plain lines, as JSON."""
    cases = [  # reply, terminal, raw, JSON
        (b",1.5\r\n", "(double) 1.5\n", "1.5\n", "1.5\n"),
        (b",inf\r\n", "(double) inf\n", "inf\n", '"inf"\n'),
        (b"#t\r\n", "(true)\n", None, "true\n"),
        (b"#f\r\n", "(false)\n", None, "false\n"),
        (b"=7\r\ntxt:abc\r\n", "abc\n", "abc\n", '"abc"\n'),
        (b"(12345678901234567890\r\n", "(integer) 12345678901234567890\n",
         "12345678901234567890\n", "12345678901234567890\n"),
        (b"~2\r\n:1\r\n:2\r\n", "1~ (integer) 1\n2~ (integer) 2\n", "1\n2\n", "[1,2]\n"),
        (b"~0\r\n", "(empty set)\n", None, "[]\n"),
        (b"%0\r\n", "(empty hash)\n", None, "{}\n"),
        (b"%1\r\n+a\r\n*2\r\n:1\r\n_\r\n",
         "1# a => 1) (integer) 1\n   2) (nil)\n", None, '{"a":[1,null]}\n'),
        (b"|1\r\n+k\r\n+v\r\n:5\r\n", "1# k => v\n(integer) 5\n", None, "5\n"),
        (b"*10\r\n" + b":1\r\n" * 10, " 1) (integer) 1\n", None, None),
        (b"$4\r\n\xff\t\"x\r\n", '"\\xff\\t\\"x"\n', None, '"\\u00ff\\u0009\\"x"\n'),
    ]
    for reply, terminal, raw, json_line in cases:
        server = Answering(reply)
        words = [kvs_path(), "-p", str(server.port)]
        at_terminal = Terminal(words + ["anything"], {})
        try:
            at_terminal.until("\0no such text\0")
        except AssertionError:
            pass  # It ended; what it said is there.
        said = at_terminal.text.replace("\r", "")
        assert at_terminal.end() == 0 and said.startswith(terminal), (reply, said)
        for form, want in (("--raw", raw), ("--json", json_line)):
            done = subprocess.run(words[:1] + [form] + words[1:] + ["anything"],
                                  stdout=subprocess.PIPE, timeout=30)
            assert done.returncode == 0, (reply, form)
            said = done.stdout.decode(errors="replace")
            assert want is None or said == want, (reply, form, said)
        server.listener.close()


def refused(client, *words):
    try:
        client(*words)
    except Error as e:
        return str(e)
    raise AssertionError("not refused: %r" % (words,))


@test
def clients_of_a_node():
    """CLIENT: names, lists, and one that is killed."""
    with Cluster(count=1) as c:
        node = c.leader()
        with node.client() as one, node.client() as two:
            wait_until("a leader", lambda: one("SET", "k", "v") == "OK")
            ids = [client("CLIENT", "ID") for client in (one, two)]
            assert ids[0] != ids[1]
            assert one("CLIENT", "SETNAME", "first") == "OK"
            assert one("CLIENT", "GETNAME") == b"first"
            assert "spaces" in refused(one, "CLIENT", "SETNAME", "a b")
            assert one("CLIENT", "SETINFO", "lib-name", "mine") == "OK"
            assert "Unrecognized" in refused(one, "CLIENT", "SETINFO", "lib-age", "1")
            two("MULTI")
            two("GET", "k")
            lines = one("CLIENT", "LIST").decode().splitlines()
            assert len(lines) == 2
            rows = {row["id"]: row for row in
                    (dict(word.split("=", 1) for word in line.split()) for line in lines)}
            assert rows[str(ids[0])]["name"] == "first" and rows[str(ids[0])]["lib-name"] == "mine"
            assert rows[str(ids[1])]["multi"] == "1" and rows[str(ids[1])]["cmd"] == "get"
            assert one("CLIENT", "LIST", "ID", str(ids[1])).decode().count("\n") == 1
            assert one("CLIENT", "LIST", "TYPE", "normal").decode().count("\n") == 2
            assert b"name=first" in one("CLIENT", "INFO")
            address = rows[str(ids[1])]["addr"]
            assert "No such client" in refused(one, "CLIENT", "KILL", "127.0.0.1:1")
            assert one("CLIENT", "KILL", "ADDR", "127.0.0.1:1") == 0
            assert one("CLIENT", "KILL", "ID", str(ids[0])) == 0  # SKIPME is the default.
            assert one("CLIENT", "KILL", "TYPE", "normal", "ADDR", address) == 1
            try:
                two("PING")
                raise AssertionError("killed, and it answers")
            except (EOFError, OSError):
                pass
            with node.client() as three:
                wait_until("one gone", lambda: len(one("CLIENT", "LIST").splitlines()) == 2)
                row = one("CLIENT", "LIST", "ID", str(three("CLIENT", "ID"))).decode()
                assert one("CLIENT", "KILL", row.split("addr=")[1].split()[0]) == "OK"


@test
def facts_of_a_node():
    """What tools ask of a server: CLUSTER, CONFIG, COMMAND, DEBUG SLEEP, RAFT HELP, TIME."""
    with Cluster() as c:
        leader = c.leader()
        with leader.client() as client:
            wait_until("SET", lambda: client("SET", "k", "v") == "OK")
            shards = client("CLUSTER", "SHARDS")
            assert len(shards) == 1 and shards[0][1] == [0, 16383], shards
            nodes = [dict(zip(n[::2], n[1::2])) for n in shards[0][3]]
            assert len(nodes) == 3 and nodes[0][b"role"] == b"master", nodes
            assert nodes[0][b"port"] == leader.client_port, nodes
            assert client("CLUSTER", "MYID") == nodes[0][b"id"]
            assert client("CLUSTER", "KEYSLOT", "{user1000}.following") == 3443
            assert "unknown subcommand" in refused(client, "CLUSTER", "FLY")
            assert client("CONFIG", "GET", "max[cm]*") != []
            assert client("CONFIG", "SET", "proto-max-bulk-len", "2000000") == "OK"
            assert "immutable" in refused(client, "CONFIG", "SET", "databases", "3")
            assert "Unknown option" in refused(client, "CONFIG", "SET", "nothing", "3")
            docs = client("COMMAND", "DOCS", "get", "nosuch")
            assert docs[0] == b"get" and b"summary" in docs[1], docs
            assert client("COMMAND", "INFO", "get", "nosuch")[1] is None
            assert client("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2") == [b"a", b"b"]
            begin = time.monotonic()
            assert client("DEBUG", "SLEEP", "0.25") == "OK"
            assert time.monotonic() - begin >= 0.25
            assert len(client("RAFT", "HELP")) > 5
            client("MULTI")
            assert client("TIME") == "QUEUED"
            assert client("INFO", "server") == "QUEUED"
            seconds, info = client("EXEC")
            assert len(seconds) == 2 and b"redis_version" in info
            for container in ("CLIENT", "COMMAND", "CONFIG", "DEBUG", "SLOWLOG", "FUNCTION", "RAFT"):
                assert "unknown subcommand" in refused(client, container, "FLY").lower(), container


if __name__ == "__main__":
    harness.main(TESTS)
