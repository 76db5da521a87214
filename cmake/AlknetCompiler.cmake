# Compiler, flags, sanitizers, linker and ccache. Everything here applies to this tree only and is
# not exported: an installed alknet puts no flag on its users but the language level.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13.3)
    message(FATAL_ERROR
        "g++ ${CMAKE_CXX_COMPILER_VERSION} is refused: before 13.3 it silently miscompiles coroutines "
        "(temporaries in an expression with co_await are destroyed twice). "
        "Use clang++-19: cmake --preset dev, or ./dev build.")
endif()

option(ALKNET_TESTS "Build the tests" ON)
option(ALKNET_FUZZ "Build libFuzzer executables instead of corpus replay tests" OFF)
option(ALKNET_WERROR "Treat warnings as errors" $ENV{CI})
option(ALKNET_HARDENING "Compile and link with hardening" OFF)
option(ALKNET_COVERAGE "Instrument for source-based coverage" OFF)
option(ALKNET_MUTATIONS "Compile in the deliberate defects of alknet_sim --mutate" OFF)
set(ALKNET_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()

include(CheckPIESupported)
check_pie_supported()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                    -Wnon-virtual-dtor -Wold-style-cast)
if(ALKNET_WERROR)
    add_compile_options(-Werror)
endif()
add_compile_definitions(_GLIBCXX_ASSERTIONS)
if(ALKNET_MUTATIONS)
    add_compile_definitions(ALKNET_MUTATIONS)
endif()

# Paths relative to the tree: builds are the same in every checkout, and ccache hits across them.
add_compile_options("-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.")

if(ALKNET_SANITIZE)
    add_compile_options(-fsanitize=${ALKNET_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${ALKNET_SANITIZE})
endif()
if(ALKNET_COVERAGE)
    add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
    add_link_options(-fprofile-instr-generate)
endif()
if(ALKNET_HARDENING)
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
                        -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        add_compile_options(-fcf-protection)
    endif()
    add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

foreach(linker IN ITEMS mold lld-19)
    find_program(ALKNET_LINKER_${linker} NAMES ld.${linker} ${linker})
    if(ALKNET_LINKER_${linker})
        add_link_options(-fuse-ld=${linker})
        if(linker STREQUAL mold)
            # The program has a limit of size: functions of the same code are one, unused ones none.
            add_link_options($<$<CONFIG:Release>:-Wl,--gc-sections,--icf=safe>)
        endif()
        break()
    endif()
endforeach()

find_program(ALKNET_CCACHE ccache)
if(ALKNET_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${ALKNET_CCACHE})
    # A time stamp in the precompiled header would make every use of it a miss.
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
    endif()
endif()
