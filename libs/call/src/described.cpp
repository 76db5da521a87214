#include <alknet/call/described.hpp>

namespace alknet::call::described {

void add_description(Json& schema, std::string_view about) {
    if (auto* members = schema.as_object(); members != nullptr && !about.empty()) {
        members->emplace_back("description", about);
    }
}

Json or_null(Json schema) {
    if (Json* type = schema.find("type"); type != nullptr && type->as_string() != nullptr) {
        *type = Json::Array{*type, "null"};
        if (Json* names = schema.find("enum"); names != nullptr) {
            Json::Array all = *names->as_array();
            all.emplace_back();
            *names = std::move(all);
        }
        return schema;
    }
    return Json::object({{"anyOf", Json::Array{std::move(schema), typed("null")}}});
}

}  // namespace alknet::call::described
