#include <gtest/gtest.h>
#include <alknet/rt/cancel.hpp>
#include <functional>
#include <memory>
#include <optional>

namespace alknet {
namespace {

class Hook final : public CancelHook {
public:
    explicit Hook(std::function<void()> on_told = [] {}) : on_told_(std::move(on_told)) {}
    void on_cancel() noexcept override {
        ++told;
        on_told_();
    }
    int told = 0;

private:
    std::function<void()> on_told_;
};

TEST(Cancel, TellsEachHookOnce) {
    Cancel cancel;
    Hook first;
    Hook second;
    cancel.add(first);
    cancel.add(second);
    cancel.request();
    cancel.request();
    EXPECT_TRUE(cancel.requested());
    EXPECT_EQ(first.told, 1);
    EXPECT_EQ(second.told, 1);
}

TEST(Cancel, TellsAtOnceWhatComesTooLate) {
    Cancel cancel;
    cancel.request();
    Hook late;
    cancel.add(late);
    EXPECT_EQ(late.told, 1);
}

TEST(Cancel, ReachesEverythingBelowAndNothingAbove) {
    Cancel root;
    Cancel child(&root);
    Cancel grandchild(&child);
    Cancel sibling(&root);
    child.request();
    EXPECT_TRUE(grandchild.requested());
    EXPECT_FALSE(root.requested());
    EXPECT_FALSE(sibling.requested());
    const Cancel born_late(&child);
    EXPECT_TRUE(born_late.requested());
    root.request();
    EXPECT_TRUE(sibling.requested());
}

TEST(Cancel, AParentThatDiesFirstLeavesItsChildrenAlone) {
    auto parent = std::make_unique<Cancel>();
    Cancel child(parent.get());
    Hook hook;
    child.add(hook);
    parent.reset();
    EXPECT_FALSE(child.requested());
    child.request();
    EXPECT_EQ(hook.told, 1);
}

TEST(Cancel, AHookThatDiesIsNotTold) {
    Cancel cancel;
    std::optional<Hook> gone(std::in_place);
    Hook stays;
    cancel.add(*gone);
    cancel.add(stays);
    gone.reset();
    cancel.request();
    EXPECT_EQ(stays.told, 1);
}

TEST(Cancel, EverythingIsMarkedBeforeAnythingIsTold) {
    Cancel root;
    Cancel child(&root);
    bool child_was_requested = false;
    Hook hook([&] { child_was_requested = child.requested(); });
    root.add(hook);
    root.request();
    EXPECT_TRUE(child_was_requested);
}

TEST(Cancel, AHookMayDestroyOtherHooksAndCancelsOfTheTree) {
    Cancel root;
    auto doomed_child = std::make_unique<Cancel>(&root);
    auto doomed_grandchild = std::make_unique<Cancel>(doomed_child.get());
    auto doomed_hook = std::make_unique<Hook>();
    Hook destroyer([&] {
        doomed_hook.reset();
        doomed_child.reset();
        doomed_grandchild.reset();
    });
    Hook last;
    root.add(destroyer);
    doomed_grandchild->add(*doomed_hook);
    root.add(last);
    root.request();
    EXPECT_EQ(destroyer.told, 1);
    EXPECT_EQ(last.told, 1);
    EXPECT_EQ(doomed_hook, nullptr);
}

TEST(Cancel, AHookMayDestroyTheCancelThatTellsIt) {
    auto cancel = std::make_unique<Cancel>();
    Hook destroyer([&] { cancel.reset(); });
    Hook last;
    cancel->add(destroyer);
    cancel->add(last);
    cancel->request();
    EXPECT_EQ(cancel, nullptr);
    EXPECT_EQ(last.told, 1);
}

TEST(Cancel, AHookMayAddAndRequestAgain) {
    Cancel cancel;
    Hook added;
    Hook adder([&] {
        cancel.add(added);
        cancel.request();
    });
    cancel.add(adder);
    cancel.request();
    EXPECT_EQ(added.told, 1);
    EXPECT_EQ(adder.told, 1);
}

TEST(Cancel, ADeepTreeNeedsNoDeepStack) {
    constexpr std::size_t kDepth = 200'000;
    std::vector<std::unique_ptr<Cancel>> chain;
    chain.push_back(std::make_unique<Cancel>());
    for (std::size_t i = 1; i < kDepth; ++i) {
        chain.push_back(std::make_unique<Cancel>(chain.back().get()));
    }
    chain.front()->request();
    EXPECT_TRUE(chain.back()->requested());
}

}  // namespace
}  // namespace alknet
