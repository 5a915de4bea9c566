/* SPDX-License-Identifier: Apache-2.0 */
/* What archives of Debian, made for glibc, want of it that musl has not, and what
 * base/musl-fortify.h calls: the functions behind _FORTIFY_SOURCE. They keep what these promise: a
 * destination that is too small ends the program. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memmove_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int byte, size_t n, size_t room);
char *__strncpy_chk(char *to, const char *from, size_t n, size_t room);
int __vsnprintf_chk(char *s, size_t n, int flag, size_t room, const char *format, va_list args);
int __snprintf_chk(char *s, size_t n, int flag, size_t room, const char *format, ...);
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
int fcntl64(int fd, int what, ...);

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return __builtin_memcpy(to, from, n);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return __builtin_memmove(to, from, n);
}

void *__memset_chk(void *to, int byte, size_t n, size_t room)
{
	if (n > room)
		abort();
	return __builtin_memset(to, byte, n);
}

char *__strncpy_chk(char *to, const char *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return __builtin_strncpy(to, from, n);
}

int __vsnprintf_chk(char *s, size_t n, int flag, size_t room, const char *format, va_list args)
{
	if (n > room)
		abort();
	return __builtin_vsnprintf(s, n, format, args);
}

int __snprintf_chk(char *s, size_t n, int flag, size_t room, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = __vsnprintf_chk(s, n, flag, room, format, args);
	va_end(args);
	return r;
}

int __fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = vfprintf(f, format, args);
	va_end(args);
	return r;
}

/* Files are always large with musl; the argument is a number or a pointer. */
int fcntl64(int fd, int what, ...)
{
	va_list args;
	void *value;

	va_start(args, what);
	value = va_arg(args, void *);
	va_end(args);
	return fcntl(fd, what, value);
}
