#include "cli.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <iterator>
#include <set>
#include <sstream>

#include "exit_codes.hpp"

namespace alknet::app {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

result<CommandLine> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "alknet");
    return parse_command_line(static_cast<int>(words.size()), words.data()).outcome;
}

template <class Options>
Options parsed(std::vector<const char*> words) {
    auto line = parse(std::move(words));
    EXPECT_TRUE(line) << line.error().message();
    return line ? std::get<Options>(line->verb) : Options();
}

TEST(CommandLineParse, HomeAndJsonStandAnywhere) {
    for (const std::vector<const char*>& words :
         {std::vector<const char*>{"--home", "/h", "--json", "id"},
          {"id", "--home", "/h", "--json"},
          {"--json", "id", "--home=/h"}}) {
        const auto line = parse(words);
        ASSERT_TRUE(line);
        EXPECT_EQ(line->home, "/h");
        EXPECT_TRUE(line->json);
    }
    EXPECT_FALSE(parse({"id"})->home);
}

TEST(CommandLineParse, ErrorsKnowWhetherJsonIsWanted) {
    const std::vector<const char*> words = {"alknet", "nothing", "--json"};
    const auto line = parse_command_line(static_cast<int>(words.size()), words.data());
    EXPECT_FALSE(line.outcome);
    EXPECT_TRUE(line.json);
}

TEST(CommandLineParse, Ping) {
    const auto defaults = parsed<PingOptions>({"ping", "host:1"});
    EXPECT_EQ(defaults.address, "host:1");
    EXPECT_EQ(defaults.wishes.prefer, Via::any);
    EXPECT_EQ(defaults.wishes.only, Via::any);
    EXPECT_FALSE(defaults.wishes.congestion);
    EXPECT_FALSE(defaults.wishes.tofu);
    EXPECT_EQ(defaults.count, 5U);
    const auto all = parsed<PingOptions>({"ping", "--transport", "tcp", "--count", "7",
                                          "--interval", "1ms", "--timeout=2s", "host"});
    EXPECT_EQ(all.wishes.prefer, Via::tcp);
    const auto wishes =
        parsed<PingOptions>({"ping", "--only", "quic", "--congestion", "cubic", "--tofu", "host"})
            .wishes;
    EXPECT_EQ(wishes.only, Via::quic);
    EXPECT_EQ(wishes.congestion, quic::Congestion::cubic);
    EXPECT_TRUE(wishes.tofu);
    EXPECT_EQ(all.count, 7U);
    EXPECT_EQ(all.interval, milliseconds(1));
    EXPECT_EQ(all.timeout, milliseconds(2000));
}

TEST(CommandLineParse, RepeatedOptionsTakeOneValueEach) {
    const auto serve = parsed<ServeOptions>({"serve", "--listen", "a:1", "--listen", "b:2"});
    EXPECT_THAT(serve.listen, ElementsAre("a:1", "b:2"));
    const auto probe = parsed<ProbeOptions>({"probe", "--alpn", "x", "host", "--alpn", "y"});
    EXPECT_THAT(probe.alpns, ElementsAre("x", "y"));
    EXPECT_EQ(probe.address, "host");
    EXPECT_FALSE(parse({"serve", "--listen", "a:1", "b:2"}));
}

TEST(CommandLineParse, TheOtherVerbs) {
    const auto init = parsed<InitOptions>({"init", "--no-input", "--name", "n"});
    EXPECT_TRUE(init.no_input);
    EXPECT_THAT(init.names, ElementsAre("n"));
    EXPECT_TRUE(parsed<IdOptions>({"id", "--address"}).address);
    EXPECT_EQ(parsed<PipeOptions>({"pipe", "host", "--alpn", "a/b"}).alpn, "a/b");
    EXPECT_EQ(parsed<ExplainOptions>({"explain", "E-TLS"}).id, "E-TLS");
    EXPECT_EQ(parsed<ConfigCheckOptions>({"config", "check", "f"}).file, "f");
    EXPECT_EQ(parsed<CompletionOptions>({"completion", "fish"}).shell, "fish");
    EXPECT_EQ(parsed<ManualOptions>({"manual", "alknet.toml"}).page, "alknet.toml");
    EXPECT_EQ(parsed<HelpOptions>({"help", "ping"}).topic, "ping");
    EXPECT_EQ(parsed<HelpOptions>({"config", "check", "--help"}).topic, "config check");
    EXPECT_EQ(parsed<HelpOptions>({"-h"}).topic, "");
    EXPECT_EQ(parsed<HelpOptions>({"peer", "--help"}).topic, "peer");
    (void)parsed<VersionOptions>({"--version"});
}

TEST(CommandLineParse, WhatFollowsAnSshServerIsTheCommand) {
    const auto options = parsed<SshOptions>(
        {"ssh", "-l", "bob", "-J", "a,b", "ssh://h", "ls", "-l", "--json", "--", "x y"});
    EXPECT_EQ(options.address, "ssh://h");
    EXPECT_EQ(options.user, "bob");
    EXPECT_EQ(options.jumps, "a,b");
    EXPECT_THAT(options.command, ElementsAre("ls", "-l", "--json", "--", "x y"));
    EXPECT_THAT(parsed<SshOptions>({"ssh", "h", "-T"}).command, IsEmpty());
    EXPECT_TRUE(parsed<SshOptions>({"ssh", "h", "-T"}).no_tty);
    EXPECT_FALSE(parse({"ssh", "-t", "-T", "h"}));
    EXPECT_FALSE(parse({"ssh"}));
}

TEST(CommandLineParse, Forwards) {
    const auto options =
        parsed<ForwardOptions>({"forward", "node", "-L", "1:a:2", "-L", "3:b:4", "-R", "5:c:6",
                                "-D", "7", "--socks-login", "f", "--fail-fast"});
    EXPECT_EQ(options.address, "node");
    EXPECT_THAT(options.local, ElementsAre("1:a:2", "3:b:4"));
    EXPECT_THAT(options.remote, ElementsAre("5:c:6"));
    EXPECT_THAT(options.dynamic, ElementsAre("7"));
    EXPECT_EQ(options.socks_login, "f");
    EXPECT_TRUE(options.fail_fast);
    EXPECT_EQ(parsed<ForwardOptions>({"forward", "-W", "a:1", "node"}).stdio, "a:1");
    EXPECT_FALSE(parse({"forward", "node", "-W", "a:1", "-L", "1:a:2"}));
    EXPECT_FALSE(parse({"forward", "node", "-L", "1:a:2", "--socks-login", "f"}));
    EXPECT_EQ(parsed<SshConfigOptions>({"ssh-config", "node"}).address, "node");
}

TEST(CommandLineParse, MistakesSayWhatWasMeant) {
    EXPECT_THAT(parse({"ping", "h", "--cuont", "3"}).error().detail(),
                HasSubstr("'--cuont' is not expected by alknet ping; did you mean '--count'?"));
    EXPECT_THAT(parse({"srve"}).error().detail(), HasSubstr("did you mean 'serve'?"));
    EXPECT_THAT(parse({"peer", "lst"}).error().detail(),
                HasSubstr("there is no command 'peer lst'; did you mean 'peer list'?"));
    EXPECT_THAT(parse({"peer", "xyzzyx", "--json"}).error().detail(), HasSubstr("'peer xyzzyx'"));
    EXPECT_THAT(parse({"known", "--home", "h", "--json"}).error().detail(),
                HasSubstr("one of: list, remove"));
    EXPECT_THAT(parse({"id", "--home", ""}).error().detail(), HasSubstr("--home"));
    EXPECT_THAT(parse({"known"}).error().detail(), HasSubstr("one of: list, remove"));
    EXPECT_THAT(parse({}).error().detail(), HasSubstr("a command is missing"));
    EXPECT_THAT(parse({"ping"}).error().detail(), HasSubstr("ADDRESS"));
    EXPECT_THAT(parse({"ping", "h", "--count", "1000001"}).error().detail(), HasSubstr("1000000"));
    EXPECT_THAT(parse({"ping", "h", "--timeout", "25h"}).error().detail(), HasSubstr("duration"));
}

// The command with what it cannot do without.
std::vector<std::string> least_words(const CommandInfo& command) {
    std::istringstream name(command.name);
    std::vector<std::string> words{std::istream_iterator<std::string>(name), {}};
    for (const OptionInfo& option : command.options) {
        if (option.required) {
            if (!option.operand()) {
                words.push_back(option.names.front());
            }
            words.push_back(option.choices().empty() ? "x" : option.choices().front());
        }
    }
    return words;
}

TEST(CommandDescription, EveryCommandIsDescribed) {
    const auto commands = describe_commands();
    std::set<std::size_t> verbs{Verb(HelpOptions()).index(), Verb(VersionOptions()).index()};
    for (const CommandInfo& command : commands) {
        const auto words = least_words(command);
        std::vector<const char*> argv{"alknet"};
        std::ranges::transform(words, std::back_inserter(argv), &std::string::c_str);
        const auto line = parse_command_line(static_cast<int>(argv.size()), argv.data());
        ASSERT_TRUE(line.outcome) << command.synopsis();
        verbs.insert(line.outcome->verb.index());
        EXPECT_FALSE(command.about.empty()) << command.name;
        EXPECT_TRUE(help_text(command.name)) << command.name;
        for (const OptionInfo& option : command.options) {
            EXPECT_FALSE(option.about.empty()) << command.name;
        }
    }
    EXPECT_EQ(verbs.size(), std::variant_size_v<Verb>);
}

TEST(CommandDescription, AGroupHasItsCommands) {
    const auto text = help_text("known");
    ASSERT_TRUE(text);
    EXPECT_THAT(*text, HasSubstr("known list"));
    EXPECT_THAT(*text, HasSubstr("known remove"));
    EXPECT_THAT(*text, testing::Not(HasSubstr("peer list")));
    EXPECT_FALSE(help_text("kno"));
}

TEST(CommandDescription, SynopsisAndChoices) {
    for (const CommandInfo& command : describe_commands()) {
        if (command.name == "pipe") {
            EXPECT_EQ(command.synopsis(), "alknet pipe [OPTIONS] ADDRESS --alpn NAME");
        }
        if (command.name == "ssh") {
            EXPECT_EQ(command.synopsis(), "alknet ssh [OPTIONS] ADDRESS [COMMAND]");
        }
        if (command.name == "explain") {
            EXPECT_EQ(command.synopsis(), "alknet explain [OPTIONS] [ID]");
        }
    }
    OptionInfo option;
    option.value = "a|b|c";
    EXPECT_THAT(option.choices(), ElementsAre("a", "b", "c"));
    option.value = "HOST:PORT";
    EXPECT_THAT(option.choices(), IsEmpty());
}

TEST(ExitCodes, EveryCauseHasADocumentedOne) {
    for (const Cause* cause : all_causes()) {
        const ExitCode code = exit_code(error(*cause));
        EXPECT_TRUE(std::ranges::any_of(exit_codes(), [&](const ExitCodeInfo& info) {
            return info.code == code;
        })) << cause->id;
        EXPECT_NE(code, ExitCode::ok);
    }
    EXPECT_EQ(exit_code(error(causes::kResolve)), ExitCode::unreachable);
    EXPECT_EQ(exit_code(error(causes::kNoCommonAlpn)), ExitCode::refused);
    EXPECT_EQ(exit_code(error(causes::kPeerKeyMismatch)), ExitCode::refused);
    EXPECT_EQ(exit_code(error(causes::kInternal)), ExitCode::failure);
}

}  // namespace
}  // namespace alknet::app
