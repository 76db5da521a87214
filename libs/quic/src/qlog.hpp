// Qlog: one trace file (JSON-SEQ) for a connection, written by ngtcp2 on request.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace alknet::quic {

class Qlog {
public:
    /// `<directory>/<connection id in hex>_<role>.sqlog`. Null when it cannot be made: a trace that
    /// was asked for must not cost the connection.
    static std::unique_ptr<Qlog> open(const std::filesystem::path& directory,
                                      BytesView connection_id, bool server);

    void write(BytesView data) noexcept;

private:
    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    explicit Qlog(std::FILE* file) noexcept : file_(file) {}
    std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace alknet::quic
