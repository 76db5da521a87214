#include <gtest/gtest.h>
#include <alknet/rt/intrusive_list.hpp>
#include <optional>

namespace alknet {
namespace {

struct TestTag;
struct OtherTag;
struct Item : ListHook<TestTag>, ListHook<OtherTag> {
    explicit Item(int n) : number(n) {}
    int number;
};
using List = IntrusiveList<Item, TestTag>;

std::vector<int> numbers(const List& list) {
    std::vector<int> found;
    list.for_each([&found](const Item& item) { found.push_back(item.number); });
    return found;
}

TEST(IntrusiveList, KeepsOrderAtBothEnds) {
    Item one(1);
    Item two(2);
    Item three(3);
    List list;
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.front(), nullptr);
    EXPECT_EQ(list.pop_front(), nullptr);
    list.push_back(two);
    list.push_back(three);
    list.push_front(one);
    EXPECT_EQ(numbers(list), (std::vector{1, 2, 3}));
    EXPECT_EQ(list.pop_front(), &one);
    EXPECT_FALSE(one.ListHook<TestTag>::linked());
    EXPECT_EQ(list.front(), &two);
}

TEST(IntrusiveList, AnElementThatDiesLeaves) {
    Item one(1);
    std::optional<Item> two(2);
    Item three(3);
    List list;
    IntrusiveList<Item, OtherTag> other;
    list.push_back(one);
    list.push_back(*two);
    list.push_back(three);
    other.push_back(*two);
    two.reset();
    EXPECT_EQ(numbers(list), (std::vector{1, 3}));
    EXPECT_TRUE(other.empty());
}

TEST(IntrusiveList, AListThatDiesLetsItsElementsGo) {
    Item one(1);
    {
        List list;
        list.push_back(one);
        EXPECT_TRUE(one.ListHook<TestTag>::linked());
    }
    EXPECT_FALSE(one.ListHook<TestTag>::linked());
}

TEST(IntrusiveList, SplicingMovesAll) {
    Item one(1);
    Item two(2);
    List from;
    List to;
    to.push_back(one);
    from.push_back(two);
    to.splice_back(from);
    EXPECT_TRUE(from.empty());
    EXPECT_EQ(numbers(to), (std::vector{1, 2}));
}

}  // namespace
}  // namespace alknet
