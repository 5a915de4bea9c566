/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as values. An err is owned by the caller, never allocates, and is a flat struct: it is
 * valid after clone and crosses a pipe as it is. `base/` and `kernel/` return a negative errno
 * and take no err; everything above takes `struct err *e` last and returns -1 (or NULL) with it
 * set. A message starts with a small letter, has no full stop, and names what was tried and with
 * what. */
#ifndef KOGGE_BASE_ERR_H
#define KOGGE_BASE_ERR_H

#include "base/macro.h"

enum err_class {
	ERR_NONE,
	ERR_INVALID,     /* the caller asked for something malformed or out of range */
	ERR_USAGE,       /* the command line is malformed, whatever it is about: exit 125 */
	ERR_NOT_FOUND,   /* the named object does not exist */
	ERR_EXISTS,      /* the name is taken */
	ERR_CONFLICT,    /* the object is in a state, or in use, so that this cannot be done now */
	ERR_DENIED,      /* not permitted */
	ERR_UNSUPPORTED, /* the machine, kernel or this version cannot do it */
	ERR_CORRUPT,     /* data does not match its digest, or a file of ours is damaged */
	ERR_HOSTILE,     /* input refused because it tries to reach outside its bounds */
	ERR_LIMIT,       /* a limit was reached: size, depth, disk, memory */
	ERR_IO,          /* reading or writing failed */
	ERR_NOT_EXEC,    /* the container's program is there and cannot be executed: exit 126 */
	ERR_NO_PROGRAM,  /* the container's program does not exist: exit 127 */
	ERR_INTERNAL,    /* a bug of ours */
	ERR_CLASS_N,
};

#define ERR_MSG_MAX 1008

struct err {
	enum err_class class;
	int errnum; /* positive errno, or 0 */
	char msg[ERR_MSG_MAX];
};

#define ERR_INIT ((struct err){.class = ERR_NONE})

/* Sets E (which may be NULL: then only the return value speaks). ERRNUM is positive, negative or
 * 0; where it is not 0, its text is appended after ": ". Always returns -1. A message that is too
 * long is cut. */
int err_set(struct err *e, enum err_class class, int errnum, const char *fmt, ...) _printf_(4, 5);

/* As err_set with the class that err_class_of_errno gives. */
int err_errno(struct err *e, int errnum, const char *fmt, ...) _printf_(3, 4);

/* Puts "<formatted>: " before the message of E; keeps class and errno. Always returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) _printf_(2, 3);

/* Appends text (a hint how to mend it) as " (<formatted>)". Always returns -1. */
int err_hint(struct err *e, const char *fmt, ...) _printf_(2, 3);

/* Maps a positive or negative errno to a class; what is not known is ERR_IO. */
enum err_class err_class_of_errno(int errnum);

/* The class as a lower-case word ("not-found") for logs and JSON. */
const char *err_class_name(enum err_class class);

/* The exit code of a docker-compatible command: 125 for failures of ours, 126, 127; the one table
 * that decides it. */
int err_exit_code(const struct err *e);

#endif
