#!/usr/bin/env python3
"""Prints the table peer x version x cases of an interop run, and fails if it is not whole.

    interop_table.py RESULTS_DIR EXPECTED...

Every interop test appends lines `peer<TAB>version<TAB>case<TAB>ok|FAILED` to a file of its own,
<anything>.tsv, in the directory that ALKNET_INTEROP_RESULTS names. Each EXPECTED file has a line
`peer<TAB>least number of cases` for each row the table must have; # begins a comment.
"""

import collections
import pathlib
import sys


def read_rows(directory):
    rows = collections.defaultdict(dict)  # (peer, version) -> {case: ok}
    for path in sorted(pathlib.Path(directory).glob("*.tsv")):
        for line in path.read_text().splitlines():
            peer, version, case, outcome = line.split("\t")
            cases = rows[(peer, version)]
            cases[case] = cases.get(case, True) and outcome == "ok"
    return rows


def read_expected(paths):
    lines = [line for path in paths for line in pathlib.Path(path).read_text().splitlines() if line and line[0] != "#"]
    return {peer: int(least) for peer, least in (line.split("\t") for line in lines)}


def check(rows, expected):
    problems = []
    if len(rows) != len(expected):
        problems.append(f"the table has {len(rows)} rows, not {len(expected)}")
    seen = {peer: cases for (peer, _), cases in rows.items()}
    for peer, least in expected.items():
        cases = seen.pop(peer, {})
        passed = sum(cases.values())
        if passed < least or passed < len(cases):
            problems.append(f"{peer}: {passed} of {len(cases)} cases passed, at least {least} must be there")
    problems += [f"{peer} is not in the list of expected peers" for peer in seen]
    return problems


def main():
    rows, expected = read_rows(sys.argv[1]), read_expected(sys.argv[2:])
    line = "{:28} {:20} {:>7} {}"
    print(line.format("peer", "version", "cases", "which"))
    for (peer, version), cases in sorted(rows.items()):
        names = " ".join(name if ok else f"{name}(FAILED)" for name, ok in sorted(cases.items()))
        print(line.format(peer, version, f"{sum(cases.values())}/{len(cases)}", names))
    problems = check(rows, expected)
    for problem in problems:
        print(problem)
    print(f"{len(rows)} rows, {len(expected)} expected")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
