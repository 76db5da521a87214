// The operations of a node on a home of its own, on virtual time, as a caller from elsewhere and as
// the owner of the machine meet them.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <alknet/config/change.hpp>
#include <alknet/identity/key_files.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <alknet/testing/virtual_loop.hpp>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control_server.hpp"
#include "json.hpp"
#include "node_operations.hpp"
#include "peers.hpp"

namespace alknet::app {

inline task<void> ask_registry(std::shared_ptr<call::OperationRegistry> registry, std::string name,
                               call::CallContext context, Json input, result<Json>& output) {
    output = co_await registry->call(std::move(name), std::move(context), std::move(input));
}

class OperationsWorld : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(config::Home::create(
            root_ / "home", {.addresses = {}, .names = {"localhost"}, .program = "test 1"}));
        write("");
        auto state = store::Store::open(
            state_file(home()), {.database = identity::state_options(), .own_thread = false});
        ASSERT_TRUE(state);
        registry_ = std::make_shared<call::OperationRegistry>();
        ASSERT_TRUE(add_node_operations(*registry_,
                                        {.loop = virtual_loop_.loop(),
                                         .home = home(),
                                         .state = *std::move(state),
                                         .info = [this] { return info_; },
                                         .listening = [] { return std::vector<SocketAddress>(); },
                                         .connections = {},
                                         .close = {},
                                         .may_use = {},
                                         .reload = [this](bool) { return count_reload(*this); },
                                         .take_key_back = [this] { return take_key_back(); },
                                         .events = nullptr,
                                         .logs = nullptr,
                                         .metrics = nullptr,
                                         .paths = {}}));
    }

    static task<result<void>> count_reload(OperationsWorld& world) {
        ++world.reloads_;
        if (world.on_reload_) {
            co_return world.on_reload_();
        }
        co_return result<void>();
    }
    result<void> take_key_back() {
        return shown_ == nullptr
                   ? result<void>()
                   : identity::take_key_back(identity::KeyFiles(home().directory() / "node.key"),
                                             *shown_);
    }

    [[nodiscard]] config::Home home() const { return *config::Home::open(root_ / "home"); }
    void write(std::string_view text) const {
        std::ofstream(home().config_file(), std::ios::binary) << text;
        EXPECT_EQ(::chmod(home().config_file().c_str(), 0600), 0);
    }
    [[nodiscard]] std::string text() const {
        std::ifstream stream(home().config_file(), std::ios::binary);
        return {std::istreambuf_iterator<char>(stream), {}};
    }
    [[nodiscard]] std::string audited() const {
        std::ifstream stream(root_ / "home/audit.log", std::ios::binary);
        return {std::istreambuf_iterator<char>(stream), {}};
    }
    [[nodiscard]] std::optional<Duration> waiting() {
        const auto pending = config::pending_change(home()).value();
        return pending ? std::optional(pending->remaining(virtual_loop_.clock().wall_now()))
                       : std::nullopt;
    }

    // Somebody whose connection begins now.
    [[nodiscard]] call::CallContext remote(std::vector<std::string> scopes = {"config:manage"},
                                           std::string id = "peer-bob") {
        call::CallContext context;
        context.identity.emplace();
        context.identity->id = std::move(id);
        context.identity->scopes = std::move(scopes);
        context.transport = Transport::quic;
        context.connected = virtual_loop_.loop().now();
        return context;
    }
    [[nodiscard]] call::CallContext local() {
        call::CallContext context = remote({"*:*:*"}, std::string(kLocalAdmin));
        context.identity->resources[std::string(kUserResource)] = {"1234"};
        context.transport = Transport::local;
        return context;
    }
    result<Json> call(std::string name, call::CallContext context, Json input) {
        result<Json> output;
        EXPECT_TRUE(virtual_loop_.run(ask_registry(registry_, std::move(name), std::move(context),
                                                   std::move(input), output)));
        return output;
    }
    result<Json> apply(call::CallContext context, std::string_view wanted, Json::Object more = {}) {
        more.emplace_back("text", wanted);
        return call("config/apply", std::move(context), std::move(more));
    }

    const sim::TempDir root_;
    sim::VirtualLoop virtual_loop_;
    std::shared_ptr<call::OperationRegistry> registry_;
    NodeInfo info_;  // of the running node
    int reloads_ = 0;
    std::function<result<void>()> on_reload_{};
    std::shared_ptr<const NodeKey> shown_{};  // by the running node
};

}  // namespace alknet::app
