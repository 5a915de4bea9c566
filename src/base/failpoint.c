/* SPDX-License-Identifier: Apache-2.0 */
#include "base/failpoint.h"

#include "base/err.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#ifdef KOGGE_FAILPOINTS

enum { POINTS_MAX = 16, NAME_SIZE = 64 };

enum action { ACT_OFF, ACT_ERROR, ACT_KILL, ACT_EXIT, ACT_DELAY };

struct point {
	char name[NAME_SIZE]; /* without the '*' of a prefix */
	bool prefix;
	enum action action;
	int arg;
	uint64_t from, count; /* hits FROM to FROM + COUNT - 1 act; COUNT 0: all from there on */
	uint64_t hits;
};

bool failpoint_armed;
static struct point points[POINTS_MAX];
static size_t n_points;

static int errno_of(const char *s)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {
		{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"ENOMEM", ENOMEM}, {"EACCES", EACCES},
		{"EPERM", EPERM},   {"EDQUOT", EDQUOT}, {"EROFS", EROFS},   {"EMFILE", EMFILE},
		{"ENOSYS", ENOSYS}, {"EINVAL", EINVAL}, {"EBUSY", EBUSY},   {"EEXIST", EEXIST},
		{"ENOENT", ENOENT}, {"EPIPE", EPIPE},   {"EINTR", EINTR},
	};
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i].name, s))
			return names[i].number;
	return num_u64(s, 1, 4095, &n) == 0 ? (int)n : -1;
}

/* Copies up to one of STOP from *S into OUT and advances; -1 where it does not fit. */
static int take(const char **s, const char *stop, char *out, size_t size)
{
	size_t n = strcspn(*s, stop);

	if (n >= size)
		return -1;
	memcpy(out, *s, n);
	out[n] = '\0';
	*s += n;
	return 0;
}

static int parse_action(const char **s, struct point *p)
{
	char name[16], arg[16] = "";
	uint64_t n = 0;

	if (take(s, "(,@*", name, sizeof(name)) < 0)
		return -1;
	if (**s == '(') {
		(*s)++;
		if (take(s, ")", arg, sizeof(arg)) < 0 || **s != ')')
			return -1;
		(*s)++;
	}
	if (str_eq(name, "error")) {
		p->action = ACT_ERROR;
		p->arg = *arg ? errno_of(arg) : EIO;
		return p->arg < 0 ? -1 : 0;
	}
	if (*arg && num_u64(arg, 0, 3600000, &n) < 0)
		return -1;
	p->arg = (int)n;
	if (str_eq(name, "exit") || str_eq(name, "delay")) {
		p->action = name[0] == 'e' ? ACT_EXIT : ACT_DELAY;
		return *arg ? 0 : -1;
	}
	p->action = str_eq(name, "kill") ? ACT_KILL : ACT_OFF;
	return !*arg && (p->action == ACT_KILL || str_eq(name, "off")) ? 0 : -1;
}

static int parse_number(const char **s, uint64_t *ret)
{
	char text[24];

	(*s)++;
	return take(s, ",@*", text, sizeof(text)) < 0 ? -1 : num_u64(text, 1, UINT32_MAX, ret);
}

static int parse_point(const char **s, struct point *p)
{
	size_t n;

	*p = (struct point){.from = 1};
	if (take(s, "=,", p->name, sizeof(p->name)) < 0 || **s != '=')
		return -1;
	(*s)++;
	n = strlen(p->name);
	if (n && p->name[n - 1] == '*') {
		p->prefix = true;
		p->name[n - 1] = '\0';
	}
	if (parse_action(s, p) < 0)
		return -1;
	if (**s == '@' && parse_number(s, &p->from) < 0)
		return -1;
	if (**s == '*' && parse_number(s, &p->count) < 0)
		return -1;
	return **s == ',' || **s == '\0' ? 0 : -1;
}

int failpoint_set(const char *spec)
{
	n_points = 0;
	failpoint_armed = false;
	while (spec && *spec) {
		if (n_points == POINTS_MAX || parse_point(&spec, &points[n_points]) < 0) {
			n_points = 0;
			return -EINVAL;
		}
		n_points++;
		if (*spec == ',')
			spec++;
	}
	failpoint_armed = n_points > 0;
	return 0;
}

__attribute__((constructor)) static void failpoint_init(void)
{
	static const char message[] = "KOGGE_FAILPOINTS cannot be parsed\n";
	const char *spec = getenv("KOGGE_FAILPOINTS");

	if (spec && failpoint_set(spec) < 0) {
		(void)!write(STDERR_FILENO, message, sizeof(message) - 1);
		_exit(125);
	}
}

static int act(const struct point *p)
{
	switch (p->action) {
	case ACT_ERROR:
		return -p->arg;
	case ACT_KILL:
		kill(getpid(), SIGKILL);
		return -EIO;
	case ACT_EXIT:
		_exit(p->arg);
	case ACT_DELAY:
		poll(NULL, 0, p->arg);
		return 0;
	case ACT_OFF:
		break;
	}
	return 0;
}

int failpoint_hit(const char *name)
{
	for (size_t i = 0; i < n_points; i++) {
		struct point *p = &points[i];

		if (p->prefix ? !str_after(name, p->name) : !str_eq(name, p->name))
			continue;
		p->hits++;
		if (p->hits < p->from || (p->count && p->hits >= p->from + p->count))
			continue;
		return act(p);
	}
	return 0;
}

int failpoint_hit_err(const char *name, struct err *e)
{
	int r = failpoint_hit(name);

	return r < 0 ? err_errno(e, r, "failpoint %s", name) : 0;
}

#else

int failpoint_set(const char *spec)
{
	return spec ? -ENOSYS : 0;
}

#endif
