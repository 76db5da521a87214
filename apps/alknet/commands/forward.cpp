// Ports here and there, joined through an SSH server.
#include <alknet/base/causes.hpp>
#include <alknet/config/units.hpp>
#include <alknet/crypto/private_file.hpp>
#include <alknet/net/stdio_stream.hpp>
#include <utility>

#include "commands.hpp"
#include "output.hpp"
#include "ssh/forwards.hpp"

namespace alknet::app {

namespace {

constexpr std::size_t kCredentialBytesMax = 255;  // RFC 1929 section 2

result<SshWishes> wishes_of(const CommandLine& line, const ForwardOptions& options) {
    SshWishes wishes{.place = {}};
    ALKNET_TRY(wishes.place, SshPlace::parse(options.address));
    ALKNET_TRY(wishes.jumps, SshPlace::parse_jumps(options.jumps));
    wishes.dial = options.wishes;
    wishes.identity = line.identity;
    wishes.user = options.user;
    return wishes;
}

result<std::vector<ssh::ForwardSpec>> specs_of(const ForwardOptions& options) {
    using Kind = ssh::ForwardSpec::Kind;
    std::vector<ssh::ForwardSpec> specs;
    for (const auto& [kind, texts] :
         {std::pair(Kind::local, &options.local), std::pair(Kind::remote, &options.remote),
          std::pair(Kind::dynamic, &options.dynamic)}) {
        for (const std::string& text : *texts) {
            ALKNET_TRY(ssh::ForwardSpec spec, ssh::ForwardSpec::parse(kind, text));
            specs.push_back(std::move(spec));
        }
    }
    if (specs.empty()) {
        return fail(causes::kUsage, "what is to be forwarded? -L, -R, -D or -W says it");
    }
    return specs;
}

result<socks::SocksLogin> socks_login(const std::filesystem::path& file) {
    if (file.empty()) {
        return socks::SocksLogin();
    }
    ALKNET_TRY(const crypto::SecretBytes text, crypto::read_private_file(file));
    std::string_view line = as_text(text.view());
    line = line.substr(0, line.find_first_of("\r\n"));
    const std::size_t colon = line.find(':');
    const bool fits = colon != std::string_view::npos && colon > 0 &&
                      colon <= kCredentialBytesMax &&
                      line.size() - colon - 1 <= kCredentialBytesMax && colon + 1 < line.size();
    if (!fits) {
        return fail(causes::kUsage, file.native() + " has no line USER:PASSWORD");
    }
    return socks::SocksLogin{.user = std::string(line.substr(0, colon)),
                             .password = std::string(line.substr(colon + 1))};
}

std::string_view name_of(ForwardNews::State state) noexcept {
    switch (state) {
        case ForwardNews::State::connected:
            return "connected";
        case ForwardNews::State::lost:
            return "lost";
        case ForwardNews::State::listening:
            return "listening";
        case ForwardNews::State::failed:
            break;
    }
    return "failed";
}

std::string text_of(const error& why) {
    std::string text(why.cause().what);
    return why.detail().empty() ? text : text + ": " + printable(why.detail());
}

void tell(const ForwardNews& news, bool json) {
    const std::string subject = news.forward == nullptr ? "session" : news.forward->to_string();
    if (json) {
        Json line = Json::object({{"subject", subject}, {"state", name_of(news.state)}});
        if (!news.at.empty()) {
            line.as_object()->emplace_back("at", news.at);
        }
        if (news.why != nullptr) {
            line.as_object()->emplace_back("id", news.why->cause().id);
            line.as_object()->emplace_back("why", text_of(*news.why));
        }
        (void)print_line(line.text());
        return;
    }
    std::string line = printable(subject) + ": " + std::string(name_of(news.state));
    line += news.at.empty() ? "" : " at " + printable(news.at);
    line += news.why == nullptr ? "" : ": " + text_of(*news.why);
    if (news.again) {
        line += "; again in " + config::duration_text(*news.again);
    }
    (void)print_line(line);
}

task<result<std::shared_ptr<SshWay>>> make_way(Client& client, const SshWishes& wishes) {
    ALKNET_CO_TRY(SshWay way, co_await dial_ssh(client, wishes));
    co_return std::make_shared<SshWay>(std::move(way));
}

task<result<void>> join_stdio(Client& client, const SshWishes& wishes, ssh::ForwardEnd target) {
    ALKNET_CO_TRY(SshWay way, co_await dial_ssh(client, wishes));
    auto opening = target.is_socket() ? way.client().open_socket(target.path)
                                      : way.client().open_tcp({.host = target.host,
                                                               .port = target.port,
                                                               .from_host = "127.0.0.1",
                                                               .from_port = 0});
    auto channel = co_await std::move(opening);
    result<void> joined = channel ? result<void>() : unexpected(channel.error());
    if (channel) {
        auto stdio = net::make_stdio_stream(client.loop());
        joined = stdio ? co_await (*channel)->join(**stdio) : unexpected(stdio.error());
        if (joined) {  // over there it closes when it has handed everything on
            (void)co_await (*channel)->wait_closed();
        }
        channel->reset();
    }
    co_await way.close();
    if (!joined && joined.error().is(causes::kReset)) {
        co_return fail(causes::kOutputClosed);
    }
    co_return joined;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ForwardOptions& options) {
    ALKNET_TRY(const SshWishes wishes, wishes_of(line, options));
    if (!options.stdio.empty()) {
        ALKNET_TRY(ssh::ForwardEnd target, ssh::parse_target(options.stdio));
        ALKNET_TRY(auto client, ssh_client(line, wishes));
        ALKNET_CHECK(client->run(join_stdio(*client, wishes, std::move(target))));
        return ExitCode::ok;
    }
    ForwardsOptions wanted{.forwards = {}, .connect = {}, .tell = {}};
    ALKNET_TRY(wanted.forwards, specs_of(options));
    ALKNET_TRY(wanted.socks, socks_login(options.socks_login));
    wanted.fail_fast = options.fail_fast;
    ALKNET_TRY(auto client, ssh_client(line, wishes));
    wanted.connect = [&client, &wishes] { return make_way(*client, wishes); };
    wanted.tell = [&line](const ForwardNews& news) { tell(news, line.json); };
    Forwards forwards(client->loop(), client->network(), std::move(wanted));
    ALKNET_CHECK(client->run(forwards.run()));
    return ExitCode::ok;
}

}  // namespace alknet::app
