#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/config/home.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace alknet::config {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HomeTest : public testing::Test {
protected:
    [[nodiscard]] fs::path home() const { return root_ / "below" / "home"; }
    [[nodiscard]] fs::path in_home(const char* name) const { return home() / name; }
    result<Created> create() {
        return Home::create(home(), {.addresses = {}, .names = {"localhost"}, .program = "test 1"});
    }
    Home created() {
        EXPECT_TRUE(create());
        return *Home::open(home());
    }

    sim::TempDir root_;
};

void write(const fs::path& file, std::string_view text) {
    std::ofstream(file, std::ios::binary) << text;
    EXPECT_EQ(::chmod(file.c_str(), 0600), 0);
}

std::string read(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

unsigned mode(const fs::path& file) {
    struct stat status{};
    EXPECT_EQ(::stat(file.c_str(), &status), 0);
    return status.st_mode & 07777U;
}

TEST(ChooseHome, TheOptionThenTheVariableThenTheXdgPlaces) {
    HomeSources sources{
        .option = "/a", .alknet_home = "/b", .xdg_data_home = "/c", .user_home = "/d"};
    EXPECT_EQ(*choose_home(sources), "/a");
    sources.option.reset();
    EXPECT_EQ(*choose_home(sources), "/b");
    sources.alknet_home.clear();
    EXPECT_EQ(*choose_home(sources), "/c/alknet");
    sources.xdg_data_home = "relative";
    EXPECT_EQ(*choose_home(sources), "/d/.local/share/alknet");
    sources.user_home.clear();
    EXPECT_TRUE(choose_home(sources).error().is(causes::kHomeInvalid));
}

TEST_F(HomeTest, CreateMakesEverythingForTheOwnerAlone) {
    const mode_t umask_before = ::umask(0);
    const auto made = create();
    ::umask(umask_before);
    ASSERT_TRUE(made);
    EXPECT_THAT(made->written, ElementsAre("node.key", "cert.pem", "cert-key.pem",
                                           "endpoint.secrets", "manifest.toml", "alknet.toml"));
    EXPECT_THAT(made->kept, IsEmpty());
    EXPECT_EQ(mode(home()), 0700U);
    for (const auto& entry : fs::directory_iterator(home())) {
        EXPECT_EQ(mode(entry.path()), 0600U) << entry.path();
    }
    EXPECT_THAT(read(in_home("manifest.toml")), HasSubstr("format = 1\ncreated_by = \"test 1\""));
}

TEST_F(HomeTest, CreateTwiceChangesNothing) {
    ASSERT_TRUE(create());
    const std::string key = read(in_home("node.key"));
    const auto again = create();
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(causes::kHomeExists));
    EXPECT_EQ(read(in_home("node.key")), key);
}

TEST_F(HomeTest, CreateCompletesWhatWasInterruptedAndKeepsTheKey) {
    ASSERT_TRUE(create());
    const std::string key = read(in_home("node.key"));
    fs::remove(in_home("alknet.toml"));
    fs::remove(in_home("manifest.toml"));
    EXPECT_TRUE(Home::open(home()).error().is(causes::kConfigMissing));
    const auto again = create();
    ASSERT_TRUE(again);
    EXPECT_THAT(again->written, ElementsAre("manifest.toml", "alknet.toml"));
    EXPECT_THAT(again->kept,
                ElementsAre("node.key", "cert.pem", "cert-key.pem", "endpoint.secrets"));
    EXPECT_EQ(read(in_home("node.key")), key);
    EXPECT_TRUE(Home::open(home()));
}

TEST_F(HomeTest, CreateDoesNotMoveIntoSomebodyElsesDirectory) {
    fs::create_directories(home());
    write(in_home("letter.txt"), "dear");
    const auto made = create();
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().is(causes::kHomeInvalid));
    EXPECT_THAT(made.error().detail(), HasSubstr("holds other files"));
    EXPECT_FALSE(fs::exists(in_home("node.key")));
}

TEST_F(HomeTest, CreateSaysWhyItCannot) {
    write(root_ / "below", "a file");
    EXPECT_TRUE(create().error().is(causes::kIo));
    fs::remove(root_ / "below");
    fs::create_directory(root_ / "below");
    write(home(), "a file");
    EXPECT_TRUE(create().error().is(causes::kHomeInvalid));
}

TEST_F(HomeTest, OpenWantsANode) {
    EXPECT_TRUE(Home::open(home()).error().is(causes::kConfigMissing));
    fs::create_directories(home());
    EXPECT_TRUE(Home::open(home()).error().is(causes::kConfigMissing));
}

TEST_F(HomeTest, NobodyElseMayWriteToTheHomeOrItsConfiguration) {
    const Home node = created();
    ASSERT_EQ(::chmod(home().c_str(), 0770), 0);
    EXPECT_TRUE(Home::open(home()).error().is(causes::kHomeInvalid));
    ASSERT_EQ(::chmod(home().c_str(), 0755), 0);
    EXPECT_TRUE(Home::open(home()));
    ASSERT_EQ(::chmod(in_home("alknet.toml").c_str(), 0666), 0);
    const auto config = node.load_config();
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().detail(), HasSubstr("others can write to"));
}

TEST_F(HomeTest, ANewerHomeIsNotTouched) {
    (void)created();
    write(in_home("manifest.toml"), "format = 2\n");
    EXPECT_THAT(Home::open(home()).error().detail(), HasSubstr("needs a newer alknet"));
    for (const char* bad : {"", "format = 'x'", "format = 0", "format", "\xff"}) {
        write(in_home("manifest.toml"), bad);
        EXPECT_TRUE(Home::open(home()).error().is(causes::kHomeInvalid)) << bad;
    }
    fs::remove(in_home("manifest.toml"));
    EXPECT_THAT(Home::open(home()).error().detail(), HasSubstr("`alknet init` adds"));
}

TEST_F(HomeTest, TheKeyStaysTheSame) {
    const Home node = created();
    const Config config = *node.load_config();
    const auto first = node.load_key(config.fixed);
    ASSERT_TRUE(first);
    EXPECT_EQ((*first)->id(), (*node.load_key(config.fixed))->id());
}

TEST_F(HomeTest, ABadKeyIsAProblemOfTheHome) {
    const Home node = created();
    const Config config = *node.load_config();
    ASSERT_EQ(::chmod(in_home("node.key").c_str(), 0644), 0);
    EXPECT_TRUE(node.load_key(config.fixed).error().is(causes::kHomeInvalid));
    write(in_home("node.key"), "no key");
    EXPECT_TRUE(node.load_key(config.fixed).error().is(causes::kHomeInvalid));
    EXPECT_THAT(node.load_key(config.fixed).error().detail(), HasSubstr("node.key"));
    fs::remove(in_home("node.key"));
    EXPECT_TRUE(node.load_key(config.fixed).error().is(causes::kHomeInvalid));
    EXPECT_EQ(node.load_key(config.fixed).error().detail(),
              "there is no " + in_home("node.key").native());
}

TEST_F(HomeTest, TheSecretsStayTheSameAndAreChecked) {
    const Home node = created();
    const auto first = node.load_secrets();
    ASSERT_TRUE(first);
    const auto second = node.load_secrets();
    ASSERT_TRUE(second);
    EXPECT_EQ(first->token, second->token);
    EXPECT_EQ(first->stateless_reset, second->stateless_reset);
    EXPECT_NE(first->token, first->stateless_reset);
    write(in_home("endpoint.secrets"), "short");
    EXPECT_TRUE(node.load_secrets().error().is(causes::kHomeInvalid));
    fs::remove(in_home("endpoint.secrets"));
    EXPECT_TRUE(node.load_secrets().error().is(causes::kHomeInvalid));
}

TEST_F(HomeTest, TheOwnCertificateServesWhereNoneIsConfigured) {
    const Home node = created();
    const auto own = node.load_config();
    ASSERT_TRUE(own);
    ASSERT_EQ(own->dynamic.certificates.size(), 1U);
    EXPECT_EQ(own->dynamic.certificates[0].chain, in_home("cert.pem"));
    write(in_home("alknet.toml"), "tls.certificates = [{chain='a',key='b'}]");
    const auto configured = node.load_config();
    ASSERT_TRUE(configured);
    ASSERT_EQ(configured->dynamic.certificates.size(), 1U);
    EXPECT_EQ(configured->dynamic.certificates[0].chain, in_home("a"));
    write(in_home("alknet.toml"), "");
    fs::remove(in_home("cert.pem"));
    EXPECT_THAT(node.load_config()->dynamic.certificates, IsEmpty());
}

TEST_F(HomeTest, ABadConfigurationIsNamedWithItsFile) {
    const Home node = created();
    write(in_home("alknet.toml"), "[limits]\nstreams_max = 'many'\n");
    const auto config = node.load_config();
    ASSERT_FALSE(config);
    EXPECT_TRUE(config.error().is(causes::kConfigInvalid));
    EXPECT_THAT(config.error().detail(),
                HasSubstr(in_home("alknet.toml").native() + ":2:15: limits.streams_max: "));
    fs::remove(in_home("alknet.toml"));
    EXPECT_TRUE(node.load_config().error().is(causes::kConfigMissing));
    fs::create_directory(in_home("alknet.toml"));
    EXPECT_TRUE(node.load_config().error().is(causes::kHomeInvalid));
    fs::remove(in_home("alknet.toml"));
    ASSERT_EQ(::mkfifo(in_home("alknet.toml").c_str(), 0600), 0);
    EXPECT_TRUE(node.load_config().error().is(causes::kHomeInvalid));
}

TEST_F(HomeTest, OneNodeRunsInAHomeAtATime) {
    const Home node = created();
    {
        const auto held = node.lock();
        ASSERT_TRUE(held);
        EXPECT_TRUE(node.lock().error().is(causes::kHomeInvalid));
    }
    EXPECT_TRUE(node.lock());
}

}  // namespace
}  // namespace alknet::config
