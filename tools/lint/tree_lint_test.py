#!/usr/bin/env python3
"""Each rule of the tree lint, broken once: the lint must say so, and must pass the good tree."""

import pathlib
import subprocess
import tempfile
import unittest

import cause_rules
import cpp_text
import tree_lint

ROOMS = "base\nrt\ntesting\ncall\nssh http\nweb\n"
GOOD = {
    "cmake/rooms.txt": ROOMS,
    "libs/base/README.md": "base\n",
    "libs/base/CMakeLists.txt": "alknet_library(base SOURCES src/a.cpp)\n",
    "libs/base/include/alknet/base/a.hpp": "#pragma once\n#include <string>\nvoid f();\n",
    "libs/base/src/a.cpp": "#include <alknet/base/a.hpp>\n#include <fmt/format.h>\nvoid f() {\n}\n",
}


def problems(files=None):
    """Lints the good tree with some files changed; None removes one."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        subprocess.run(["git", "init", "-q", directory], check=True)
        for name, text in (GOOD | (files or {})).items():
            if text is None:
                continue
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tree_lint.Tree(root).check()


class TreeLint(unittest.TestCase):
    def expect(self, message, name, text):
        found = problems(files={name: text})
        self.assertTrue(any(message in p and p.startswith(name) for p in found), f"{name}: {found}")

    def expect_clean(self, name, text):
        self.assertEqual(problems(files={name: text}), [])

    def test_good_tree(self):
        self.assertEqual(problems(), [])

    def test_lengths(self):
        header = "libs/base/include/alknet/base/a.hpp"
        body = "    f();\n"
        self.expect("a function of 71 lines", header, "#pragma once\nvoid f() {\n" + body * 69 + "}\n")
        self.expect_clean(header, "#pragma once\nvoid f() {\n" + body * 68 + "}\n")
        self.expect("601 lines", header, "#pragma once\n" + "int a();\n" * 600)
        self.expect("101 characters", header, "#pragma once\nint " + "a" * 96 + ";\n")
        self.expect("41 lines", "libs/base/README.md", "x\n" * 41)
        self.expect("bytes", "libs/base/big.md", "x" * (tree_lint.FILE_BYTES_MAX + 1))

    def test_function_of_a_class(self):
        method = "struct A {\n    A(int x)\n        : x_(x) {\n" + "        g();\n" * 70 + "    }\n};\n"
        self.expect("a function of 73 lines", "libs/base/src/a.cpp", method)

    def test_headers(self):
        header = "libs/base/include/alknet/base/a.hpp"
        for heavy in ("gnutls/gnutls.h", "ngtcp2/ngtcp2.h", "fmt/format.h", "sodium.h", "boost/json.hpp",
                      "toml++/toml.h", "CLI/CLI.hpp", "spdlog/spdlog.h", "iostream", "sqlite3.h"):
            self.expect("in a public header", header, f"#pragma once\n#include <{heavy}>\n")
        self.expect("in a public header", header, "#pragma once\n#include <boost/pfr.hpp>\n")
        self.expect("#pragma once", header, "void f();\n")
        self.expect("using namespace", header, "#pragma once\nusing namespace std;\n")

    def test_imports(self):
        def build(room):
            return {f"libs/{room}/README.md": "x\n", f"libs/{room}/CMakeLists.txt": "src/a.cpp tests/a.cpp\n"}

        def imports(room, other, part="src"):
            name = f"libs/{room}/{part}/a.cpp"
            return problems(files=build(room) | {name: f"#include <alknet/{other}/x.hpp>\n"})
        for room, other in (("rt", "base"), ("ssh", "http"), ("web", "http"), ("ssh", "call")):
            expected = [] if (room, other) != ("ssh", "http") else ["ssh may not import http"]
            self.assertEqual([p.split(": ", 1)[1] for p in imports(room, other)], expected)
        for room, other in (("base", "rt"), ("rt", "testing"), ("web", "ssh"), ("http", "ssh"), ("call", "ssh")):
            self.assertIn(f"{room} may not import {other}", "".join(imports(room, other)))
        self.assertEqual(imports("rt", "testing", "tests"), [])
        self.assertIn("no room 'moon'", "".join(imports("rt", "moon")))
        self.expect("write <", "libs/base/src/a.cpp", '#include "alknet/base/a.hpp"\n')
        self.expect("reaches out", "libs/base/src/a.cpp", '#include "../../rt/src/x.hpp"\n')
        self.expect("imports testing", "apps/a/main.cpp", "#include <alknet/testing/x.hpp>\n")
        self.assertEqual(problems(files={"apps/a/tests/a_test.cpp": "#include <alknet/testing/x.hpp>\n"}),
                         problems(files={"apps/a/tests/a_test.cpp": "int a = 0;\n"}))

    def test_rooms(self):
        self.expect("a room has a README", "libs/base/README.md", None)
        self.expect("a room has a CMakeLists.txt", "libs/base/CMakeLists.txt", None)
        self.expect("not built", "libs/base/tests/b_test.cpp", "void g();\n")

    def test_marks(self):
        source = "libs/base/src/a.cpp"
        self.expect("unfinished", source, "// TO" + "DO later\n")
        self.expect("unfinished", "docs/a.md", "FIX" + "ME\n")
        self.expect("path of one machine", "docs/a.md", "see /ro" + "ot/x\n")
        self.expect("path of one machine", source, '// in "/wo' + 'rk/x"\n')
        self.expect_clean(source, "// a net/root/x path, and $HOME/work/x\n")
        self.expect("NOLINT", source, "int a;  // NOLINT\n")
        self.expect("NOLINT", source, "int a;  // NOLINT(x-y) because\n")
        self.expect_clean(source, "int a;  // NOLINT(x-y): because\n")
        self.expect("white space", source, "int a; \n")

    def test_suppressions(self):
        self.expect("suppression file", "tools/tsan.supp", "race:x\n")
        self.expect("suppression file", "tools/suppressions.txt", "race:x\n")
        self.expect("hides", "libs/base/src/a.cpp", "const char* __tsan_default_suppressions();\n")
        self.expect("hides", "CMakePresets.json", '"TSAN_OPTIONS": "suppressions=x"\n')

    def test_tests(self):
        for line, message in (("std::this_thread::sleep_for(1s);", "a sleep"), ("::sleep(3);", "a sleep"),
                              ("usleep(3);", "a sleep"),
                              ("GTEST_SKIP();", "skipped"), ("TEST(A, DISABLED_b) {}", "skipped")):
            self.expect(message, "libs/base/tests/a_test.cpp", f"void g() {{\n    {line}\n}}\n")

        for line, message in (("time.sleep(3)", "a sleep"), ("from time import monotonic, sleep", "a sleep"),
                              ('@unittest.skip("why")', "skipped"), ("self.skipTest(1)", "skipped"),
                              ("@unittest.expectedFailure", "skipped")):
            for name in ("apps/a/tests/a_test.py", "apps/a/tests/support.py", "interop/harness.py"):
                self.expect(message, name, line + "\n")
        self.expect_clean("tools/soak/soak.py", "time.sleep(3)\n")

        with_loop = problems(files={"libs/base/tests/a_test.cpp": "void g() {\n    loop->sleep(1s);\n}\n"})
        self.assertEqual([p for p in with_loop if "sleep" in p], [])

    def test_causes(self):
        def catalogue(declared="kA", defined="kA", listed="kA", test="causes::kA"):
            return problems(files={
                cause_rules.HEADER: f"#pragma once\nextern const Cause {declared};\n",
                cause_rules.SOURCE: f'constexpr Cause {defined}{{\n    .id = "E-A-B",\n}};\nx = &causes::{listed};\n',
                "libs/base/CMakeLists.txt": "src/a.cpp src/causes.cpp",
                "sim/src/a.cpp": f"f({test});\n"})
        self.assertEqual(catalogue(), [])
        self.assertEqual(catalogue(test='"E-A-B"'), [])
        self.assertIn("is not defined", "".join(catalogue(defined="kB")))
        self.assertIn("is not among all_causes()", "".join(catalogue(listed="kB")))
        self.assertIn("no test meets kA (E-A-B)", "".join(catalogue(test="causes::kAA")))
        self.assertIn("no test meets kA (E-A-B)", "".join(catalogue(test='"E-A-B-C"')))

    def test_events(self):
        def told(code, document="`conn.open` and `alknet_loops_total`"):
            return "".join(problems(files={"docs/metrics.md": document + "\n", "libs/base/src/a.cpp": code + "\n"}))
        self.assertEqual(told('log.info("conn.open", {});'), "")
        self.assertEqual(told('log.debug("conn.detail", {});'), "")
        self.assertEqual(told('add("alknet_loops_total");'), "")
        self.assertIn("does not name the event conn.shut", told('log_.warn(\n    "conn.shut", {});'))
        self.assertIn("does not name the event conn.shut", told('append(LogLevel::warn, "conn.shut");'))
        self.assertIn("does not name the metric alknet_turns_total", told('add("alknet_turns_total");'))

    def test_data(self):
        self.expect("neither UTF-8", "docs/a.bin", b"\xff\xfe\x00")
        self.expect_clean("fuzz/corpus/a/1", b"\xff\xfe\x00")
        lock = '{"packages": {"node_modules/a": {"version": "1", "resolved": "https://example/a.tgz"}}}'
        self.expect("names the registry", "interop/package-lock.json", lock)


class Functions(unittest.TestCase):
    def lengths(self, text):
        return [f.lines for f in cpp_text.functions(cpp_text.strip_comments_and_strings(text))]

    def test_what_is_a_function(self):
        self.assertEqual(self.lengths("namespace a {\nint f(int x) {\n  if (x) {\n  }\n  return x;\n}\n}\n"), [5])
        self.assertEqual(self.lengths("struct S {\n  int a = 1;\n};\nenum class E { a };\n"), [])
        self.assertEqual(self.lengths("TEST(A, b) {\n  auto f = [](int) {\n  };\n}\n"), [4])
        self.assertEqual(self.lengths("template <class T>\nT f(T a)\n    requires X<T> {\n  return a;\n}\n"), [5])
        self.assertEqual(self.lengths("A::A() : b_{1}, c_(2) {\n  g();\n}\n"), [3])
        self.assertEqual(self.lengths("const int a[] = {\n 1,\n};\nconst T x = f(1, {\n 2});\n"), [])
        self.assertEqual(self.lengths("bool operator==(const A& a) {\n}\n"), [2])

    def test_what_is_not_code(self):
        self.assertEqual(self.lengths('void f() {\n  g("}}}", \'}\', R"(})");  // }\n  /* } */\n}\n'), [4])
        self.assertEqual(self.lengths("#define A(x) void x() { \\\n  g(\nvoid f() {\n  int a = 1'000'000;\n}\n"), [3])


if __name__ == "__main__":
    unittest.main()
