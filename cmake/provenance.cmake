# build_info.h, remade at every build: what `patchsweep --version` prints and
# what results.h5 keeps under /run.
set(BUILD_INFO_DIR ${CMAKE_BINARY_DIR}/generated)
string(TOUPPER "${CMAKE_BUILD_TYPE}" _type)
set(_flags "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${_type}} -ffp-contract=off")
add_custom_target(build_info
  COMMAND ${CMAKE_COMMAND}
    -DSOURCE=${CMAKE_SOURCE_DIR} -DOUTPUT=${BUILD_INFO_DIR}/build_info.h
    -DVERSION=${PROJECT_VERSION}
    "-DCOMPILER=${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}"
    "-DFLAGS=${_flags}" "-DBUILD_TYPE=${CMAKE_BUILD_TYPE}"
    "-DMPI_LIBRARY=${MPI_C_LIBRARY_VERSION_STRING}"
    -P ${CMAKE_SOURCE_DIR}/cmake/write_build_info.cmake
  BYPRODUCTS ${BUILD_INFO_DIR}/build_info.h
  VERBATIM)
