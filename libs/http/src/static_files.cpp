#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/http/coding.hpp>
#include <alknet/http/conditional.hpp>
#include <alknet/http/path.hpp>
#include <alknet/http/static_files.hpp>
#include <array>
#include <cerrno>

namespace alknet::http {

namespace {

constexpr std::string_view kIndex = "index.html";
constexpr std::string_view kWellKnown = ".well-known";

struct Type {
    std::string_view ending;
    std::string_view type;
    bool packs = false;  // smaller when it is coded
};

constexpr std::array kTypes = {
    Type{"avif", "image/avif"},
    Type{"bmp", "image/bmp", true},
    Type{"css", "text/css; charset=utf-8", true},
    Type{"csv", "text/csv; charset=utf-8", true},
    Type{"epub", "application/epub+zip"},
    Type{"gif", "image/gif"},
    Type{"gz", "application/gzip"},
    Type{"htm", "text/html; charset=utf-8", true},
    Type{"html", "text/html; charset=utf-8", true},
    Type{"ico", "image/x-icon"},
    Type{"ics", "text/calendar; charset=utf-8", true},
    Type{"jpeg", "image/jpeg"},
    Type{"jpg", "image/jpeg"},
    Type{"js", "text/javascript; charset=utf-8", true},
    Type{"json", "application/json", true},
    Type{"jsonld", "application/ld+json", true},
    Type{"md", "text/markdown; charset=utf-8", true},
    Type{"mjs", "text/javascript; charset=utf-8", true},
    Type{"mp3", "audio/mpeg"},
    Type{"mp4", "video/mp4"},
    Type{"oga", "audio/ogg"},
    Type{"ogg", "audio/ogg"},
    Type{"ogv", "video/ogg"},
    Type{"opus", "audio/ogg"},
    Type{"otf", "font/otf", true},
    Type{"pdf", "application/pdf"},
    Type{"png", "image/png"},
    Type{"rss", "application/rss+xml", true},
    Type{"svg", "image/svg+xml", true},
    Type{"tar", "application/x-tar", true},
    Type{"toml", "application/toml", true},
    Type{"ttf", "font/ttf", true},
    Type{"txt", "text/plain; charset=utf-8", true},
    Type{"wasm", "application/wasm", true},
    Type{"wav", "audio/wav"},
    Type{"weba", "audio/webm"},
    Type{"webm", "video/webm"},
    Type{"webmanifest", "application/manifest+json", true},
    Type{"webp", "image/webp"},
    Type{"woff", "font/woff"},
    Type{"woff2", "font/woff2"},
    Type{"xhtml", "application/xhtml+xml", true},
    Type{"xml", "application/xml", true},
    Type{"zip", "application/zip"},
};

constexpr Type kUnknownType{"", "application/octet-stream"};
/// What coding would not make smaller, or would take too long.
constexpr std::uint64_t kCodedBytesMin = 512;
constexpr std::uint64_t kCodedBytesMax = 16 << 20;

const Type& type_of(std::string_view name) noexcept {
    const std::size_t dot = name.rfind('.');
    const std::string_view ending = dot == std::string_view::npos ? "" : name.substr(dot + 1);
    const auto found = std::ranges::find_if(
        kTypes, [&](const Type& type) { return equal_ignoring_case(type.ending, ending); });
    return found == kTypes.end() ? kUnknownType : *found;
}

/// A part of an open file.
class FileSource final : public BodySource {
public:
    FileSource(UniqueFd file, const Range& part) : file_(std::move(file)), part_(part) {}
    void narrow(const Range& part) noexcept { part_ = part; }

    task<result<std::size_t>> read(MutableBytes into) override {
        const std::size_t size = std::min<std::uint64_t>(into.size(), part_.size);
        if (size == 0) {
            co_return 0U;
        }
        const ssize_t count =
            ::pread(file_.get(), into.data(), size, static_cast<off_t>(part_.first));
        if (count < 0) {
            co_return os_fail("pread", errno);
        }
        part_.first += static_cast<std::uint64_t>(count);
        part_.size -= static_cast<std::uint64_t>(count);
        co_return static_cast<std::size_t>(count);
    }
    [[nodiscard]] bool is_at_hand() const noexcept override { return true; }

private:
    UniqueFd file_;
    Range part_;
};

struct Found {
    UniqueFd file;
    struct stat about{};
};

Validators validators_of(const struct stat& about) {
    const auto modified = std::chrono::seconds(about.st_mtim.tv_sec) +
                          std::chrono::nanoseconds(about.st_mtim.tv_nsec);
    std::string tag = "\"";
    tag += std::to_string(about.st_mtim.tv_sec);
    tag.append("-").append(std::to_string(about.st_mtim.tv_nsec));
    tag.append("-").append(std::to_string(about.st_size)).append("\"");
    return {.etag = std::move(tag), .modified = WallTime(modified)};
}

bool is_hidden(const std::vector<std::string>& segments) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        if (segments[i].starts_with('.') && (i > 0 || segments[i] != kWellKnown)) {
            return true;
        }
    }
    return false;
}

Response not_there(const RequestHead& head) {
    return page(head, 404, "There is no such file on this site.",
                "Check the address for a typing error, or begin at the start of the site: /");
}

class Files final : public StaticFiles {
public:
    explicit Files(UniqueFd root) : root_(std::move(root)) {}

    [[nodiscard]] result<Response> answer(const Request& request) const override {
        if (is_hidden(request.segments)) {
            return not_there(request.head);
        }
        FilePath path{.segments = request.segments, .directory = request.directory};
        auto found = open_file(path.relative());
        if (found && S_ISDIR(found->about.st_mode)) {
            if (!request.directory) {
                return to_directory(std::move(path), request.head);
            }
            path.segments.emplace_back(kIndex);
            found = open_file(path.relative());
        } else if (found && request.directory) {
            return not_there(request.head);
        }
        if (!found) {
            return refusal(request.head, found.error());
        }
        if (!S_ISREG(found->about.st_mode)) {
            return not_there(request.head);
        }
        return file_response(request.head, *std::move(found), path.segments.back());
    }

private:
    // The code of an error is the number of the system.
    [[nodiscard]] result<Found> open_file(const std::string& name) const {
        open_how how{};
        how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;  // a FIFO must not block
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
        const long fd = ::syscall(SYS_openat2, root_.get(), name.c_str(), &how, sizeof how);
        if (fd < 0) {
            return fail(causes::kIo, {}, static_cast<std::uint64_t>(errno));
        }
        Found found{.file = UniqueFd(static_cast<int>(fd))};
        if (::fstat(found.file.get(), &found.about) != 0) {
            return fail(causes::kIo, {}, static_cast<std::uint64_t>(errno));
        }
        return found;
    }

    static result<Response> refusal(const RequestHead& head, const error& why) {
        switch (static_cast<int>(why.code())) {
            case ENOENT:
            case ENOTDIR:
            case ENAMETOOLONG:
            case ELOOP:
            case EXDEV:  // it leads out of the root
            case ENXIO:  // a socket
                return not_there(head);
            case EACCES:
            case EPERM:
                return page(head, 403, "The node may not read this file.",
                            "Its owner can allow it: the user that the node runs as needs to read "
                            "the file and to search its directories.");
            default:
                return os_fail("openat2", static_cast<int>(why.code()));
        }
    }

    static Response to_directory(FilePath path, const RequestHead& head) {
        path.directory = true;
        Response response = page(head, 301, "This is a directory.", "Its address ends in a slash.");
        const std::string query = head.query ? "?" + *head.query : "";
        response.fields.add("location", path.canonical() + query);
        return response;
    }

    // A part is of the file as it is, so whoever asks for one gets no other.
    static Coding coding_for(const RequestHead& head, std::uint64_t size) {
        const bool fits = size >= kCodedBytesMin && size <= kCodedBytesMax;
        return fits && !head.fields.find("range") ? choose_coding(head.fields) : Coding::identity;
    }

    static Response file_response(const RequestHead& head, Found found, std::string_view name) {
        const Type& type = type_of(name);
        const auto size = static_cast<std::uint64_t>(found.about.st_size);
        const Range whole{.first = 0, .size = size};
        Validators validators = validators_of(found.about);
        Response response;
        response.source = std::make_unique<FileSource>(std::move(found.file), whole);
        response.source_size = size;
        if (type.packs) {
            response.fields.add("vary", "accept-encoding");
            encode(head, response, validators);
        }
        response.fields.add("etag", validators.etag);
        response.fields.add("last-modified", http_date(validators.modified));
        switch (check_preconditions(head.fields, validators)) {
            case Precondition::not_modified:
                response.fields.remove("content-encoding");
                return {.status = 304, .fields = std::move(response.fields)};
            case Precondition::failed:
                return page(head, 412, "The file is not the one that was meant.",
                            "Get it again without a condition.");
            case Precondition::proceed:
                break;
        }
        response.fields.add("content-type", type.type);
        response.fields.add("x-content-type-options", "nosniff");
        if (!response.source_size) {
            return response;
        }
        response.fields.add("accept-ranges", "bytes");
        const RangeChoice choice = choose_range(head.fields, validators, size);
        if (choice.verdict == RangeVerdict::unsatisfiable) {
            response = page(head, 416, "The file has no such part.",
                            "The field Content-Range says how long it is.");
            response.fields.add("content-range", "bytes */" + std::to_string(size));
        } else if (choice.verdict == RangeVerdict::part) {
            take_part(response, choice.range, size);
        }
        return response;
    }

    // Its octets are others then, and so is its tag.
    static void encode(const RequestHead& head, Response& response, Validators& validators) {
        const Coding coding = coding_for(head, *response.source_size);
        if (coding == Coding::identity) {
            return;
        }
        if (auto coded = encoded(response.source, coding)) {
            response.source = std::move(coded);
            response.source_size.reset();
            response.fields.add("content-encoding", coding_name(coding));
            validators.etag.insert(validators.etag.size() - 1,
                                   "-" + std::string(coding_name(coding)));
        }
    }

    static void take_part(Response& response, const Range& part, std::uint64_t size) {
        response.status = 206;
        std::string range = "bytes " + std::to_string(part.first);
        range.append("-").append(std::to_string(part.first + part.size - 1));
        range.append("/").append(std::to_string(size));
        response.fields.add("content-range", range);
        static_cast<FileSource&>(*response.source).narrow(part);
        response.source_size = part.size;
    }

    UniqueFd root_;
};

}  // namespace

result<std::shared_ptr<const StaticFiles>> StaticFiles::open(const std::filesystem::path& root) {
    UniqueFd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
        return os_fail("open", errno, root.native());
    }
    return std::make_shared<const Files>(std::move(directory));
}

std::string_view content_type(std::string_view name) noexcept {
    return type_of(name).type;
}

}  // namespace alknet::http
