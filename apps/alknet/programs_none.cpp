#include <alknet/base/causes.hpp>

#include "programs.hpp"

namespace alknet::app {

result<std::unique_ptr<NodePrograms>> make_programs(Loop& /*loop*/,
                                                    const std::vector<config::Program>& programs,
                                                    const std::filesystem::path& /*home*/,
                                                    Log /*log*/) {
    if (!programs.empty()) {
        return fail(causes::kNotSupported, "[[exec]]: this alknet was built without it");
    }
    return nullptr;
}

}  // namespace alknet::app
