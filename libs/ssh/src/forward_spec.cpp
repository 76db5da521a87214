#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/ssh/forward_spec.hpp>
#include <alknet/ssh/limits.hpp>
#include <span>
#include <utility>
#include <vector>

namespace alknet::ssh {

namespace {

constexpr std::string_view kLocalhost = "localhost";
constexpr std::size_t kWordsMax = 4;

std::unexpected<error> invalid(std::string_view text, std::string_view form) {
    return fail(causes::kUsage, "'" + std::string(text.substr(0, ForwardSpec::kTextBytesMax)) +
                                    "' is not " + std::string(form));
}

std::string_view form_of(ForwardSpec::Kind kind) noexcept {
    return kind == ForwardSpec::Kind::dynamic
               ? "[BIND:]PORT"
               : "[BIND:]PORT:HOST:PORT, with a socket's path in the place of either half";
}

struct Word {
    std::string text;
    bool bracketed = false;

    [[nodiscard]] bool is_path() const { return !bracketed && text.contains('/'); }
};

/// What stands between colons; empty: it makes no sense.
std::vector<Word> split(std::string_view text) {
    std::vector<Word> words(1);
    bool in_brackets = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        Word& word = words.back();
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) {
            return {};
        }
        if (c == '\\' && i + 1 < text.size()) {
            word.text += text[++i];
        } else if (in_brackets) {
            in_brackets = c != ']';
            word.text += in_brackets ? std::string(1, c) : "";
        } else if (c == '[' && word.text.empty() && !word.bracketed) {
            in_brackets = word.bracketed = true;
        } else if (c == ':') {
            words.emplace_back();
        } else if (word.bracketed) {
            return {};
        } else {
            word.text += c;
        }
    }
    return in_brackets || words.size() > kWordsMax ? std::vector<Word>() : words;
}

std::optional<std::uint16_t> port_of(const Word& word) {
    return word.bracketed ? std::nullopt : parse_number<std::uint16_t>(word.text);
}

std::optional<ForwardEnd> socket_of(const Word& word) {
    if (!word.is_path() || word.text.size() > ForwardSpec::kSocketBytesMax) {
        return std::nullopt;
    }
    return ForwardEnd{.path = word.text, .host = {}};
}

/// One word is a port at localhost, or a socket; two are BIND:PORT.
std::optional<ForwardEnd> listening(std::span<const Word> words) {
    if (words.size() == 1) {
        if (auto socket = socket_of(words[0])) {
            return socket;
        }
        const auto port = port_of(words[0]);
        return port ? std::optional(
                          ForwardEnd{.path = {}, .host = std::string(kLocalhost), .port = *port})
                    : std::nullopt;
    }
    const auto port = words.size() == 2 ? port_of(words[1]) : std::nullopt;
    if (!port || words[0].is_path() || words[0].text.size() > kHostBytesMax) {
        return std::nullopt;
    }
    const bool all = words[0].text == "*";
    return ForwardEnd{.path = {}, .host = all ? std::string() : words[0].text, .port = *port};
}

std::optional<ForwardEnd> connecting(std::span<const Word> words) {
    if (words.size() == 1) {
        return socket_of(words[0]);
    }
    const auto port = words.size() == 2 ? port_of(words[1]) : std::nullopt;
    if (!port || *port == 0 || words[0].text.empty() || words[0].text.size() > kHostBytesMax ||
        words[0].is_path()) {
        return std::nullopt;
    }
    return ForwardEnd{.path = {}, .host = words[0].text, .port = *port};
}

}  // namespace

result<ForwardSpec> ForwardSpec::parse(Kind kind, std::string_view text) {
    const std::vector<Word> words = text.size() > kTextBytesMax ? std::vector<Word>() : split(text);
    const std::span<const Word> all(words);
    ForwardSpec spec{.kind = kind, .listen = {}};
    if (kind == Kind::dynamic) {
        const auto listen = all.empty() ? std::nullopt : listening(all);
        if (!listen) {
            return invalid(text, form_of(kind));
        }
        spec.listen = *listen;
        return spec;
    }
    // The last word, or the last two, are the target.
    const bool to_socket = !all.empty() && all.back().is_path();
    const std::size_t target = to_socket ? 1 : 2;
    if (all.size() <= target) {
        return invalid(text, form_of(kind));
    }
    const auto listen = listening(all.first(all.size() - target));
    const auto connect = connecting(all.last(target));
    if (!listen || !connect) {
        return invalid(text, form_of(kind));
    }
    spec.listen = *listen;
    spec.target = *connect;
    return spec;
}

result<ForwardEnd> parse_target(std::string_view text) {
    const std::vector<Word> words =
        text.size() > ForwardSpec::kTextBytesMax ? std::vector<Word>() : split(text);
    auto target = words.empty() ? std::nullopt : connecting(words);
    if (!target) {
        return invalid(text, "HOST:PORT or a socket's path");
    }
    return *std::move(target);
}

std::string ForwardEnd::to_string() const {
    if (is_socket()) {
        return path;
    }
    const bool v6 = host.contains(':');
    const std::string shown = host.empty() ? "*" : (v6 ? "[" + host + "]" : host);
    return shown + ":" + std::to_string(port);
}

std::string ForwardSpec::to_string() const {
    switch (kind) {
        case Kind::local:
            return "-L " + listen.to_string() + " -> " + target.to_string();
        case Kind::remote:
            return "-R " + listen.to_string() + " -> " + target.to_string();
        case Kind::dynamic:
            break;
    }
    return "-D " + listen.to_string();
}

}  // namespace alknet::ssh
