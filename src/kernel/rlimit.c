/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/rlimit.h"

#include <errno.h>
#include <strings.h>
#include <sys/resource.h>

static const struct {
	const char *name;
	int resource;
} names[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

enum { PREFIX = sizeof("RLIMIT_") - 1 };

int rlimit_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i].name, name) == 0 ||
		    strcasecmp(names[i].name + PREFIX, name) == 0)
			return names[i].resource;
	return -EINVAL;
}

const char *rlimit_name(int resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].resource == resource)
			return names[i].name;
	return NULL;
}

int rlimit_set(pid_t pid, int resource, uint64_t soft, uint64_t hard)
{
	const struct rlimit64 l = {.rlim_cur = soft, .rlim_max = hard};

	return prlimit64(pid, (enum __rlimit_resource)resource, &l, NULL) < 0 ? -errno : 0;
}

int rlimit_get(pid_t pid, int resource, uint64_t *ret_soft, uint64_t *ret_hard)
{
	struct rlimit64 l;

	if (prlimit64(pid, (enum __rlimit_resource)resource, NULL, &l) < 0)
		return -errno;
	*ret_soft = l.rlim_cur;
	*ret_hard = l.rlim_max;
	return 0;
}
