#!/usr/bin/env python3
"""The table "What of SSH works" of README.md, which interop/ssh_features.tsv says and an interop run shows.

    ssh_table.py --write          puts it between its marks in README.md
    ssh_table.py --check          fails unless it stands there, and each case is one of the tree's tests
    ssh_table.py RESULTS_DIR      fails unless each case of the peers of that run has passed

A line of ssh_features.tsv has FEATURE, COLUMN, PEER, CASE and WORD, with tabs between.
"""

import pathlib
import re
import sys

import interop_table

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FEATURES = ROOT / "interop/ssh_features.tsv"
README = ROOT / "README.md"
MARKS = ("<!-- what of SSH works: tools/ci/ssh_table.py --write -->\n", "<!-- end of what of SSH works -->\n")


def read_features(text):
    return [line.split("\t") for line in text.splitlines() if line and line[0] != "#"]


def render(features):
    columns = list(dict.fromkeys(column for _, column, *_ in features))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    for feature in dict.fromkeys(feature for feature, *_ in features):
        cells = [dict.fromkeys(word for name, there, _, _, word in features if (name, there) == (feature, column))
                 for column in columns]
        lines.append([feature, *(", ".join(words) for words in cells)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def halves(readme):
    """What stands before, between and behind the marks."""
    before, between = readme.split(MARKS[0], 1)
    between, behind = between.split(MARKS[1], 1)
    return before, between, behind


def cases_of(texts):
    """The cases that test files have; those of a script of another suite are named in a list of texts."""
    named = {name for text in texts for name in re.findall(r"def test_(\w+)", text)}
    return named | {name.replace("-", "_") for text in texts for name in re.findall(r'"([a-z][a-z-]*)"', text)}


def check(features, readme, known):
    problems = [f"interop/ssh_features.tsv: no test is called {case}" for *_, case, _ in features if case not in known]
    try:
        if halves(readme)[1] != render(features):
            problems.append("README.md: the table of SSH is not that of interop/ssh_features.tsv: "
                            "tools/ci/ssh_table.py --write")
    except ValueError:
        problems.append("README.md: the marks of the table of SSH are not there")
    return problems


def check_run(features, rows):
    """Only peers that took part are looked at: that none is missing is interop_table.py's to say."""
    seen = {}
    for (peer, _), cases in rows.items():
        seen.setdefault(peer, {}).update(cases)
    return [f"README.md says that SSH has {feature!r}: {case} of {peer} has not passed"
            for feature, _, peer, case, _ in features if peer in seen and not seen[peer].get(case, False)]


def main():
    features = read_features(FEATURES.read_text(encoding="utf-8"))
    readme = README.read_text(encoding="utf-8")
    problems = []
    if sys.argv[1] == "--write":
        before, _, behind = halves(readme)
        README.write_text(before + MARKS[0] + render(features) + MARKS[1] + behind, encoding="utf-8")
    elif sys.argv[1] == "--check":
        files = sorted((ROOT / "interop").glob("*_test.py")) + sorted((ROOT / "interop/all").glob("*_test.py"))
        problems = check(features, readme, cases_of([file.read_text(encoding="utf-8") for file in files]))
    else:
        problems = check_run(features, interop_table.read_rows(sys.argv[1]))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
