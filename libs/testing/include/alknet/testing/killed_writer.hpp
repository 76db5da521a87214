// A writer that is killed at one of its system calls: whoever tries each of them in turn sees what
// every crash leaves on the disk.
#pragma once

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <functional>

namespace alknet::sim {

/// Runs `write` in a child, which is killed before its system call number `stop`. False if it ended
/// before that; then `write` must have given true.
inline bool killed_at(int stop, const std::function<bool()>& write) {
    const pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGSTOP);
        _exit(write() ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL);
    // Each call stops twice: before it, and after it.
    for (int i = 0; i <= 2 * stop; ++i) {
        ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
        EXPECT_EQ(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            EXPECT_EQ(WEXITSTATUS(status), 0);
            return false;
        }
    }
    kill(child, SIGKILL);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    return true;
}

}  // namespace alknet::sim
