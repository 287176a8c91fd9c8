# cmake --install: headers, libraries, the program, and find_package(graphflow).
include(CMakePackageConfigHelpers)
configure_package_config_file(cmake/graphflow-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/graphflow-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/graphflow)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/graphflow-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT graphflow-targets NAMESPACE graphflow:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/graphflow)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/graphflow-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/graphflow-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/graphflow)
