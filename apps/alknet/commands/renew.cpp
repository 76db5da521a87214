// alknet renew: this identity's own term at another node.
#include <fmt/format.h>
#include <algorithm>
#include <alknet/call/client.hpp>

#include "client.hpp"
#include "commands.hpp"
#include "control_client.hpp"
#include "desk.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

struct Renewing {
    const RenewOptions& options;
    Client& client;
    Target target;
    Json answer{};
};

task<result<void>> renew(Renewing& renewing) {
    const Duration timeout = renewing.options.timeout;
    ALKNET_CO_TRY(DialOptions dial, dial_options(renewing.options.wishes, renewing.target,
                                                 {std::string(call::kCallAlpn)}));
    dial.transport.handshake_timeout = std::min(dial.transport.handshake_timeout, timeout);
    ALKNET_CO_TRY(auto connection,
                  co_await renewing.client.dialer().dial(renewing.target.address, std::move(dial)));
    const auto client = call::CallClient::create(renewing.client.loop(), connection);
    auto answer =
        co_await client->call(std::string(kOwnRenewal), Json(Json::Object()), {.timeout = timeout});
    co_await client->close();
    ALKNET_CO_TRY(renewing.answer, std::move(answer));
    co_return result<void>();
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const RenewOptions& options) {
    ALKNET_TRY(auto client, Client::create(line, Client::As::owner, options.wishes.tofu));
    ALKNET_TRY(auto target, resolve_target(options.address, client->peers()));
    Renewing renewing{.options = options, .client = *client, .target = std::move(target)};
    if (auto outcome = client->run(renew(renewing)); !outcome) {
        return unexpected(explain_close(std::move(outcome).error()));
    }
    if (line.json) {
        ALKNET_CHECK(print_line(renewing.answer.text()));
        return ExitCode::ok;
    }
    ALKNET_TRY(const auto renewed, answered<TermRenewed>(renewing.answer));
    ALKNET_CHECK(print_line(fmt::format("renewed until {}", printable(renewed.expires))));
    return ExitCode::ok;
}

}  // namespace alknet::app
