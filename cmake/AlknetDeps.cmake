# Third-party libraries, as imported targets alknet_dep::<name>. A room names the ones it uses in
# PUBLIC_DEPS or PRIVATE_DEPS; only those are looked for. The installed package brings this file
# along, so that a static alknet finds the same libraries. Packages: docs/dependencies.md.

include_guard(GLOBAL)
find_package(PkgConfig REQUIRED)

set(ALKNET_DEP_ngtcp2 libngtcp2>=1.11 libngtcp2_crypto_gnutls>=1.11)
set(ALKNET_DEP_gnutls gnutls>=3.7.9)
set(ALKNET_DEP_nettle nettle hogweed)
set(ALKNET_DEP_sodium libsodium>=1.0.18)
set(ALKNET_DEP_sqlite sqlite3>=3.40)
set(ALKNET_DEP_fmt fmt>=9)
set(ALKNET_DEP_spdlog spdlog>=1.10)
set(ALKNET_DEP_toml tomlplusplus>=3.3)
set(ALKNET_DEP_cli11 CLI11>=2.1)
set(ALKNET_DEP_re2 re2)
set(ALKNET_DEP_crypto libcrypto>=3.0)
set(ALKNET_DEP_qrencode libqrencode>=4.1)
set(ALKNET_DEP_gtest gtest gmock)
set(ALKNET_DEP_gtest_main gtest_main)
set(ALKNET_DEP_benchmark benchmark)

# Not packaged with pkg-config.
set(ALKNET_DEP_threads PACKAGE Threads TARGET Threads::Threads)
set(ALKNET_DEP_rapidcheck PACKAGE rapidcheck TARGET rapidcheck)
set(ALKNET_DEP_boost_json PACKAGE boost_json TARGET Boost::json)
set(Boost_USE_STATIC_LIBS ON) # a few functions of a library that is otherwise unused

# Defines alknet_dep::<name> for each alknet_dep::<name> among the arguments; leaves others alone.
function(alknet_find_deps)
    foreach(dep IN LISTS ARGN)
        if(NOT dep MATCHES "^alknet_dep::(.+)$" OR TARGET ${dep})
            continue()
        endif()
        set(name ${CMAKE_MATCH_1})
        if(NOT DEFINED ALKNET_DEP_${name})
            message(FATAL_ERROR "cmake/AlknetDeps.cmake does not know ${dep}")
        endif()
        set(spec ${ALKNET_DEP_${name}})
        add_library(${dep} INTERFACE IMPORTED GLOBAL)
        list(GET spec 0 first)
        if(first STREQUAL "PACKAGE")
            list(GET spec 1 package)
            list(GET spec 3 target)
            find_package(${package} REQUIRED GLOBAL)
            target_link_libraries(${dep} INTERFACE ${target})
        else()
            pkg_check_modules(ALKNET_PC_${name} REQUIRED IMPORTED_TARGET GLOBAL ${spec})
            target_link_libraries(${dep} INTERFACE PkgConfig::ALKNET_PC_${name})
        endif()
        set_property(GLOBAL APPEND PROPERTY ALKNET_DEPS_USED ${dep})
    endforeach()
endfunction()
