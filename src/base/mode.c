/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mode.h"

#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MASK ((mode_t)022)
#define ALL  ((mode_t)07777)

/* The bits that a clause for these users speaks of. */
#define USER  ((mode_t)(S_ISUID | S_IRWXU))
#define GROUP ((mode_t)(S_ISGID | S_IRWXG))
#define OTHER ((mode_t)(S_ISVTX | S_IRWXO))

static mode_t who(const char **p)
{
	mode_t bits = 0;

	for (;; ++*p) {
		switch (**p) {
		case 'u':
			bits |= USER;
			break;
		case 'g':
			bits |= GROUP;
			break;
		case 'o':
			bits |= OTHER;
			break;
		case 'a':
			bits |= ALL;
			break;
		default:
			return bits;
		}
	}
}

/* Three bits for everyone. */
static mode_t threefold(mode_t bits)
{
	return bits << 6 | bits << 3 | bits;
}

/* What stands after an operator: letters of permissions, or one of "ugo" for what these have. */
static mode_t permissions(const char **p, bool dir, mode_t mode)
{
	mode_t bits = 0;

	if (**p == 'u' || **p == 'g' || **p == 'o') {
		bits = mode >> (**p == 'u' ? 6 : **p == 'g' ? 3 : 0) & 7;
		++*p;
		return threefold(bits);
	}
	for (;; ++*p) {
		switch (**p) {
		case 'r':
			bits |= threefold(4);
			break;
		case 'w':
			bits |= threefold(2);
			break;
		case 'X':
			bits |= dir || mode & threefold(1) ? threefold(1) : 0;
			break;
		case 'x':
			bits |= threefold(1);
			break;
		case 's':
			bits |= S_ISUID | S_ISGID;
			break;
		case 't':
			bits |= S_ISVTX;
			break;
		default:
			return bits;
		}
	}
}

/* One clause: users, and one operator or more with permissions. */
static int clause(const char **p, bool dir, mode_t *mode)
{
	mode_t given = who(p), users = given ? given : ALL & ~MASK;

	if (!**p || !strchr("+-=", **p))
		return -EINVAL;
	while (**p && strchr("+-=", **p)) {
		char op = *(*p)++;
		mode_t bits = permissions(p, dir, *mode) & users;

		if (op == '-')
			*mode &= ~bits;
		else if (op == '+')
			*mode |= bits;
		else
			*mode = (*mode & ~(given ? given : ALL)) | bits;
	}
	return 0;
}

int mode_change(const char *text, bool dir, mode_t *mode)
{
	mode_t m = *mode & ALL;
	unsigned octal;
	int r;

	if (isdigit((unsigned char)*text)) {
		r = num_mode(text, &octal);
		m = r == 0 ? octal : m;
	} else {
		do {
			r = clause(&text, dir, &m);
		} while (r == 0 && *text == ',' && text++);
		r = r == 0 && *text ? -EINVAL : r;
	}
	if (r < 0)
		return -EINVAL;
	*mode = m;
	return 0;
}
