#include "key_news.hpp"

#include <utility>

namespace alknet::app {

result<std::shared_ptr<const KeyNews>> KeyNews::load(const identity::KeyFiles& files) {
    ALKNET_TRY(identity::KeyState state, identity::load_key_state(files));
    auto news = std::make_shared<KeyNews>();
    news->files_ = files;
    news->chain_ = std::move(state.chain);
    if (state.next != nullptr) {
        news->next_ = state.next->id();
    }
    return news;
}

std::vector<identity::Rotation> KeyNews::tell() const {
    if (next_ && !told_ && !identity::note_told(*files_, *next_)) {
        return {chain_.begin(), chain_.end() - 1};
    }
    told_ = true;
    return chain_;
}

}  // namespace alknet::app
