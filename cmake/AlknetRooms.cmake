# A room is one library under libs/<room>. These functions are all a room's CMakeLists.txt needs:
#
#   alknet_library(quic
#       SOURCES src/endpoint.cpp src/packet.cpp ...
#       PUBLIC_DEPS alknet::net alknet::tls         seen in public headers
#       PRIVATE_DEPS alknet_dep::ngtcp2             used in src/ only
#       CODEC src/packet.cpp ...)                   those of SOURCES that are sans-I/O; none named = all
#   alknet_test(quic SOURCES tests/a_test.cpp ... DEPS alknet::testing)
#   alknet_fuzzer(packet SOURCE fuzz/packet.cpp DEPS alknet::quic CORPUS corpus/packet
#       COVERS libs/quic/src/packet.cpp)            the parser whose lines the corpus must reach
#   alknet_bench(packet SOURCES bench/packet.cpp DEPS alknet::quic)

# The sans-I/O sources of all rooms, without exceptions and RTTI: `./dev lint` builds this.
add_custom_target(check_codecs)
# Every public header on its own: `./dev lint` builds this.
add_custom_target(check_headers)
# Every benchmark, and nothing else: `./dev bench` builds this.
add_custom_target(benches)

include(GoogleTest)

function(alknet_library room)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;PUBLIC_DEPS;PRIVATE_DEPS;CODEC")
    set(target alknet_${room})
    alknet_find_deps(${arg_PUBLIC_DEPS} ${arg_PRIVATE_DEPS})
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS include/alknet/*.hpp)

    if(arg_SOURCES)
        add_library(${target} STATIC ${arg_SOURCES})
        set(scope PUBLIC)
        target_include_directories(${target} PRIVATE src)
        target_link_libraries(${target} PRIVATE ${arg_PRIVATE_DEPS})
        if(CMAKE_CXX_COMPILER_ID MATCHES "Clang") # a room has no static constructor
            target_compile_options(${target} PRIVATE -Wglobal-constructors -Wexit-time-destructors)
        endif()
    else()
        add_library(${target} INTERFACE)
        set(scope INTERFACE)
    endif()
    add_library(alknet::${room} ALIAS ${target})
    target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS include FILES ${headers})
    target_compile_features(${target} ${scope} cxx_std_23)
    target_link_libraries(${target} ${scope} ${arg_PUBLIC_DEPS})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${room})
    set_property(GLOBAL APPEND PROPERTY ALKNET_ROOMS ${room})

    alknet_check_headers(${room} "${headers}")
    if(arg_CODEC OR "CODEC" IN_LIST arg_KEYWORDS_MISSING_VALUES)
        set(codec ${arg_CODEC})
        if(NOT codec)
            set(codec ${arg_SOURCES})
        endif()
        alknet_check_codec(${room} "${codec}" "${arg_PUBLIC_DEPS};${arg_PRIVATE_DEPS}")
    endif()
endfunction()

# For a room that runs once in a while: small counts for more than fast. Of the target alone, since
# the precompiled header of the tests has none of it.
function(alknet_prefer_size target)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Oz>)
endfunction()

# The same for files of the current room, beside others that are to be fast.
function(alknet_prefer_size_of)
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS $<$<CONFIG:Release>:-Oz>)
endfunction()

# One translation unit per public header, which includes it twice and nothing else.
function(alknet_check_headers room headers)
    set(sources)
    foreach(header IN LISTS headers)
        file(RELATIVE_PATH name "${CMAKE_CURRENT_SOURCE_DIR}/include" "${header}")
        set(source "${CMAKE_CURRENT_BINARY_DIR}/check_headers/${name}.cpp")
        file(CONFIGURE OUTPUT "${source}" CONTENT "#include <${name}>\n#include <${name}>\n")
        list(APPEND sources "${source}")
    endforeach()
    if(sources)
        add_library(check_headers_${room} OBJECT EXCLUDE_FROM_ALL ${sources})
        target_link_libraries(check_headers_${room} PRIVATE alknet_${room})
        add_dependencies(check_headers check_headers_${room})
    endif()
endfunction()

function(alknet_check_codec room sources deps)
    if(ALKNET_SANITIZE) # -fsanitize=undefined needs RTTI
        return()
    endif()
    add_library(check_codec_${room} OBJECT EXCLUDE_FROM_ALL ${sources})
    target_compile_options(check_codec_${room} PRIVATE -fno-exceptions -fno-rtti)
    target_include_directories(check_codec_${room} PRIVATE include src)
    target_link_libraries(check_codec_${room} PRIVATE ${deps})
    add_dependencies(check_codecs check_codec_${room})
endfunction()

# The precompiled test headers, made once and used by every room's tests.
function(alknet_test_pch)
    alknet_find_deps(alknet_dep::gtest alknet_dep::gtest_main)
    add_library(alknet_test_main INTERFACE)
    target_link_libraries(alknet_test_main INTERFACE alknet_dep::gtest alknet_dep::gtest_main)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        return() # the flags below are clang's; others compile the tests without, and slower
    endif()
    set(source "${PROJECT_BINARY_DIR}/alknet_test_pch.cpp")
    file(CONFIGURE OUTPUT "${source}" CONTENT "// The precompiled header needs a source to belong to.\n")
    add_library(alknet_test_pch OBJECT "${source}")
    target_link_libraries(alknet_test_pch PRIVATE alknet_dep::gtest)
    # Executables are compiled with -fPIE, and a precompiled header must agree.
    set_target_properties(alknet_test_pch PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(alknet_test_pch PRIVATE -fPIE)
    set(headers <chrono> <coroutine> <expected> <functional> <gmock/gmock.h> <gtest/gtest.h>
        <map> <memory> <optional> <span> <string> <string_view> <vector>)
    target_precompile_headers(alknet_test_pch PRIVATE ${headers})

    # A precompiled header holds absolute paths, so ccache would miss in every other checkout. It
    # reads this sum instead: what the header is made of. (Flags it hashes by itself.)
    set(sum "${headers} ${CMAKE_CXX_COMPILER_VERSION}")
    foreach(path IN ITEMS "${CMAKE_CXX_COMPILER}" /usr/include/gtest/gtest.h /usr/include/gmock/gmock.h)
        file(REAL_PATH "${path}" path)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
        file(TIMESTAMP "${path}" stamp)
        string(APPEND sum " ${stamp}")
    endforeach()
    set(pch "${PROJECT_BINARY_DIR}/CMakeFiles/alknet_test_pch.dir/cmake_pch.hxx.pch")
    file(CONFIGURE OUTPUT "${pch}.sum" CONTENT "${sum}\n")
    # Not REUSE_FROM, whose flags ccache cannot make relative.
    target_compile_options(alknet_test_main INTERFACE -include-pch "${pch}" -Winvalid-pch)
    set_property(GLOBAL PROPERTY ALKNET_TEST_PCH "${pch}")
endfunction()

# One executable <room>_tests per room, each TEST a ctest test with the room as its label.
function(alknet_test room)
    if(NOT ALKNET_TESTS)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
    alknet_find_deps(${arg_DEPS})

    add_executable(${room}_tests ${arg_SOURCES})
    target_link_libraries(${room}_tests PRIVATE ${arg_DEPS} alknet_test_main)
    target_include_directories(${room}_tests PRIVATE src tests)
    get_property(pch GLOBAL PROPERTY ALKNET_TEST_PCH)
    set_source_files_properties(${arg_SOURCES} PROPERTIES OBJECT_DEPENDS "${pch}")
    if(TARGET alknet_${room})
        target_link_libraries(${room}_tests PRIVATE alknet_${room})
    endif()
    gtest_discover_tests(${room}_tests DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES TEST_PREFIX ${room}.
        DISCOVERY_TIMEOUT 60 PROPERTIES LABELS ${room} TIMEOUT 300)
endfunction()

# In the fuzz preset the libFuzzer executable fuzz_<name>; elsewhere the test fuzz_replay_<name>,
# which feeds every corpus file to the same function.
function(alknet_fuzzer name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE;CORPUS" "DEPS;COVERS")
    alknet_find_deps(${arg_DEPS})
    cmake_path(ABSOLUTE_PATH arg_CORPUS NORMALIZE)
    if(ALKNET_FUZZ)
        add_executable(fuzz_${name} ${arg_SOURCE})
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        target_link_libraries(fuzz_${name} PRIVATE ${arg_DEPS})
        set(target fuzz_${name})
    elseif(ALKNET_TESTS)
        set(target fuzz_replay_${name})
        add_executable(${target} ${arg_SOURCE} "${PROJECT_SOURCE_DIR}/tools/fuzz/replay_main.cpp")
        target_link_libraries(${target} PRIVATE ${arg_DEPS})
        add_test(NAME ${target} COMMAND ${target} "${arg_CORPUS}")
        set_tests_properties(${target} PROPERTIES LABELS fuzz TIMEOUT 300)
    else()
        return()
    endif()
    # What `./dev fuzz` and `./dev coverage` read: target | corpus | covered sources | rooms linked.
    string(REPLACE ";" " " covers "${arg_COVERS}")
    string(REPLACE ";" " " deps "${arg_DEPS}")
    file(APPEND "${PROJECT_BINARY_DIR}/fuzzers.txt" "${target}|${arg_CORPUS}|${covers}|${deps}\n")
endfunction()

# A Google Benchmark executable bench_<name>; `./dev bench` runs them all.
function(alknet_bench name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
    if(ALKNET_TESTS AND NOT ALKNET_SANITIZE)
        alknet_find_deps(alknet_dep::benchmark ${arg_DEPS})
        add_executable(bench_${name} ${arg_SOURCES})
        target_link_libraries(bench_${name} PRIVATE ${arg_DEPS} alknet_dep::benchmark)
        add_dependencies(benches bench_${name})
    endif()
endfunction()

# Adds libs/<room> for every room that exists, lowest first.
function(alknet_add_rooms)
    if(ALKNET_TESTS)
        alknet_test_pch()
    endif()
    file(REMOVE "${PROJECT_BINARY_DIR}/fuzzers.txt")
    # Only so that a room or part that appears is noticed by the next build.
    file(GLOB noticed CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/*/CMakeLists.txt"
         "${PROJECT_SOURCE_DIR}/libs/*/CMakeLists.txt" "${PROJECT_SOURCE_DIR}/apps/*/CMakeLists.txt")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/rooms.txt")
    file(STRINGS "${PROJECT_SOURCE_DIR}/cmake/rooms.txt" lines REGEX "^[a-z]")
    set(adapter FALSE)
    foreach(line IN LISTS lines)
        separate_arguments(rooms UNIX_COMMAND "${line}")
        foreach(room IN LISTS rooms)
            if(NOT EXISTS "${PROJECT_SOURCE_DIR}/libs/${room}/CMakeLists.txt")
                continue()
            endif()
            if(adapter)
                string(TOUPPER "${room}" upper)
                option(ALKNET_WITH_${upper} "Build the ${room} adapter" ON)
                if(NOT ALKNET_WITH_${upper})
                    continue()
                endif()
            endif()
            add_subdirectory("${PROJECT_SOURCE_DIR}/libs/${room}")
        endforeach()
        if(line STREQUAL "call")
            set(adapter TRUE)
        endif()
    endforeach()
endfunction()
