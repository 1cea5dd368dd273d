# What `cmake --install` puts in place: libraries, headers, and the package that find_package(tenon) reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(TENON_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tenon)
install(TARGETS tenon_run tenon_reference tenon_build EXPORT tenon
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT tenon)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/tenon DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT tenon)
install(EXPORT tenon NAMESPACE tenon:: FILE tenonTargets.cmake DESTINATION ${TENON_PACKAGE_DIR} COMPONENT tenon)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/tenonConfig.cmake.in ${PROJECT_BINARY_DIR}/tenonConfig.cmake
                              INSTALL_DESTINATION ${TENON_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tenonConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tenonConfig.cmake ${PROJECT_BINARY_DIR}/tenonConfigVersion.cmake
        DESTINATION ${TENON_PACKAGE_DIR} COMPONENT tenon)
