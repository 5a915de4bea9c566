/* SPDX-License-Identifier: Apache-2.0 */
/* The verb list. */
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/passwd.h"
#include "runtime/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

enum { OUTPUT_MAX = 16 << 20, OWNER_SIZE = 256 };

/* The name of a user of this machine, or "#UID": as runc prints it. */
static void owner_name(uint32_t uid, char out[OWNER_SIZE])
{
	_cleanup_(fd_close) int fd = path_open_host("/etc/passwd", O_RDONLY, 0);
	_cleanup_(buf_done) struct buf text = BUF_INIT(PASSWD_SIZE_MAX + 1);
	_cleanup_(passwd_identity_done) struct passwd_identity who = PASSWD_IDENTITY_INIT;
	char spec[16];

	snprintf(spec, sizeof(spec), "%u", uid);
	snprintf(out, OWNER_SIZE, "#%u", uid);
	if (fd < 0 || fd_read_all(fd, &text, PASSWD_SIZE_MAX) < 0)
		return;
	if (passwd_resolve(spec, NULL,
			   &(struct passwd_files){.passwd = text.data, .n_passwd = text.len}, &who,
			   NULL) >= 0 &&
	    *who.name)
		snprintf(out, OWNER_SIZE, "%s", who.name);
}

/* Adds the container NAME to the list. What is damaged is told on stderr and left out. */
static int list_one(int root, const char *name, json_t *list)
{
	_cleanup_(container_state_done) struct container_state s = CONTAINER_STATE_INIT;
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUTPUT_MAX);
	_cleanup_(fd_close) int dir = path_open_own(root, name, O_RDONLY | O_DIRECTORY, 0);
	char owner[OWNER_SIZE];
	struct err e = ERR_INIT;
	json_t *j;

	if (dir < 0)
		return 0;
	if (container_state_read(dir, &s, &e) < 0 || runtime_refresh(&s, NULL, &e) < 0 ||
	    container_state_json(&s, &text, &e) < 0) {
		if (e.class != ERR_NOT_FOUND)
			fprintf(stderr, "kogge-runtime: container '%s': %s\n", name, e.msg);
		return 0;
	}
	j = json_loadb(text.data, text.len, 0, NULL);
	owner_name(s.owner, owner);
	json_object_set_new(j, "owner", json_string(owner));
	return json_array_append_new(list, j);
}

static int list_all(int root, json_t *list, struct err *e)
{
	int own = path_open(root, "", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (!d) {
		fd_close(&own);
		return err_errno(e, errno, "listing containers");
	}
	while ((entry = readdir(d)))
		if (runtime_id_check(entry->d_name))
			list_one(root, entry->d_name, list);
	closedir(d);
	return 0;
}

static void print_table(const json_t *list)
{
	const json_t *j;
	size_t i;

	printf("%-24s %-8s %-10s %-32s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED",
	       "OWNER");
	json_array_foreach (list, i, j) {
		printf("%-24s %-8lld %-10s %-32s %-32s %s\n",
		       json_string_value(json_object_get(j, "id")),
		       (long long)json_integer_value(json_object_get(j, "pid")),
		       json_string_value(json_object_get(j, "status")),
		       json_string_value(json_object_get(j, "bundle")),
		       json_string_value(json_object_get(j, "created")),
		       json_string_value(json_object_get(j, "owner")));
	}
}

struct list_args {
	struct runtime_args args;
	const char *format;
	bool quiet;
};

const struct runtime_option runtime_list_options[] = {
	{"format", 'f', OPTION_STR, offsetof(struct list_args, format), "table|json",
	 "how to print"},
	{"quiet", 'q', OPTION_FLAG, offsetof(struct list_args, quiet), NULL, "only IDs"},
	{.name = NULL},
};

/* Checks --format; whether it is JSON in *RET. */
static int parse_format(const char *format, bool *ret, struct err *e)
{
	*ret = str_eq0(format, "json");
	if (format && !*ret && !str_eq(format, "table"))
		return err_set(e, ERR_INVALID, 0, "--format: '%s' is not table or json", format);
	return 0;
}

static int print_list(const struct list_args *args, const json_t *list, bool json, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	const json_t *j;
	size_t i;

	if (args->quiet)
		json_array_foreach (list, i, j)
			puts(json_string_value(json_object_get(j, "id")));
	else if (!json)
		print_table(list);
	else if (json_write(list, 0, &out) < 0)
		return err_errno(e, ENOMEM, "listing containers");
	else
		return runtime_print(&out, e);
	return 0;
}

int verb_list(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(json_unref) json_t *list = json_array();
	_cleanup_(fd_close) int root = -1;
	struct list_args args = {.format = NULL};
	bool json = false;
	int r = runtime_options_parse(&p->verb->command, argc, argv, &args, e);

	if (r >= 0)
		r = parse_format(args.format, &json, e);
	if (r >= 0)
		r = root = runtime_root_open(p, e);
	if (r >= 0)
		r = list_all(root, list, e);
	if (r >= 0)
		r = print_list(&args, list, json, e);
	runtime_args_done(&args.args);
	return r < 0 ? -1 : 0;
}
