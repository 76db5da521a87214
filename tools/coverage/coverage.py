#!/usr/bin/env python3
"""Line coverage of the coverage build; `./dev coverage` builds, runs and then calls this.

    coverage.py rooms      a table by room, from the profiles the tests left
    coverage.py corpora    runs each fuzz corpus alone; fails if it reaches less than 90 % of the
                           lines of the parser it COVERS
"""

import collections
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/coverage"
CORPUS_PERCENT_MIN = 90.0


def line_coverage(profiles, programs):
    """{file relative to the tree: (covered lines, lines)} of the given runs."""
    merged = BUILD / "merged.profdata"
    subprocess.run(["llvm-profdata-19", "merge", "-sparse", "-o", merged, *profiles], check=True)
    objects = [argument for program in programs[1:] for argument in ("-object", program)]
    exported = subprocess.run(
        ["llvm-cov-19", "export", "-summary-only", f"-instr-profile={merged}", programs[0], *objects],
        check=True, capture_output=True, text=True, cwd=ROOT).stdout
    files = {}
    for entry in json.loads(exported)["data"][0]["files"]:
        path = pathlib.Path(entry["filename"])
        name = str((ROOT / path).resolve().relative_to(ROOT) if (ROOT / path).exists() else path)
        lines = entry["summary"]["lines"]
        files[name] = (lines["covered"], lines["count"])
    return files


def percent(covered, count):
    return 100.0 * covered / count if count else 100.0


def rooms():
    profiles = sorted((BUILD / "profiles").glob("*.profraw"))
    programs = sorted(p for p in (BUILD / "bin").iterdir() if p.is_file())
    sums = collections.defaultdict(lambda: [0, 0])
    for name, (covered, count) in line_coverage(profiles, programs).items():
        parts = name.split("/")
        if parts[0] in ("libs", "apps") and "tests" not in parts:
            sums["/".join(parts[:2])][0] += covered
            sums["/".join(parts[:2])][1] += count
    for room, (covered, count) in sorted(sums.items()):
        print(f"{room:24} {covered:6} of {count:6} lines {percent(covered, count):6.1f} %")
    return 0 if sums else "no line of libs/ or apps/ was measured"


def corpora():
    failed = []
    for row in (BUILD / "fuzzers.txt").read_text().splitlines():
        target, corpus, covers, _ = row.split("|")
        if not covers:
            failed.append(f"{target}: alknet_fuzzer() names no COVERS")
            continue
        profile = BUILD / f"{target}.profraw"
        program = BUILD / "bin" / target
        subprocess.run([program, corpus], check=True, stdout=subprocess.DEVNULL,
                       env={"LLVM_PROFILE_FILE": str(profile)})
        files = line_coverage([profile], [program])
        figures = {source: files.get(source, (0, 1)) for source in covers.split()}
        figures["its parser"] = tuple(map(sum, zip(*figures.values())))
        for source, (covered, count) in figures.items():
            print(f"{target:32} {source:40} {percent(covered, count):6.1f} % of {count} lines")
        reached = percent(*figures["its parser"])
        if reached < CORPUS_PERCENT_MIN:
            failed.append(f"{target}: its corpus reaches {reached:.1f} % of its parser, "
                          f"not {CORPUS_PERCENT_MIN:.0f} %")
    return "\n".join(failed) if failed else 0


if __name__ == "__main__":
    sys.exit({"rooms": rooms, "corpora": corpora}[sys.argv[1]]())
