#!/usr/bin/env python3
"""`ledger-sim check` judges by the ledger's own model: $LEDGER_SIM names the program."""

import json
import os
import subprocess
import tempfile
import unittest

SIM = os.environ["LEDGER_SIM"]


def line(client, text, answer, call, back, **more):
    return dict({"client": client, "op": text.split()[0], "input": text, "output": answer,
                 "call": call, "return": back}, **more)


class Check(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def file(self, lines):
        path = os.path.join(self.directory.name, "history")
        with open(path, "w") as file:
            file.write("".join(x if isinstance(x, str) else json.dumps(x) + "\n" for x in lines))
        return path

    def sim(self, *words, status=0):
        done = subprocess.run([SIM, *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def check(self, *lines, status=0, flags=()):
        return self.sim("check", *flags, self.file(lines), status=status)

    def test_a_run_is_legal_and_one_other_answer_is_not(self):
        path = os.path.join(self.directory.name, "run")
        self.sim("replay", "1", "--history", path)
        said = self.sim("check", "--time-limit", "60", "--memory-limit", "1000", path)
        self.assertIn(": legal, ", said)
        with open(path) as file:
            lines = [json.loads(x) for x in file]
        # The last balance that is known becomes one that no ledger can have had.
        wrong = [x for x in lines if x["op"] == "BALANCE" and (x["output"] or "").startswith("OK")]
        wrong[-1]["output"] = "OK 123456789"
        said = self.check(*lines, status=1)
        self.assertIn(": illegal, %d operations" % len(lines), said)
        self.assertIn("OK 123456789", said)

    def test_what_the_model_says(self):
        opened = line(1, "OPEN a0", "OK 0", 1, 2)
        paid = line(1, "DEPOSIT a0 5", "OK 5", 10, 20)
        self.assertIn(": legal, 3", self.check(opened, paid, line(2, "BALANCE a0", "OK 0", 12, 30)))
        said = self.check(opened, paid, line(2, "BALANCE a0", "OK 0", 21, 30), status=1)
        self.assertIn("client 2 asked at ", said)
        # Without an answer it may have been carried out, or not; refused, it was not.
        lost = dict(paid, output=None, **{"return": None})
        for balance in (0, 5):
            self.check(opened, lost, line(2, "BALANCE a0", "OK %d" % balance, 30, 40))
        self.check(opened, line(1, "DEPOSIT a0 5", None, 10, 20, error=True),
                   line(2, "BALANCE a0", "OK 5", 30, 40), status=1)
        self.check(opened, "# a comment\n", "\n", line(2, "BALANCE a0", "OK 0", 30, 40))
        coded = dict(opened, input={"base64": "T1BFTiBhMA=="})
        self.check(coded, line(2, "BALANCE a0", "OK 0", 30, 40))

    def test_no_history(self):
        for text, why in (("nonsense\n", "line 1: an object is wanted"),
                          ('{"client":1,"input":"TOTAL","output":"OK 0","call":1,"return":2}\n', "op"),
                          ('{"client":1,"op":"TOTAL","output":"OK 0","call":1,"return":2}\n', "input"),
                          ('{"client":1,"op":"T","key":"k","input":"TOTAL","call":1}\n', "no key"),
                          ('{"client":1,"op":"T","input":["a","b"],"call":1}\n', "no key"),
                          ('{"client":1,"op":"T","input":"TOTAL","call":1,"return":2}\n', "output"),
                          ('{"client":1,"op":"T","input":"TOTAL","output":"OK 0"}\n', "call")):
            self.assertIn(why, self.check(text, status=2))

    def test_usage(self):
        path = self.file([])
        for words in (("check",), ("check", "--html", "x", path), ("check", "--time-limit", "0", path),
                      ("check", "--time-limit"), ("check", "--memory-limit", "1x", path),
                      ("check", "--database", "bank", path), ("check", "/no/such/file")):
            self.assertIn("ledger-sim: ", self.sim(*words, status=2))
        self.assertIn(": legal, 0", self.sim("check", "--database", "ledger", path))
        self.assertIn("check [--database NAME]", self.sim("--help"))
        self.assertIn("check [--database NAME]", self.sim("check", "--help"))

    def test_limit(self):
        """Deposits that nobody heard of: each may have happened; with no memory there is no answer."""
        lines = [line(1, "OPEN a0", "OK 0", 1, 2)]
        lines += [line(i, "DEPOSIT a0 %d" % (1 << i), None, 10, None) for i in range(24)]
        lines.append(line(99, "BALANCE a0", "OK 3", 20, 30))
        lines.append(line(99, "BALANCE a0", "OK 2", 40, 50))
        self.assertIn("inconclusive", self.check(*lines, status=3, flags=("--memory-limit", "1")))


unittest.main()
