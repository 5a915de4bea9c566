/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/proc-info.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "kernel/proc.h"
#include "kernel/proc-internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { TABLE_MAX = 64 << 20, SMALL_MAX = 1 << 20 };

int proc_read(int proc, pid_t pid, const char *rel, size_t max, char **ret)
{
	_cleanup_(fd_close) int fd = proc_open_file(proc, pid, rel, O_RDONLY);
	_cleanup_(buf_done) struct buf text = BUF_INIT(max);
	int r;

	if (fd < 0)
		return fd;
	r = fd_read_all(fd, &text, max);
	if (r < 0)
		return r;
	*ret = buf_take(&text);
	return *ret ? 0 : -ENOMEM;
}

/* Field N of stat, counted as in proc(5), from what follows the name's last parenthesis (field 3
 * is the first there). */
static int stat_field(const char *rest, int n, uint64_t *ret)
{
	char word[24];
	size_t len;

	for (int i = 3; i < n; i++) {
		rest = strchr(rest, ' ');
		if (!rest)
			return -EINVAL;
		rest++;
	}
	len = strcspn(rest, " \n");
	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, rest, len);
	word[len] = '\0';
	return num_u64(word, 0, UINT64_MAX, ret);
}

int proc_stat(int proc, pid_t pid, struct proc_stat *ret)
{
	_cleanup_(freep) char *text = NULL;
	uint64_t parent, session, start, status = 0;
	const char *rest;
	int r = proc_read(proc, pid, "stat", SMALL_MAX, &text);

	if (r < 0)
		return r;
	/* The name may hold anything, also parentheses and blanks: the last one ends it. */
	rest = strrchr(text, ')');
	if (!rest || rest[1] != ' ')
		return -EINVAL;
	rest += 2;
	if (stat_field(rest, 4, &parent) < 0 || stat_field(rest, 6, &session) < 0 ||
	    stat_field(rest, 22, &start) < 0)
		return -EINVAL;
	if (rest[0] == 'Z')
		(void)stat_field(rest, 52, &status);
	*ret = (struct proc_stat){.state = rest[0],
				  .status = (int)status,
				  .parent = (pid_t)parent,
				  .session = (pid_t)session,
				  .start = start};
	return 0;
}

static int by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

int proc_list_fds(int proc, pid_t pid, int **ret, size_t *ret_n)
{
	_cleanup_(buf_done) struct buf found = BUF_INIT(SMALL_MAX);
	int fd = proc_open_file(proc, pid, "fd", O_RDONLY | O_DIRECTORY);
	struct dirent *entry;
	int r = 0;
	DIR *d;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		close(fd);
		return r;
	}
	while ((entry = readdir(d)) && r == 0) {
		uint64_t n;

		if (num_u64(entry->d_name, 0, INT32_MAX, &n) == 0 && (int)n != dirfd(d)) {
			int number = (int)n;

			r = buf_put(&found, &number, sizeof(number));
		}
	}
	closedir(d);
	if (r < 0)
		return r;
	*ret_n = found.len / sizeof(int);
	*ret = (int *)(void *)buf_take(&found);
	if (!*ret)
		return -ENOMEM;
	qsort(*ret, *ret_n, sizeof(int), by_number);
	return 0;
}

/* Undoes "\040" and the like in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && isdigit((unsigned char)s[2]) &&
		    isdigit((unsigned char)s[3])) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Cuts the next word off *S, which then points behind it; "" at the end. */
static char *word(char **s, const char *blanks)
{
	char *start = *s + strspn(*s, blanks);
	size_t n = strcspn(start, blanks);

	*s = start + n;
	if (**s)
		*(*s)++ = '\0';
	return start;
}

/* Cuts the next field off a line of fields with one blank between them; it may be empty (a source
 * that is ""). */
static char *field(char **s)
{
	char *start = *s;

	*s = start + strcspn(start, " ");
	if (**s)
		*(*s)++ = '\0';
	return start;
}

static int parse_mount(char *line, struct proc_mount *ret)
{
	char *id = field(&line), *parent = field(&line), *dev = field(&line);
	char *minor = strchr(dev, ':'), *tags;
	uint64_t n[4];

	if (!minor)
		return -EINVAL;
	*minor++ = '\0';
	if (num_u64(id, 0, INT32_MAX, &n[0]) < 0 || num_u64(parent, 0, INT32_MAX, &n[1]) < 0 ||
	    num_u64(dev, 0, UINT32_MAX, &n[2]) < 0 || num_u64(minor, 0, UINT32_MAX, &n[3]) < 0)
		return -EINVAL;
	*ret = (struct proc_mount){.id = (int)n[0],
				   .parent = (int)n[1],
				   .major = (unsigned)n[2],
				   .minor = (unsigned)n[3]};
	ret->root = field(&line);
	ret->target = field(&line);
	ret->options = field(&line);
	tags = line;
	ret->propagation = "";
	if (strncmp(line, "- ", 2) == 0) {
		line += 2;
	} else {
		char *end = strstr(line, " - ");

		if (!end)
			return -EINVAL;
		*end = '\0';
		ret->propagation = tags;
		line = end + 3;
	}
	ret->fstype = field(&line);
	ret->source = field(&line);
	ret->super_options = field(&line);
	unescape((char *)(uintptr_t)ret->root);
	unescape((char *)(uintptr_t)ret->target);
	unescape((char *)(uintptr_t)ret->source);
	return 0;
}

/* Reads a file of lines into the arena. */
static int read_lines(int proc, pid_t pid, const char *rel, struct arena *a, char **ret)
{
	_cleanup_(freep) char *text = NULL;
	int r = proc_read(proc, pid, rel, TABLE_MAX, &text);

	if (r < 0)
		return r;
	*ret = arena_strdup(a, text);
	return *ret ? 0 : -ENOMEM;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

int proc_read_mounts(int proc, pid_t pid, struct arena *a, struct proc_mount **ret, size_t *ret_n)
{
	struct proc_mount *v;
	size_t n;
	char *text;
	int r = read_lines(proc, pid, "mountinfo", a, &text);

	if (r < 0)
		return r;
	n = count_lines(text);
	v = arena_array(a, n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		r = parse_mount(word(&text, "\n"), &v[i]);
		if (r < 0)
			return r;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

int proc_has_filesystem(int proc, const char *type)
{
	_cleanup_(freep) char *text = NULL;
	char *at;
	int r = proc_read(proc, PROC_ROOT, "filesystems", SMALL_MAX, &text);

	if (r < 0)
		return r;
	for (at = text; *at;) {
		char *line = word(&at, "\n");
		char *name = strchr(line, '\t');

		if (name && strcmp(name + 1, type) == 0)
			return 1;
	}
	return 0;
}

int proc_read_controllers(int proc, struct arena *a, struct proc_controller **ret, size_t *ret_n)
{
	struct proc_controller *v;
	size_t n, count = 0;
	char *text;
	int r = read_lines(proc, PROC_ROOT, "cgroups", a, &text);

	if (r < 0)
		return r;
	n = count_lines(text);
	v = arena_array(a, n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char *line = word(&text, "\n"), *name = word(&line, "\t");
		char *hierarchy = word(&line, "\t");
		uint64_t number;

		word(&line, "\t");
		if (name[0] == '#' || num_u64(hierarchy, 0, INT32_MAX, &number) < 0)
			continue;
		v[count++] = (struct proc_controller){.name = name,
						      .hierarchy = (int)number,
						      .enabled = word(&line, "\t")[0] == '1'};
	}
	*ret = v;
	*ret_n = count;
	return 0;
}

int proc_read_cgroup(int proc, pid_t pid, struct arena *a, struct proc_cgroup **ret, size_t *ret_n)
{
	struct proc_cgroup *v;
	size_t n, count = 0;
	char *text;
	int r = read_lines(proc, pid, "cgroup", a, &text);

	if (r < 0)
		return r;
	n = count_lines(text);
	v = arena_array(a, n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char *line = word(&text, "\n");
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		uint64_t number;

		if (!path)
			continue;
		*controllers++ = '\0';
		*path++ = '\0';
		if (num_u64(line, 0, INT32_MAX, &number) == 0)
			v[count++] = (struct proc_cgroup){
				.hierarchy = (int)number, .controllers = controllers, .path = path};
	}
	*ret = v;
	*ret_n = count;
	return 0;
}

int proc_sysctl_read(int proc, const char *name, char **ret)
{
	_cleanup_(fd_close) int fd = proc_sysctl_open(proc, name, O_RDONLY);
	_cleanup_(buf_done) struct buf text = BUF_INIT(SMALL_MAX);
	int r;

	if (fd < 0)
		return fd;
	r = fd_read_all(fd, &text, SMALL_MAX);
	if (r < 0)
		return r;
	if (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	*ret = buf_take(&text);
	return *ret ? 0 : -ENOMEM;
}
