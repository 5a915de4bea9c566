/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and small macros; the cleanup pattern is systemd's. */
#ifndef KOGGE_BASE_MACRO_H
#define KOGGE_BASE_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Runs F with the address of the variable when it leaves its scope. */
#define _cleanup_(f)      __attribute__((cleanup(f), unused))
#define _printf_(fmt, va) __attribute__((format(printf, fmt, va)))
#define _unused_          __attribute__((unused))
#define _must_check_      __attribute__((warn_unused_result))
#define _noreturn_        __attribute__((noreturn))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

/* Moves a pointer or descriptor out of a variable that has a cleanup. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *pp_ = &(p);                                                         \
		__typeof__(p) v_ = *pp_;                                                           \
		*pp_ = NULL;                                                                       \
		v_;                                                                                \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *pfd_ = &(fd);                                                                 \
		int v_ = *pfd_;                                                                    \
		*pfd_ = -1;                                                                        \
		v_;                                                                                \
	})

/* For _cleanup_(freep) on any heap pointer. */
static inline void freep(void *p)
{
	free(*(void **)p);
}

/* Defines thing_freep for _cleanup_(thing_freep) from thing_free. */
#define DEFINE_FREEP(type, func)                                                                   \
	static inline void func##p(type **p)                                                       \
	{                                                                                          \
		if (*p)                                                                            \
			func(*p);                                                                  \
	}

#endif
