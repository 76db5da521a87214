// The manual pages alknet(1) and alknet.toml(5), as roff, made from the tables that the program
// itself follows: the command line, the exit codes, the keys of the configuration.
#include <alknet/config/reference.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

// Text for roff: no control characters at the start of a line, no accidental escapes.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else if (c == '.' && out.empty()) {
            out += "\\&.";
        } else if (c == '\'') {
            out += "\\(aq";
        } else {
            out += c;
        }
    }
    return out;
}

class Page {
public:
    Page(std::string_view name, int section, std::string_view about) {
        out_ += ".TH \"" + std::string(name) + "\" \"" + std::to_string(section) +
                "\" \"\" \"alknet " + std::string(kVersion) + "\"\n";
        heading("NAME");
        paragraph(std::string(name) + " - " + std::string(about));
    }
    void heading(std::string_view text) { line(".SH " + std::string(text)); }
    void subheading(std::string_view text) { line(".SS \"" + roff(text) + "\""); }
    void paragraph(std::string_view text) { line(".PP\n" + roff(text)); }
    void item(std::string_view term, std::string_view text) {
        line(".TP\n\\fB" + roff(term) + "\\fR\n" + roff(text));
    }
    void literal(std::string_view text) { line(".PP\n.nf\n" + roff(text) + "\n.fi"); }
    [[nodiscard]] const std::string& text() const noexcept { return out_; }

private:
    void line(const std::string& text) { out_.append(text).append("\n"); }
    std::string out_;
};

std::string term(const OptionInfo& option) {
    std::string text;
    for (const std::string& name : option.names) {
        text.append(text.empty() ? "" : ", ").append(name);
    }
    if (!option.value.empty()) {
        text.append(text.empty() ? "" : " ").append(option.value);
    }
    return text;
}

bool everywhere(const OptionInfo& option) {
    const std::string name = option.operand() ? "" : option.names.front();
    return name == "--home" || name == "--json" || name == "--help";
}

void commands(Page& page) {
    const auto all = describe_commands();
    page.heading("OPTIONS OF EVERY COMMAND");
    for (const OptionInfo& option : all.front().options) {
        if (everywhere(option)) {
            page.item(term(option), option.about + ".");
        }
    }
    page.heading("COMMANDS");
    for (const CommandInfo& command : all) {
        page.subheading(command.synopsis());
        page.paragraph(command.about + ".");
        if (!command.details.empty()) {
            page.paragraph(command.details);
        }
        for (const OptionInfo& option : command.options) {
            if (!everywhere(option)) {
                page.item(term(option), option.about + ".");
            }
        }
    }
}

std::string program_page() {
    Page page("alknet", 1, "a network node on which every service is an ALPN");
    page.heading("SYNOPSIS");
    page.paragraph("alknet COMMAND [OPTIONS]");
    page.heading("DESCRIPTION");
    page.paragraph(
        "A node has one key and one port number. QUIC on UDP and TLS on TCP carry the name of a "
        "service, its ALPN, in the handshake, and that name alone decides who handles the "
        "connection. The key is the node's name: whoever knows it reaches this node or none.");
    commands(page);
    page.heading("EXIT STATUS");
    for (const ExitCodeInfo& info : exit_codes()) {
        page.item(std::to_string(static_cast<int>(info.code)), info.about);
    }
    page.paragraph(
        "An error is one line `error: WHAT: DETAIL` on standard error, and below it `next: STEP`; "
        "with --json, one object {\"error\":{\"id\",\"what\",\"detail\",\"next\"}}. `alknet "
        "explain` tells more about each id.");
    page.heading("ENVIRONMENT");
    page.item("ALKNET_HOME", "The node's directory, where --home does not say.");
    page.item("XDG_DATA_HOME", "Else it is alknet in here, or in ~/.local/share.");
    page.item("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd for alknet serve.");
    page.heading("FILES");
    page.paragraph("In the node's directory, which its owner alone can write to:");
    page.item("alknet.toml", "The configuration; see alknet.toml(5).");
    page.item("node.key", "The private key. Whoever has it is this node.");
    page.item("node.key.next, node.key.rotations, node.key.told",
              "The key to come, the statements of changed keys, and whether others know.");
    page.item("cert.pem, cert-key.pem",
              "A self-signed certificate for clients that know no raw public keys.");
    page.item("endpoint.secrets", "What address tokens and stateless resets are made with.");
    page.item("manifest.toml", "The version of this layout.");
    page.item("node.lock", "Held while a node runs here.");
    page.heading("SEE ALSO");
    page.paragraph("alknet.toml(5)");
    return page.text();
}

std::string config_page() {
    Page page("alknet.toml", 5, "configuration of an alknet node");
    page.heading("DESCRIPTION");
    page.paragraph(
        "A TOML file in the node's directory. A running node reads it again on SIGHUP and when it "
        "changes; a file with a mistake is refused as a whole, and the log says file, line, column "
        "and reason. A key that is not known is a mistake. `alknet config check` finds mistakes "
        "beforehand. Relative paths begin at the node's directory.");
    for (const config::TableInfo& table : config::reference()) {
        page.heading(roff(table.header()));
        page.paragraph(table.about);
        for (const config::KeyInfo& key : table.keys) {
            std::string text(key.about);
            text.append(" It is ").append(key.type).append(".");
            if (key.required) {
                text.append(" Required.");
            } else if (!key.default_text.empty()) {
                text.append(" Default: ").append(key.default_text).append(".");
            }
            text.append(key.restart ? " A change needs a restart." : "");
            page.item(key.name, text);
        }
    }
    page.heading("SEE ALSO");
    page.paragraph("alknet(1)");
    return page.text();
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ManualOptions& options) {
    const std::string text = options.page == "alknet" ? program_page() : config_page();
    ALKNET_CHECK(line.json ? print_line(Json::object({{"page", text}}).text()) : print_text(text));
    return ExitCode::ok;
}

}  // namespace alknet::app
