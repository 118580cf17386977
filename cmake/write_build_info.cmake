# Script: writes OUTPUT if its content changes. A source tree without git
# (an unpacked archive) says so.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
  RESULT_VARIABLE result)
if(result OR NOT REVISION)
  set(REVISION "unknown (no git)")
endif()
string(STRIP "${FLAGS}" FLAGS)
set(text "/* build_info.h - generated at every build, see cmake/. */
#ifndef PATCHSWEEP_BUILD_INFO_H
#define PATCHSWEEP_BUILD_INFO_H
#define BUILD_VERSION \"${VERSION}\"
#define BUILD_REVISION \"${REVISION}\"
#define BUILD_COMPILER \"${COMPILER}\"
#define BUILD_FLAGS \"${FLAGS}\"
#define BUILD_TYPE \"${BUILD_TYPE}\"
#endif
")
set(old "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT text STREQUAL old)
  file(WRITE ${OUTPUT} "${text}")
endif()
