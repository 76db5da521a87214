#include <pthread.h>
#include <alknet/base/os_error.hpp>
#include <alknet/base/threads.hpp>
#include <csignal>
#include <string>
#include <system_error>

namespace alknet {

result<std::thread> start_thread(std::string_view name, std::function<void()> body) {
    const std::string shown(name.substr(0, 15));
    // A thread inherits the mask, so that it is never without it.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread;
    int failure = 0;
    try {
        thread = std::thread(std::move(body));
        pthread_setname_np(thread.native_handle(), shown.c_str());
    } catch (const std::system_error& reason) {
        failure = reason.code().value();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (!thread.joinable()) {
        return os_fail("start thread", failure, name);
    }
    return thread;
}

}  // namespace alknet
