// Boost.JSON reads the text; what it would let through (a name twice, numbers that overflow) is
// refused by the handler here, which makes our values of what it is told.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace alknet::call {

namespace {

using boost::json::error_code;
using boost::json::string_view;

// Builds values from the innermost container outwards. Returning false stops the parser.
class Builder {
public:
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_object_size = max_array_size;
    static constexpr std::size_t max_string_size = max_array_size;
    static constexpr std::size_t max_key_size = max_array_size;

    explicit Builder(std::size_t values_max) noexcept : values_left_(values_max) {}

    bool on_document_begin(error_code& /*ec*/) { return true; }
    bool on_document_end(error_code& /*ec*/) { return true; }
    bool on_object_begin(error_code& ec) { return open(ec, Json::Object()); }
    bool on_object_end(std::size_t /*count*/, error_code& ec) {
        return names_differ(ec) && close(ec);
    }
    bool on_array_begin(error_code& ec) { return open(ec, Json::Array()); }
    bool on_array_end(std::size_t /*count*/, error_code& ec) { return close(ec); }
    bool on_key_part(string_view part, std::size_t /*size*/, error_code& /*ec*/) {
        text_.append(part);
        return true;
    }
    bool on_key(string_view part, std::size_t /*size*/, error_code& /*ec*/) {
        text_.append(part);
        open_.back().object.emplace_back(std::exchange(text_, {}), Json());
        return true;
    }
    bool on_string_part(string_view part, std::size_t /*size*/, error_code& /*ec*/) {
        text_.append(part);
        return true;
    }
    bool on_string(string_view part, std::size_t /*size*/, error_code& ec) {
        text_.append(part);
        return put(ec, std::exchange(text_, {}));
    }
    bool on_number_part(string_view part, error_code& /*ec*/) {
        text_.append(part);
        return true;
    }
    bool on_int64(std::int64_t /*value*/, string_view part, error_code& ec) {
        return number(part, ec);
    }
    bool on_uint64(std::uint64_t /*value*/, string_view part, error_code& ec) {
        return number(part, ec);
    }
    bool on_double(double /*value*/, string_view part, error_code& ec) { return number(part, ec); }
    bool on_bool(bool value, error_code& ec) { return put(ec, value); }
    bool on_null(error_code& ec) { return put(ec, Json()); }
    bool on_comment_part(string_view /*part*/, error_code& /*ec*/) { return true; }
    bool on_comment(string_view /*part*/, error_code& /*ec*/) { return true; }

    [[nodiscard]] Json take() noexcept { return std::move(done_); }
    /// Why this refused; empty: it did not.
    [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
    [[nodiscard]] bool too_many() const noexcept { return too_many_; }

private:
    struct Container {
        bool is_object = false;
        Json::Object object;
        Json::Array array;
    };

    bool refuse(error_code& ec, std::string why) {
        refusal_ = std::move(why);
        ec = make_error_code(boost::json::error::syntax);
        return false;
    }

    bool count(error_code& ec) {
        if (values_left_ == 0) {
            too_many_ = true;
            return refuse(ec, "too many values");
        }
        --values_left_;
        return true;
    }

    bool open(error_code& ec, Json::Object) {
        open_.push_back({.is_object = true, .object = {}, .array = {}});
        return count(ec);
    }
    bool open(error_code& ec, Json::Array) {
        open_.emplace_back();
        return count(ec);
    }

    bool close(error_code& /*ec*/) {
        Container ended = std::move(open_.back());
        open_.pop_back();
        place(ended.is_object ? Json(std::move(ended.object)) : Json(std::move(ended.array)));
        return true;
    }

    bool put(error_code& ec, Json value) {
        place(std::move(value));
        return count(ec);
    }

    void place(Json value) {
        if (open_.empty()) {
            done_ = std::move(value);
        } else if (open_.back().is_object) {
            open_.back().object.back().second = std::move(value);
        } else {
            open_.back().array.push_back(std::move(value));
        }
    }

    bool names_differ(error_code& ec) {
        std::vector<std::string_view> names;
        names.reserve(open_.back().object.size());
        for (const auto& [name, value] : open_.back().object) {
            names.emplace_back(name);
        }
        std::ranges::sort(names);
        if (std::ranges::adjacent_find(names) != names.end()) {
            return refuse(ec, "a name stands twice in one object");
        }
        return true;
    }

    bool number(string_view part, error_code& ec) {
        text_.append(part);
        const std::string text = std::exchange(text_, {});
        const char* const end = text.data() + text.size();
        if (text.find_first_of(".eE") == std::string::npos) {
            return whole(text, end, ec);
        }
        double value = 0;
        if (std::from_chars(text.data(), end, value).ec != std::errc()) {
            return refuse(ec, "a number that cannot be carried");
        }
        return put(ec, value);
    }

    bool whole(const std::string& text, const char* end, error_code& ec) {
        std::int64_t value = 0;
        if (std::from_chars(text.data(), end, value).ec == std::errc()) {
            return put(ec, value);
        }
        std::uint64_t large = 0;
        if (text.front() != '-' && std::from_chars(text.data(), end, large).ec == std::errc()) {
            return put(ec, large);
        }
        return refuse(ec, "a whole number beyond 64 bits");
    }

    std::vector<Container> open_;
    Json done_;
    std::string text_;
    std::string refusal_;
    std::size_t values_left_;
    bool too_many_ = false;
};

boost::json::parse_options options(const JsonLimits& limits) {
    boost::json::parse_options options;
    options.max_depth = limits.depth_max;
    options.numbers = boost::json::number_precision::none;
    return options;
}

}  // namespace

result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
    boost::json::basic_parser<Builder> parser(options(limits), limits.values_max);
    error_code ec;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
    Builder& builder = parser.handler();
    if (builder.too_many()) {
        return fail(causes::kLimit,
                    "a JSON text has at most " + std::to_string(limits.values_max) + " values");
    }
    if (ec == boost::json::error::too_deep) {
        return fail(causes::kLimit,
                    "a JSON text is at most " + std::to_string(limits.depth_max) + " levels deep");
    }
    if (ec || used != text.size()) {
        const std::string what = !builder.refusal().empty() ? builder.refusal()
                                 : ec                       ? ec.message()
                                                            : "something follows the value";
        return fail(causes::kProtocol, "JSON, octet " + std::to_string(used) + ": " + what);
    }
    return builder.take();
}

}  // namespace alknet::call
