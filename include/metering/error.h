/* Errors: one list makes codes, names and messages. Numbers are pinned for
 * ever: never renumbered, never reused. A denied request or an empty allowance
 * is data, never an error. Every call names what it may answer; MET_E_BUG, a
 * check of ours that failed, may come of any, named or not. */
#ifndef METERING_ERROR_H
#define METERING_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "metering/export.h"

MET_BEGIN_DECLS

/* Ranges: -1..-99 general, -100 store, -200 limit, -300 meter, -400 catalog,
 * -500 customer, -600 rating and invoice; -900 and below are fatal: the
 * handle may only be closed. */
#define MET_ERROR_MAP(X)                                                      \
    X(MET_E_INVALID, -1, "an argument or a document is not valid")            \
    X(MET_E_NO_MEMORY, -2, "out of memory")                                   \
    X(MET_E_OVERFLOW, -3, "a number needs more digits than are kept")         \
    X(MET_E_NOT_FOUND, -4, "no such object")                                  \
    X(MET_E_EXISTS, -5, "the object exists already")                          \
    X(MET_E_CONFLICT, -6, "the object is in use or in another state")         \
    X(MET_E_UNSUPPORTED, -7, "not supported by this version")                 \
    X(MET_E_FORKED, -8, "the handle belongs to the parent process")           \
    X(MET_E_LIMIT, -9, "a documented bound is exceeded")                      \
    X(MET_E_BUSY, -10, "somebody else holds what is needed")                  \
    X(MET_E_IO, -100, "a file operation failed")                              \
    X(MET_E_DISK_FULL, -101, "no space is left on the disk")                  \
    X(MET_E_MAP_FULL, -102, "the store's address space is used up")           \
    X(MET_E_FOREIGN, -103, "the file belongs to another store or program")    \
    X(MET_E_LAYOUT, -104, "the file has another layout or version")           \
    X(MET_E_TABLE_FULL, -200, "the limiter table is full")                    \
    X(MET_E_TALLY_FULL, -300, "unsettled usage fills the recorder")           \
    X(MET_E_CORRUPT, -900, "stored data is damaged")                          \
    X(MET_E_BUG, -901, "an internal check failed")

typedef int32_t met_error;

#define MET_OK 0
enum {
#define MET_ERROR_ENUM(name, number, text) name = number,
    MET_ERROR_MAP(MET_ERROR_ENUM)
#undef MET_ERROR_ENUM
};

#define MET_ERROR_FIELD_SIZE 160
#define MET_ERROR_REASON_SIZE 320

/* What went wrong, for a human: filled by calls that take one, owned by the
 * caller. Set struct_size before the call; the rest is written by the library
 * on failure only, both texts NUL-terminated (long ones are cut). */
typedef struct met_error_info {
    size_t struct_size;
    met_error code;
    uint32_t reserved;
    char field[MET_ERROR_FIELD_SIZE];   /* "plan.phases[0].key", may be "" */
    char reason[MET_ERROR_REASON_SIZE]; /* "must be a decimal string >= 0" */
} met_error_info;

/**
 * The symbolic name of an error, "MET_E_INVALID".
 *
 * @param error  any number, also one of a newer library
 * @return static text, never NULL; "MET_E_UNKNOWN" for a number not known
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API const char *met_error_name(met_error error);

/**
 * One sentence about an error, without the details of the case.
 *
 * @param error  any number, also one of a newer library
 * @return static text, never NULL
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API const char *met_error_message(met_error error);

MET_END_DECLS

#endif
