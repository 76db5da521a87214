// Reading the members of an object, each with the kind that it must have.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/json.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::call {

/// The first member that does not fit is kept as the refusal; whatever is read after it has no
/// value. A member that is null is one that is not there.
class Members {
public:
    explicit Members(Json object);

    [[nodiscard]] std::optional<std::string> text(std::string_view name, std::size_t bytes_max);
    [[nodiscard]] std::vector<std::string> texts(std::string_view name, std::size_t count_max,
                                                 std::size_t bytes_max);
    [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name);
    [[nodiscard]] bool flag(std::string_view name);
    /// Takes it out; null if it is not there.
    [[nodiscard]] Json any(std::string_view name);

    void refuse(std::string why);
    [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
    /// The end of reading: every member was asked for. Errors: kUsage with the refusal, or with
    /// the first member that nobody asked for.
    [[nodiscard]] result<void> done() const;

private:
    Json* find(std::string_view name);

    Json object_;
    std::vector<std::string> asked_;
    std::string refusal_;
};

}  // namespace alknet::call
