#!/usr/bin/env python3
"""A seed replays byte for byte: the hash of everything that was sent is the same in two processes,
and in two runs within one process.

    replay_test.py ALKNET_SIM SEED...
"""

import subprocess
import sys


def trace(program, *arguments):
    run = subprocess.run([program, *arguments, "--hashes"], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(run.args)} ended with {run.returncode}\n{run.stdout}{run.stderr}")
    hashes = {line.split()[1]: line.split()[3] for line in run.stdout.splitlines() if line.startswith("seed ")}
    if not hashes:
        sys.exit(f"{' '.join(run.args)} printed no hash\n{run.stdout}")
    return hashes


def main():
    program, *seeds = sys.argv[1:]
    seen = set()
    for seed in seeds:
        alone = trace(program, "--seed", seed)
        again = trace(program, "--seed", seed, "--repeat", "2")
        among = trace(program, "--first", seed, "--seeds", "2")
        if not alone[seed] == again[seed] == among[seed]:
            sys.exit(f"seed {seed} left three traces: {alone[seed]}, {again[seed]}, {among[seed]}")
        print(f"seed {seed}: {alone[seed]}, in three processes and twice in one")
        seen.add(alone[seed])
    if len(seen) != len(seeds):
        sys.exit("different seeds left the same trace")


if __name__ == "__main__":
    main()
