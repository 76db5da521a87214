# `cmake --install`: libraries, public headers, and a package that find_package(alknet) reads.

include(CMakePackageConfigHelpers)
get_property(rooms GLOBAL PROPERTY ALKNET_ROOMS)
get_property(ALKNET_DEPS_USED GLOBAL PROPERTY ALKNET_DEPS_USED)
list(REMOVE_DUPLICATES ALKNET_DEPS_USED)
list(REMOVE_ITEM ALKNET_DEPS_USED alknet_dep::gtest alknet_dep::gtest_main
    alknet_dep::rapidcheck alknet_dep::benchmark)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/alknet")

list(REMOVE_ITEM rooms testing)
foreach(room IN LISTS rooms)
    install(TARGETS alknet_${room} EXPORT alknetTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
endforeach()
if(rooms)
    install(EXPORT alknetTargets NAMESPACE alknet:: DESTINATION ${package_dir} COMPONENT dev)
endif()

configure_package_config_file(cmake/alknetConfig.cmake.in
    "${PROJECT_BINARY_DIR}/alknetConfig.cmake" INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/alknetConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/alknetConfig.cmake" "${PROJECT_BINARY_DIR}/alknetConfigVersion.cmake"
              cmake/AlknetDeps.cmake
    DESTINATION ${package_dir} COMPONENT dev)

if(TARGET alknet)
    install(TARGETS alknet RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT bin)
endif()
install(FILES LICENSE-MIT LICENSE-APACHE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT bin)
