# What `cmake --install build` puts under its prefix: the program, the library, its header, and what find_package(seqgrad) and
# pkg-config read.
include(CMakePackageConfigHelpers)
if(SEQGRAD_PROGRAM AND SEQGRAD_BUNDLE)
  # RPATH, not RUNPATH: the bundled libraries look for one another there, too.
  target_link_options(seqgrad PRIVATE LINKER:--disable-new-dtags)
  set_target_properties(seqgrad PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
  install(TARGETS seqgrad RUNTIME_DEPENDENCY_SET program_libraries RUNTIME COMPONENT program)
  install(RUNTIME_DEPENDENCY_SET program_libraries
    PRE_EXCLUDE_REGEXES [[^(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so.*)$]]
    LIBRARY DESTINATION lib COMPONENT program)
elseif(SEQGRAD_PROGRAM)
  install(TARGETS seqgrad RUNTIME COMPONENT program)
endif()
install(TARGETS libseqgrad EXPORT seqgradTargets)
install(FILES engine/api/include/seqgrad/seqgrad.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/seqgrad)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/seqgrad)
install(EXPORT seqgradTargets NAMESPACE seqgrad:: DESTINATION ${package})
file(CONFIGURE OUTPUT seqgradConfig.cmake @ONLY CONTENT [=[
include(${CMAKE_CURRENT_LIST_DIR}/seqgradTargets.cmake)
]=])
write_basic_package_version_file(${PROJECT_BINARY_DIR}/seqgradConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/seqgradConfig.cmake ${PROJECT_BINARY_DIR}/seqgradConfigVersion.cmake DESTINATION ${package})

# Folders are said from where the file lies, so that an installation may be moved.
file(RELATIVE_PATH to_include ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
file(CONFIGURE OUTPUT seqgrad.pc @ONLY CONTENT [=[
Name: seqgrad
Description: The loss of sequences, its gradient, and what each token adds to it
Version: @PROJECT_VERSION@
Cflags: -I${pcfiledir}/@to_include@
Libs: -L${pcfiledir}/.. -lseqgrad
]=])
install(FILES ${PROJECT_BINARY_DIR}/seqgrad.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
