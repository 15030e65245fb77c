# What others link (docs/embedding.md), and how everything is installed: libgandalf is a node but its
# database; libgandalf-sim is the simulator but the same. A program links one of the two: each brings
# the world that the other lacks.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(gandalf_headers INTERFACE)
target_include_directories(gandalf_headers INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/gandalf>)
add_library(gandalf_library STATIC $<TARGET_OBJECTS:gd_engine> $<TARGET_OBJECTS:gd_io_real>
  $<TARGET_OBJECTS:gd_config> $<TARGET_OBJECTS:gd_program>)
target_link_libraries(gandalf_library PUBLIC gandalf_headers PkgConfig::LIBUV PkgConfig::YAML)
add_library(gandalf_sim_library STATIC $<TARGET_OBJECTS:gd_engine> $<TARGET_OBJECTS:gd_io_sim>
  $<TARGET_OBJECTS:gd_sim>)
target_link_libraries(gandalf_sim_library PUBLIC gandalf_headers)
set_target_properties(gandalf_headers PROPERTIES EXPORT_NAME headers)
set_target_properties(gandalf_library PROPERTIES OUTPUT_NAME gandalf EXPORT_NAME gandalf LINKER_LANGUAGE C)
set_target_properties(gandalf_sim_library PROPERTIES OUTPUT_NAME gandalf-sim EXPORT_NAME sim LINKER_LANGUAGE C)
add_library(gandalf::headers ALIAS gandalf_headers)
add_library(gandalf::gandalf ALIAS gandalf_library)
add_library(gandalf::sim ALIAS gandalf_sim_library)

install(TARGETS gandalf gandalf-kvs gandalf-kvs-server gandalf-sim)
install(TARGETS gandalf_headers gandalf_library gandalf_sim_library EXPORT gandalf)
# The public headers, and what they include.
foreach(header engine/base engine/bytes engine/config engine/entry engine/io engine/memory engine/message
    engine/node engine/orders engine/parser engine/prng engine/raft engine/simple_tracker engine/status
    engine/tracker io-real/config io-real/program io-real/uv sim/client sim/database sim/plan sim/program)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gandalf/${folder})
endforeach()

set(GD_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/gandalf)
install(EXPORT gandalf NAMESPACE gandalf:: FILE gandalfTargets.cmake DESTINATION ${GD_PACKAGE})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/gandalfConfigVersion.cmake COMPATIBILITY ExactVersion)
install(FILES cmake/gandalfConfig.cmake ${CMAKE_BINARY_DIR}/gandalfConfigVersion.cmake DESTINATION ${GD_PACKAGE})
# Relative to where the file lies, so that the tree can be moved.
file(RELATIVE_PATH GD_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
foreach(name gandalf gandalf-sim)
  configure_file(cmake/${name}.pc.in ${CMAKE_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
