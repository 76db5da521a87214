#include "node_command.hpp"

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>

namespace alknet::ssh {
namespace {

using Kind = NodeCommand::Kind;

TEST(SshNodeCommand, WhatTheNodeAnswers) {
    EXPECT_EQ(NodeCommand::parse("help").value()->kind, Kind::help);
    EXPECT_EQ(NodeCommand::parse(" ops\n").value()->kind, Kind::ops);
    const auto call = [](std::string_view text) { return *NodeCommand::parse(text).value(); };
    EXPECT_EQ(call("call node/info"),
              (NodeCommand{.kind = Kind::call, .operation = "node/info", .input = {}}));
    EXPECT_EQ(call("call\t/node/info  {\"a\": \"b  c\"} \n").operation, "node/info");
    EXPECT_EQ(call("call\t/node/info  {\"a\": \"b  c\"} \n").input, "{\"a\": \"b  c\"}");
    EXPECT_TRUE(call("call x -").reads_input());
    EXPECT_FALSE(call("call x").reads_input());
}

TEST(SshNodeCommand, OtherCommands) {
    for (const std::string_view other : {"", " ", "uptime", "helper", "calls x", "/help", "opsx"}) {
        const auto parsed = NodeCommand::parse(other);
        EXPECT_TRUE(parsed && !*parsed) << other;
    }
}

TEST(SshNodeCommand, WhatCannotBeUnderstood) {
    for (const std::string_view wrong : {"call", "call /", "help me", "ops all"}) {
        const auto parsed = NodeCommand::parse(wrong);
        EXPECT_TRUE(!parsed && parsed.error().is(causes::kUsage)) << wrong;
    }
}

}  // namespace
}  // namespace alknet::ssh
