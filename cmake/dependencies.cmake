# External libraries, each as one imported target. Their headers are system
# headers, so our warnings do not reach into them.
find_package(MPI REQUIRED COMPONENTS C)
find_package(HDF5 REQUIRED COMPONENTS C HL)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
find_library(SLEEF_LIBRARY sleef REQUIRED)

# The serial OpenBLAS by name: a rank has one BLAS thread, and
# libopenblas.so.0 may be any of Debian's alternatives.
find_path(OPENBLAS_INCLUDE_DIR cblas.h REQUIRED
  PATH_SUFFIXES openblas-serial openblas)
find_library(OPENBLAS_LIBRARY openblas REQUIRED
  PATH_SUFFIXES openblas-serial)
add_library(openblas_serial INTERFACE IMPORTED)
target_include_directories(openblas_serial SYSTEM INTERFACE
  ${OPENBLAS_INCLUDE_DIR})
target_link_libraries(openblas_serial INTERFACE ${OPENBLAS_LIBRARY} m)
