#include <alknet/base/assert.hpp>
#include <string>

namespace alknet {

void throw_bug(const char* condition, const char* file, int line) {
    throw bug(std::string(file) + ":" + std::to_string(line) + ": " + condition);
}

}  // namespace alknet
