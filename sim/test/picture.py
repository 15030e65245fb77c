#!/usr/bin/env python3
"""The pictures that gandalf-sim writes: what is in the page, and, where there is a Chromium, that it
draws, opens on what is wrong, and is quick. GANDALF_SIM names the program."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from command_line import HOPELESS

SIM = os.environ["GANDALF_SIM"]
BROWSER = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
                if path), None)
# Asked in the page once it has opened: what is really on the canvas, and whether keys work.
PROBE = """<script>
{
    const pixels = () => {
        draw();
        const bytes = new Uint32Array(ctx.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        const counts = new Map();
        for (const pixel of bytes) counts.set(pixel, (counts.get(pixel) || 0) + 1);
        return counts;
    };
    const press = key => canvas.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
    const [r, g, b] = colours.bad.match(/[0-9a-f]{2}/g).map(part => parseInt(part, 16));
    const counts = pixels();
    const told = {opened: [view.from, view.to], colours: counts.size, red: counts.get((255 << 24 | b << 16 | g << 8 | r) >>> 0) || 0};
    const opened = told.opened;
    takeKey('');
    press('0');
    const start = performance.now();
    draw();
    Object.assign(told, {allFrom: view.from, allTo: view.to, last: lastTime, allBars: drawn,
        allMilliseconds: performance.now() - start});
    press('o');
    told.back = Math.abs(view.from - opened[0]) + Math.abs(view.to - opened[1]) < 1e-6 * lastTime;
    press('+');
    told.zoomed = (view.to - view.from) / (opened[1] - opened[0]);
    press('n');
    told.chosen = document.getElementById('chosen').textContent;
    press('t');
    told.dark = pixels().size > 1 && document.documentElement.dataset.theme;
    root.dataset.probe = JSON.stringify(told);
}
</script>
"""


def sim(*words, status=0):
    done = subprocess.run([SIM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=300)
    assert done.returncode == status, (words, done.returncode, done.stdout[-2000:], done.stderr)
    return done.stdout + done.stderr


class Pictures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gandalf-picture-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, "w") as f:
                f.write(text)
        return path

    def page(self, history, status):
        path = self.path("page.html")
        said = sim("check", "--html", path, self.path("history", history), status=status)
        with open(path) as f:
            return f.read(), said

    def told(self, page):
        return json.loads(re.search(r'id="history">(.*?)</script>', page, re.S).group(1))

    def generate(self, violation, operations=2000, keys=5, clients=8,
                 mix="read=50,write=25,cas=10,append=10,delete=5"):
        return sim("generate-history", "--seed", "7", "--violation", violation, "--operations",
                   str(operations), "--keys", str(keys), "--clients", str(clients), "--unknown",
                   "10", "--mix", mix)

    def open(self, page):
        """The page's <html> element in a browser, as a dictionary of its data attributes."""
        path = self.path("opened.html", page.replace("</body>", PROBE + "</body>"))
        with tempfile.TemporaryDirectory(prefix="gandalf-chromium-") as profile:
            done = subprocess.run(
                [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                 "--no-first-run", "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--user-data-dir=" + profile, "--window-size=1400,860",
                 "--dump-dom", "file://" + path],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        tag = re.search(r"<html [^>]*>", done.stdout)
        self.assertIsNotNone(tag, done.stdout[:500])
        data = dict(re.findall(r'data-([a-z-]+)="([^"]*)"', tag.group(0)))
        self.assertEqual(data.get("ready"), "yes", tag.group(0))
        data["probe"] = json.loads(data["probe"].replace("&quot;", '"'))
        return data

    def test_the_verdict_is_in_the_page_as_text(self):
        page, _ = self.page(self.generate("none"), 0)
        self.assertIn("<title>Legal: ", page)
        page, said = self.page(self.generate("stale-read"), 1)
        self.assertIn("<title>Illegal: ", page)
        why = said.split("operations: ", 1)[1].strip()
        self.assertIn(why.splitlines()[0][:60], page)

    def test_the_page_stands_alone(self):
        page, _ = self.page(self.generate("stale-read"), 1)
        for outside in (r"https?://", r"<link[^>]*stylesheet", r"<script[^>]*src", r"@import",
                        r"url\("):
            self.assertIsNone(re.search(outside, page), outside)
        self.assertIn("default-src 'none'", page)

    def test_what_a_history_says_is_text_and_no_markup(self):
        evil = "</script><script>alert(1)</script>"
        lines = [{"client": 1, "op": "write", "key": evil, "input": evil, "output": None, "call": 1,
                  "return": 2},
                 {"client": 2, "op": "read", "key": evil, "input": None, "output": "<b>", "call": 3,
                  "return": 4}]
        page, _ = self.page("".join(json.dumps(line) + "\n" for line in lines), 1)
        self.assertNotIn("<script>alert", page)
        self.assertEqual(page.count("</script>"), 2)

    def test_points_lie_in_their_bars_and_in_order(self):
        for violation, status in (("none", 0), ("stale-read", 1)):
            page, _ = self.page(self.generate(violation, mix="read=60,write=40"), status)
            told = self.told(page)
            calls, time = [], 0
            for more in told["call"]:
                time += more
                calls.append(time)
            self.assertGreater(sum(len(order["operations"]) for order in told["orders"]), 100)
            for order in told["orders"]:
                self.assertEqual(len(order["operations"]), len(order["points"]))
                self.assertEqual(len(order["operations"]), len(set(order["operations"])))
                time = 0
                for operation, more in zip(order["operations"], order["points"]):
                    self.assertGreaterEqual(more, 0)
                    time += more
                    self.assertGreaterEqual(time, calls[operation])
                    if told["fate"][operation] == "d":
                        self.assertLessEqual(time, calls[operation] + told["took"][operation])

    def test_bad_words(self):
        history = self.path("history", self.generate("none", 10))
        sim("check", "--html", self.path("page.html"), history, history, status=2)
        sim("check", "--html", self.path("page.html"), status=2)
        sim("check", "--html", self.path("nowhere/page.html"), history, status=2)

    def test_small_and_odd_histories(self):
        """Nothing, one operation, times that no double holds, texts that are no UTF-8."""
        big = 2 ** 63 - 10
        histories = [("", 0),
                     ('{"client":1,"op":"read","key":"a","input":null,"output":null,"call":5,'
                      '"return":5}\n', 0),
                     ('{"client":1,"op":"write","key":"a","input":{"base64":"/w=="},"output":null,'
                      '"call":0,"return":null}\n'
                      '{"client":2,"op":"read","key":"a","input":null,"output":{"base64":"/w=="},'
                      '"call":%d,"return":%d}\n' % (big, big + 5), 0)]
        for history, status in histories:
            page, _ = self.page(history, status)
            if BROWSER is not None:
                self.assertEqual(self.open(page)["outcome"], "pass")

    def test_a_run_with_a_picture_is_the_same_run(self):
        path = self.path("run.html")
        self.assertEqual(sim("replay", "2", "--html", path), sim("replay", "2"))
        sim("replay", "2", "--html", self.path("nowhere/run.html"), status=2)
        with open(path) as f:
            page = f.read()
        told = self.told(page)
        self.assertEqual(told["lanes"], 3)
        self.assertTrue({"leader", "down"} <= {span[3] for span in told["spans"]})
        faults = [span[4] for span in told["spans"] if span[3] not in ("leader", "down")]
        plan = sim("plan", "2")
        for fault in faults:
            self.assertIn(" %s\n" % fault, plan)
        self.assertGreater(len(faults), 10)
        self.assertTrue(all(span[1] <= span[2] for span in told["spans"]))

    @unittest.skipIf(BROWSER is None, "no chromium is installed")
    def test_a_failing_run_reads_as_a_story(self):
        path = self.path("run.html")
        plan = self.path("hopeless.plan", HOPELESS)
        said = sim("replay", plan, "--html", path, status=1)
        with open(path) as f:
            page = f.read()
        self.assertIn("<title>Fail: ", page)
        self.assertIn("<strong>liveness</strong>", page)
        self.assertIn("nobody leads", page)
        data = self.open(page)
        self.assertEqual(data["outcome"], "fail")
        # The moment at which it was found to be wrong is in the window, as a red line.
        at = float(re.search(r"sim_s=([0-9.]+)", said).group(1)) * 1e9
        start, end = data["probe"]["opened"]
        self.assertTrue(start < at < end, (at, data))
        self.assertGreater(data["probe"]["red"], 30)

    @unittest.skipIf(BROWSER is None, "no chromium is installed")
    def test_a_legal_history_is_drawn(self):
        page, _ = self.page(self.generate("none"), 0)
        data = self.open(page)
        self.assertEqual((data["outcome"], data["operations"], data["wrong"]), ("pass", "2000", "0"))
        self.assertGreater(int(data["bars"]), 50)
        probe = data["probe"]
        self.assertGreater(probe["colours"], 20)
        self.assertTrue(probe["allFrom"] <= 0 and probe["allTo"] >= probe["last"], probe)
        self.assertIn("Client", probe["chosen"])
        self.assertEqual(probe["dark"], "dark")

    @unittest.skipIf(BROWSER is None, "no chromium is installed")
    def test_an_illegal_one_opens_on_what_is_wrong(self):
        for violation in ("stale-read", "lost-update", "split-transaction"):
            page, _ = self.page(self.generate(violation), 1)
            data = self.open(page)
            self.assertEqual(data["outcome"], "fail")
            self.assertGreater(int(data["wrong"]), 0)
            self.assertEqual(data["in-view"], data["wrong"], (violation, data))
            self.assertNotEqual(data["key"], "")
            self.assertGreater(data["probe"]["red"], 30, (violation, data))
            self.assertTrue(data["probe"]["back"])
            self.assertLess(data["probe"]["zoomed"], 1)
            # Not the whole history: a window of it.
            start, end = data["probe"]["opened"]
            self.assertLess(end - start, data["probe"]["last"] / 2)

    @unittest.skipIf(BROWSER is None, "no chromium is installed")
    def test_a_hundred_thousand_operations_open(self):
        page, _ = self.page(self.generate("stale-read", 100000, 100, 32), 1)
        self.assertLess(len(page), 8000000)
        data = self.open(page)
        print("100,000 operations opened in %s ms" % data["milliseconds"], file=sys.stderr)
        self.assertGreaterEqual(int(data["operations"]), 100000)
        self.assertEqual(data["in-view"], data["wrong"])
        # All of it at once costs what there are pixels, not operations: that, and not a clock, is
        # what keeps a page quick.
        self.assertGreater(data["probe"]["allBars"], 30)
        self.assertLess(data["probe"]["allBars"], 50000)
        self.assertTrue(data["probe"]["back"])


if __name__ == "__main__":
    if BROWSER is None:
        print("picture.py: no chromium is installed: only what needs none is tried", file=sys.stderr)
    unittest.main()
