// One regular expression, matched in time that is linear in the text.
#pragma once

#include <alknet/base/result.hpp>
#include <cstddef>
#include <memory>
#include <string_view>

namespace re2 {
class RE2;
}

namespace alknet::call {

class Pattern {
public:
    /// Errors: kUsage with what is wrong.
    [[nodiscard]] static result<Pattern> compile(std::string_view text);

    /// Whether it is found anywhere in the text.
    [[nodiscard]] bool found_in(std::string_view text) const;

    /// Compiled.
    [[nodiscard]] std::size_t states() const noexcept;

    /// What looking for it there takes: its states and the octets of the text count.
    [[nodiscard]] std::size_t steps(std::string_view text) const noexcept;

private:
    std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace alknet::call
