// [[exec]] of alknet.toml.
#include <algorithm>
#include <array>

#include "fields.hpp"
#include "values.hpp"

namespace alknet::config {

namespace {

constexpr std::size_t kWordsMax = 256;      // of one command
constexpr std::size_t kVariablesMax = 256;  // of one environment
constexpr std::uint64_t kMemoryMax = std::uint64_t{1} << 50U;

bool has_nul(std::string_view text) noexcept {
    return text.find('\0') != std::string_view::npos;
}

/// The words of a command: unlike those of a List they may repeat.
struct Command {
    static void read(Reading& in, const toml::node& value, std::vector<std::string>& into) {
        const toml::array* array = in.array(value, kWordsMax);
        if (array == nullptr) {
            return;
        }
        std::vector<std::string> words;
        for (const toml::node& node : *array) {
            const std::string* word = in.text(node);
            if (word == nullptr || has_nul(*word)) {
                in.refuse(node, "is no word of a command");
                return;
            }
            words.push_back(*word);
        }
        if (words.empty() || !words.front().starts_with('/')) {
            in.refuse(value, "must begin with the program's path, from / on");
            return;
        }
        into = std::move(words);
    }
    static std::string show(const std::vector<std::string>& value) {
        std::string text;
        for (const std::string& word : value) {
            text.append(text.empty() ? "" : ", ").append(toml_text(word));
        }
        return "[" + text + "]";
    }
    static std::string type() { return "an array: the program's absolute path, and its arguments"; }
};

/// NAME=VALUE or NAME.
struct Variable {
    static void read(Reading& in, const toml::node& value, std::string& into) {
        const std::string* text = in.text(value);
        if (text == nullptr) {
            return;
        }
        const std::string_view name = std::string_view(*text).substr(0, text->find('='));
        if (!is_word(name, "_") || has_nul(*text)) {
            in.refuse(value, "must be NAME=VALUE or NAME");
        } else if (name.starts_with("LISTEN_")) {
            in.refuse(value, "is what the node says itself");
        } else {
            into = *text;
        }
    }
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "NAME=VALUE, or NAME for the node's own value"; }
};

/// A value that need not be there.
template <class Value>
struct Optional : Value {
    static std::string show(const std::string& value) {
        return value.empty() ? std::string() : Value::show(value);
    }
};

/// Octets, of which 0 is no limit, and is not written.
struct SizeLimit : Size<1 << 20, kMemoryMax> {
    static std::string show(std::uint64_t value) {
        return value == 0 ? std::string() : Size::show(value);
    }
};

constexpr std::array kProgramFields = {
    field<&Program::name, Name>({.name = "name",
                                 .about = "What logs and scopes call it.",
                                 .example = "\"greeter\"",
                                 .required = true,
                                 .restart = true}),
    field<&Program::command, Command>(
        {.name = "command",
         .about = "The program and its arguments. No shell is between.",
         .example = "[\"/usr/bin/python3\", \"/srv/greeter/greeter.py\"]",
         .required = true,
         .restart = true}),
    field<&Program::alpn, Optional<Alpn>>(
        {.name = "alpn",
         .about = "The service, by its ALPN: each stream of it is one connection to the program.",
         .example = "\"example/greeter\"",
         .restart = true}),
    field<&Program::operations, Flag>(
        {.name = "operations",
         .about = "In place of alpn: it speaks alknet/call, and its operations are offered among "
                  "the node's, with names that begin with its own.",
         .restart = true}),
    field<&Program::scope, ExactScope>(
        {.name = "scope",
         .about = "What a peer needs to use it. Without this, exec:use:NAME for an ALPN, and "
                  "exec:call:NAME/OPERATION for each operation.",
         .example = "\"greeter:use\"",
         .restart = true}),
    field<&Program::user, Optional<Name>>(
        {.name = "user",
         .about = "Whom the program runs as, with that user's first group alone. Only root can "
                  "start it as somebody else.",
         .example = "\"nobody\"",
         .restart = true}),
    field<&Program::as_node, Flag>(
        {.name = "as_node",
         .about = "In place of user: it runs as the node itself does, and can read the node's key "
                  "and whatever else the node has.",
         .restart = true}),
    field<&Program::directory, Path>(
        {.name = "directory", .about = "Where it starts.", .restart = true}),
    field<&Program::environment, List<Variable, kVariablesMax>>(
        {.name = "environment",
         .about = "Its environment, besides PATH, LANG, HOME, USER, LOGNAME and LISTEN_FDS. "
                  "Nothing else of the node's is passed on.",
         .example = "[\"TZ\", \"GREETING=hello\"]",
         .restart = true}),
    field<&Program::proxy_header, Flag>(
        {.name = "proxy_header",
         .about = "Each connection to the program begins with a PROXY protocol header (version 2), "
                  "which says who the peer is. For an ALPN.",
         .restart = true}),
    field<&Program::streams_max, Integer<1, 65'536>>(
        {.name = "streams_max",
         .about = "Connections to the program at a time; further ones are refused.",
         .restart = true}),
    field<&Program::memory_max, Size<1 << 20, kMemoryMax>>(
        {.name = "memory_max",
         .about = "Memory that each of its processes can write to (RLIMIT_DATA).",
         .restart = true}),
    field<&Program::address_space_max, SizeLimit>(
        {.name = "address_space_max",
         .about =
             "Addresses that each of its processes can use (RLIMIT_AS). Many runtimes need far "
             "more of them than memory; without this there is no limit.",
         .example = "\"16 GiB\"",
         .restart = true}),
    field<&Program::files_max, Integer<8, 1'000'000>>(
        {.name = "files_max",
         .about = "Files that each of its processes can have open (RLIMIT_NOFILE).",
         .restart = true}),
    field<&Program::processes_max, Integer<1, 1'000'000>>(
        {.name = "processes_max",
         .about = "Processes and threads of its user (RLIMIT_NPROC); not with as_node.",
         .restart = true}),
    field<&Program::stop_timeout, Span<0, 10 * 60 * 1000>>(
        {.name = "stop_timeout",
         .about = "How long it and its processes may take to end, from SIGTERM to SIGKILL.",
         .restart = true}),
    field<&Program::attempts_max, Integer<0, 1'000'000>>(
        {.name = "attempts_max",
         .about = "It is started again 1 s after its end, and later each time, up to 60 s. So many "
                  "ends in a row, each within 30 s of its start, and it stays down until the node "
                  "starts again; 0 never gives up.",
         .restart = true}),
};

constexpr std::span<const Field<Program>> kFields(kProgramFields);

// What "call" has was read before, as tables come in the order of their names.
void check_program(Reading& in, const toml::table& table, const Program& program,
                   const std::vector<Program>& others, const std::vector<Import>& imports) {
    if (program.alpn.empty() != program.operations) {
        in.refuse(table, program.operations ? "has both of 'alpn' and 'operations'"
                                            : "needs the key 'alpn', or operations = true");
    }
    if (program.operations &&
        (program.name.size() > kPrefixBytesMax || !is_word(program.name, "_-"))) {
        in.refuse(table, "operations need a name of at most 32 letters, digits, '_' or '-'");
    }
    if (program.user.empty() == !program.as_node) {
        in.refuse(table, program.as_node
                             ? "has both of 'user' and 'as_node'"
                             : "needs the key 'user', or as_node = true to run as the node itself");
    }
    if (program.proxy_header && program.alpn.empty()) {
        in.refuse(table, "'proxy_header' belongs to an 'alpn'");
    }
    if (in.is_own_service(program.alpn)) {
        in.refuse(table, "the node serves '" + program.alpn +
                             "' itself; a program needs an 'alpn' of its own" +
                             (program.alpn == "alknet/call" ? ", or operations = true" : ""));
    }
    for (const Import& import : imports) {
        if (program.operations) {
            check_prefixes(in, table, program.name, import.prefix);
        }
    }
    for (const Program& other : others) {
        const auto same = [&](const std::string& mine, const std::string& theirs,
                              std::string_view key) {
            if (!mine.empty() && mine == theirs) {
                in.refuse(table, "another [[exec]] has this " + std::string(key) + " already: '" +
                                     mine + "'");
            }
        };
        if (program.operations && other.operations) {
            check_prefixes(in, table, program.name, other.name);
        }
        same(program.name, other.name, "name");
        same(program.alpn, other.alpn, "alpn");
    }
}

}  // namespace

void read_programs(Reading& in, const toml::node& value, Config& into) {
    const toml::array* array = in.array(value, kProgramsMax);
    if (array == nullptr) {
        return;
    }
    std::vector<Program>& all = into.fixed.programs;
    for (const toml::node& node : *array) {
        if (const toml::table* table = in.table(node)) {
            Program program;
            read_fields(in, *table, kFields, program);
            check_program(in, *table, program, all, into.dynamic.imports);
            all.push_back(std::move(program));
        }
    }
}

std::vector<KeyInfo> program_keys() {
    return describe(kFields, Program());
}

std::vector<Entry> program_entries(const Config& config) {
    std::vector<Entry> entries;
    for (const Program& program : config.fixed.programs) {
        entries.push_back({.name = program.name, .keys = show(kFields, program)});
    }
    return entries;
}

}  // namespace alknet::config
