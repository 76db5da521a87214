// alknet_link: a lossy link with middleboxes between two network namespaces.
//
//     alknet_link SEED SPACE_A SPACE_B
//
// Makes the device `link0` in each, prints `ready`, and relays. Each line of standard input is
// either the link's options from now on (see parse_link_options), answered by `ok`, or `stats`,
// answered by one line of JSON. Ends with its input.
#include <fcntl.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/stdio_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/link_relay.hpp>
#include <array>
#include <charconv>
#include <cstdio>
#include <span>

namespace alknet::sim {

namespace {

constexpr std::size_t kLineBytesMax = 4096;

std::string stats_json(const LinkStats& stats) {
    const auto field = [](const char* name, std::uint64_t value) {
        return "\"" + std::string(name) + "\":" + std::to_string(value);
    };
    return "{" + field("sent", stats.sent) + "," + field("delivered", stats.delivered) + "," +
           field("lost", stats.lost) + "," + field("overflowed", stats.overflowed) + "," +
           field("policed", stats.policed) + "," + field("forbidden", stats.forbidden) + "," +
           field("too_big", stats.too_big) + "," +
           field("largest_udp_payload", stats.largest_udp_payload) + "}";
}

result<std::string> obey(LossyLink& link, std::string_view line) {
    if (line == "stats") {
        return stats_json(link.stats());
    }
    ALKNET_TRY(auto options, parse_link_options(line));
    link.set_options(std::move(options));
    return "ok";
}

/// Ends the scope with its input.
task<result<void>> obey_lines(ByteStream& input, LossyLink& link, TaskScope& scope) {
    std::string pending;
    std::array<std::byte, 512> buffer{};
    while (pending.size() < kLineBytesMax) {
        ALKNET_CO_TRY(const std::size_t count, co_await input.read(buffer));
        if (count == 0) {
            scope.cancel();
            co_return result<void>{};
        }
        pending += as_text(BytesView(buffer).first(count));
        for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
            const auto answer = obey(link, std::string_view(pending).substr(0, end));
            std::puts(answer ? answer->c_str() : answer.error().message().c_str());
            std::fflush(stdout);
            pending.erase(0, end + 1);
        }
    }
    co_return fail(causes::kUsage, "a line of the input is too long");
}

task<result<void>> relay_until_end(Loop& loop, LinkRelay& relay, ByteStream& input) {
    TaskScope scope(loop);
    scope.spawn(relay.run(), "relay");
    scope.spawn(obey_lines(input, relay.link(), scope), "commands");
    co_return co_await scope.join();
}

result<void> run(std::uint64_t seed, const std::string& space_a, const std::string& space_b) {
    const SystemClock clock;
    ALKNET_TRY(UniqueFd a, open_tun(space_a, "link0"));
    ALKNET_TRY(UniqueFd b, open_tun(space_b, "link0"));
    ALKNET_TRY(const auto loop, Loop::create(clock));
    ALKNET_TRY(const auto relay,
               LinkRelay::create(*loop, std::move(a), std::move(b), LossyLink(seed, {})));
    ALKNET_TRY(const auto input, net::make_fd_stream(*loop, UniqueFd(::dup(0)),
                                                     UniqueFd(::open("/dev/null", O_WRONLY))));
    std::puts("ready");
    std::fflush(stdout);
    return block_on(*loop, relay_until_end(*loop, *relay, *input));
}

}  // namespace

}  // namespace alknet::sim

int main(int argc, char** argv) {
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    std::uint64_t seed = 0;
    const std::string_view text = argc == 4 ? arguments[1] : "";
    if (std::from_chars(text.data(), text.data() + text.size(), seed).ec != std::errc()) {
        std::fputs("usage: alknet_link SEED SPACE_A SPACE_B\n", stderr);
        return 2;
    }
    const auto outcome = alknet::sim::run(seed, arguments[2], arguments[3]);
    if (!outcome) {
        std::fprintf(stderr, "alknet_link: %s\n", outcome.error().message().c_str());
        return 1;
    }
    return 0;
}
