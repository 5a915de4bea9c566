/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs spec and features. */
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/seccomp-profile.h"
#include "kernel/mount-option.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

enum { OUTPUT_MAX = 16 << 20 };

static int write_spec(const char *bundle, struct buf *text, struct err *e)
{
	_cleanup_(fd_close) int dir = path_open_host(bundle, O_PATH | O_DIRECTORY, 0);
	_cleanup_(fd_close) int fd = dir < 0 ? dir : path_create(dir, "config.json", 0666, 0);
	int r = fd;

	if (r >= 0)
		r = buf_putc(text, '\n');
	if (r >= 0)
		r = fd_write_full(fd, text->data, text->len);
	return r < 0 ? err_errno(e, r, "writing config.json in '%s'", bundle) : 0;
}

struct spec_args {
	struct runtime_args args;
	const char *bundle;
	bool rootless;
};

const struct runtime_option runtime_spec_options[] = {
	{"bundle", 'b', OPTION_STR, offsetof(struct spec_args, bundle), "DIR",
	 "where to write it (.)"},
	{"rootless", 0, OPTION_FLAG, offsetof(struct spec_args, rootless), NULL,
	 "for a container without root's rights"},
	{.name = NULL},
};

static int make_spec(const struct spec_args *args, struct err *e)
{
	_cleanup_(runtime_config_done) struct runtime_config c = RUNTIME_CONFIG_INIT;
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUTPUT_MAX);

	if (runtime_config_default(args->rootless, geteuid(), getegid(), &c, e) < 0 ||
	    runtime_config_write(&c, &text, e) < 0)
		return -1;
	return write_spec(args->bundle ? args->bundle : ".", &text, e);
}

int verb_spec(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	struct spec_args args = {.bundle = NULL};
	int r = runtime_options_parse(&p->verb->command, argc, argv, &args, e);

	if (r >= 0)
		r = make_spec(&args, e);
	runtime_args_done(&args.args);
	return r;
}

static json_t *feature_names(const char *(*name)(size_t i))
{
	json_t *list = json_array();

	for (size_t i = 0; name(i); i++)
		json_array_append_new(list, json_string(name(i)));
	return list;
}

static const char *ns_at(size_t i)
{
	return i < OCI_NS_N ? oci_ns_name((enum oci_ns)i) : NULL;
}

static const char *hook_at(size_t i)
{
	return i < OCI_HOOK_N ? oci_hook_name((enum oci_hook_point)i) : NULL;
}

static const char *cap_at(size_t i)
{
	return oci_cap_name((unsigned)i);
}

/* Words of the enumerator or architecture number I; NULL past the last. */
static const char *action_at(size_t i)
{
	return i <= SECCOMP_DO_NOTIFY ? seccomp_action_word((enum seccomp_action)i) : NULL;
}

static const char *op_at(size_t i)
{
	return i <= SECCOMP_IS_MASKED_EQ ? seccomp_op_word((enum seccomp_op)i) : NULL;
}

static json_t *seccomp_features(void)
{
	json_t *s = json_object();

	json_object_set_new(s, "enabled", json_true());
	json_object_set_new(s, "actions", feature_names(action_at));
	json_object_set_new(s, "operators", feature_names(op_at));
	json_object_set_new(s, "archs", feature_names(seccomp_arch_at));
	json_object_set_new(s, "knownFlags", feature_names(seccomp_flag_at));
	json_object_set_new(s, "supportedFlags", feature_names(seccomp_flag_at));
	return s;
}

int verb_features(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	_cleanup_(json_unref) json_t *j = json_object();
	json_t *l = json_object();

	json_object_set_new(l, "namespaces", feature_names(ns_at));
	json_object_set_new(l, "capabilities", feature_names(cap_at));
	json_object_set_new(l, "cgroup",
			    json_pack("{s:b, s:b, s:b, s:b, s:b}", "v1", 1, "v2", 1, "systemd", 1,
				      "systemdUser", 1, "rdma", 0));
	json_object_set_new(l, "seccomp", seccomp_features());
	json_object_set_new(l, "apparmor", json_pack("{s:b}", "enabled", 1));
	json_object_set_new(l, "selinux", json_pack("{s:b}", "enabled", 1));
	json_object_set_new(l, "intelRdt", json_pack("{s:b}", "enabled", 1));
	json_object_set_new(l, "mountExtensions", json_pack("{s:{s:b}}", "idmap", "enabled", 1));
	json_object_set_new(j, "ociVersionMin", json_string("1.0.0"));
	json_object_set_new(j, "ociVersionMax", json_string(OCI_RUNTIME_VERSION));
	json_object_set_new(j, "hooks", feature_names(hook_at));
	json_object_set_new(j, "mountOptions", feature_names(mount_option_name));
	json_object_set_new(j, "linux", l);
	json_object_set_new(j, "annotations",
			    json_pack("{s:s}", "io.github.kogge.runtime.version", KOGGE_VERSION));
	if (json_write(j, JSON_INDENT(2), &out) < 0)
		return err_errno(e, ENOMEM, "writing the features");
	return runtime_print(&out, e);
}
