# patchsweep_options: what every target of ours is compiled with.
option(PATCHSWEEP_WERROR "Treat warnings as errors" OFF)
set(PATCHSWEEP_SANITIZE "" CACHE STRING "Comma list for -fsanitize=")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Dev or Debug" FORCE)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")
set(CMAKE_C_FLAGS_DEV "-O2 -g")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)  # for scripts/tidy

add_library(patchsweep_options INTERFACE)
target_compile_features(patchsweep_options INTERFACE c_std_11)
set(CMAKE_C_EXTENSIONS OFF)
target_compile_definitions(patchsweep_options INTERFACE
  _POSIX_C_SOURCE=200809L)
# No -ffast-math and no contraction: the same source gives the same bits.
target_compile_options(patchsweep_options INTERFACE
  -ffp-contract=off -fopenmp-simd
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wdouble-promotion -Wformat=2
  $<$<BOOL:${PATCHSWEEP_WERROR}>:-Werror>)
target_include_directories(patchsweep_options INTERFACE ${CMAKE_SOURCE_DIR})
if(PATCHSWEEP_SANITIZE)
  target_compile_options(patchsweep_options INTERFACE
    -fsanitize=${PATCHSWEEP_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(patchsweep_options INTERFACE
    -fsanitize=${PATCHSWEEP_SANITIZE})
endif()

# patchsweep_library(NAME SOURCES ... LINKS ...): one static library a folder;
# its link line is the dependency rule.
function(patchsweep_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC patchsweep_options ${ARG_LINKS})
endfunction()
