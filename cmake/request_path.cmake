# The shared library's request path as one piece: calls between its files cost
# a tenth of a request's instructions, and strew it over more pages. Only for
# the shared library: who links the archive may have another compiler.
#
# METERING_REQUEST_PATH: objects in place of those that METERING_NOT_IN_PIECE
# matches; both are empty where it cannot be.
set(METERING_REQUEST_PATH)
set(METERING_NOT_IN_PIECE "^$")
if(NOT METERING_ONE_PIECE OR METERING_SANITIZE OR METERING_COVERAGE
   OR NOT CMAKE_C_COMPILER_ID STREQUAL "GNU"
   OR NOT CMAKE_BUILD_TYPE MATCHES "^Rel")
    return()
endif()

include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_FLAGS "-O3 -flto")
set(CMAKE_REQUIRED_LINK_OPTIONS -O3 -flto=auto)
check_c_source_compiles("int main(void) { return 0; }" METERING_HAS_LTO)
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
if(NOT METERING_HAS_LTO)
    return()
endif()

set(files
    api/gateway
    base/bytes base/caller_struct base/fork_guard base/hash
    gateway/acl gateway/admit gateway/admit_access gateway/admit_batch
    gateway/admit_event gateway/admit_fetch gateway/admit_known
    gateway/admit_limits gateway/admit_quota gateway/complete
    gateway/credential_cache gateway/event_wanted gateway/key_auth
    gateway/snapshot
    limit/limiter limit/limiter_answer limit/limiter_lines limit/quota
    limit/quota_cell limit/window limit/window_log limit/window_tape
    limit/window_tape_bits
    meter/recorder meter/recorder_event meter/recorder_prepared
    meter/slot_copy meter/slot_file)
list(TRANSFORM files APPEND .c OUTPUT_VARIABLE sources)
list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/libmetering/)
add_library(metering_request_path OBJECT ${sources})
set_target_properties(metering_request_path PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
target_include_directories(metering_request_path PRIVATE
    $<TARGET_PROPERTY:metering_objects,INCLUDE_DIRECTORIES>)
target_compile_definitions(metering_request_path PRIVATE _GNU_SOURCE)
target_compile_options(metering_request_path PRIVATE -O3 -flto)
target_link_libraries(metering_request_path PRIVATE
    metering_build PkgConfig::LMDB PkgConfig::XXHASH PkgConfig::SODIUM
    PkgConfig::MSGPACK)
list(JOIN files "|" METERING_NOT_IN_PIECE)
set(METERING_NOT_IN_PIECE "/(${METERING_NOT_IN_PIECE})[.]c[.]")
set(METERING_REQUEST_PATH $<TARGET_OBJECTS:metering_request_path>)
