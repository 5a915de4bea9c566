/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/cgroup-internal.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int cgroup_fail(struct cgroup_fault *fault, int r, const char *file, const char *value)
{
	if (fault) {
		snprintf(fault->file, sizeof(fault->file), "%s", file);
		snprintf(fault->value, sizeof(fault->value), "%s", value);
	}
	return r;
}

int cgroup_open_file(int dir, const char *file)
{
	int fd = openat(dir, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	return fd;
}

int cgroup_write_open(int fd, const char *value)
{
	size_t n = strlen(value);
	ssize_t r;

	do
		r = write(fd, value, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return (size_t)r == n ? 0 : -EIO;
}

int cgroup_write(int dir, const char *file, const char *value, struct cgroup_fault *fault)
{
	_cleanup_(fd_close) int fd = cgroup_open_file(dir, file);
	int r = fd < 0 ? fd : cgroup_write_open(fd, value);

	return r < 0 ? cgroup_fail(fault, r, file, value) : 0;
}

int cgroup_write_i64(int dir, const char *file, int64_t value, struct cgroup_fault *fault)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return cgroup_write(dir, file, text, fault);
}

int cgroup_write_max(int dir, const char *file, int64_t value, struct cgroup_fault *fault)
{
	if (value < 0)
		return cgroup_write(dir, file, "max", fault);
	return cgroup_write_i64(dir, file, value, fault);
}

int cgroup_write_pair(int dir, const struct cgroup_pair *pair, struct cgroup_fault *fault)
{
	int r;

	if (!*pair->a)
		return *pair->b ? cgroup_write(dir, pair->file_b, pair->b, fault) : 0;
	r = cgroup_write(dir, pair->file_a, pair->a, fault);
	if (!*pair->b)
		return r;
	if (r != -EINVAL)
		return r < 0 ? r : cgroup_write(dir, pair->file_b, pair->b, fault);
	r = cgroup_write(dir, pair->file_b, pair->b, fault);
	return r < 0 ? r : cgroup_write(dir, pair->file_a, pair->a, fault);
}

ssize_t cgroup_read(int dir, const char *file, char *out, size_t n)
{
	_cleanup_(fd_close) int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t r;

	if (fd < 0)
		return -errno;
	r = fd_read_full(fd, out, n - 1);
	if (r < 0)
		return r;
	while (r > 0 && (out[r - 1] == '\n' || out[r - 1] == ' '))
		r--;
	out[r] = '\0';
	return r;
}

static void number(const char *text, uint64_t scale, uint64_t *ret)
{
	uint64_t v;

	if (str_eq(text, "max"))
		*ret = UINT64_MAX;
	else if (num_u64(text, 0, UINT64_MAX, &v) == 0)
		*ret = v * scale;
}

void cgroup_read_u64(int dir, const char *file, uint64_t *ret)
{
	char text[64];

	if (cgroup_read(dir, file, text, sizeof(text)) > 0)
		number(text, 1, ret);
}

static void read_key_line(char *line, const struct cgroup_key *keys, size_t n)
{
	char *value = strchr(line, ' ');

	if (!value)
		return;
	*value++ = '\0';
	for (size_t i = 0; i < n; i++)
		if (str_eq(line, keys[i].key))
			number(value, keys[i].scale, keys[i].ret);
}

void cgroup_read_keys(int dir, const char *file, const struct cgroup_key *keys, size_t n)
{
	char text[8192];
	char *line = text;

	if (cgroup_read(dir, file, text, sizeof(text)) <= 0)
		return;
	while (line) {
		char *end = strchr(line, '\n');

		if (end)
			*end++ = '\0';
		read_key_line(line, keys, n);
		line = end;
	}
}

int cgroup_set_rdma(int dir, const struct cgroup_limits *l, struct cgroup_fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_rdma; i++) {
		const struct cgroup_rdma *d = &l->rdma[i];
		char text[160];
		int n = snprintf(text, sizeof(text), "%.64s", d->device);

		if (d->handles >= 0)
			n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_handle=%" PRId64,
				      d->handles);
		if (d->objects >= 0)
			snprintf(text + n, sizeof(text) - (size_t)n, " hca_object=%" PRId64,
				 d->objects);
		r = cgroup_write(dir, "rdma.max", text, fault);
	}
	return r;
}

int cgroup_check_usage(int dir, const struct cgroup_limits *l, const char *file,
		       struct cgroup_fault *fault)
{
	uint64_t usage = 0;
	char text[32];

	if (!l->memory_check || l->memory <= 0)
		return 0;
	cgroup_read_u64(dir, file, &usage);
	if (usage <= (uint64_t)l->memory)
		return 0;
	snprintf(text, sizeof(text), "%" PRId64, l->memory);
	return cgroup_fail(fault, -EBUSY, file, text);
}

bool cgroup_file_exists(int dir, const char *file)
{
	return faccessat(dir, file, F_OK, 0) == 0;
}
