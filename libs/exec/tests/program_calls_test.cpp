// Operations of real programs, called through a registry.
#include "program_calls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/exec/programs.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <alknet/testing/programs.hpp>
#include <alknet/testing/temp_dir.hpp>

namespace alknet::exec {
namespace {

using call::Json;
using testing::HasSubstr;

/// Answers with what `answer(request, send)` gives; `send` sends further events of that call.
constexpr const char* kSpeak =
    "import json, os, signal, socket, struct, sys, threading\n"
    "def entry(name, kind, **more):\n"
    "    return {'name': name, 'kind': kind, 'about': 'x', 'input': True} | more\n"
    "def serve(connection):\n"
    "    stream = connection.makefile('rwb')\n"
    "    def tell(kind, id, payload):\n"
    "        text = json.dumps({'type': kind, 'id': id, 'payload': payload}).encode()\n"
    "        stream.write(struct.pack('>I', len(text)) + text); stream.flush()\n"
    "    while head := stream.read(4):\n"
    "        event = json.loads(stream.read(struct.unpack('>I', head)[0]))\n"
    "        if event['type'] == 'call.aborted': print('aborted')\n"
    "        if event['type'] != 'call.requested': continue\n"
    "        request = event['payload']\n"
    "        if request['operationId'] == '/services/list': output = {'operations': OFFERS}\n"
    "        else: output = answer(request, lambda kind, payload: tell(kind, event['id'], "
    "payload))\n"
    "        if output is not None: tell('call.responded', event['id'], {'output': output})\n"
    "def run():\n"
    "    listener = socket.socket(fileno=3)\n"
    "    while True:\n"
    "        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()\n";

config::Program program_of(const std::string& text) {
    config::Program program;
    program.name = "child";
    program.operations = true;
    program.command = sim::python(kSpeak + text + "run()\n");
    program.as_node = geteuid() != 0;
    program.user = program.as_node ? "" : "nobody";
    return program;
}

Identity bob(std::vector<std::string> scopes = {"exec:call:child/*"}) {
    Identity identity;
    identity.id = "bob";
    identity.scopes = std::move(scopes);
    return identity;
}

class Items final : public call::ItemSink {
public:
    explicit Items(std::size_t wanted) : wanted_(wanted) {}
    task<result<void>> give(call::Item item) override {
        taken.push_back(std::move(item));
        co_return taken.size() < wanted_ ? result<void>() : fail(causes::kClosed, "enough");
    }
    std::vector<call::Item> taken{};

private:
    std::size_t wanted_;
};

class ProgramCallsTest : public testing::Test, protected sim::RealLoop {
protected:
    ~ProgramCallsTest() override { end(); }
    void begin(config::Program program) {
        ProgramsOptions options{.programs = {std::move(program)}, .directory = directory_.path()};
        options.log = Log(sink);
        programs = Programs::create(*loop, std::move(options)).value();
        for (const auto& source : programs->operations()) {
            registry.add(source);
        }
        running = std::make_unique<TaskScope>(*loop);
        running->spawn(programs->run(), "programs");
    }
    void begin(const std::string& text) { begin(program_of(text)); }
    void end() {
        if (running != nullptr) {
            running->cancel();
            (void)run(running->join());
        }
    }
    void until(const std::function<bool()>& so) {
        loop->run_until_idle();
        while (!so()) {
            loop->turn(true);
            loop->run_until_idle();
        }
    }
    void until_offered(std::size_t lives = 1) {
        until([&] { return sink->count("exec.offered") == lives; });
    }
    result<Json> ask(std::string name, Json input = {}, std::optional<Identity> identity = bob()) {
        call::CallContext context;
        context.identity = std::move(identity);
        context.deadline = loop->now() + std::chrono::minutes(1);
        return run(registry.call(std::move(name), std::move(context), std::move(input)));
    }
    [[nodiscard]] std::string last_end() const { return programs->status().front().last_end; }

    std::shared_ptr<sim::MemoryLogSink> sink = std::make_shared<sim::MemoryLogSink>();
    call::OperationRegistry registry;
    std::unique_ptr<Programs> programs;
    std::unique_ptr<TaskScope> running;

private:
    sim::TempDir directory_;
};

TEST_F(ProgramCallsTest, AreOfferedCalledAndToldForWhom) {
    begin(
        "OFFERS = [entry('/math/add', 'query', input={'type': 'object', 'required': ['a']}),\n"
        "          entry('/child/who', 'mutation'), entry('/child/odd', 'query', input={'type': "
        "7})]\n"
        "def answer(request, send): return request\n");
    until_offered();
    EXPECT_TRUE(programs->services().empty());
    EXPECT_EQ(sink->last("exec.not_offered")->field("operation"), "child/odd");
    const Json answer = ask("child-math/add", Json::object({{"a", 1}})).value();
    EXPECT_EQ(answer.text_of("operationId"), "/math/add");
    const Json* who = answer.find("forwarded_for");
    ASSERT_NE(who, nullptr);
    EXPECT_EQ(who->text_of("id"), "bob");
    EXPECT_EQ(who->find("scopes")->text(), "[\"exec:call:child/*\"]");
    EXPECT_LE(answer.find("timeout_ms")->as_unsigned().value(), 60'000U);

    // The node looks at the input and at who calls, before the program sees anything.
    EXPECT_TRUE(ask("child-math/add", Json::object({})).error().is(causes::kUsage));
    EXPECT_TRUE(ask("child-math/add", {}, std::nullopt).error().is(causes::kAuthRequired));
    const auto other = ask("child-math/add", {}, bob({"exec:call:child/who"}));
    EXPECT_TRUE(other.error().is(causes::kScopeMissing));
    EXPECT_EQ(other.error().detail(), "exec:call:child/math/add");
    EXPECT_TRUE(ask("child/who", {}, bob({"exec:call:child/who"})));
    EXPECT_TRUE(ask("child/odd").error().is(causes::kNoOperation));
}

TEST_F(ProgramCallsTest, NeedTheScopeThatIsConfigured) {
    config::Program program = program_of(
        "OFFERS = [entry('/child/x', 'query')]\n"
        "def answer(request, send): return 1\n");
    program.scope = "sums:use";
    begin(std::move(program));
    until_offered();
    EXPECT_TRUE(ask("child/x", {}, bob({"sums:use"})));
    EXPECT_TRUE(ask("child/x").error().is(causes::kScopeMissing));
}

TEST_F(ProgramCallsTest, EndWithTheProgramAndComeBack) {
    begin(
        "OFFERS = [entry('/child/die', 'query'), entry('/child/live', 'query')]\n"
        "def answer(request, send):\n"
        "    if request['operationId'] == '/child/die': os._exit(5)\n"
        "    return os.getpid()\n");
    until_offered();
    const Json before = ask("child/live").value();
    const auto died = ask("child/die");
    ASSERT_FALSE(died);
    EXPECT_TRUE(died.error().is(causes::kProgramDown)) << died.error().message();
    EXPECT_TRUE(ask("child/live").error().is(causes::kProgramDown)) << "as long as it is away";
    until_offered(2);
    EXPECT_EQ(last_end(), "exit code 5");
    EXPECT_NE(ask("child/live").value(), before);
}

TEST_F(ProgramCallsTest, TellTheirOwnErrors) {
    begin(
        "OFFERS = [entry('/child/x', 'query')]\n"
        "def answer(request, send):\n"
        "    send('call.error', {'code': 'NOT_FOUND', 'message': 'no x', 'retryable': False})\n");
    until_offered();
    const auto failed = ask("child/x");
    ASSERT_FALSE(failed);
    EXPECT_TRUE(failed.error().is(causes::kNoOperation));
    EXPECT_THAT(failed.error().detail(), HasSubstr("no x"));
}

TEST_F(ProgramCallsTest, AreAborted) {
    begin(
        "OFFERS = [entry('/child/hang', 'query')]\n"
        "def answer(request, send): pass\n");
    until_offered();
    call::CallContext context;
    context.identity = bob();
    TaskScope calling(*loop);
    calling.spawn(
        [](call::OperationRegistry& all, call::CallContext who) -> task<void> {
            (void)co_await all.call("child/hang", std::move(who), Json());
        }(registry, std::move(context)),
        "call");
    loop->run_until_idle();
    calling.cancel();
    (void)run(calling.join());
    until([this] { return sink->count("exec.output") > 0; });
    EXPECT_EQ(sink->last("exec.output")->field("line"), "aborted");
}

TEST_F(ProgramCallsTest, GiveSubscriptionsEachOnItsOwnConnection) {
    begin(
        "OFFERS = [entry('/child/count', 'subscription'), entry('/child/x', 'query')]\n"
        "def answer(request, send):\n"
        "    if request['operationId'] == '/child/x': return 1\n"
        "    for n in range(1, 1 + request['input']['to']):\n"
        "        send('call.responded', {'output': n, 'seq': n * 2, 'missed': 1})\n"
        "    send('call.completed', {})\n");
    until_offered();
    const auto subscribe = [this](std::uint64_t to, Items& items) {
        call::CallContext context;
        context.identity = bob();
        return run(registry.subscribe("child/count", std::move(context), Json::object({{"to", to}}),
                                      items));
    };
    Items all(1000);
    EXPECT_TRUE(subscribe(100, all));
    ASSERT_EQ(all.taken.size(), 100U);
    EXPECT_EQ(all.taken[6].seq, 14U);
    EXPECT_EQ(all.taken[6].missed, 1U);
    // One that is ended early leaves nothing behind that holds the others up.
    Items few(3);
    const auto ended = subscribe(10'000'000, few);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().detail(), "enough");
    EXPECT_EQ(few.taken.size(), 3U);
    EXPECT_TRUE(ask("child/x"));
    EXPECT_EQ(programs->status().front().streams, 1U);
}

TEST_F(ProgramCallsTest, OfAProgramThatSaysRubbishAreNone) {
    for (const char* rubbish :
         {"b'HTTP/1.1 400 Bad Request\\r\\n'", "struct.pack('>I', 0)", "struct.pack('>I', 1 << 30)",
          "struct.pack('>I', 3) + b'{]}'", "struct.pack('>I', 2) + b'{}'"}) {
        config::Program program = program_of(
            "OFFERS = []\n"
            "def serve(connection):\n"
            "    connection.sendall(" +
            std::string(rubbish) +
            ")\n"
            "    connection.recv(1 << 20)\n"
            "    signal.pause()\n");
        program.attempts_max = 1;
        program.stop_timeout = std::chrono::milliseconds(100);
        begin(std::move(program));
        until([this] { return programs->status().front().state == ProgramState::given_up; });
        EXPECT_FALSE(last_end().empty());
        EXPECT_EQ(sink->count("exec.offered"), 0U) << rubbish;
        end();
    }
}

TEST_F(ProgramCallsTest, OfAProgramThatOffersTooMuchAreNone) {
    config::Program program =
        program_of("OFFERS = [entry(f'/a/b{n}', 'query') for n in range(257)]\n");
    program.attempts_max = 1;
    begin(std::move(program));
    until([this] { return programs->status().front().state == ProgramState::given_up; });
    EXPECT_THAT(last_end(), HasSubstr("more than 256 operations"));
}

}  // namespace
}  // namespace alknet::exec
