#!/usr/bin/env python3
"""gandalf-sim as people type it: what it prints, what it writes, how it ends.

    command_line.py        all tests; $GANDALF_SIM names the program
"""

import json
import os
import pty
import re
import signal
import subprocess
import tempfile
import unittest

SIM = os.environ.get("GANDALF_SIM", "build/debug/sim/gandalf-sim")

# Nobody can lead within so short a life: liveness is violated, whatever else happens.
HOPELESS = """seed 5
nodes 3
duration 4s
settle 1s
node.election_timeout 30s
clients 3
operations 40
keys 3
at 1s pause node 2 for 0.5s
at 1.2s crash node 1 for 0.3s
at 2s isolate node 3 for 0.7s
"""

# A follower that starts again at the last moment, on a slow network: it has no time to catch up.
LAGGARD = """seed 7
duration 6s
settle 1s
clients 0
node.election_timeout 3s
net.latency_min 300ms
net.latency_max 300ms
at 5.8s crash follower for 0.1s
"""

# A node alone that starts again: its log is cut into small segments, and a snapshot taken now and then.
CALM = """seed 2
nodes 1
duration 4s
settle 30s
node.election_timeout 0.5s
node.segment_size 4096
node.snapshot_log_count 5
node.tail_count 1
clients 1
operations 24
mix.get 5
value.size 300
{}at 2s crash node 1 for 0.3s
"""

# Whoever is down at the end has no time to catch up, so a crash late enough is a failure.
HASTY = """seed 7
duration 5s
settle 1s
operations 6
clients 1
node.election_timeout 1.5s
net.latency_min 100ms
net.latency_max 100ms
"""


def sim(*words, status=0, environment=None):
    done = subprocess.run([SIM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, env={**os.environ, **(environment or {})})
    assert done.returncode == status, (words, done.returncode, done.stdout[-2000:], done.stderr)
    return done.stdout if status in (0, 1, 3) else done.stderr


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gandalf-sim-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, "w") as f:
                f.write(text)
        return path

    def hash_of(self, output):
        return re.search(r"hash=([0-9a-f]{16})", output).group(1)

    def test_a_seed_its_plan_and_both_replayed_are_one_run(self):
        plan = self.path("seed.plan", sim("plan", "4"))
        outputs = [sim("run", "--seeds", "4..4", "--no-marks", "--json"), sim("run", plan),
                   sim("replay", "4"), sim("replay", plan)]
        hashes = {json.loads(outputs[0].splitlines()[0])["hash"]}
        hashes |= {self.hash_of(output) for output in outputs[1:]}
        self.assertEqual(len(hashes), 1)
        sim("replay", plan, "--check-determinism")

    def test_the_trace_of_a_span(self):
        lines = [line for line in
                 sim("replay", "4", "--trace", "--from", "2s", "--to", "2.5s").splitlines()
                 if re.match(r"^ +\d+\.\d{6} ", line)]
        self.assertGreater(len(lines), 20)
        times = [float(line.split()[0]) for line in lines]
        self.assertEqual(times, sorted(times))
        self.assertTrue(2.0 <= times[0] and times[-1] <= 2.5)

    def test_a_history_is_written_and_checked(self):
        history = self.path("history")
        sim("replay", "4", "--history", history)
        with open(history) as f:
            operations = [json.loads(line) for line in f]
        self.assertGreater(len(operations), 100)
        self.assertTrue(all("client" in o and "call" in o for o in operations))
        sim("check", history)

    def test_requests_are_spread_over_the_time_of_faults(self):
        asked = {}
        for even in ("yes", "no"):
            plan = self.path(even, "seed 1\nduration 60s\noperations 600\nclients 8\nclient.pipeline 16\n"
                             "client.burst_chance 50000\nclient.burst_count 30\nclient.even " + even + "\n")
            history = self.path("history-" + even)
            sim("replay", plan, "--history", history)
            with open(history) as f:
                asked[even] = sorted(json.loads(line)["call"] / 1e9 for line in f)
        middle = {even: times[len(times) // 2] for even, times in asked.items()}
        self.assertLess(middle["no"], 10)
        self.assertTrue(20 < middle["yes"] < 36, middle)

    def test_a_seed_has_a_class_of_faults_that_is_asked_for(self):
        of_class = {line.split()[2] for line in sim("list", "faults").splitlines()
                    if line.endswith("(membership)")}
        kinds = lambda text: {line.split()[2] for line in text.splitlines()
                              if line.startswith("at ")}
        seed = next(seed for seed in range(1, 100)
                    if not kinds(sim("plan", str(seed))) & of_class)
        name = "%d+membership" % seed
        plan = self.path("seed.plan", sim("plan", name))
        self.assertTrue(kinds(open(plan).read()) & of_class)
        output = sim("run", "--seeds", str(seed), "--with", "membership", "--no-marks", "--json")
        self.assertEqual(json.loads(output.splitlines()[0])["hash"], self.hash_of(sim("run", plan)))
        self.assertIn("seed %d" % seed, sim("plan", "%d+crash-point+membership" % seed))

    def test_shards_part_the_seeds(self):
        seen = []
        for shard in ("0/3", "1/3", "2/3"):
            output = sim("run", "--seeds", "1..6", "--json", "--no-marks", "--shard", shard)
            by_environment = sim("run", "--seeds", "1..6", "--json", "--no-marks",
                                 environment={"GANDALF_SHARD": shard})
            seeds = [json.loads(line)["seed"] for line in output.splitlines()
                     if line.startswith("{")]
            self.assertEqual(seeds, [json.loads(line)["seed"]
                                     for line in by_environment.splitlines()
                                     if line.startswith("{")])
            seen += seeds
        self.assertEqual(sorted(seen), [1, 2, 3, 4, 5, 6])

    def test_all_databases_take_their_turns(self):
        output = sim("run", "--seeds", "9..12", "--json", "--no-marks", "--database", "all")
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        self.assertEqual([(line["seed"], line["database"]) for line in lines],
                         [(9, "kvs"), (10, "resp"), (11, "sqlite"), (12, "kvs")])
        self.assertEqual(lines[1]["hash"], self.hash_of(sim("replay", "resp:10")))

    def test_marks_are_counted(self):
        output = sim("run", "--seeds", "1..2", "--jobs", "2")
        self.assertRegex(output, r"marks: \d+ of \d+ reached")
        self.assertIn("  NEVER", output)
        self.assertIn("snapshot taken", sim("list", "marks"))

    def test_lists(self):
        self.assertIn("crash-at", sim("list", "faults"))
        self.assertIn("node.election_timeout", sim("list", "parameters"))
        self.assertIn("replay", sim("--help"))

    def test_each_command_tells_its_usage(self):
        for command in ("run", "replay", "plan", "shrink", "check", "generate-history", "list"):
            text = sim(command, "--help")
            self.assertRegex(text, r"(?m)^  %s " % command)
            self.assertIn("Exit status", text)
            self.assertIn("  %s " % command, sim("--help"))

    def test_a_violation_is_told_and_shrunk(self):
        plan = self.path("hopeless.plan", HOPELESS)
        output = sim("run", plan, status=1)
        self.assertIn("violated: liveness", output)
        self.assertIn("nobody leads", output)
        self.assertIn("gandalf-sim replay %s --trace" % plan, sim("replay", plan, status=1))
        least = self.path("least.plan")
        sim("shrink", plan, "-o", least, "--time-limit", "20")
        with open(least) as f:
            text = f.read()
        self.assertTrue(text.startswith("# liveness\n"), text)
        self.assertNotIn("\nat ", text)
        self.assertRegex(text, r"\nnodes 2\n")
        self.assertIn("violated: liveness", sim("run", least, status=1))

    def test_who_lags_behind_is_named(self):
        output = sim("run", self.path("laggard.plan", LAGGARD), status=1)
        self.assertIn("and still some nodes lag behind", output)
        self.assertRegex(output, r"node \d lags behind: in term 1 it waits for entry \d of 2; its log "
                                 r"ends at \d of term 1; node \d leads term 1, probes it, counts on \d "
                                 r"and sends \d next")

    def test_who_waits_is_named(self):
        output = sim("run", self.path("waits.plan", LAGGARD.replace("clients 0", "clients 1")
                                      .replace("settle 1s", "settle 1.2s")), status=1)
        self.assertRegex(output, r"client 1, connected, node \d: waits for the answer to \w+ k\d, "
                                 r"asked at [\d.]+s")

    def test_generated_histories_get_their_verdict(self):
        mix = "read=40,write=20,cas=10,append=10,delete=5,setnx=5,swap=3,take=2,incr=5"
        for kind in ("none", "stale-read", "future-read", "never-written", "lost-update",
                     "double-append", "resurrected", "cas-twice", "split-transaction"):
            for seed in ("1", "2"):
                words = ("generate-history", "--seed", seed, "--operations", "600", "--keys", "12",
                         "--clients", "6", "--mix", mix, "--unknown", "20", "--violation", kind)
                text = sim(*words)
                self.assertEqual(text, sim(*words))
                path = self.path("history", text)
                said = sim("check", path, status=0 if kind == "none" else 1)
                self.assertIn(": legal" if kind == "none" else ": illegal", said)
        for shape in ("overlap", "unknown"):
            for kind, status in (("none", 0), ("stale-read", 1)):
                path = self.path("history", sim("generate-history", "--shape", shape, "--violation",
                                                kind, "--operations", "1000"))
                sim("check", path, status=status)
        for words in (("--shape", "round"), ("--mix", "read=x"), ("--mix", "fly=3"), ("--keys",),
                      ("--operations", "0"), ("--unknown", "1001")):
            error = sim("generate-history", *words, status=2)
            self.assertEqual(error.count("\n"), 1, error)

    def test_check_tells_order_path_and_limits(self):
        mix = ("--mix", "read=50,write=25,cas=10,append=10,delete=5", "--unknown", "50")
        words = ("generate-history", "--clients", "32", "--keys", "3", "--operations", "3000") + mix
        history, witness = self.path("history", sim(*words)), self.path("witness", "")
        alone = sim("check", "--witness", witness, history)
        self.assertIn(": legal, 3000 operations", alone)
        self.assertIn("found by: blocks", alone)
        with open(witness) as file:
            order = [line for line in file.read().splitlines() if not line.startswith("#")]
        with open(history) as file:
            lines = file.read().splitlines()
        known = [line for line in lines if '"return":null' not in line]
        self.assertEqual(len(order), len(set(order)))
        self.assertTrue(set(known) <= set(order) <= set(lines))
        sim("check", witness)
        # Where one of them is illegal, it is the same with any number of threads.
        stale = self.path("stale", sim(*words, "--violation", "stale-among"))
        said = sim("check", stale, status=1)
        self.assertEqual(said, sim("check", "--jobs", "3", stale, status=1))
        for part in ("key: k", "illegal from: ", "cannot be placed: ", "which was gone b"):
            self.assertIn(part, said)
        # As a stream, which big files are judged as.
        self.assertIn(": legal, 3000 operations", sim("check", "--stream", "yes", history))
        self.assertIn(": illegal", sim("check", "--stream", "yes", stale, status=1))
        hard = self.path("hard", sim("generate-history", "--clients", "64", "--keys", "1", "--values",
                                     "5", "--operations", "10000", "--mix", "read=40,write=30,cas=30"))
        self.assertIn("inconclusive", sim("check", "--memory-limit", "1", hard, status=3))
        for words in (("--jobs", "0", history), ("--time-limit",), ("--witness", witness),
                      ("--memory-limit", "x", history), ("--fast", "1", history)):
            error = sim("check", *words, status=2)
            self.assertEqual(error.count("\n"), 1, error)

    def test_what_does_not_fail_is_not_shrunk(self):
        least = self.path("least.plan")
        done = subprocess.run([SIM, "shrink", "4", "-o", least], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout.count("\n"), 1, done.stdout)
        self.assertFalse(os.path.exists(least))

    def test_each_crash_point_of_a_node_is_walked(self):
        plan = self.path("calm.plan", CALM.format(""))
        words = ["walk", plan, "--disk", "lost", "--disk", "torn"]
        lines = sim(*words, "--jobs", "2").splitlines()
        done, passed = map(int, re.match(r"(\d+) crash points: (\d+) pass, 0 fail, 0 inconclusive$",
                                         lines[-1]).groups())
        self.assertEqual(done, passed)
        table = {line.split()[0]: line.split()[1:] for line in lines if re.match(r"[a-z-]+ +\d", line)}
        self.assertEqual(done, sum(int(cell) for row in table.values() for cell in row if cell != "-"))
        for operation in ("open", "write", "write-durable", "sync", "rename", "unlink", "truncate",
                          "sync-directory", "make-directory", "preallocate", "close"):
            self.assertGreater(int(table[operation][0]), 0, operation)
            self.assertIn(table[operation][1], ("-", table[operation][0]))
        points = [json.loads(line) for line in sim(*words, "--json").splitlines()]
        self.assertEqual(len(points), done)
        self.assertTrue(all(point["came_about"] for point in points))
        # One more of each kind does not come about: nothing was left out.
        for operation in ("sync", "rename", "unlink"):
            count = max(point["count"] for point in points if point["operation"] == operation)
            for more in (0, 1):
                fault = f"at 0s crash-at node 1 before {operation} count {count + more} for 5s\n"
                text = CALM.format("disk.lost 1000000\n" + fault)
                trace = sim("replay", self.path("more.plan", text), "--trace", "--to", "4s")
                self.assertEqual("crash before" in trace, more == 0, fault)
        shards = [sim(*words, "--shard", f"{i}/3").splitlines()[-1] for i in range(3)]
        self.assertEqual(sum(int(line.split()[0]) for line in shards), done)

    def test_a_recovery_crashes_once_more(self):
        plan = self.path("calm.plan", CALM.format(""))
        said = sim("walk", plan, "--twice", "--disk", "torn", "--jobs", "2")
        done = int(re.search(r"\n(\d+) crash points: \1 pass, 0 fail, 0 inconclusive\n$", said).group(1))
        twice = int(re.search(r"\ncrashed once more while they recovered: (\d+)\n", said).group(1))
        self.assertTrue(done / 2 < twice < done, (twice, done))

    def test_each_operation_of_a_node_fails_once(self):
        plan = self.path("calm.plan", CALM.format(""))
        lines = sim("walk", plan, "--errors", "--jobs", "2").splitlines()
        done, passed = map(int, re.match(r"(\d+) disk errors: (\d+) pass, 0 fail, 0 inconclusive$",
                                         lines[-1]).groups())
        self.assertEqual(done, passed)
        table = {line.split()[0]: line.split()[1:] for line in lines if re.match(r"[a-z-]+ +\d", line)}
        self.assertEqual(done, sum(int(row[0]) for row in table.values()))
        self.assertEqual(len(table), 14)
        self.assertTrue(all(int(row[0]) > 0 for row in table.values()), table)
        points = [json.loads(line) for line in sim("walk", plan, "--errors", "--json").splitlines()]
        self.assertEqual({point["when"] for point in points}, {"error"})

    def test_a_walk_finds_what_a_crash_breaks(self):
        plan = self.path("hasty.plan", HASTY)
        sim("run", plan)
        said = sim("walk", plan, "--node", "1", "-o", self.folder.name, status=1)
        self.assertRegex(said, r"\nfail: \S+ \(disk: plan\), at 0s crash-at node 1 ")
        self.assertIn("violated: liveness", said)
        self.assertRegex(said.splitlines()[-1], r" [1-9]\d* pass, [1-9]\d* fail, 0 inconclusive$")
        command = re.search(r"replay: \S+ (replay \S+\.plan)", said).group(1).split()
        self.assertIn("violated: liveness", sim(*command, status=1))
        # What fails without any crash has nothing to walk.
        said = sim("walk", self.path("hopeless.plan", HOPELESS), status=1)
        self.assertIn("without a crash point: fail", said)
        self.assertTrue(said.endswith("0 crash points: 0 pass, 1 fail, 0 inconclusive\n"))

    def test_a_crash_that_does_not_come_about_is_no_pass(self):
        own = "at 0.1s crash-at node 1 before list count 999 for 2s\n"
        plan = self.path("own.plan", CALM.format(own))
        said = sim("walk", plan)
        self.assertIn("reason: the crash did not come about", said)
        self.assertRegex(said, r" [1-9]\d* pass, 0 fail, [1-9]\d* inconclusive\n$")

    def test_bad_plans_name_their_line(self):
        for text, line in (("seed 1\nnodse 3\n", 2), ("seed 1\nnodes 3\nat 1s crash\n", 3),
                           ("seed 1\nat 2s crash node 1 for 1s\nat 1s crash node 1 for 1s\n", 3),
                           ("seed 1\nnodes 99\n", 2), ("seed 1\nnodes 3\nat 1s explode node 1\n", 3)):
            error = sim("run", self.path("bad.plan", text), status=2)
            self.assertIn("bad.plan: line %d:" % line, error)
            self.assertEqual(error.count("\n"), 1, error)

    def test_bad_words(self):
        for words in (("fly",), ("run",), ("run", "--seeds", "9..1"), ("run", "--seeds", "x"),
                      ("run", "--seeds", "1..2", "--shard", "3/3"), ("replay",), ("plan", "x"),
                      ("plan", "4+flying"), ("run", "--seeds", "1..2", "--with", "flying"),
                      ("run", "--seeds", "1..2", "--jobs", "0"), ("list", "nothing"),
                      ("replay", "4", "--from", "11"), ("replay", "/nowhere.plan"),
                      ("shrink",), ("check",), ("walk",), ("walk", "4", "--node", "9"),
                      ("walk", "4", "--disk", "gone"), ("walk", "4", "-o"), ("walk", "nowhere"),
                      ("walk", "4", "--twice", "--errors")):
            error = sim(*words, status=2)
            self.assertEqual(error.count("\n"), 1, (words, error))
        sim("run", "--seeds", "1..2", status=2, environment={"GANDALF_SHARD": "a/b"})

    def test_interrupted_it_tells_what_is_known(self):
        process = subprocess.Popen([SIM, "run", "--seeds", "1..100000", "--no-marks", "--json"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = process.stdout.readline()
        self.assertIn('"seed":1', first)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=60)
        self.assertIn(" seeds: ", output + error)

    def test_a_terminal_is_shown_the_progress_and_interrupts(self):
        child, terminal = pty.fork()
        if child == 0:
            os.execv(SIM, [SIM, "run", "--seeds", "1..100000", "--no-marks", "--quiet"])
        seen = b""
        while b"3 seeds, " not in seen:
            seen += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        try:
            while True:
                seen += os.read(terminal, 4096)
        except OSError:
            pass  # The terminal ends with the program.
        os.close(terminal)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertRegex(seen, rb"\r\x1b\[K3 seeds, \d+\.\d/s, \d+ s simulated, 0 failures")
        self.assertRegex(seen, rb"\r\x1b\[K\d+ seeds: \d+ pass, 0 fail")

    def test_a_time_limit_ends_a_sweep(self):
        output = sim("run", "--seeds", "1..100000", "--no-marks", "--quiet", "--time-limit", "1")
        self.assertRegex(output, r"^\d+ seeds: ")


if __name__ == "__main__":
    unittest.main()
