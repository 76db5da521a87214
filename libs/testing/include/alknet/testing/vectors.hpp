// Test vectors that other implementations read too: lines `name: hex`, and comments behind `#`.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/encoding.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace alknet::sim {

inline std::map<std::string, Bytes> read_vectors(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::map<std::string, Bytes> all;
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(": ");
        if (!line.empty() && line[0] != '#' && colon != std::string::npos) {
            all[line.substr(0, colon)] = hex_decode(line.substr(colon + 2)).value();
        }
    }
    return all;
}

}  // namespace alknet::sim
