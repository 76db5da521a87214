// The heads of requests as HTTP/2 and HTTP/3 bring them: pairs of a name and a value, those whose
// name begins with ":" first. What they may say is checked as on HTTP/1.1.
#pragma once

#include <alknet/http/limits.hpp>
#include <alknet/http/message.hpp>
#include <alknet/http/request_parser.hpp>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace alknet::http {

class HeadBuilder {
public:
    HeadBuilder(const MessageLimits& limits, Version version) : limits_(limits) {
        head_.version = version;
    }

    void take(std::string_view name, std::string_view value);
    /// After the last pair; what `has_body` says holds where there is no content-length.
    [[nodiscard]] RequestHead finish(bool has_body);
    /// The first rule that was broken; null: none.
    [[nodiscard]] const Refusal* refusal() const noexcept {
        return refusal_.status == 0 ? nullptr : &refusal_;
    }

private:
    void deny(int status, std::string_view reason);
    void take_pseudo(std::string_view name, std::string_view value);
    void take_path(std::string_view value);
    void take_length(std::string_view value);

    const MessageLimits& limits_;
    RequestHead head_;
    Refusal refusal_{.status = 0, .reason = {}};
    std::uint64_t bytes_ = 0;
};

/// Those fields of a response that HTTP/2 and HTTP/3 can say, without content-length.
[[nodiscard]] std::vector<FieldView> framed_fields(const Fields& fields);

}  // namespace alknet::http
