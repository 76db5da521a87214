#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/exchange.hpp>
#include <array>

namespace alknet::http {

namespace {

bool wants_html(const RequestHead& head) {
    return head.fields.joined("accept").find("text/html") != std::string::npos;
}

std::string escape_html(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out.push_back(c);
        }
    }
    return out;
}

int status_of(errc condition) noexcept {
    switch (condition) {
        case errc::auth_required:
            return 401;
        case errc::forbidden:
            return 403;
        case errc::not_found:
            return 404;
        case errc::timeout:
            return 504;
        case errc::exists:
            return 409;
        case errc::limit:
            return 429;
        case errc::invalid:
        case errc::protocol:
            return 400;
        case errc::unavailable:
        case errc::cancelled:
            return 503;
        case errc::closed:
        case errc::reset:
            return 502;
        case errc::io:
        case errc::internal:
            return 500;
    }
    return 500;
}

}  // namespace

bool takes_trailers(const RequestHead& head) {
    const std::string codings = head.fields.joined("te");
    ListReader list(codings);
    while (const auto one = list.next()) {
        if (equal_ignoring_case(one->substr(0, one->find_first_of("; \t")), "trailers")) {
            return head.version != Version::http10;
        }
    }
    return false;
}

Response page(const RequestHead& head, int status, std::string_view what, std::string_view next) {
    Response response;
    response.status = status;
    std::string title = std::to_string(status);
    title.append(" ").append(reason_phrase(status));
    if (wants_html(head)) {
        response.fields.add("content-type", "text/html; charset=utf-8");
        response.content.append("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
        response.content.append("<title>").append(title).append("</title>\n<h1>");
        response.content.append(title).append("</h1>\n<p>").append(escape_html(what));
        response.content.append("</p>\n<p>").append(escape_html(next)).append("</p>\n</html>\n");
    } else {
        response.fields.add("content-type", "text/plain; charset=utf-8");
        response.content.append(title).append("\n").append(what).append("\n");
        response.content.append(next).append("\n");
    }
    response.fields.add("x-content-type-options", "nosniff");
    return response;
}

Response failure_response(const RequestHead& head, const error& why) {
    const int status = status_of(why.condition());
    if (status >= 500) {
        return page(
            head, status, "The node could not answer this.",
            "Try again later; if it goes on, tell the owner of the node, whose log says more.");
    }
    std::string what(why.cause().what);
    std::string next(why.cause().next);
    return page(head, status, what.append("."), next.append("."));
}

Response text_response(int status, std::string text) {
    Response response;
    response.status = status;
    response.fields.add("content-type", "text/plain; charset=utf-8");
    response.fields.add("x-content-type-options", "nosniff");
    response.content = std::move(text);
    return response;
}

task<result<std::string>> read_all(BodySource& body, std::size_t bytes_max) {
    std::string all;
    std::array<std::byte, 4096> piece{};
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await body.read(piece));
        if (count == 0) {
            co_return all;
        }
        if (count > bytes_max - all.size()) {
            co_return fail(causes::kLimit, "the body is larger than is taken here");
        }
        all += as_text(BytesView(piece).first(count));
    }
}

}  // namespace alknet::http
