#include <algorithm>
#include <alknet/base/causes.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

Json as_json(const Cause& cause) {
    return Json::object({{"id", cause.id},
                         {"condition", to_string(cause.condition)},
                         {"what", cause.what},
                         {"next", cause.next},
                         {"explain", cause.explain},
                         {"exit_code", static_cast<int>(exit_code(error(cause)))}});
}

result<void> list(bool json) {
    if (json) {
        Json::Array all;
        for (const Cause* cause : all_causes()) {
            all.push_back(as_json(*cause));
        }
        return print_line(Json(std::move(all)).text());
    }
    std::size_t width = 0;
    for (const Cause* cause : all_causes()) {
        width = std::max(width, cause->id.size());
    }
    std::string text;
    for (const Cause* cause : all_causes()) {
        text.append(cause->id).append(width + 2 - cause->id.size(), ' ');
        text.append(cause->what).append("\n");
    }
    return print_text(text);
}

error unknown(std::string_view id) {
    std::vector<std::string_view> ids;
    for (const Cause* cause : all_causes()) {
        ids.push_back(cause->id);
    }
    const std::string_view meant = config::nearest_name(id, ids);
    std::string text = "there is no error '" + std::string(id) + "'";
    if (!meant.empty()) {
        text.append("; did you mean '").append(meant).append("'?");
    }
    return error(causes::kUsage, std::move(text));
}

// At most 80 characters a line.
std::string wrapped(std::string_view text) {
    std::string out;
    std::size_t column = 0;
    while (!text.empty()) {
        const std::size_t end = text.find(' ');
        const std::string_view word = text.substr(0, end);
        const bool fits = column + 1 + word.size() <= 80;
        out.append(column == 0 ? "" : (fits ? " " : "\n")).append(word);
        column = column == 0 || !fits ? word.size() : column + 1 + word.size();
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ExplainOptions& options) {
    if (options.id.empty()) {
        ALKNET_CHECK(list(line.json));
        return ExitCode::ok;
    }
    const Cause* cause = find_cause(options.id);
    if (cause == nullptr) {
        return unexpected(unknown(options.id));
    }
    if (line.json) {
        ALKNET_CHECK(print_line(as_json(*cause).text()));
        return ExitCode::ok;
    }
    std::string text(cause->id);
    text.append(": ").append(cause->what).append("\n\n");
    text.append(wrapped(cause->explain)).append("\n");
    if (!cause->next.empty()) {
        text.append("\nnext: ").append(cause->next).append("\n");
    }
    ALKNET_CHECK(print_text(text));
    return ExitCode::ok;
}

}  // namespace alknet::app
