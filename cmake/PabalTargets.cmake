# The helpers that make every target, so that no CMakeLists.txt repeats flags.

find_program(PABAL_CCACHE ccache)
if(PABAL_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PABAL_CCACHE})
endif()

add_library(pabal_flags INTERFACE)
target_include_directories(pabal_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(pabal_flags INTERFACE -Wall -Wextra -Wpedantic -Werror
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
if(PABAL_SANITIZE)
  target_compile_options(pabal_flags INTERFACE
    -fsanitize=${PABAL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(pabal_flags INTERFACE -fsanitize=${PABAL_SANITIZE})
  if(PABAL_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Asio has fences, which the sanitizer ignores; gcc says so with a warning.
    target_compile_options(pabal_flags INTERFACE -Wno-tsan)
  endif()
endif()
if(PABAL_FUZZ)
  # Coverage in our libraries too, or the fuzzer would be blind to them.
  target_compile_options(pabal_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# pabal_library(name SOURCES … HEADERS … DEPENDS …): one module of the broker. DEPENDS are linked
# publicly, in the direction of the arrows in ARCHITECTURE.md.
function(pabal_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;DEPENDS" ${ARGN})
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES} ${arg_HEADERS})
    target_link_libraries(${name} PUBLIC pabal_flags ${arg_DEPENDS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE pabal_flags ${arg_DEPENDS})
  endif()
endfunction()

# pabal_test(name SOURCES … DEPENDS … [LABELS …] [TIMEOUT seconds]): one GoogleTest program, one
# ctest entry. Labels: fast (default), slow, crash, sim, interop.
function(pabal_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if(NOT PABAL_TESTS)
    return()
  endif()
  find_package(GTest REQUIRED)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_LABELS)
    set(arg_LABELS fast)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()

# The Python of the Debian packages, where python3-stomp is; not one of a version manager.
find_program(PABAL_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(PABAL_PYTHON python3)

# pabal_script_test(name SCRIPT … [ARGS …] [LABELS …] [TIMEOUT seconds] [NODE] [SERIAL]): one Python
# script that stands beside its CMakeLists.txt and usually drives the real program, one ctest entry.
# NODE: it needs the npm packages of tests/interop. SERIAL: it fills disk or memory, so nothing runs
# beside it.
function(pabal_script_test name)
  cmake_parse_arguments(arg "NODE;SERIAL" "SCRIPT;TIMEOUT" "LABELS;ARGS" ${ARGN})
  if(NOT PABAL_TESTS)
    return()
  endif()
  add_test(NAME ${name}
    COMMAND ${PABAL_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/${arg_SCRIPT} ${arg_ARGS})
  if(NOT arg_LABELS)
    set(arg_LABELS fast)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} ENVIRONMENT
    "PABAL=${CMAKE_BINARY_DIR}/pabal;PABAL_SOURCE_DIR=${CMAKE_SOURCE_DIR};PABAL_BUILD_DIR=${CMAKE_BINARY_DIR};PABAL_NODE_DIR=${CMAKE_BINARY_DIR}/interop;PABAL_SANITIZE=${PABAL_SANITIZE};TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp;PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/support;PYTHONDONTWRITEBYTECODE=1;PYTHONUNBUFFERED=1")
  if(arg_NODE)
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED interop_packages)
  endif()
  if(arg_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()
