// StaticFiles: the files below one directory, and nothing else. Paths are resolved by the kernel
// below that directory (openat2, RESOLVE_BENEATH): no "..", no link and no mount point that is
// swapped meanwhile leads out of it. Names that begin with a dot are not served, but for
// .well-known; neither is what is no regular file; directories are not listed.
//
// Files are read on the loop's own thread, as is the rule of servers: what they serve is in the
// page cache.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/http/exchange.hpp>
#include <filesystem>
#include <memory>
#include <string_view>

namespace alknet::http {

class StaticFiles {
public:
    virtual ~StaticFiles() = default;

    /// Errors: kIo if `root` is no directory that can be opened.
    static result<std::shared_ptr<const StaticFiles>> open(const std::filesystem::path& root);

    /// To GET and HEAD, for the segments of the request's path: 200, 206, 301 to a directory's own
    /// address, 304, 403, 404, 412 or 416. `next` is the page's for what is not there.
    [[nodiscard]] virtual result<Response> answer(const Request& request) const = 0;
};

/// By the ending of the name; application/octet-stream for the rest.
[[nodiscard]] std::string_view content_type(std::string_view name) noexcept;

}  // namespace alknet::http
