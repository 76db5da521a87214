#include <alknet/base/assert.hpp>
#include <alknet/call/schema.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "interop.hpp"

namespace alknet::interop {

namespace {

constexpr call::JsonLimits kFileLimits{.depth_max = 64, .values_max = 1 << 20};

// One group of the suite: a schema, and values that fit it or do not.
call::Json verdicts(const call::Json& group) {
    const call::Json* document = group.find("schema");
    const call::Json* tests = group.find("tests");
    ALKNET_ASSERT(document != nullptr && tests != nullptr && tests->as_array() != nullptr);
    const auto schema = call::Schema::compile(*document);
    if (!schema) {
        return call::Json::object({{"refused", schema.error().detail()}});
    }
    call::Json::Array valid;
    for (const call::Json& one : *tests->as_array()) {
        const call::Json* data = one.find("data");
        ALKNET_ASSERT(data != nullptr);
        valid.emplace_back(!schema->check(*data));
    }
    return call::Json::object({{"valid", std::move(valid)}});
}

}  // namespace

result<void> schemas(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    ALKNET_TRY(const call::Json groups, call::parse_json(text, kFileLimits));
    ALKNET_ASSERT(groups.as_array() != nullptr);
    for (const call::Json& group : *groups.as_array()) {
        std::puts(verdicts(group).text().c_str());
    }
    return {};
}

}  // namespace alknet::interop
