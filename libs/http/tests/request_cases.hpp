// The table of requests in tests/data/requests.tsv, and the events of a parser as text.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/request_parser.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::http::test {

struct RequestCase {
    std::string name;
    std::string expected;  // as `events_of` writes it
    std::string octets;
};

/// Lines of NAME, EXPECTED and OCTETS with tabs between them; see the head of the file.
std::vector<RequestCase> read_request_cases();

/// `GET /path?query at host [close] "body"`, then `trailer name=value`, for each request; a refusal
/// as its number; `...` for what is not complete. With "; " between them. `size_of` says how large
/// the next read is.
std::string events_of(std::string_view octets, const std::function<std::size_t()>& size_of,
                      const MessageLimits& limits = {});
/// In one read.
std::string events_of(std::string_view octets, const MessageLimits& limits = {});

}  // namespace alknet::http::test
