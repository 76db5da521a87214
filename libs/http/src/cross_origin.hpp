// What pages of other sites may do: nothing, unless their origins are listed. Sans-I/O.
#pragma once

#include <alknet/http/exchange.hpp>
#include <optional>
#include <string>
#include <vector>

namespace alknet::http {

/// Whether the request comes from a page of the site that it asks, of one of `origins`, or from no
/// page at all.
[[nodiscard]] bool may_come_from(const RequestHead& head, const std::vector<std::string>& origins);

/// The answer to a preflight request (CORS); nullopt: it is none.
[[nodiscard]] std::optional<Response> answer_preflight(const RequestHead& head,
                                                       const std::vector<std::string>& origins);
/// Lets pages of `origins` read the response, whatever else it has said about that.
void allow_origin(const RequestHead& head, const std::vector<std::string>& origins,
                  Fields& response);

}  // namespace alknet::http
