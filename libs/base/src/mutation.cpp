#include <alknet/base/mutation.hpp>

#ifdef ALKNET_MUTATIONS

namespace alknet {

namespace {

constinit Mutation* active = nullptr;

}  // namespace

void set_mutation(Mutation* mutation) noexcept {
    active = mutation;
}

bool mutation_strikes(std::string_view name) noexcept {
    if (active == nullptr || active->name != name) {
        return false;
    }
    const std::uint64_t index = active->reached++;
    if (index < active->skip || index - active->skip >= active->times) {
        return false;
    }
    ++active->struck;
    return true;
}

}  // namespace alknet

#endif
