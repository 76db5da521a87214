#include "request_cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/number.hpp>
#include <fstream>
#include <sstream>

namespace alknet::http::test {

namespace {

// \r \n \t \\ \xHH, and \{TEXT*COUNT} for what is too long to be written out.
std::string unescape(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.front() != '\\') {
            out.push_back(text.front());
            text.remove_prefix(1);
            continue;
        }
        const char kind = text.at(1);
        text.remove_prefix(2);
        if (kind == 'x') {
            out.push_back(static_cast<char>(parse_number<unsigned>(text.substr(0, 2), 16).value()));
            text.remove_prefix(2);
        } else if (kind == '{') {
            const std::size_t star = text.find('*');
            const std::size_t end = text.find('}', star);
            const std::string piece = unescape(text.substr(0, star));
            const auto count = parse_number<std::size_t>(text.substr(star + 1, end - star - 1));
            for (std::size_t i = 0; i < count.value(); ++i) {
                out += piece;
            }
            text.remove_prefix(end + 1);
        } else {
            const std::size_t known = std::string_view("rnt\\").find(kind);
            ALKNET_ASSERT(known != std::string_view::npos);
            out.push_back("\r\n\t\\"[known]);
        }
    }
    return out;
}

class Events {
public:
    explicit Events(const MessageLimits& limits) : parser_(limits) {}

    /// False after a refusal.
    bool feed(BytesView input) {
        for (;;) {
            const RequestStep step = parser_.next(input);
            switch (step.event) {
                case RequestEvent::more:
                    EXPECT_TRUE(input.empty());
                    return true;
                case RequestEvent::head:
                    open_ = true;
                    add(head_text(parser_.head()));
                    break;
                case RequestEvent::data:
                    EXPECT_FALSE(step.data.empty());
                    body_ += as_text(step.data);
                    break;
                case RequestEvent::end:
                    end();
                    break;
                case RequestEvent::refused:
                    EXPECT_FALSE(parser_.refusal().reason.empty());
                    refused_ = true;
                    add(std::to_string(parser_.refusal().status));
                    return false;
            }
        }
    }

    std::string finish() {
        if (!refused_ && (open_ || !parser_.idle())) {
            add("...");
        }
        return text_;
    }

private:
    static std::string head_text(const RequestHead& head) {
        std::string text = head.method + " " + head.path;
        if (head.query) {
            text += "?" + *head.query;
        }
        text += " at " + head.authority;
        text += head.keep_alive ? "" : " close";
        return text + (head.expects_continue ? " expects" : "");
    }

    void end() {
        open_ = false;
        if (!body_.empty()) {
            const bool small = body_.size() <= 64;
            text_ += small ? " \"" + body_ + "\"" : " " + std::to_string(body_.size()) + " octets";
        }
        body_.clear();
        for (std::size_t i = 0; i < parser_.trailers().size(); ++i) {
            const FieldView field = parser_.trailers()[i];
            text_.append(" trailer ").append(field.name).append("=").append(field.value);
        }
    }

    void add(std::string_view event) { text_.append(text_.empty() ? "" : "; ").append(event); }

    RequestParser parser_;
    std::string text_;
    std::string body_;
    bool open_ = false;
    bool refused_ = false;
};

}  // namespace

std::vector<RequestCase> read_request_cases() {
    std::ifstream file(ALKNET_HTTP_CASES);
    std::vector<RequestCase> cases;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        std::istringstream parts(line);
        RequestCase one;
        std::string octets;
        std::getline(parts, one.name, '\t');
        std::getline(parts, one.expected, '\t');
        std::getline(parts, octets);
        one.octets = unescape(octets);
        cases.push_back(std::move(one));
    }
    return cases;
}

std::string events_of(std::string_view octets, const std::function<std::size_t()>& size_of,
                      const MessageLimits& limits) {
    Events events(limits);
    BytesView rest = as_bytes(octets);
    while (!rest.empty()) {
        const std::size_t size = std::min(size_of(), rest.size());
        if (!events.feed(rest.first(size))) {
            break;
        }
        rest = rest.subspan(size);
    }
    return events.finish();
}

std::string events_of(std::string_view octets, const MessageLimits& limits) {
    return events_of(octets, [&] { return octets.size(); }, limits);
}

}  // namespace alknet::http::test
