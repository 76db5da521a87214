"""Commands that need no network: init, id, config check, explain, help, completion, manual."""

import json
import os
import pty
import re
import stat
import subprocess
import unittest

import support
from support import EXIT_CONFIG, EXIT_USAGE, TestCase, clean_environment, run


class StandardDescriptors(TestCase):
    """Closed ones must not be given to files and sockets of our own."""

    def closed(self, redirections, *arguments):
        command = f'exec "$0" "$@" {redirections}'
        return subprocess.run(["sh", "-c", command, support.PROGRAM, *map(str, arguments)], capture_output=True,
                              text=True, env=clean_environment(), timeout=support.PATIENCE_S, check=False)

    def test_output_that_is_closed_is_an_error(self):
        home = self.home()
        for arguments in (("id", "--home", home.path), ("help",), ("serve", "--home", home.path)):
            done = self.closed("<&- >&-", *arguments)
            self.assertEqual(done.returncode, support.EXIT_FAILURE, done)
            self.assertIn("write standard output: Bad file descriptor", done.stderr)

    def test_errors_that_are_closed_go_nowhere(self):
        home = self.home()
        before = {file.name: file.read_bytes() for file in home.path.iterdir()}
        self.assertEqual(self.closed("<&- 2>&-", "id", "--home", home.path).returncode, 0)
        self.assertEqual(self.closed("<&- >&- 2>&-", "serve", "--home", home.path).returncode,
                         support.EXIT_FAILURE)
        after = {file.name: file.read_bytes() for file in home.path.iterdir()}
        self.assertEqual({name: after[name] for name in before}, before)
        self.assertEqual(after["node.lock"], b"")


class Init(TestCase):
    def test_makes_a_home_for_its_owner_alone(self):
        home = self.home()
        self.assertEqual(stat.S_IMODE(home.path.stat().st_mode), 0o700)
        names = {"alknet.toml", "node.key", "cert.pem", "cert-key.pem", "endpoint.secrets", "manifest.toml"}
        self.assertEqual({file.name for file in home.path.iterdir()}, names)
        for file in home.path.iterdir():
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600, file)

    def test_says_what_it_made(self):
        made = json.loads(run("init", "--no-input", "--json", "--home", self.directory / "h").stdout)
        self.assertEqual(made["home"], str(self.directory / "h"))
        self.assertRegex(made["node_id"], "^[0-9a-f]{64}$")
        self.assertEqual(made["kept"], [])
        self.assertIn("node.key", made["written"])
        text = run("init", "--no-input", "--home", self.directory / "g").stdout
        self.assertRegex(text, r"node id  ed25519:[0-9a-f]{64}")
        self.assertIn(f"next: alknet serve --home {self.directory / 'g'}\n", text)

    def test_never_overwrites(self):
        home = self.home()
        before = {file.name: file.read_bytes() for file in home.path.iterdir()}
        self.assertEqual(home.error("init", "--no-input", expect=EXIT_CONFIG)["id"], "E-HOME-EXISTS")
        self.assertEqual({file.name: file.read_bytes() for file in home.path.iterdir()}, before)

    def test_completes_an_interrupted_one(self):
        home = self.home()
        home.config.unlink()
        made = home.json("init", "--no-input")
        self.assertEqual(made["written"], ["alknet.toml"])
        self.assertEqual(made["node_id"], home.id)

    def test_completes_one_that_ended_between_two_files(self):
        home = self.home()
        names = ("node.key", "cert-key.pem", "cert.pem", "endpoint.secrets", "manifest.toml", "alknet.toml")
        for kept in range(1, len(names)):
            for name in names[kept:]:
                (home.path / name).unlink()
            home.run("init", "--no-input")
            self.assertEqual(home.json("id")["node_id"], home.id)

    def test_names_that_are_none(self):
        for name in ("two words", "a\nb", "host:1", "", "node@host"):
            done = run("init", "--no-input", "--home", self.directory / "x", "--name", name, expect=EXIT_USAGE)
            self.assertIn("--name takes a host name or address", done.stderr)
            self.assertFalse((self.directory / "x").exists())
        self.home("y", arguments=["--name", "*.example.org", "--name", "[::1]", "--name", "2001:db8::1"])

    def test_keeps_out_of_other_directories(self):
        (self.directory / "mine").mkdir()
        (self.directory / "mine" / "letter").write_text("dear")
        done = run("init", "--no-input", "--home", self.directory / "mine", expect=EXIT_CONFIG)
        self.assertIn("holds other files", done.stderr)
        self.assertIn("next: ", done.stderr)

    def test_listens_where_it_is_told(self):
        home = self.home(arguments=["--listen", "127.0.0.1:7001", "--listen", "[::1]:7001"])
        self.assertIn('addresses = ["127.0.0.1:7001", "[::1]:7001"]', home.config.read_text())
        self.assertEqual(home.run("id", "--address").stdout, f"alknet://{home.id}@127.0.0.1:7001\n")
        run("init", "--listen", "nonsense", "--home", self.directory / "x", expect=EXIT_USAGE)
        self.assertFalse((self.directory / "x").exists())

    def test_asks_on_a_terminal(self):
        manager, terminal = pty.openpty()
        process = subprocess.Popen([support.PROGRAM, "init", "--home", self.directory / "asked"],
                                   stdin=terminal, stdout=subprocess.PIPE, stderr=terminal,
                                   env=clean_environment(), text=True)
        os.close(terminal)
        os.write(manager, b"127.0.0.1:7002\n\n")
        self.assertIn("alknet serve", process.communicate(timeout=support.PATIENCE_S)[0])
        os.close(manager)
        self.assertIn("127.0.0.1:7002", (self.directory / "asked" / "alknet.toml").read_text())


class Place(TestCase):
    def test_option_then_variable_then_xdg(self):
        def made_in(*arguments, **env):
            done = run("init", "--no-input", "--json", *arguments, env=clean_environment(**env))
            return json.loads(done.stdout)["home"]
        root = str(self.directory)
        self.assertEqual(made_in(HOME=root), root + "/.local/share/alknet")
        self.assertEqual(made_in(HOME=root, XDG_DATA_HOME=root + "/x"), root + "/x/alknet")
        self.assertEqual(made_in(HOME=root, ALKNET_HOME=root + "/y"), root + "/y")
        self.assertEqual(made_in("--home", root + "/z", ALKNET_HOME=root + "/y"), root + "/z")
        run("id", expect=EXIT_CONFIG)

    def test_a_home_that_others_can_write_to_is_refused(self):
        home = self.home()
        home.path.chmod(0o777)
        error = home.error("id", expect=EXIT_CONFIG)
        self.assertEqual(error["id"], "E-HOME-INVALID")
        home.path.chmod(0o700)
        (home.path / "node.key").chmod(0o644)
        self.assertEqual(home.error("id", expect=EXIT_CONFIG)["id"], "E-HOME-INVALID")

    def test_no_node_there(self):
        done = run("id", "--home", self.directory / "nothing", expect=EXIT_CONFIG)
        self.assertRegex(done.stderr, r"^error: there is no node in this home: .*\nnext: make one: alknet init\n$")
        self.assertEqual(done.stdout, "")


class Id(TestCase):
    def test_all_text_forms_name_one_key(self):
        home = self.home()
        shown = home.identity
        self.assertEqual(shown["fingerprint"], "ed25519:" + home.id)
        text = home.run("id").stdout
        for form in ("node_id", "fingerprint", "z_base_32", "base32", "openssh", "openssh_fingerprint"):
            self.assertIn(shown[form], text)
        forms = [shown[form] for form in ("node_id", "fingerprint", "z_base_32", "base32", "openssh")]
        for number, form in enumerate(forms):
            home.configure(f'[[peer]]\nname = "p{number}"\nkeys = ["{form}"]\n')
            self.assertTrue(home.json("config", "check")["valid"], form)

    def test_the_address_takes_the_name_that_others_see(self):
        home = self.home()
        self.assertEqual(home.run("id", "--address").stdout, f"alknet://{home.id}@127.0.0.1:4433\n")
        self.assertEqual(home.run("id", "--address", "--host", "node.example").stdout,
                         f"alknet://{home.id}@node.example:4433\n")
        for host in ("2001:db8::1", "[2001:db8::1]"):
            self.assertEqual(home.run("id", "--address", "--host", host).stdout,
                             f"alknet://{home.id}@[2001:db8::1]:4433\n")
        for host in ("two words", "host:1", f"{home.id}@host"):
            self.assertEqual(home.error("id", "--host", host, expect=EXIT_USAGE)["id"], "E-ADDRESS-INVALID")
        home.configure('[[listener]]\nname = "six"\naddresses = ["[::]:99"]\n')
        self.assertEqual(home.run("id", "--address").stdout, f"alknet://{home.id}@127.0.0.1:99\n")
        home.configure('[[listener]]\nname = "six"\naddresses = ["[2001:db8::1]:99"]\n')
        self.assertEqual(home.run("id", "--address").stdout, f"alknet://{home.id}@[2001:db8::1]:99\n")


class ConfigCheck(TestCase):
    def test_a_fresh_home_is_valid(self):
        home = self.home()
        self.assertEqual(home.run("config", "check").stdout, f"{home.config}: valid\n")
        self.assertEqual(home.json("config", "check"),
                         {"file": str(home.config), "valid": True, "problems": [], "refused": []})

    def test_every_mistake_with_its_place(self):
        home = self.home()
        home.configure("[limits]\nstreams_mx = 1\nidle_timeout = 5\n")
        done = home.run("config", "check", expect=EXIT_CONFIG)
        self.assertEqual(done.stdout.splitlines(), [
            f"{home.config}:2:1: limits.streams_mx: this key is not known; did you mean 'streams_max'?",
            f"{home.config}:3:16: limits.idle_timeout: must be text in quotes, and is an integer"])
        problems = home.json("config", "check", expect=EXIT_CONFIG)["problems"]
        self.assertEqual([(p["line"], p["key"]) for p in problems],
                         [(2, "limits.streams_mx"), (3, "limits.idle_timeout")])

    def test_looks_at_the_files_that_are_named(self):
        home = self.home()
        home.configure('[tls]\ncertificates = [{ chain = "none.pem", key = "none.key" }]\n')
        error = home.error("config", "check", expect=EXIT_CONFIG)
        self.assertEqual(error["id"], "E-CERT-INVALID")
        self.assertIn("none.pem", error["detail"])

    def test_another_file(self):
        file = self.directory / "other.toml"
        file.write_text("[log]\nlevel = 'debug'\n")
        file.chmod(0o600)
        self.assertEqual(run("config", "check", file).stdout, f"{file}: valid\n")
        run("config", "check", self.directory / "none.toml", expect=EXIT_CONFIG)

    def test_every_command_refuses_a_bad_configuration(self):
        home = self.home()
        home.configure("nonsense")
        for command in (["serve"], ["id"], ["ping", "127.0.0.1:1"]):
            error = home.error(*command, expect=EXIT_CONFIG)
            self.assertEqual(error["id"], "E-CONFIG-INVALID")
            self.assertIn("alknet.toml:1:", error["detail"])


class Explain(TestCase):
    def test_lists_and_explains_every_error(self):
        listed = json.loads(run("explain", "--json").stdout)
        self.assertGreater(len(listed), 30)
        text = run("explain").stdout
        for entry in listed:
            self.assertIn(entry["id"], text)
            one = run("explain", entry["id"].lower()).stdout
            self.assertTrue(one.startswith(f"{entry['id']}: {entry['what']}\n"))
            self.assertEqual(json.loads(run("explain", entry["id"], "--json").stdout), entry)

    def test_an_unknown_one_names_the_nearest(self):
        done = run("explain", "E-TLS-KEY-MISMATCHED", expect=EXIT_USAGE)
        self.assertIn("did you mean 'E-TLS-KEY-MISMATCH'?", done.stderr)


class CommandLine(TestCase):
    def test_mistakes_are_named_and_end_in_2(self):
        cases = {
            (): "a command is missing",
            ("pign",): "there is no command 'pign'; did you mean 'ping'?",
            ("ping",): "ADDRESS is required",
            ("ping", "x", "--cuont", "3"): "did you mean '--count'?",
            ("ping", "x", "--count", "0"): "--count is a number from 1",
            ("ping", "x", "--count", "3x"): "--count is a number from 1",
            ("ping", "x", "--interval", "fast"): "--interval is a duration",
            ("ping", "x", "--transport", "sctp"): "is one of proxy|quic|tcp",
            ("ping", "x", "--only", "sctp"): "is one of proxy|quic|tcp",
            ("ping", "x", "--congestion", "reno"): "is one of bbr|cubic",
            ("ping", "not an address"): "not a usable address",
            ("ping", "host:99999"): "not a usable address",
            ("pipe", "x"): "--alpn is required",
            ("pipe", "x", "--alpn", "n" * 32): "not a usable service name",
            ("config",): "after config comes one of: check, show",
            ("completion", "csh"): "is one of bash|fish|zsh",
            ("help", "nothing"): "there is no command 'nothing'",
        }
        for arguments, words in cases.items():
            done = run(*arguments, expect=EXIT_USAGE)
            self.assertIn(words, done.stderr, arguments)
            self.assertRegex(done.stderr, r"^error: .*\nnext: .*\n$")
            self.assertEqual(done.stdout, "")
            as_json = json.loads(run(*arguments, "--json", expect=EXIT_USAGE).stderr)["error"]
            self.assertEqual(set(as_json), {"id", "what", "detail", "next"})

    def test_help_of_every_command_names_its_options(self):
        general = run("--help").stdout
        self.assertEqual(run("help").stdout, general)
        commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", general, re.MULTILINE)
        self.assertGreaterEqual(len(commands), 12)
        for command in commands:
            text = run(*command.split(), "--help").stdout
            self.assertTrue(text.startswith(f"usage: alknet {command}"), text)
            for option in ("--home DIR", "--json", "--help"):
                self.assertIn(option, text, command)
            self.assertEqual(run("help", *([command] if " " not in command else [command])).stdout, text)
            self.assertLessEqual(max(map(len, text.splitlines())), 80, text)

    def test_exit_codes_are_explained(self):
        text = run("help", "exit-codes").stdout
        for code in (0, 1, 2, 3, 4, 5, 130, 141):
            self.assertRegex(text, rf"(?m)^  {code}\b")

    def test_version(self):
        version = json.loads(run("version", "--json").stdout)["version"]
        self.assertEqual(run("version").stdout, f"alknet {version}\n")
        self.assertEqual(run("--version").stdout, f"alknet {version}\n")

    def test_an_output_that_nobody_reads_ends_quietly(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([support.PROGRAM, "explain"], stdout=writer, stderr=subprocess.PIPE,
                              check=False, timeout=support.PATIENCE_S)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (141, b""))


class Pages(TestCase):
    def test_completion_is_a_script_that_bash_takes(self):
        script = run("completion", "bash").stdout
        done = subprocess.run(["bash", "-c", script + "\nCOMP_WORDS=(alknet ping --trans); COMP_CWORD=2\n"
                               "_alknet\necho ${COMPREPLY[*]}\nCOMP_WORDS=(alknet ping --transport ''); COMP_CWORD=3\n"
                               "_alknet\necho ${COMPREPLY[*]}\nCOMP_WORDS=(alknet co); COMP_CWORD=1\n"
                               "_alknet\necho ${COMPREPLY[*]}\nCOMP_WORDS=(alknet config ch); COMP_CWORD=2\n"
                               "_alknet\necho ${COMPREPLY[*]}\n"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.splitlines(), ["--transport", "proxy quic tcp", "config completion", "check"])

    def commands(self):
        """From the help: each with its words."""
        listed = re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?:  .*)?$", run("help").stdout, re.MULTILINE)
        self.assertIn("peer scopes", listed)
        return [command.split() for command in listed]

    def test_completion_knows_the_commands_of_every_group(self):
        groups = {words[0]: set() for words in self.commands() if len(words) == 2}
        for words in self.commands():
            if len(words) == 2:
                groups[words[0]].add(words[1])
        lines = [line for group in groups for line in ([group, ""], ["--home", "h", group, ""],
                                                       [group, "--home", "h", "--json", ""])]
        lines += [["peer", "scopes", "bob", "--"], ["--json", "known", "remove", "h", "--"], ["peer", "inv"],
                  ["config", "apply", ""], ["config", "apply", "--d"]]
        script = run("completion", "bash").stdout
        for words in lines:
            quoted = " ".join(f"'{word}'" for word in words)
            script += (f"\nCOMP_WORDS=(alknet {quoted}); COMP_CWORD={len(words)}\n"
                       "_alknet\necho ${COMPREPLY[*]}\n")
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        offered = [set(line.split()) for line in done.stdout.splitlines()]
        self.assertEqual(done.stderr, "")
        for words, found in zip(lines, offered, strict=True):
            [group] = [word for word in words if word in groups]
            if words[-1] == "" and "apply" not in words:
                self.assertEqual(found, groups[group] | {"--help"}, words)
        self.assertLess({"--set", "--add", "--remove", "--force"}, offered[-5])
        self.assertEqual(offered[-4:], [{"--help", "--home", "--json"}, {"invite", "invitations"},
                                        set(), {"--dry-run"}])

    def test_completion_of_all_shells_names_all_commands(self):
        for shell in ("bash", "zsh", "fish"):
            script = run("completion", shell).stdout
            for word in ("transport", "quic", "tcp", *{word for words in self.commands() for word in words}):
                self.assertIn(word, script, shell)

    def test_manual_pages_name_every_command_key_and_exit_code(self):
        page = run("manual", "alknet").stdout.replace("\\-", "-")
        self.assertTrue(page.startswith('.TH "alknet" "1"'))
        for word in ("alknet ping [OPTIONS] ADDRESS", "--transport", "ALKNET_HOME", "alknet.toml", "141"):
            self.assertIn(word, page)
        keys = run("manual", "alknet.toml").stdout.replace("\\-", "-")
        for word in ("[limits]", "connections_per_ip_max", "[[peer]]", "qlog_directory"):
            self.assertIn(word, keys)
        for text in (page, keys):
            for line in text.splitlines():
                self.assertFalse(line.startswith("'"), line)
                self.assertNotRegex(line, r"^\.(?!TH|SH|SS|PP|TP|nf|fi)")


if __name__ == "__main__":
    unittest.main()
