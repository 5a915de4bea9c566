/* SPDX-License-Identifier: Apache-2.0 */
/* Single values of run's options, with the messages of docker/cli's opts package. */
#include "cli/run-options.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/container-spec.h"
#include "kernel/rlimit.h"
#include "monitor/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

int run_parse_pair(struct arena *a, const char *s, struct spec_pair *ret, struct err *e)
{
	const char *rest;

	ret->key = str_cut(a, s, '=', &rest);
	if (!ret->key)
		return fail_oom(e);
	ret->value = rest ? rest : "";
	if (!*ret->key)
		return err_set(e, ERR_INVALID, 0, "'%s' has no name", s);
	return 0;
}

/* -- files and devices ------------------------------------------------------------------------ */

static bool is_tmpfs_option(const char *s)
{
	static const char *const flags[] = {"rw",         "ro",          "exec",
					    "noexec",     "suid",        "nosuid",
					    "dev",        "nodev",       "sync",
					    "async",      "atime",       "noatime",
					    "diratime",   "nodiratime",  "relatime",
					    "norelatime", "strictatime", "nostrictatime",
					    "dirsync",    "private",     "rprivate",
					    "shared",     "rshared",     "slave",
					    "rslave",     "unbindable",  "runbindable",
					    NULL};
	static const char *const values[] = {
		"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "mpol="};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (str_after(s, values[i]))
			return *str_after(s, values[i]) != '\0';
	return strv_has(flags, s);
}

int run_parse_tmpfs(struct arena *a, const char *s, struct spec_tmpfs *ret, struct err *e)
{
	const char *options;
	const char **v;

	ret->dest = str_cut(a, s, ':', &options);
	ret->options = options ? options : "";
	if (!ret->dest)
		return fail_oom(e);
	if (ret->dest[0] != '/')
		return err_set(e, ERR_INVALID, 0,
			       "invalid mount path: '%s' mount path must be absolute", ret->dest);
	ret->dest = str_path_clean(a, ret->dest);
	if (!ret->dest)
		return fail_oom(e);
	if (str_eq(ret->dest, "/"))
		return err_set(e, ERR_INVALID, 0, "invalid tmpfs '%s': it cannot be '/'", s);
	/* It would hide what masks, labels and sysctls stand on (CVE-2019-16884). */
	if (str_eq(ret->dest, "/proc") || str_after(ret->dest, "/proc/"))
		return err_set(e, ERR_INVALID, 0,
			       "invalid tmpfs '%s': nothing may be mounted over /proc", s);
	if (!*ret->options)
		return 0;
	v = str_split(a, ret->options, ',', NULL);
	for (; v && *v; v++)
		if (!is_tmpfs_option(*v))
			return err_set(e, ERR_INVALID, 0, "invalid tmpfs option \"%s\"", *v);
	return v ? 0 : fail_oom(e);
}

static bool is_perms(const char *s)
{
	return *s && strspn(s, "rwm") == strlen(s) && strlen(s) <= 3;
}

int run_parse_device(struct arena *a, const char *s, struct spec_device *ret, struct err *e)
{
	size_t n;
	const char **v = str_split(a, s, ':', &n);

	if (!v)
		return fail_oom(e);
	if (n > 3 || !*v[0])
		return err_set(e, ERR_INVALID, 0, "bad format for path: %s", s);
	*ret = (struct spec_device){.host = v[0], .container = v[0], .perms = "rwm"};
	if (n == 3) {
		ret->container = v[1];
		ret->perms = v[2];
	} else if (n == 2 && v[1][0] == '/') {
		ret->container = v[1];
	} else if (n == 2) {
		ret->perms = v[1];
	}
	if (!is_perms(ret->perms))
		return err_set(e, ERR_INVALID, 0, "bad mode specified: %s", ret->perms);
	if (ret->host[0] != '/' || ret->container[0] != '/')
		return err_set(e, ERR_INVALID, 0, "%s is not an absolute path",
			       ret->host[0] != '/' ? ret->host : ret->container);
	return 0;
}

static int read_device_number(const char *s, int64_t *ret)
{
	if (str_eq(s, "*")) {
		*ret = SPEC_DEV_ANY;
		return 0;
	}
	return num_i64(s[0] == '-' ? "x" : s, 0, UINT32_MAX, ret);
}

int run_parse_device_rule(struct arena *a, const char *s, struct spec_device_rule *ret,
			  struct err *e)
{
	size_t n;
	const char **v = str_split(a, s, ' ', &n);
	const char *minor = NULL;
	char *major;

	if (!v)
		return fail_oom(e);
	major = n == 3 ? str_cut(a, v[1], ':', &minor) : NULL;
	if (!major || !minor || strlen(v[0]) != 1 || !strchr("abc", v[0][0]) || !is_perms(v[2]) ||
	    read_device_number(major, &ret->major) < 0 ||
	    read_device_number(minor, &ret->minor) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid device cgroup format '%s'", s);
	ret->type = v[0][0];
	ret->perms = v[2];
	return 0;
}

/* -- limits and parameters --------------------------------------------------------------------- */

/* "PATH:VALUE" of a disk. Returns VALUE; NULL with E set. */
static const char *parse_disk(struct arena *a, const char *s, struct spec_io_limit *ret,
			      struct err *e)
{
	const char *value;

	ret->path = str_cut(a, s, ':', &value);
	if (!ret->path)
		return (void)fail_oom(e), NULL;
	if (!value || strchr(value, ':'))
		return (void)err_set(e, ERR_INVALID, 0, "bad format: %s", s), NULL;
	if (!str_after(ret->path, "/dev/"))
		return (void)err_set(e, ERR_INVALID, 0, "bad format for device path: %s", s), NULL;
	return value;
}

int run_parse_io_weight(struct arena *a, const char *s, struct spec_io_limit *ret, struct err *e)
{
	const char *value = parse_disk(a, s, ret, e);

	if (!value)
		return -1;
	if (num_u64(value, 0, 1000, &ret->value) < 0 || (ret->value && ret->value < 10))
		return err_set(e, ERR_INVALID, 0, "invalid weight for device: %s", s);
	return 0;
}

int run_parse_io_bps(struct arena *a, const char *s, struct spec_io_limit *ret, struct err *e)
{
	const char *value = parse_disk(a, s, ret, e);

	if (!value)
		return -1;
	if (num_size(value, &ret->value) < 0 || ret->value > INT64_MAX)
		return err_set(e, ERR_INVALID, 0,
			       "invalid rate for device: %s. The correct format is "
			       "<device-path>:<number>[<unit>]. Number must be a positive integer. "
			       "Unit is optional and can be kb, mb, or gb",
			       s);
	return 0;
}

int run_parse_io_iops(struct arena *a, const char *s, struct spec_io_limit *ret, struct err *e)
{
	const char *value = parse_disk(a, s, ret, e);

	if (!value)
		return -1;
	if (num_u64(value, 0, INT64_MAX, &ret->value) < 0)
		return err_set(e, ERR_INVALID, 0,
			       "invalid rate for device: %s. The correct format is "
			       "<device-path>:<number>. Number must be a positive integer",
			       s);
	return 0;
}

int run_parse_ulimit(struct arena *a, const char *s, struct spec_ulimit *ret, struct err *e)
{
	const char *values, *hard = NULL;
	char *soft;

	ret->name = str_cut(a, s, '=', &values);
	if (!ret->name)
		return fail_oom(e);
	if (!values)
		return err_set(e, ERR_INVALID, 0, "invalid ulimit argument: %s", s);
	if (rlimit_number(ret->name) < 0 || str_after(ret->name, "RLIMIT_"))
		return err_set(e, ERR_INVALID, 0, "invalid ulimit type: %s", ret->name);
	soft = str_cut(a, values, ':', &hard);
	if (!soft)
		return fail_oom(e);
	if (hard && strchr(hard, ':'))
		return err_set(e, ERR_INVALID, 0,
			       "too many limit value arguments - %s, can only have up to two, "
			       "`soft[:hard]`",
			       values);
	if (num_i64(soft, -1, INT64_MAX, &ret->soft) < 0 ||
	    num_i64(hard ? hard : soft, -1, INT64_MAX, &ret->hard) < 0)
		return err_set(e, ERR_INVALID, 0,
			       "strconv.ParseInt: parsing \"%s\": invalid syntax", values);
	if (ret->hard != -1 && (ret->soft == -1 || ret->soft > ret->hard))
		return err_set(e, ERR_INVALID, 0,
			       "ulimit soft limit must be less than or equal to hard limit: %lld > "
			       "%lld",
			       (long long)ret->soft, (long long)ret->hard);
	return 0;
}

int run_parse_sysctl(struct arena *a, const char *s, struct spec_pair *ret, struct err *e)
{
	static const char *const names[] = {
		"kernel.msgmax", "kernel.msgmnb",          "kernel.msgmni",
		"kernel.sem",    "kernel.shmall",          "kernel.shmmax",
		"kernel.shmmni", "kernel.shm_rmid_forced", NULL};

	if (run_parse_pair(a, s, ret, e) < 0)
		return -1;
	if (!strchr(s, '=') || strchr(ret->key, '/') || strstr(ret->key, "..") ||
	    (!strv_has(names, ret->key) && !str_after(ret->key, "net.") &&
	     !str_after(ret->key, "fs.mqueue.")))
		return err_set(e, ERR_INVALID, 0, "sysctl '%s' is not allowed", s);
	return 0;
}

static bool is_address(const char *s)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

/* host:ip, host=ip; an IPv6 address may be in brackets. */
int run_parse_host(struct arena *a, const char *s, struct spec_pair *ret, struct err *e)
{
	const char *value = NULL;
	char *ip;
	size_t n;

	ret->key = str_cut(a, s, strchr(s, '=') ? '=' : ':', &value);
	if (!ret->key)
		return fail_oom(e);
	if (!value || !*ret->key || strpbrk(ret->key, " \t\n"))
		return err_set(e, ERR_INVALID, 0, "bad format for add-host: \"%s\"", s);
	n = strlen(value);
	if (n > 2 && value[0] == '[' && value[n - 1] == ']') {
		value++;
		n -= 2;
	}
	ip = arena_strndup(a, value, n);
	if (!ip)
		return fail_oom(e);
	if (!str_eq(ip, "host-gateway") && !is_address(ip))
		return err_set(e, ERR_INVALID, 0, "invalid IP address in add-host: \"%s\"", value);
	ret->value = ip;
	return 0;
}

int run_check_detach_keys(const char *value, struct err *e)
{
	unsigned char keys[CLIENT_KEYS_MAX];

	return client_detach_keys(value, keys, sizeof(keys), e) < 0 ? -1 : 0;
}

/* -- namespaces -------------------------------------------------------------------------------- */

struct ns_word {
	const char *which, *word;
	enum spec_ns_mode mode;
};

static const struct ns_word ns_words[] = {
	{"ipc", "", SPEC_NS_DEFAULT},
	{"ipc", "none", SPEC_NS_NONE},
	{"ipc", "private", SPEC_NS_PRIVATE},
	{"ipc", "shareable", SPEC_NS_SHAREABLE},
	{"ipc", "host", SPEC_NS_HOST},
	{"pid", "", SPEC_NS_DEFAULT},
	{"pid", "host", SPEC_NS_HOST},
	{"uts", "", SPEC_NS_DEFAULT},
	{"uts", "host", SPEC_NS_HOST},
	{"userns", "", SPEC_NS_DEFAULT},
	{"userns", "host", SPEC_NS_HOST},
	{"cgroupns", "", SPEC_NS_DEFAULT},
	{"cgroupns", "host", SPEC_NS_HOST},
	{"cgroupns", "private", SPEC_NS_PRIVATE},
	{"network", "default", SPEC_NS_DEFAULT},
	{"network", "none", SPEC_NS_NONE},
	{"network", "host", SPEC_NS_HOST},
};

static int ns_invalid(const char *which, const char *s, struct err *e)
{
	if (str_eq(which, "ipc"))
		return err_set(e, ERR_INVALID, 0, "invalid IPC mode: %s", s);
	return err_set(e, ERR_USAGE, 0, "--%s: invalid %s mode", which,
		       str_eq(which, "pid")      ? "PID"
		       : str_eq(which, "uts")    ? "UTS"
		       : str_eq(which, "userns") ? "USER"
						 : "CGROUP");
}

int run_parse_ns(struct arena *a, const char *which, const char *s, struct spec_ns *ret,
		 struct err *e)
{
	bool network = str_eq(which, "network");
	const char *container;

	if (!s)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(ns_words); i++)
		if (str_eq(ns_words[i].which, which) && str_eq(ns_words[i].word, s)) {
			ret->mode = ns_words[i].mode;
			return 0;
		}
	container = str_after(s, "container:");
	if (container && (network || str_eq(which, "pid") || str_eq(which, "ipc"))) {
		if (!*container)
			return err_set(e, ERR_INVALID, 0,
				       "--%s: invalid container format container:<name|id>", which);
		*ret = (struct spec_ns){SPEC_NS_CONTAINER, arena_strdup(a, container)};
		return ret->ref ? 0 : fail_oom(e);
	}
	if (!network || !*s)
		return ns_invalid(which, s, e);
	*ret = (struct spec_ns){SPEC_NS_NAMED, arena_strdup(a, s)};
	return ret->ref ? 0 : fail_oom(e);
}

/* -- files of lines ---------------------------------------------------------------------------- */

const char *run_read_file(struct arena *a, const char *path, size_t max, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(max + 1);
	_cleanup_(fd_close) int fd = path_open_host(path, O_RDONLY, 0);
	char *copy;
	int r;

	r = fd < 0 ? fd : fd_read_all(fd, &text, max);
	if (r < 0) {
		(void)err_errno(e, r, "reading '%s'", path);
		return NULL;
	}
	copy = arena_strdup(a, buf_str(&text));
	if (!copy)
		(void)fail_oom(e);
	return copy;
}

#define LINES_MAX ((size_t)4 << 20)

int run_read_lines(struct arena *a, const char *path, run_line_fn fn, void *arg, struct err *e)
{
	const char *text = run_read_file(a, path, LINES_MAX, e);
	const char **lines = text ? str_split(a, text, '\n', NULL) : NULL;

	if (!text)
		return -1;
	for (size_t i = 0; lines && lines[i]; i++) {
		const char *line = lines[i] + strspn(lines[i], " \t");
		size_t n = strcspn(line, "\r");
		char *clean =
			line[n] && !line[n + 1] ? arena_strndup(a, line, n) : arena_strdup(a, line);

		if (!clean)
			return fail_oom(e);
		if (!*clean || *clean == '#')
			continue;
		n = strcspn(clean, "=");
		if (n == 0)
			return err_set(e, ERR_INVALID, 0, "%s: no variable name on line '%s'", path,
				       clean);
		if (strcspn(clean, " \t") < n)
			return err_set(e, ERR_INVALID, 0,
				       "%s: variable '%.*s' contains whitespaces", path,
				       (int)MIN(n, (size_t)200), clean);
		if (fn(arg, clean, e) < 0)
			return -1;
	}
	return lines ? 0 : fail_oom(e);
}
