# What every layer's CMakeLists.txt is written with: the warnings and the
# include root (faultline_warnings), and one function each for a library, a
# program and a test.

add_library(faultline_warnings INTERFACE)
target_include_directories(faultline_warnings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(faultline_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Werror
  # g++ 12 sees overlap in std::string operator+ where there is none (PR105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)

# ThreadSanitizer must be told about the locks of a library that it cannot see.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
  add_library(faultline_tsan OBJECT
    ${PROJECT_SOURCE_DIR}/tests/tsan/absl_mutex.cc)
  target_link_libraries(faultline_tsan
    PUBLIC absl::synchronization absl::time
    PRIVATE faultline_warnings)
endif()

# faultline_library(NAME a.cc b.cc ... [DEPS target ...])
# A static library. Its dependencies are public: who links it has them too.
function(faultline_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS")
  add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${arg_DEPS} faultline_warnings)
endfunction()

# faultline_program(NAME main.cc ... [DEPS target ...])
# An executable, ${CMAKE_BINARY_DIR}/bin/NAME.
function(faultline_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE
    ${arg_DEPS} faultline_warnings $<TARGET_NAME_IF_EXISTS:faultline_tsan>)
endfunction()

# faultline_test(NAME a_test.cc ... [DEPS target ...] [TIMEOUT seconds]
#                [ALONE resource] [COST seconds])
# One GoogleTest binary; each of its tests is a ctest test named
# NAME/Suite.Case with the label NAME. A test runs in the root of the source
# tree and finds our programs in $FAULTLINE_BIN. Of the tests that are ALONE with
# a resource, one runs at a time. The tests with the highest COST start first, so
# that no core waits for a long one at the end.
function(faultline_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;ALONE;COST" "DEPS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(arg_ALONE)
    set(alone RESOURCE_LOCK ${arg_ALONE})
  endif()
  if(arg_COST)
    set(cost COST ${arg_COST})
  endif()
  faultline_program(${name} ${arg_UNPARSED_ARGUMENTS}
                    DEPS ${arg_DEPS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name}
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    NO_PRETTY_VALUES
    TEST_PREFIX ${name}/
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    PROPERTIES
      LABELS ${name}
      TIMEOUT ${arg_TIMEOUT}
      ${alone}
      ${cost}
      ENVIRONMENT "FAULTLINE_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endfunction()
