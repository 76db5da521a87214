#include "qlog.hpp"

#include <alknet/base/encoding.hpp>

namespace alknet::quic {

std::unique_ptr<Qlog> Qlog::open(const std::filesystem::path& directory, BytesView connection_id,
                                 bool server) {
    const auto name = hex_encode(connection_id) + (server ? "_server.sqlog" : "_client.sqlog");
    std::FILE* file = std::fopen((directory / name).c_str(), "wbxe");
    return file == nullptr ? nullptr : std::unique_ptr<Qlog>(new Qlog(file));
}

void Qlog::write(BytesView data) noexcept {
    std::fwrite(data.data(), 1, data.size(), file_.get());
}

}  // namespace alknet::quic
