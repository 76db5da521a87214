"""The rules of the catalogue of causes that no compiler knows: every cause is in the list that
`alknet explain` reads, and a test outside of the catalogue's own room meets it."""

import re

HEADER = "libs/base/include/alknet/base/causes.hpp"
HEADERS = re.compile(r"libs/base/include/alknet/base/causes\w*\.hpp$")
SOURCE = "libs/base/src/causes.cpp"  # has the list; definitions may stand in causes_*.cpp beside it
DEFINITIONS = re.compile(r"libs/base/src/causes\w*\.cpp$")
TEST_PLACES = re.compile(r"(libs/(?!base/)\w+|apps/\w+)/tests/|sim/|interop/")


def check(tree):
    if HEADER not in tree.files or SOURCE not in tree.files:
        return
    source = (tree.root / SOURCE).read_text()
    definitions = "\n".join((tree.root / name).read_text() for name in tree.files if DEFINITIONS.match(name))
    ids = dict(re.findall(r'constexpr Cause (k\w+)\{\s*\.id = "([^"]+)"', definitions))
    listed = set(re.findall(r"&causes::(k\w+)", source))
    tests = "\n".join((tree.root / name).read_text(errors="replace") for name in tree.files
                      if TEST_PLACES.match(name) and name.endswith((".cpp", ".hpp", ".py", ".mjs", ".js")))
    for name in filter(HEADERS.match, tree.files):
        check_header(tree, name, ids, listed, tests)


def check_header(tree, path, ids, listed, tests):
    header = (tree.root / path).read_text()
    for match in re.finditer(r"extern const Cause (k\w+);", header):
        name = match[1]
        line = header.count("\n", 0, match.start()) + 1
        if name not in ids:
            tree.report(path, line, f"{name} is not defined in {SOURCE}")
        elif name not in listed:
            tree.report(path, line, f"{name} is not among all_causes() in {SOURCE}")
        elif not re.search(rf"\bcauses::{name}\b|\b{ids[name]}(?![\w-])", tests):
            tree.report(path, line, f"no test meets {name} ({ids[name]})")
