// Files below a root, and everything that tries to lead out of it.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <alknet/http/path.hpp>
#include <alknet/http/static_files.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/temp_dir.hpp>

namespace alknet::http {
namespace {

class Nothing final : public BodySource {
public:
    task<result<std::size_t>> read(MutableBytes) override { co_return 0U; }
};

struct Got {
    Response response;
    std::string body;
    [[nodiscard]] std::string field(std::string_view name) const {
        return std::string(response.fields.find(name).value_or("none"));
    }
};

struct Root {
    sim::TempDir outside;
    std::filesystem::path path = outside / "root";
    std::shared_ptr<const StaticFiles> files;

    Root() {
        std::filesystem::create_directories(path / "sub/dir");
        std::filesystem::create_directories(path / ".well-known");
        (void)outside.write("secret", "secret");
        (void)outside.write("root/a.txt", "0123456789");
        (void)outside.write("root/empty", "");
        (void)outside.write("root/b c\xc3\xa9.html", "named");
        (void)outside.write("root/index.html", "index");
        (void)outside.write("root/sub/index.html", "sub index");
        (void)outside.write("root/.hidden", "hidden");
        (void)outside.write("root/.well-known/x", "well known");
        files = StaticFiles::open(path).value();
    }

    task<Got> get(std::string target, Fields fields = {}) {
        Nothing body;
        AuthContext auth;
        Request request{.head = {}, .body = body, .auth = auth, .trace_id = {}};
        const std::size_t mark = target.find('?');
        if (mark != std::string::npos) {
            request.head.query = target.substr(mark + 1);
        }
        request.head.path = target.substr(0, mark);
        request.head.fields = std::move(fields);
        const auto parsed = parse_file_path(request.head.path);
        request.segments = parsed.value().segments;
        request.directory = parsed->directory;
        auto response = files->answer(request);
        Got got{.response = response ? *std::move(response) : Response{.status = 500}, .body = {}};
        if (got.response.source != nullptr) {
            got.body = (co_await read_all(*got.response.source, 1 << 20)).value_or("?");
            EXPECT_EQ(got.response.source_size.value_or(got.body.size()), got.body.size());
        }
        co_return got;
    }
    task<int> status(std::string target, Fields fields = {}) {
        co_return (co_await get(std::move(target), std::move(fields))).response.status;
    }
};

Fields with(std::string_view name, std::string_view value) {
    Fields fields;
    fields.add(name, value);
    return fields;
}

ALKNET_CO_TEST(StaticFiles, AFileWithWhatIsKnownOfIt) {
    Root root;
    const Got got = co_await root.get("/a.txt");
    EXPECT_EQ(got.response.status, 200);
    EXPECT_EQ(got.body, "0123456789");
    EXPECT_EQ(got.field("content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(got.field("accept-ranges"), "bytes");
    EXPECT_EQ(got.field("x-content-type-options"), "nosniff");
    EXPECT_THAT(got.field("etag"), testing::MatchesRegex("\"[0-9]+-[0-9]+-10\""));
    EXPECT_THAT(got.field("last-modified"), testing::EndsWith(" GMT"));
    EXPECT_EQ((co_await root.get("/b%20c%C3%A9.html")).body, "named");
    EXPECT_EQ((co_await root.get("/empty")).body, "");
    EXPECT_EQ((co_await root.get("/.well-known/x")).body, "well known");
}

ALKNET_CO_TEST(StaticFiles, DirectoriesShowTheirIndex) {
    Root root;
    EXPECT_EQ((co_await root.get("/")).body, "index");
    EXPECT_EQ((co_await root.get("/sub/")).body, "sub index");
    EXPECT_EQ(co_await root.status("/sub/dir/"), 404) << "it has none, and is not listed";
    const Got got = co_await root.get("/sub?a=b");
    EXPECT_EQ(got.response.status, 301);
    EXPECT_EQ(got.field("location"), "/sub/?a=b");
    EXPECT_EQ((co_await root.get("//sub")).field("location"), "/sub/") << "not another host";
    EXPECT_EQ(co_await root.status("/a.txt/"), 404);
}

ALKNET_CO_TEST(StaticFiles, TextIsCodedForThoseWhoTakeThat) {
    Root root;
    const std::string text(10'000, 'a');
    (void)root.outside.write("root/long.txt", text);
    (void)root.outside.write("root/long.png", text);
    const Got plain = co_await root.get("/long.txt");
    EXPECT_EQ(plain.body, text);
    EXPECT_EQ(plain.field("vary"), "accept-encoding");
    EXPECT_EQ(plain.field("content-encoding"), "none");
    const Got coded = co_await root.get("/long.txt", with("accept-encoding", "gzip"));
    EXPECT_EQ(coded.field("content-encoding"), "gzip");
    EXPECT_EQ(coded.field("vary"), "accept-encoding");
    EXPECT_EQ(coded.field("accept-ranges"), "none");
    EXPECT_FALSE(coded.response.source_size);
    EXPECT_LT(coded.body.size(), 100U);
    EXPECT_THAT(coded.field("etag"), testing::EndsWith("-10000-gzip\""));
    const Got image = co_await root.get("/long.png", with("accept-encoding", "gzip"));
    EXPECT_EQ(image.body, text);
    EXPECT_EQ(image.field("vary"), "none");
    EXPECT_EQ((co_await root.get("/a.txt", with("accept-encoding", "gzip"))).body, "0123456789");
}

ALKNET_CO_TEST(StaticFiles, EachCodingHasATagOfItsOwn) {
    Root root;
    (void)root.outside.write("root/long.txt", std::string(10'000, 'a'));
    Fields fields = with("accept-encoding", "gzip");
    const std::string tag = (co_await root.get("/long.txt", fields)).field("etag");
    fields.add("if-none-match", tag);
    const Got same = co_await root.get("/long.txt", fields);
    EXPECT_EQ(same.response.status, 304);
    EXPECT_EQ(same.field("etag"), tag);
    EXPECT_EQ(same.field("vary"), "accept-encoding");
    EXPECT_EQ(same.field("content-encoding"), "none");
    EXPECT_EQ(co_await root.status("/long.txt", with("if-none-match", tag)), 200);
    // Parts are parts of the file, and of nothing else.
    Fields part = with("accept-encoding", "gzip");
    part.add("range", "bytes=1-2");
    const Got got = co_await root.get("/long.txt", part);
    EXPECT_EQ(got.response.status, 206);
    EXPECT_EQ(got.body, "aa");
    EXPECT_EQ(got.field("content-encoding"), "none");
    part.add("if-range", tag);
    EXPECT_EQ(co_await root.status("/long.txt", part), 200);
}

ALKNET_CO_TEST(StaticFiles, WhatIsNotThere) {
    Root root;
    EXPECT_EQ(co_await root.status("/none"), 404);
    EXPECT_EQ(co_await root.status("/a.txt/b"), 404);
    EXPECT_EQ(co_await root.status("/.hidden"), 404);
    EXPECT_EQ(co_await root.status("/sub/.well-known/x"), 404);
    EXPECT_EQ(co_await root.status("/" + std::string(300, 'x')), 404);
}

ALKNET_CO_TEST(StaticFiles, NoLinkLeadsOut) {
    Root root;
    const auto link = [&](const char* target, const char* name) {
        std::filesystem::create_symlink(target, root.path / name);
    };
    link("../secret", "up");
    link("/etc/passwd", "absolute");
    link("..", "parent");
    link("loop", "loop");
    link("/proc/self/cwd", "magic");
    link("a.txt", "inside");
    link("../root/a.txt", "out_and_in");
    for (const char* const path :
         {"/up", "/absolute", "/parent/secret", "/loop", "/magic/x", "/out_and_in"}) {
        EXPECT_EQ(co_await root.status(path), 404) << path;
    }
    EXPECT_EQ((co_await root.get("/inside")).body, "0123456789");
}

ALKNET_CO_TEST(StaticFiles, NothingButFiles) {
    Root root;
    EXPECT_EQ(::mkfifo((root.path / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(co_await root.status("/fifo"), 404);
}

ALKNET_CO_TEST(StaticFiles, Conditions) {
    Root root;
    const Got got = co_await root.get("/a.txt");
    EXPECT_EQ(co_await root.status("/a.txt", with("if-none-match", got.field("etag"))), 304);
    EXPECT_EQ(co_await root.status("/a.txt", with("if-modified-since", got.field("last-modified"))),
              304);
    EXPECT_EQ(co_await root.status("/a.txt", with("if-match", "\"other\"")), 412);
    const Got unchanged = co_await root.get("/a.txt", with("if-none-match", "*"));
    EXPECT_EQ(unchanged.field("etag"), got.field("etag"));
    EXPECT_EQ(unchanged.response.source, nullptr);
}

ALKNET_CO_TEST(StaticFiles, Ranges) {
    Root root;
    const Got middle = co_await root.get("/a.txt", with("range", "bytes=2-4"));
    EXPECT_EQ(middle.response.status, 206);
    EXPECT_EQ(middle.body, "234");
    EXPECT_EQ(middle.field("content-range"), "bytes 2-4/10");
    EXPECT_EQ((co_await root.get("/a.txt", with("range", "bytes=-3"))).body, "789");
    const Got none = co_await root.get("/a.txt", with("range", "bytes=10-"));
    EXPECT_EQ(none.response.status, 416);
    EXPECT_EQ(none.field("content-range"), "bytes */10");
    EXPECT_EQ(co_await root.status("/a.txt", with("range", "bytes=0-0,2-2")), 200);
}

ALKNET_CO_TEST(StaticFiles, AFileThatChangesHasAnotherTag) {
    Root root;
    const std::string before = (co_await root.get("/a.txt")).field("etag");
    (void)root.outside.write("root/a.txt", "other and longer");
    EXPECT_NE((co_await root.get("/a.txt")).field("etag"), before);
}

TEST(ContentType, ByTheEnding) {
    EXPECT_EQ(content_type("a.HTML"), "text/html; charset=utf-8");
    EXPECT_EQ(content_type("a.tar.gz"), "application/gzip");
    EXPECT_EQ(content_type("a.svg"), "image/svg+xml");
    EXPECT_EQ(content_type("Makefile"), "application/octet-stream");
    EXPECT_EQ(content_type("a.unknown"), "application/octet-stream");
}

}  // namespace
}  // namespace alknet::http
