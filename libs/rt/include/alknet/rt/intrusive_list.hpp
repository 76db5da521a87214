// A doubly linked list whose links live in the elements: no allocation, and an element that is
// destroyed leaves its list by itself. An object is in at most one list for each Tag.
#pragma once

#include <cstddef>

namespace alknet {

template <class Tag>
class ListHook {
public:
    ListHook() noexcept = default;
    ListHook(const ListHook&) = delete;
    ListHook& operator=(const ListHook&) = delete;
    ~ListHook() { unlink(); }

    [[nodiscard]] bool linked() const noexcept { return next_ != this; }

    void unlink() noexcept {
        prev_->next_ = next_;
        next_->prev_ = prev_;
        prev_ = next_ = this;
    }

private:
    template <class, class>
    friend class IntrusiveList;
    ListHook* prev_ = this;
    ListHook* next_ = this;
};

/// Holds references, owns nothing. Destroying the list unlinks its elements.
template <class T, class Tag>
class IntrusiveList {
    using Hook = ListHook<Tag>;

public:
    IntrusiveList() noexcept = default;
    IntrusiveList(const IntrusiveList&) = delete;
    IntrusiveList& operator=(const IntrusiveList&) = delete;
    ~IntrusiveList() {
        while (!empty()) {
            head_.next_->unlink();
        }
    }

    [[nodiscard]] bool empty() const noexcept { return !head_.linked(); }

    /// `element` must not be in a list of this Tag.
    void push_back(T& element) noexcept {
        Hook& hook = element;
        hook.prev_ = head_.prev_;
        hook.next_ = &head_;
        head_.prev_->next_ = &hook;
        head_.prev_ = &hook;
    }

    void push_front(T& element) noexcept {
        Hook& hook = element;
        hook.prev_ = &head_;
        hook.next_ = head_.next_;
        head_.next_->prev_ = &hook;
        head_.next_ = &hook;
    }

    [[nodiscard]] T* front() noexcept { return empty() ? nullptr : element(head_.next_); }

    /// Unlinks and returns the first element, or null.
    T* pop_front() noexcept {
        T* first = front();
        if (first != nullptr) {
            static_cast<Hook*>(first)->unlink();
        }
        return first;
    }

    /// Moves all elements of `other` behind the own ones.
    void splice_back(IntrusiveList& other) noexcept {
        while (T* element = other.pop_front()) {
            push_back(*element);
        }
    }

    /// Visits every element. The visitor must leave the list alone.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (const Hook* hook = head_.next_; hook != &head_; hook = hook->next_) {
            visit(static_cast<const T&>(*hook));
        }
    }

private:
    static T* element(Hook* hook) noexcept { return static_cast<T*>(hook); }
    Hook head_;
};

}  // namespace alknet
