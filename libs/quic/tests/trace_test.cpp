// What can be read afterwards: qlog files and log lines.
#include <alknet/testing/memory_log_sink.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

class TraceTest : public QuicTest {
protected:
    sim::TempDir directory;
};

TEST_F(TraceTest, AQlogFileForEachSideOfEachConnection) {
    TransportOptions transport;
    transport.qlog_directory = directory.path();
    policy.transport = transport;
    start(transport);
    connect();
    pair.client->close(0, "");
    world.run_for(5s);
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
        names.push_back(entry.path().filename().string());
        std::ifstream in(entry.path());
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        EXPECT_TRUE(text.starts_with("\x1e{\"qlog_format\":\"JSON-SEQ\"")) << text.substr(0, 80);
        EXPECT_NE(text.find("packet_received"), std::string::npos);
        EXPECT_EQ(text.back(), '\n');
    }
    std::ranges::sort(names);
    ASSERT_EQ(names.size(), 2U);
    // Both are named by the id that the client chose first.
    EXPECT_EQ(names[0].substr(0, 32), names[1].substr(0, 32));
    EXPECT_TRUE(names[0].ends_with("_client.sqlog"));
    EXPECT_TRUE(names[1].ends_with("_server.sqlog"));
}

TEST_F(TraceTest, AQlogThatCannotBeWrittenCostsNothing) {
    TransportOptions transport;
    transport.qlog_directory = directory / "missing";
    start(transport);
    connect();
    EXPECT_FALSE(pair.client->close_reason());
}

TEST_F(TraceTest, TheLogTellsOfRetriesAndOfMoves) {
    const auto sink = std::make_shared<sim::MemoryLogSink>();
    policy.admission = [](const Incoming& incoming) {
        return incoming.validated ? Admission::accept : Admission::retry;
    };
    auto options = server_options();
    options.log = Log(sink);
    server = make_endpoint(*server_process, server_host.v4(kPort), std::move(options));
    connect();
    EXPECT_EQ(sink->count("quic.retry"), 1U);
    EXPECT_EQ(sink->count("conn.path"), 0U);
    world.run_for(1s);
    auto socket = client_process->network()->bind_udp(client_process->loop(),
                                                      client_host.add_v4_address(), {});
    ASSERT_TRUE(socket);
    ASSERT_TRUE(pair.client->migrate(std::move(*socket)));
    world.run_for(1s);
    EXPECT_EQ(sink->count("conn.path"), 1U);
}

}  // namespace
}  // namespace alknet::quic
