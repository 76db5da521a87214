// Takes out of a text what tells who and where: for a report that a person sends to somebody who
// helps. The same thing is called the same everywhere, so that the report still makes sense. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::doctor {

class Redactor {
public:
    /// What stands for a secret.
    static constexpr std::string_view kSecret = "[secret]";
    /// Words of so many characters that look drawn by lot are taken for secrets: keys, tokens.
    static constexpr std::size_t kRandomCharactersMin = 24;
    /// Shorter secrets are not looked for: they would tear every text to pieces.
    static constexpr std::size_t kSecretCharactersMin = 3;

    /// From now on this is never told, in whatever it stands.
    void drop(std::string_view secret);
    /// From now on this word is called `peer-1`, if `kind` is "peer" and it is the first. The same
    /// word keeps its name; capital letters make no difference.
    void hide(std::string_view word, std::string_view kind);

    /// The text without all that, and also without: IP addresses, but for those that are the same
    /// everywhere (loopback, [::]); node ids, fingerprints and keys; users and passwords in URLs.
    [[nodiscard]] std::string operator()(std::string_view text);

private:
    std::string name(std::string_view word, std::string_view kind);
    std::string without_known(std::string_view text) const;
    std::string word(std::string_view text);
    std::string address(std::string_view text);

    std::vector<std::string> secrets_;                         // the longest first
    std::map<std::string, std::string, std::less<>> names_;    // by the word in small letters
    std::map<std::string, std::size_t, std::less<>> counted_;  // of each kind
};

/// Of a node's log, as text or JSON lines: what is known to tell nothing of who and where. What is
/// no line of such a log is left out.
struct LogDigest {
    static constexpr std::size_t kLinesMax = 200;  // the last ones
    std::vector<std::string> lines;
    std::size_t left_out = 0;
};
[[nodiscard]] LogDigest digest_log(std::string_view text);

}  // namespace alknet::doctor
