# What `cmake --install build` puts under its prefix: the program, what completes its command lines and its manual page, the
# library, its header, and what find_package(seqgrad) and pkg-config read.
include(CMakePackageConfigHelpers)

# Below `share`, what the program prints of itself: completion scripts and the manual page.
function(install_texts share component)
  set(texts ${PROJECT_BINARY_DIR}/complete)
  file(MAKE_DIRECTORY ${texts})
  foreach(what_path bash=bash-completion/completions/seqgrad zsh=zsh/site-functions/_seqgrad
      fish=fish/vendor_completions.d/seqgrad.fish man=man/man1/seqgrad.1)
    string(REGEX MATCH "(.*)=(.*)/(.*)" _ ${what_path})
    install(CODE "file(REMOVE [[${texts}/${CMAKE_MATCH_3}]])
      execute_process(COMMAND [[$<TARGET_FILE:seqgrad>]] complete ${CMAKE_MATCH_1} OUTPUT_FILE [[${texts}/${CMAKE_MATCH_3}]]
        COMMAND_ERROR_IS_FATAL ANY)" COMPONENT ${component} ${ARGN})
    install(FILES ${texts}/${CMAKE_MATCH_3} DESTINATION ${share}/${CMAKE_MATCH_2} COMPONENT ${component} ${ARGN})
  endforeach()
endfunction()

if(SEQGRAD_PROGRAM)
  # Component bundle, for wheels: the libraries that the program needs lie beside it. It finds them, and they one another, by
  # RPATH, not RUNPATH; an ordinary installation has none. Options of the linker in a file, for on a command line CMake takes
  # $ORIGIN for a variable, and BUILD_RPATH ends in a colon, which is the working directory.
  target_link_options(seqgrad PRIVATE LINKER:@${PROJECT_SOURCE_DIR}/scripts/cmake/bundle.options)
  install(TARGETS seqgrad RUNTIME_DEPENDENCY_SET program_libraries RUNTIME COMPONENT program)
  install(CODE "file(RPATH_REMOVE FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/seqgrad\")" COMPONENT program)
  install_texts(${CMAKE_INSTALL_DATADIR} program)
  install(PROGRAMS $<TARGET_FILE:seqgrad> DESTINATION bin COMPONENT bundle EXCLUDE_FROM_ALL)
  install(RUNTIME_DEPENDENCY_SET program_libraries
    PRE_EXCLUDE_REGEXES [[^(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so.*)$]]
    LIBRARY DESTINATION lib COMPONENT bundle EXCLUDE_FROM_ALL)
  if(SKBUILD)  # pip puts what lies there below its prefix
    install_texts(${SKBUILD_DATA_DIR}/share bundle EXCLUDE_FROM_ALL)
  else()
    install_texts(share bundle EXCLUDE_FROM_ALL)
  endif()
endif()
if(mpi_objects)
  install(TARGETS ${mpi_objects} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT mpi)
endif()
install(TARGETS libseqgrad EXPORT seqgradTargets LIBRARY COMPONENT library NAMELINK_COMPONENT development)
install(FILES engine/api/include/seqgrad/seqgrad.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/seqgrad COMPONENT development)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/seqgrad)
install(EXPORT seqgradTargets NAMESPACE seqgrad:: DESTINATION ${package} COMPONENT development)
file(CONFIGURE OUTPUT seqgradConfig.cmake @ONLY CONTENT [=[
include(${CMAKE_CURRENT_LIST_DIR}/seqgradTargets.cmake)
]=])
write_basic_package_version_file(${PROJECT_BINARY_DIR}/seqgradConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/seqgradConfig.cmake ${PROJECT_BINARY_DIR}/seqgradConfigVersion.cmake DESTINATION ${package}
  COMPONENT development)

# Folders are said from where the file lies, so that an installation may be moved.
file(RELATIVE_PATH to_include ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
file(CONFIGURE OUTPUT seqgrad.pc @ONLY CONTENT [=[
Name: seqgrad
Description: The loss of sequences, its gradient, and what each token adds to it
Version: @PROJECT_VERSION@
Cflags: -I${pcfiledir}/@to_include@
Libs: -L${pcfiledir}/.. -lseqgrad
]=])
install(FILES ${PROJECT_BINARY_DIR}/seqgrad.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
