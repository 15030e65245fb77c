#!/usr/bin/env python3
"""Installs gandalf into a folder of its own and builds the example against what is there.

    install.py BUILD SOURCE     $EXAMPLE_FLAGS: what the compiler and the linker want besides

By the CMake package and by pkg-config; the node and the simulator that come of it are run. A ledger
with a bug put in must be caught by its simulator: else the simulator says nothing about it.
"""

import os
import shutil
import subprocess
import sys
import tempfile

BUILD, SOURCE = sys.argv[1], sys.argv[2]
FLAGS = os.environ.get("EXAMPLE_FLAGS", "")
COMPILER = os.environ.get("CC", "cc")

# What a hurried hand might write: (what, text, instead).
BUGS = [
    ("an effect that depends on what else the node does", "account->balance -= count == 4 ? amount : 0;",
     "account->balance -= count == 4 && reply->capacity == 0 ? amount : 0;"),
    ("a transfer that overdraws", "account->balance < amount", "account->balance + 50 < amount"),
    ("a snapshot that forgets an account", "i < accounts->count; i++) {\n        gd_bytes_add(",
     "i + 1 < accounts->count; i++) {\n        gd_bytes_add("),
]


def run(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    return done.returncode, done.stdout


def must(*words, **options):
    status, said = run(*words, **options)
    assert status == 0, "%s: status %d\n%s" % (" ".join(words), status, said)
    return said


def cmake_build(source, build, prefix):
    must("cmake", "-S", source, "-B", build, "-DCMAKE_PREFIX_PATH=" + prefix,
         "-DCMAKE_C_COMPILER=" + COMPILER, "-DCMAKE_C_FLAGS=" + FLAGS)
    must("cmake", "--build", build)
    return os.path.join(build, "ledger-sim"), os.path.join(build, "ledger-node")


def main():
    with tempfile.TemporaryDirectory() as top:
        prefix = os.path.join(top, "moved")
        must("cmake", "--install", BUILD, "--prefix", os.path.join(top, "installed"))
        os.rename(os.path.join(top, "installed"), prefix)  # Nothing in it may know where it was.
        assert "gandalf" in must(os.path.join(prefix, "bin", "gandalf"), "--version")
        example = os.path.join(top, "ledger")
        shutil.copytree(os.path.join(SOURCE, "examples", "ledger"), example)

        sim, node = cmake_build(example, os.path.join(top, "build"), prefix)
        print(must(sim, "run", "--seeds", "1..6", "--quiet", "--no-marks", "--run-limit", "200"))
        print(must(sys.executable, os.path.join(SOURCE, "examples", "test", "ledger.py"),
                   env=dict(os.environ, LEDGER_NODE=node)))

        folders = [f for f, _, names in os.walk(prefix) if "gandalf.pc" in names]
        asked = must("pkg-config", "--cflags", "--libs", "gandalf",
                     env=dict(os.environ, PKG_CONFIG_PATH=folders[0])).split()
        plain = os.path.join(top, "ledger-plain")
        must(COMPILER, "-std=c17", *FLAGS.split(), "-o", plain, "ledger.c", "ledger_node.c", *asked,
             cwd=example)
        assert "ledger-node" in must(plain, "--version")

        text = open(os.path.join(example, "ledger.c")).read()
        for name, old, new in BUGS:
            assert text.count(old) == 1, name
            with open(os.path.join(example, "ledger.c"), "w") as file:
                file.write(text.replace(old, new))
            sim, _ = cmake_build(example, os.path.join(top, "build"), prefix)
            status, said = run(sim, "run", "--seeds", "1..40", "--quiet", "--no-marks",
                               "--stop-at-failure", "--run-limit", "200")
            assert status == 1, "%s was not caught\n%s" % (name, said)
            print("%s: %s" % (name, said.split("violated: ")[1].splitlines()[0]))


main()
