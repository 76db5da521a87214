"""What the program tells about itself is documented: every log event above the debug level and every
metric stands in docs/metrics.md."""

import re

DOCUMENT = "docs/metrics.md"
PLACES = re.compile(r"(libs/(?!testing/)\w+/(src|include)|apps/\w+)/(?!tests/)")
EVENT = re.compile(r'(?:\.(?:info|warn|error)\(|LogLevel::(?:info|warn|error),)\s*"([a-z_0-9]+\.[a-z_0-9]+)"')
METRIC = re.compile(r'"(alknet_[a-z_0-9]+)"')


def check(tree):
    if DOCUMENT not in tree.files:
        return
    known = set(re.findall(r"`([\w.]+)`", (tree.root / DOCUMENT).read_text()))
    for name in tree.files:
        if not PLACES.match(name) or not name.endswith((".cpp", ".hpp")):
            continue
        text = (tree.root / name).read_text(errors="replace")
        for kind, pattern in (("event", EVENT), ("metric", METRIC)):
            for match in pattern.finditer(text):
                if match[1] not in known:
                    line = text.count("\n", 0, match.start(1)) + 1
                    tree.report(name, line, f"{DOCUMENT} does not name the {kind} {match[1]}")
