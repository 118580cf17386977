# `cmake --install`: the program, the jobs, the demo model, the Slurm scripts, the
# analysis and the documents. Jobs name their model by ../models/demo, so jobs and
# models stay side by side.
set(PATCHSWEEP_SHARE ${CMAKE_INSTALL_DATADIR}/patchsweep)
install(TARGETS patchsweep RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY jobs docs verify DESTINATION ${PATCHSWEEP_SHARE})
install(DIRECTORY slurm DESTINATION ${PATCHSWEEP_SHARE} USE_SOURCE_PERMISSIONS)
install(DIRECTORY models/demo DESTINATION ${PATCHSWEEP_SHARE}/models)
install(DIRECTORY analysis DESTINATION ${PATCHSWEEP_SHARE}
  USE_SOURCE_PERMISSIONS
  PATTERN __pycache__ EXCLUDE)
install(FILES README.md LICENSE DESTINATION ${PATCHSWEEP_SHARE})
