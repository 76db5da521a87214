# The test install_consumer: installs the build into a fresh prefix and builds every project under
# examples/ against it, as a user of the library would. Run with cmake -P and these variables:
# BUILD (to install), EXAMPLES (directory), WORK (scratch), COMPILER, BUILD_TYPE.

function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/prefix")

file(GLOB projects "${EXAMPLES}/*/CMakeLists.txt")
if(NOT projects)
    message(FATAL_ERROR "there is no example to build")
endif()
foreach(project IN LISTS projects)
    cmake_path(GET project PARENT_PATH source)
    cmake_path(GET source FILENAME name)
    # A copy, so that nothing of the tree is found by a relative path.
    file(COPY "${source}" DESTINATION "${WORK}/source")
    run("${CMAKE_COMMAND}" -G Ninja -S "${WORK}/source/${name}" -B "${WORK}/${name}"
        "-DCMAKE_PREFIX_PATH=${WORK}/prefix" "-DCMAKE_CXX_COMPILER=${COMPILER}"
        "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}")
    run("${CMAKE_COMMAND}" --build "${WORK}/${name}")
    if(EXISTS "${WORK}/${name}/CTestTestfile.cmake")
        run("${CMAKE_CTEST_COMMAND}" --test-dir "${WORK}/${name}" --output-on-failure --no-tests=error)
    endif()
endforeach()
