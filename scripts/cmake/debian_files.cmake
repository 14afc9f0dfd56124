# Adds to the trees that cpack has installed what Debian wants of each package: its licence, its changes, and a manual page that
# is compressed.
foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(doc ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share/doc/${package})
  file(MAKE_DIRECTORY ${doc})
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../package/notice.sh OUTPUT_FILE ${doc}/copyright COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND date -R --utc --date=@$ENV{SOURCE_DATE_EPOCH} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE ${doc}/changelog "seqgrad (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n\n"
    "  * CHANGELOG.md of the sources says what changed.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  file(GLOB pages ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share/man/*/*.1)
  execute_process(COMMAND gzip -9nf ${doc}/changelog ${pages} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
# Where Debian's zsh looks in packages.
set(zsh ${CPACK_TEMPORARY_DIRECTORY}/program/usr/share/zsh)
file(RENAME ${zsh}/site-functions ${zsh}/vendor-completions)
