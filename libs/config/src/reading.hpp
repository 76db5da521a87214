// Reading: what is known while the tree of a TOML file is turned into a Config: which key this is,
// what relative paths are relative to, and what was wrong so far.
#pragma once

#include <algorithm>
#include <alknet/config/config.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "toml.hpp"

namespace alknet::config {

class Reading {
public:
    explicit Reading(const ParseOptions& options)
        : options_(options), services_(options.services) {}

    /// Names the key below which everything happens while this object lives.
    class Below {
    public:
        Below(Reading& reading, std::string_view key);
        Below(const Below&) = delete;
        Below& operator=(const Below&) = delete;
        ~Below() { reading_.key_.resize(length_before_); }

    private:
        Reading& reading_;
        std::size_t length_before_;
    };

    void refuse(const toml::source_region& where, std::string reason);
    void refuse(const toml::node& where, std::string reason) {
        refuse(where.source(), std::move(reason));
    }
    /// What stands at no value: text that is no TOML, or two tables that do not fit together.
    void refuse_text(std::size_t line, std::size_t column, std::string reason);

    /// The text of a value, no longer than `bytes_max`; null and a problem otherwise.
    const std::string* text(const toml::node& value, std::size_t bytes_max = kTextBytesMax);
    const toml::array* array(const toml::node& value, std::size_t size_max);
    const toml::table* table(const toml::node& value);

    /// The file itself says that there is such a service.
    void add_service(std::string name) { services_.push_back(std::move(name)); }
    /// Whether the node serves it itself.
    [[nodiscard]] bool is_own_service(std::string_view name) const {
        return std::ranges::find(options_.services, name) != options_.services.end();
    }
    /// Refuses a name that is nearly that of a service.
    void check_service(const toml::source_region& where, std::string_view name);

    [[nodiscard]] const std::filesystem::path& base() const noexcept { return options_.base; }
    [[nodiscard]] bool failed() const noexcept { return !problems_.empty(); }
    [[nodiscard]] std::vector<Problem>& problems() noexcept { return problems_; }

private:
    /// Drops what goes beyond kProblemsMax.
    void add(Problem problem);
    void expected(const toml::node& value, std::string_view wanted);

    const ParseOptions& options_;
    std::vector<std::string> services_;
    std::string key_;
    std::vector<Problem> problems_;
};

/// "an integer", "a table": what a person would call it.
[[nodiscard]] std::string_view kind_of(const toml::node& value) noexcept;

}  // namespace alknet::config
