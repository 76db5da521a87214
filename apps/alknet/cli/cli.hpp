// The command line as values. `parse_command_line` is the only thing that knows how it is spelt;
// `describe_commands` tells the same to the manual page and to the shells.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/time.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace alknet::app {

/// Which transports a connection may use.
enum class Via : std::uint8_t { any, quic, tcp, proxy };

/// How a person wants to get there.
struct DialWishes {
    Via prefer = Via::any;  // begins with this
    Via only = Via::any;    // uses nothing else
    std::optional<quic::Congestion> congestion{};
    bool tofu = false;  // trust on first use
};

struct InitOptions {
    std::vector<std::string> listen;
    std::vector<std::string> names;
    bool no_input = false;
};
struct IdOptions {
    bool ssh = false;  // the key in OpenSSH's form alone
    bool address = false;
    std::string host;
};
struct ServeOptions {
    std::vector<std::string> listen;
};
struct StatusOptions {};
struct ReloadOptions {};
struct PingOptions {
    std::string address;
    DialWishes wishes{};
    std::uint32_t count = 5;
    bool all_transports = false;
    Duration interval = std::chrono::milliseconds(200);
    Duration timeout = std::chrono::seconds(10);
};
struct PathsOptions {
    std::string address;  // empty: every peer that has one
    bool watch = false;
    Duration interval = std::chrono::seconds(5);
    Duration timeout = std::chrono::seconds(5);
};
struct PipeOptions {
    std::string address;
    std::string alpn;
    DialWishes wishes{};
    bool resume = false;
};
struct SshOptions {
    std::string address;
    std::string jumps;  // with commas
    std::string user;
    std::vector<std::string> command;
    bool tty = false;
    bool no_tty = false;
    bool subsystem = false;
    bool agent = false;                   // the server may ask ours
    std::vector<std::string> agent_keys;  // for these; empty: for that of --identity
    DialWishes wishes{};
};
struct ForwardOptions {
    std::string address;
    std::string jumps;
    std::string user;
    std::vector<std::string> local;  // as OpenSSH writes them
    std::vector<std::string> remote;
    std::vector<std::string> dynamic;
    std::string stdio;                  // with which standard input and output are joined
    std::filesystem::path socks_login;  // a file: USER:PASSWORD; empty: none is needed
    bool fail_fast = false;
    DialWishes wishes{};
};
struct SshConfigOptions {
    std::string address;
};
struct SessionsOptions {
    std::optional<std::uint64_t> close{};  // a session or a forward
};
struct CallOptions {
    std::string address;
    std::string operation;
    std::vector<std::string> input;  // JSON, @FILE, -, KEY=VALUE, KEY:=JSON
    bool list = false;
    std::string schema;  // the operation whose schema is wanted
    bool subscribe = false;
    std::optional<std::uint64_t> after{};  // the number of the item to go on after
    bool batch = false;
    std::uint32_t parallel = 64;  // calls of a batch at a time
    DialWishes wishes{};
    Duration timeout = std::chrono::seconds(30);
};
struct ProbeOptions {
    std::string address;
    std::vector<std::string> alpns;
    Duration timeout = std::chrono::seconds(5);
};
struct DoctorOptions {
    std::string address;  // empty: this node alone
    std::string alpn;     // empty: the doctor's own
    Duration timeout = std::chrono::seconds(5);
    std::filesystem::path bundle;  // empty: none is made
    std::filesystem::path log;     // for the bundle; empty: none
};
struct BenchOptions {
    std::string address;
    DialWishes wishes{};
    bool up = false;  // none of the three: down, then up
    bool down = false;
    bool both = false;
    std::uint32_t seconds = 10;
    Duration timeout = std::chrono::seconds(10);
};
struct ExplainOptions {
    std::string id;  // empty: all
};
struct ConfigCheckOptions {
    std::filesystem::path file;  // empty: the home's
};
struct ConfigShowOptions {};
struct ConfigDiffOptions {
    std::filesystem::path file;  // empty: the home's
};
struct ConfigApplyOptions {
    std::filesystem::path file;
    bool dry_run = false;
    bool force = false;
    std::optional<Duration> confirm;
};
struct ConfigPendingOptions {
    enum class Action : std::uint8_t { confirm, undo };
    Action action = Action::confirm;
};
struct PeerOptions {
    enum class Action : std::uint8_t { add, list, remove, disable, enable, renew, rename, scopes };
    Action action = Action::list;
    std::string name;
    std::string new_name;
    std::vector<std::string> keys;
    std::vector<std::string> scopes;
    std::vector<std::string> roles;
    std::vector<std::string> resources;
    std::string expires;
    std::string renew;
    std::string address;
    std::vector<std::string> set;
    std::vector<std::string> added;
    std::vector<std::string> removed;
    std::vector<std::string> added_roles;
    std::vector<std::string> removed_roles;
    bool none = false;  // no scopes
    bool force = false;
};
struct RenewOptions {
    std::string address;
    DialWishes wishes{};
    Duration timeout = std::chrono::seconds(10);
};
struct InvitationOptions {
    enum class Action : std::uint8_t { make, list, confirm, take_back };
    Action action = Action::make;
    std::vector<std::string> scopes;
    Duration ttl = std::chrono::minutes(10);
    std::uint32_t uses = 1;
    std::string only_for;
    bool confirm = false;
    std::string name;
    std::string as;
    std::vector<std::string> addresses;
    std::string expires;
    std::string renew;
    bool qr = false;
    bool no_qr = false;
    std::string word;  // of confirm: the digits; of take_back: the id
};
struct JoinOptions {
    std::string line;  // "-": standard input
    std::string name;
    std::string as;
    Duration timeout = std::chrono::seconds(10);
};
struct TokenOptions {
    enum class Action : std::uint8_t { add, list, remove };
    Action action = Action::list;
    std::string id;
    std::string peer;
    std::vector<std::string> scopes;
    std::string expires;
    std::string label;
};
struct ImportOptions {
    enum class Action : std::uint8_t { list, accept, remove };
    Action action = Action::list;
    std::string prefix;
    std::string digest;  // of what is accepted
};
struct TokenSignOptions {
    std::string audience;  // a peer, or an address with a node id
    std::string purpose;
    bool v1 = false;
};
struct AccessCheckOptions {
    std::string peer;
    std::string wanted;   // a scope, or "connect HOST:PORT", "listen HOST:PORT"
    std::string address;  // where that host leads; empty: as the system says
};
struct AuditOptions {
    enum class Action : std::uint8_t { show, verify };
    Action action = Action::show;
    std::string since;
    std::string peer;
    bool follow = false;
    std::string head;
};
struct KeyOptions {
    enum class Action : std::uint8_t { rotate, change, abandon, announce };
    Action action = Action::rotate;
    Duration overlap = std::chrono::hours(24 * 30);
    Duration timeout = std::chrono::seconds(10);
};
struct KnownOptions {
    enum class Action : std::uint8_t { list, remove };
    Action action = Action::list;
    std::string name;
};
struct CompletionOptions {
    std::string shell;
};
struct ManualOptions {
    std::string page;
};
struct HelpOptions {
    std::string topic;
};
struct VersionOptions {};

using Verb =
    std::variant<InitOptions, IdOptions, ServeOptions, StatusOptions, ReloadOptions, PingOptions,
                 PathsOptions, PipeOptions, SshOptions, ForwardOptions, SshConfigOptions,
                 SessionsOptions, CallOptions, ProbeOptions, DoctorOptions, BenchOptions,
                 ExplainOptions, ConfigCheckOptions, ConfigShowOptions, ConfigDiffOptions,
                 ConfigApplyOptions, ConfigPendingOptions, PeerOptions, RenewOptions,
                 InvitationOptions, JoinOptions, ImportOptions, TokenOptions, TokenSignOptions,
                 AccessCheckOptions, AuditOptions, KeyOptions, KnownOptions, CompletionOptions,
                 ManualOptions, HelpOptions, VersionOptions>;

struct CommandLine {
    std::optional<std::filesystem::path> home;
    std::filesystem::path identity;  // the key that a command shows; empty: the home's
    bool json = false;
    Verb verb;
};

struct ParsedCommandLine {
    /// Errors: kUsage.
    result<CommandLine> outcome;
    /// Whether --json stands anywhere, also when the rest could not be understood.
    bool json = false;
};

[[nodiscard]] ParsedCommandLine parse_command_line(int argc, const char* const* argv);

struct OptionInfo {
    std::vector<std::string> names;  // "--count", "-c"; none for an operand
    std::string value;               // "N", "quic|tcp"; empty for a flag
    std::string about;
    bool required = false;
    bool repeatable = false;

    [[nodiscard]] bool operand() const noexcept { return names.empty(); }
    /// The words that can stand there, if they are few: the parts of `value` between bars.
    [[nodiscard]] std::vector<std::string> choices() const;
};

struct CommandInfo {
    std::string name;  // "ping", "config check"
    std::string about;
    std::string details;  // further paragraphs
    std::vector<OptionInfo> options;

    /// "alknet ping [OPTIONS] ADDRESS"
    [[nodiscard]] std::string synopsis() const;
};

[[nodiscard]] std::vector<CommandInfo> describe_commands();

/// kUsage, with the command that was probably meant.
[[nodiscard]] error unknown_command(std::string_view word);

/// What `alknet help TOPIC` and `alknet TOPIC --help` print. Errors: kUsage.
[[nodiscard]] result<std::string> help_text(std::string_view topic);

}  // namespace alknet::app
