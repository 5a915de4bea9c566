/* SPDX-License-Identifier: Apache-2.0 */
/* What _FORTIFY_SOURCE=3 is with glibc (feature_test_macros(7)), for programs with musl, which has
 * no such thing: calls that write to memory whose size the compiler knows, or can compute, end the
 * program when it is too small. base/musl-glibc.c has the functions that check while it runs. */
#ifndef KOGGE_BASE_MUSL_FORTIFY_H
#define KOGGE_BASE_MUSL_FORTIFY_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __OPTIMIZE__

#define FORTIFIED extern inline __attribute__((gnu_inline, always_inline, artificial))
/* Up to the end of the object, and of the member that P is in. */
#define FORTIFY_OBJECT(p) __builtin_dynamic_object_size(p, 0)
#define FORTIFY_MEMBER(p) __builtin_dynamic_object_size(p, 1)
/* The function itself, under a name that is not fortified. */
#define FORTIFY_REAL(name) __typeof__(name) fortify_##name __asm__(#name)

/* memcpy(3). */
FORTIFIED void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	return __builtin___memcpy_chk(to, from, n, FORTIFY_OBJECT(to));
}

/* memmove(3). */
FORTIFIED void *memmove(void *to, const void *from, size_t n)
{
	return __builtin___memmove_chk(to, from, n, FORTIFY_OBJECT(to));
}

/* memset(3). */
FORTIFIED void *memset(void *to, int byte, size_t n)
{
	return __builtin___memset_chk(to, byte, n, FORTIFY_OBJECT(to));
}

/* vsnprintf(3). */
FORTIFIED int vsnprintf(char *restrict to, size_t n, const char *restrict format, va_list args)
{
	return __builtin___vsnprintf_chk(to, n, 1, FORTIFY_MEMBER(to), format, args);
}

/* snprintf(3). */
FORTIFIED int snprintf(char *restrict to, size_t n, const char *restrict format, ...)
{
	return __builtin___snprintf_chk(to, n, 1, FORTIFY_MEMBER(to), format,
					__builtin_va_arg_pack());
}

/* read(2). */
FORTIFY_REAL(read);
FORTIFIED ssize_t read(int fd, void *to, size_t n)
{
	if (n > FORTIFY_OBJECT(to))
		__builtin_trap();
	return fortify_read(fd, to, n);
}

/* pread(2). */
FORTIFY_REAL(pread);
FORTIFIED ssize_t pread(int fd, void *to, size_t n, off_t at)
{
	if (n > FORTIFY_OBJECT(to))
		__builtin_trap();
	return fortify_pread(fd, to, n, at);
}

/* readlink(2). */
FORTIFY_REAL(readlink);
FORTIFIED ssize_t readlink(const char *restrict path, char *restrict to, size_t n)
{
	if (n > FORTIFY_MEMBER(to))
		__builtin_trap();
	return fortify_readlink(path, to, n);
}

/* readlinkat(2). */
FORTIFY_REAL(readlinkat);
FORTIFIED ssize_t readlinkat(int dir, const char *restrict path, char *restrict to, size_t n)
{
	if (n > FORTIFY_MEMBER(to))
		__builtin_trap();
	return fortify_readlinkat(dir, path, to, n);
}

#endif
#endif
