#include <alknet/base/causes.hpp>
#include <alknet/identity/names.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

TEST(Names, AreFewPlainCharacters) {
    for (const char* name : {"a", "Bob", "web-1", "a.b_c", "7seas"}) {
        EXPECT_TRUE(check_name(name)) << name;
    }
    EXPECT_TRUE(check_name(std::string(kNameBytesMax, 'a')));
    for (const std::string& name : {std::string(), std::string(kNameBytesMax + 1, 'a'),
                                    std::string("a b"), std::string(" bob"), std::string("bob "),
                                    std::string("bob\t"), std::string("-bob"), std::string(".bob"),
                                    std::string("b\xd0\xbe"
                                                "b"),
                                    std::string("bob\xe2\x80\x8b"), std::string("b\0b", 3),
                                    std::string("b/b"), std::string("\xff")}) {
        const auto checked = check_name(name);
        ASSERT_FALSE(checked) << name;
        EXPECT_TRUE(checked.error().is(causes::kUsage));
    }
}

TEST(Names, ThatLookAlikeHaveOneSkeleton) {
    for (const auto& [a, b] :
         {std::pair("bob", "BOB"), std::pair("bob", "b0b"), std::pair("paul", "pau1"),
          std::pair("paul", "pauI"), std::pair("modem", "modern"), std::pair("wim", "vvim"),
          std::pair("a_b", "a-b"), std::pair("LILI", "1i1l")}) {
        EXPECT_EQ(name_skeleton(a), name_skeleton(b)) << a;
    }
    for (const auto& [a, b] : {std::pair("bob", "bobo"), std::pair("web1", "web2"),
                               std::pair("a.b", "a-b"), std::pair("anna", "anne")}) {
        EXPECT_NE(name_skeleton(a), name_skeleton(b)) << a;
    }
}

}  // namespace
}  // namespace alknet::identity
