#include "after_start.hpp"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cstddef>
#include <cstdint>

namespace alknet::app {

namespace {

// Only segments of code: they are never written, so that the file has all there is to them.
int unmap_code(dl_phdr_info* object, std::size_t /*size*/, void* /*context*/) noexcept {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (std::size_t i = 0; i < object->dlpi_phnum; ++i) {
        const auto& segment = object->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || segment.p_flags != (PF_R | PF_X)) {
            continue;
        }
        const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
        const std::uintptr_t first = begin / page * page;
        const std::uintptr_t end = begin + segment.p_memsz;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): this is what the loader tells
        (void)::madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
    }
    return 0;
}

}  // namespace

void give_back_start() noexcept {
    (void)::malloc_trim(0);
    (void)::dl_iterate_phdr(unmap_code, nullptr);
}

}  // namespace alknet::app
