# Compile options shared by every target: gf::options carries them, graphflow_library() makes a folder a library.
add_library(gf_options INTERFACE)
target_compile_features(gf_options INTERFACE cxx_std_20)
set(gf_cpu_flag -march=x86-64-${GF_CPU})
set(gf_cxx $<COMPILE_LANGUAGE:CXX>)
# Contraction is off so that a sum rounds the same way in every build of one instruction level. errno and floating-point
# traps are never looked at here, and without the two promises g++ does not vectorise loops that compare or take roots;
# neither changes a result.
target_compile_options(gf_options INTERFACE $<BUILD_INTERFACE:$<${gf_cxx}:${gf_cpu_flag};-ffp-contract=off;-fno-math-errno;-fno-trapping-math;-Wall;-Wextra>>)
# GCC 12 warns of overlapping memory in every `"text" + std::string` at -O3 (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(gf_options INTERFACE $<BUILD_INTERFACE:$<${gf_cxx}:-Wno-restrict>>)
endif()
# clang says so of every loop marked simd that it does not vectorise.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(gf_options INTERFACE $<BUILD_INTERFACE:$<${gf_cxx}:-Wno-pass-failed>>)
endif()
if(GF_WERROR)
  target_compile_options(gf_options INTERFACE $<BUILD_INTERFACE:$<${gf_cxx}:-Werror>>)
endif()
if(GF_SANITIZE)
  # Instrumented code gives g++ 12 false positives of -Wmaybe-uninitialized.
  target_compile_options(gf_options INTERFACE $<BUILD_INTERFACE:$<${gf_cxx}:-fsanitize=address,undefined;-fno-sanitize-recover=all;-fno-omit-frame-pointer;-Wno-maybe-uninitialized>>)
  target_link_options(gf_options INTERFACE -fsanitize=address,undefined)
endif()
if(GF_FUZZ)
  target_compile_options(gf_options INTERFACE $<BUILD_INTERFACE:$<${gf_cxx}:-fsanitize=fuzzer-no-link,address,undefined;-fno-sanitize-recover=all;-fno-omit-frame-pointer>>)
  target_link_options(gf_options INTERFACE -fsanitize=address,undefined)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(gf_options INTERFACE $<BUILD_INTERFACE:_GLIBCXX_ASSERTIONS>)
endif()
install(TARGETS gf_options EXPORT graphflow-targets)

# graphflow_library(name SOURCES ... LINK ...): a static library `gf_<name>`, exported as graphflow::<name>.
function(graphflow_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(gf_${name} STATIC ${arg_SOURCES})
  add_library(graphflow::${name} ALIAS gf_${name})
  set_target_properties(gf_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(gf_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/graphflow>)
  target_link_libraries(gf_${name} PUBLIC gf_options ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  install(TARGETS gf_${name} EXPORT graphflow-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/graphflow/${folder}
          FILES_MATCHING PATTERN "*.h")
endfunction()
