#!/usr/bin/env python3
"""Checks the rules of this tree that no compiler knows; CONTRIBUTING.md explains them.

    tree_lint.py [ROOT]

Prints one `file:line: message` for each broken rule and exits 1 if there is any. It only reads the
files git tracks, or would track.
"""

import json
import pathlib
import re
import subprocess
import sys

import cause_rules
import cpp_text
import event_rules

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
README_LINES_MAX = 40
FILE_BYTES_MAX = 512 * 1024
LINE_CHARS_MAX = {".cpp": 100, ".hpp": 100, ".cmake": 120, ".py": 120, ".sh": 120}

# Libraries whose headers cost seconds in every file that sees them.
HEAVY_INCLUDE = re.compile(
    r"(ngtcp2|nghttp2|nghttp3|gnutls|nettle|openssl|boost(?!/pfr/core)|toml\+\+|CLI|spdlog|fmt|sodium|valijson"
    r"|curl|benchmark|rapidcheck)[/.]|sqlite3\.h|git2\.h|(iostream|regex)$")
# Put together from pieces, so that this file does not break its own rule.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(root|wo" r"rk|home/\w+)/")
SUPPRESSION = re.compile(r"__(a|l|t|ub)san_default_(suppressions|options)|no_sanitize|suppressions=")
BARE_NOLINT = re.compile(r"NOLINT(NEXTLINE|BEGIN|END)?(?!\w)(?!\([\w.,\- ]+\)(: \S|$))")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
# Of a thread: the loop's own sleep obeys its clock.
SLEEP = re.compile(r"this_thread::sleep|\b(usleep|nanosleep|clock_nanosleep)\s*\(|(?<!\w)::sleep\s*\(")
SKIPPED_TEST = re.compile(r"\bGTEST_SKIP\b|\bDISABLED_\w")
PYTHON_TEST = re.compile(r"(.*/)?\w+_test\.py$|.*/tests/\w+\.py$|interop/.*\.py$")
PYTHON_RULES = (
    (re.compile(r"\btime\.sleep\(|\bfrom time import\b.*\bsleep\b"), "a sleep in a test; wait for the event instead"),
    (re.compile(r"\bskip(If|Unless|Test)?\(|\bSkipTest\b|\bexpectedFailure\b"), "a test that can be skipped"))


class Rooms:
    """The order of cmake/rooms.txt: who may import whom."""

    def __init__(self, text):
        self.tiers = {}
        lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
        for tier, names in enumerate(lines):
            for name in names:
                self.tiers[name] = tier
        self.first_adapter = self.tiers.get("call", len(lines)) + 1

    def may_import(self, room, other):
        if room == other:
            return True
        if self.tiers[other] >= self.tiers[room] or other == "testing":
            return False
        return self.tiers[other] < self.first_adapter or other == "http"


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.problems = []
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"],
            check=True, capture_output=True, text=True).stdout.split("\0")
        self.files = sorted(name for name in set(listed) if name and (self.root / name).is_file())
        self.rooms = Rooms((self.root / "cmake/rooms.txt").read_text())

    def report(self, name, line, message):
        self.problems.append(f"{name}:{line}: {message}")

    def check(self):
        for name in self.files:
            path = self.root / name
            size = path.stat().st_size
            if size > FILE_BYTES_MAX:
                self.report(name, 1, f"{size} bytes; a file has at most {FILE_BYTES_MAX}")
                continue
            if is_data(name):
                continue
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                self.report(name, 1, "neither UTF-8 text nor in a corpus/ or data/ directory")
                continue
            self.check_text(name, text)
            if path.suffix in (".cpp", ".hpp"):
                self.check_cpp(name, text)
        for room in sorted({n.split("/")[1] for n in self.files if n.startswith("libs/")}):
            self.check_room(room)
        cause_rules.check(self)
        event_rules.check(self)
        return self.problems

    def check_text(self, name, text):
        suffix = pathlib.PurePath(name).suffix
        lines = text.splitlines()
        if suffix in LINE_CHARS_MAX and len(lines) > FILE_LINES_MAX:
            self.report(name, len(lines), f"{len(lines)} lines; a file has at most {FILE_LINES_MAX}")
        if name.endswith("package-lock.json"):
            self.check_lock(name, text)
            return
        if "suppress" in pathlib.PurePath(name).name or suffix == ".supp":
            self.report(name, 1, "a suppression file; mend what it hides")
        rules = [
            (UNFINISHED, "a mark of unfinished work; finish it or write it down elsewhere"),
            (MACHINE_PATH, "a path of one machine"),
            (SUPPRESSION, "hides a sanitizer's report; mend what it hides")]
        if PYTHON_TEST.match(name):
            rules += PYTHON_RULES
        if suffix in (".cpp", ".hpp"):
            rules.append((BARE_NOLINT, "NOLINT must name its check and say why: NOLINT(check): reason"))
        for number, line in enumerate(lines, 1):
            limit = LINE_CHARS_MAX.get(suffix)
            if limit and len(line) > limit and "://" not in line:
                self.report(name, number, f"{len(line)} characters; a line has at most {limit}")
            for pattern, message in rules:
                if pattern.search(line) and not name.startswith("tools/lint/"):
                    self.report(name, number, message)
            if line != line.rstrip() and suffix != ".md":
                self.report(name, number, "white space at the end of the line")

    def check_lock(self, name, text):
        for package, entry in json.loads(text).get("packages", {}).items():
            if "resolved" in entry:
                self.report(name, 1, f"{package} names the registry it came from; "
                                     "use npm's omit-lockfile-registry-resolved")

    def check_cpp(self, name, text):
        code = cpp_text.strip_comments_and_strings(text)
        for function in cpp_text.functions(code):
            if function.lines > FUNCTION_LINES_MAX:
                self.report(name, function.line, f"a function of {function.lines} lines; "
                                                 f"it has at most {FUNCTION_LINES_MAX}")
        includes = [(text.count("\n", 0, m.start(2)) + 1, m[1], m[2]) for m in INCLUDE.finditer(text)]
        self.check_imports(name, includes)
        if name.endswith(".hpp"):
            self.check_header(name, text, code, includes)
        if "/tests/" in name or name.startswith(("sim/", "libs/testing/")):
            for number, line in enumerate(code.splitlines(), 1):
                if SLEEP.search(line):
                    self.report(name, number, "a sleep in a test; wait for the event instead")
                if SKIPPED_TEST.search(line):
                    self.report(name, number, "a test that can be skipped")

    def check_header(self, name, text, code, includes):
        if "#pragma once" not in text:
            self.report(name, 1, "a header without #pragma once")
        if re.search(r"^\s*using namespace\b", code, re.MULTILINE):
            self.report(name, 1, "using namespace in a header")
        if "/include/" not in name:
            return
        for number, _, target in includes:
            if HEAVY_INCLUDE.match(target):
                self.report(name, number, f"<{target}> in a public header; move it into src/")

    def check_imports(self, name, includes):
        parts = name.split("/")
        room = parts[1] if parts[0] == "libs" and len(parts) > 3 else None
        for number, mark, target in includes:
            if "../" in target:
                self.report(name, number, f'"{target}" reaches out of its directory')
            if not target.startswith("alknet/"):
                continue
            other = target.split("/")[1]
            if mark == '"':
                self.report(name, number, f"write <{target}>")
            if other not in self.rooms.tiers:
                self.report(name, number, f"<{target}>: no room '{other}' in cmake/rooms.txt")
            elif room is None:
                if other == "testing" and parts[0] in ("apps", "examples") and "tests" not in parts:
                    self.report(name, number, f"{parts[0]} imports testing")
            elif room not in self.rooms.tiers:
                self.report(name, number, f"no room '{room}' in cmake/rooms.txt")
            elif not self.rooms.may_import(room, other) and not (
                    other == "testing" and parts[2] in ("tests", "fuzz", "bench")):
                self.report(name, number, f"{room} may not import {other}")

    def check_room(self, room):
        base = f"libs/{room}"
        readme = f"{base}/README.md"
        if readme not in self.files:
            self.report(readme, 1, "a room has a README")
        else:
            count = len((self.root / readme).read_text().splitlines())
            if count > README_LINES_MAX:
                self.report(readme, count, f"{count} lines; a room's README has at most {README_LINES_MAX}")
        build = f"{base}/CMakeLists.txt"
        if build not in self.files:
            self.report(build, 1, "a room has a CMakeLists.txt")
            return
        listed = (self.root / build).read_text()
        for name in self.files:
            inner = name.removeprefix(base + "/")
            if inner != name and name.endswith(".cpp") and inner not in listed:
                self.report(name, 1, f"not built: {build} does not name it")


def is_data(name):
    return bool({"corpus", "corpora", "data", "testdata"} & set(name.split("/")[:-1]))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    tree = Tree(root)
    problems = tree.check()
    for problem in problems:
        print(problem)
    print(f"tree lint: {len(tree.files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
