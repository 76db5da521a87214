#include "log_feed.hpp"

#include <algorithm>
#include <alknet/base/log_sink.hpp>
#include <alknet/call/described.hpp>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

namespace alknet::app {

namespace {

using call::Json;

Json json_of(const LogValue& value) {
    return std::visit(
        [](const auto& one) {
            if constexpr (std::is_same_v<std::decay_t<decltype(one)>, std::string_view>) {
                return Json(one.substr(0, LiveFeed::kTextBytesMax));
            } else {
                return Json(one);
            }
        },
        value);
}

// A name twice in one object would be no JSON that others read.
Json item_of(LogLevel level, std::string_view event, std::span<const LogField> fields,
             WallTime now) {
    Json::Object members;
    for (const LogField& field : fields.first(std::min(fields.size(), kLogFieldsMax))) {
        const auto same = [&](const auto& member) { return member.first == field.key; };
        if (std::ranges::none_of(members, same)) {
            members.emplace_back(field.key, json_of(field.value));
        }
    }
    return call::to_json(LogItem{.time_ms = milliseconds_of(now),
                                 .level = std::string(to_string(level)),
                                 .event = std::string(event),
                                 .fields = std::move(members)});
}

}  // namespace

void LogFeed::write(LogLevel level, std::string_view event,
                    std::span<const LogField> fields) noexcept {
    try {
        feed_->keep(item_of(level, event, fields, feed_->loop().wall_now()));
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): no memory, and a live view
        // of it is not worth more than the node.
    }
}

}  // namespace alknet::app
