/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The one table of classes: name and exit code. */
static const struct {
	const char *name;
	int exit_code;
} classes[ERR_CLASS_N] = {
	[ERR_NONE] = {"none", 0},
	[ERR_INVALID] = {"invalid", 125},
	[ERR_USAGE] = {"usage", 125},
	[ERR_NOT_FOUND] = {"not-found", 125},
	[ERR_EXISTS] = {"exists", 125},
	[ERR_CONFLICT] = {"conflict", 125},
	[ERR_DENIED] = {"denied", 125},
	[ERR_UNSUPPORTED] = {"unsupported", 125},
	[ERR_CORRUPT] = {"corrupt", 125},
	[ERR_HOSTILE] = {"hostile", 125},
	[ERR_LIMIT] = {"limit", 125},
	[ERR_IO] = {"io", 125},
	[ERR_NOT_EXEC] = {"not-executable", 126},
	[ERR_NO_PROGRAM] = {"no-program", 127},
	[ERR_INTERNAL] = {"internal", 125},
};

enum err_class err_class_of_errno(int errnum)
{
	switch (errnum < 0 ? -errnum : errnum) {
	case 0:
		return ERR_INTERNAL;
	case ENOENT:
	case ESRCH:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EBUSY:
	case ENOTEMPTY:
		return ERR_CONFLICT;
	case EPERM:
	case EACCES:
		return ERR_DENIED;
	case EINVAL:
	case ENAMETOOLONG:
	case ERANGE:
	case ENOTDIR:
	case EISDIR:
		return ERR_INVALID;
	case ENOSYS:
	case EOPNOTSUPP:
	case ENODEV:
		return ERR_UNSUPPORTED;
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case E2BIG:
	case EFBIG:
		return ERR_LIMIT;
	case ELOOP:
	case EXDEV:
		return ERR_HOSTILE;
	default:
		return ERR_IO;
	}
}

/* Appends at offset AT, cutting at the end; returns the new length. */
static size_t put(char *msg, size_t at, const char *fmt, va_list ap)
{
	int n;

	if (at >= ERR_MSG_MAX - 1)
		return at;
	n = vsnprintf(msg + at, ERR_MSG_MAX - at, fmt, ap);
	if (n < 0)
		return at;
	return MIN(at + (size_t)n, (size_t)ERR_MSG_MAX - 1);
}

static size_t putf(char *msg, size_t at, const char *fmt, ...) _printf_(3, 4);
static size_t putf(char *msg, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	at = put(msg, at, fmt, ap);
	va_end(ap);
	return at;
}

static void set_va(struct err *e, enum err_class class, int errnum, const char *fmt, va_list ap)
{
	size_t at;

	if (!e)
		return;
	if (errnum < 0)
		errnum = -errnum;
	e->class = class;
	e->errnum = errnum;
	at = put(e->msg, 0, fmt, ap);
	if (errnum) {
		const char *text = strerrordesc_np(errnum);

		/* Small, as the rest of a message: callers of ours (Docker's CLI, Podman) look for
		 * "permission denied" and "no such file or directory" as Go writes them */
		if (text && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
			at = putf(e->msg, at, ": %c%s", text[0] - 'A' + 'a', text + 1);
		else if (text)
			at = putf(e->msg, at, ": %s", text);
		else
			at = putf(e->msg, at, ": error %d", errnum);
	}
}

int err_set(struct err *e, enum err_class class, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_va(e, class, errnum, fmt, ap);
	va_end(ap);
	return -1;
}

int err_errno(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_va(e, err_class_of_errno(errnum), errnum, fmt, ap);
	va_end(ap);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[ERR_MSG_MAX];
	va_list ap;
	size_t at;

	if (!e)
		return -1;
	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	at = put(e->msg, 0, fmt, ap);
	va_end(ap);
	putf(e->msg, at, ": %s", old);
	return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	char hint[ERR_MSG_MAX];
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	put(hint, 0, fmt, ap);
	va_end(ap);
	putf(e->msg, strnlen(e->msg, ERR_MSG_MAX - 1), " (%s)", hint);
	return -1;
}

const char *err_class_name(enum err_class class)
{
	return (unsigned)class < ERR_CLASS_N ? classes[class].name : "unknown";
}

int err_exit_code(const struct err *e)
{
	return (unsigned)e->class < ERR_CLASS_N ? classes[e->class].exit_code : 125;
}
