/* SPDX-License-Identifier: Apache-2.0 */
/* The rules are those of moby's volume/mounts/linux_parser.go, and so are the messages. */
#include "engine/mount-internal.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

/* Of each group a mode has one at most. */
static const char *const mode_groups[][9] = {
	{"rw", "ro"},
	{"z", "Z"},
	{"nocopy"},
	{"consistent", "cached", "delegated"},
	{"private", "rprivate", "slave", "rslave", "shared", "rshared"},
};

enum { GROUP_RW, GROUP_LABEL, GROUP_COPY, GROUP_CONSISTENCY, GROUP_PROPAGATION };

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "reading a mount");
}

/* The group of OPTION, or -1. */
static int mode_group(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_groups); i++)
		if (strv_has(mode_groups[i], option))
			return (int)i;
	return -1;
}

/* The option of GROUP in the words of a mode, or NULL. */
static const char *mode_has(const char *const *words, int group)
{
	for (size_t i = 0; words[i]; i++)
		if (mode_group(words[i]) == group)
			return words[i];
	return NULL;
}

static bool words_are_valid(const char *const *words)
{
	unsigned seen = 0;

	for (size_t i = 0; words[i]; i++) {
		int group = mode_group(words[i]);

		if (group < 0 || seen & 1U << group)
			return false;
		seen |= 1U << group;
	}
	return true;
}

/* The words of a mode, "" for none; NULL where it is not valid. */
static const char *const *mode_words(struct arena *a, const char *mode)
{
	static const char *const none[] = {NULL};
	const char **words;

	if (!*mode)
		return none;
	words = str_split(a, mode, ',', NULL);
	return words && words_are_valid((const char *const *)words) ? (const char *const *)words
								    : NULL;
}

bool mount_mode_is_valid(const char *mode)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;

	return mode_words(&a, mode) != NULL;
}

static const char *type_name(const struct spec_mount *m)
{
	static const char *const names[] = {"bind", "volume", "tmpfs", "image"};

	return names[m->type];
}

/* As Go's filepath.IsLocal: does not lead out by its text. */
static bool is_local(struct arena *a, const char *path)
{
	const char **parts = str_split(a, path, '/', NULL);
	int depth = 0;

	if (!parts || !*path || *path == '/')
		return false;
	for (; *parts && depth >= 0; parts++) {
		if (str_eq(*parts, ".."))
			depth--;
		else if (**parts && !str_eq(*parts, "."))
			depth++;
	}
	return depth >= 0;
}

int volume_name_check(const char *name, struct err *e)
{
	if (strlen(name) == 1)
		return err_set(e, ERR_INVALID, 0,
			       "volume name is too short, names should be at least two "
			       "alphanumeric characters");
	if (!volume_name_is_valid(name))
		return err_set(e, ERR_INVALID, 0,
			       "\"%.300s\" includes invalid characters for a local volume name, "
			       "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to "
			       "pass a host directory, use absolute path",
			       name);
	return 0;
}

static int check_volume(struct arena *a, const struct spec_mount *m, struct err *e)
{
	if (m->propagation)
		return err_set(e, ERR_INVALID, 0, "field BindOptions must not be specified");
	if (m->subpath && !m->source)
		return err_set(e, ERR_INVALID, 0,
			       "must not set Subpath when using anonymous volumes");
	if (m->subpath && !is_local(a, m->subpath))
		return err_set(e, ERR_INVALID, 0,
			       "subpath must be a relative path within the volume");
	if (!m->source && m->read_only)
		return err_set(e, ERR_INVALID, 0,
			       "must not set ReadOnly mode when using anonymous volumes");
	return m->source ? volume_name_check(m->source, e) : 0;
}

static int check_source(struct arena *a, struct spec_mount *m, struct err *e)
{
	switch (m->type) {
	case SPEC_MOUNT_BIND:
		if (str_empty(m->source))
			return err_set(e, ERR_INVALID, 0, "field Source must not be empty");
		if (m->propagation && mode_group(m->propagation) != GROUP_PROPAGATION)
			return err_set(e, ERR_INVALID, 0, "invalid propagation mode: %s",
				       m->propagation);
		if (m->source[0] != '/')
			return err_set(e, ERR_INVALID, 0,
				       "invalid mount path: '%s' mount path must be absolute",
				       m->source);
		return 0;
	case SPEC_MOUNT_VOLUME:
		return check_volume(a, m, e);
	case SPEC_MOUNT_TMPFS:
		if (m->source)
			return err_set(e, ERR_INVALID, 0, "field Source must not be specified");
		return 0;
	case SPEC_MOUNT_IMAGE:
		if (str_empty(m->source))
			return err_set(e, ERR_INVALID, 0, "field Source must not be empty");
		if (m->subpath && !is_local(a, m->subpath))
			return err_set(e, ERR_INVALID, 0,
				       "subpath must be a relative path within the image");
		return 0;
	}
	return err_set(e, ERR_INVALID, 0, "mount type unknown");
}

static int check_target(struct arena *a, struct spec_mount *m, struct err *e)
{
	if (str_empty(m->target))
		return err_set(e, ERR_INVALID, 0, "field Target must not be empty");
	if (m->target[0] == '/') {
		m->target = str_path_clean(a, m->target);
		if (!m->target)
			return fail_oom(e);
	}
	if (str_eq(m->target, "/") || str_eq(m->target, "."))
		return err_set(e, ERR_INVALID, 0,
			       "invalid specification: destination can't be '/'");
	if (m->target[0] != '/')
		return err_set(e, ERR_INVALID, 0,
			       "invalid mount path: '%s' mount path must be absolute", m->target);
	return 0;
}

int mount_check(struct arena *a, struct spec_mount *m, struct err *e)
{
	if (check_target(a, m, e) < 0 || check_source(a, m, e) < 0)
		return err_wrap(e, "invalid mount config for type \"%s\"", type_name(m));
	if (m->type == SPEC_MOUNT_BIND)
		m->source = str_path_clean(a, m->source);
	return m->type != SPEC_MOUNT_BIND || m->source ? 0 : fail_oom(e);
}

static int invalid_spec(const char *raw, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "invalid volume specification: '%s'", raw);
}

static int invalid_mode(const char *mode, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "invalid mode: %s", mode);
}

static void take_mode(struct spec_mount *m, const char *const *words)
{
	m->read_only = str_eq0(mode_has(words, GROUP_RW), "ro");
	m->no_copy = mode_has(words, GROUP_COPY) != NULL;
	m->propagation = mode_has(words, GROUP_PROPAGATION);
	m->consistency = mode_has(words, GROUP_CONSISTENCY);
}

int mount_parse_bind(struct arena *a, const char *raw, const char *driver, struct spec_mount *ret,
		     struct err *e)
{
	const char *const *words = NULL;
	struct spec_mount m = {.mode = ""};
	const char **part;
	size_t n;

	part = str_split(a, raw, ':', &n);
	if (!part)
		return fail_oom(e);
	if (n > 3 || !*part[0] || (n == 2 && *part[1] && mount_mode_is_valid(part[1])))
		return invalid_spec(raw, e);
	if (n > 1) {
		m.source = part[0];
		m.target = part[1];
	} else {
		m.target = part[0];
	}
	m.mode = n == 3 ? part[2] : "";
	words = mode_words(a, m.mode);
	if (!words)
		return invalid_mode(m.mode, e);
	m.type = m.source && m.source[0] == '/' ? SPEC_MOUNT_BIND : SPEC_MOUNT_VOLUME;
	m.make_source = m.type == SPEC_MOUNT_BIND;
	m.driver = m.type == SPEC_MOUNT_VOLUME ? driver : NULL;
	take_mode(&m, words);
	if (mount_check(a, &m, e) < 0)
		return err_wrap(e, "invalid volume specification: '%s'", raw);
	*ret = m;
	return 0;
}

int mount_parse_from(struct arena *a, const char *raw, const char **ret_ref, bool *ret_read_only,
		     struct err *e)
{
	const char *const *words;
	const char *mode = NULL;

	*ret_ref = str_cut(a, raw, ':', &mode);
	if (!*ret_ref)
		return fail_oom(e);
	if (!**ret_ref)
		return err_set(e, ERR_INVALID, 0,
			       "volumes-from specification cannot be an empty string");
	words = mode_words(a, mode ? mode : "");
	if (!words || mode_has(words, GROUP_PROPAGATION) || mode_has(words, GROUP_COPY))
		return invalid_mode(mode, e);
	*ret_read_only = str_eq0(mode_has(words, GROUP_RW), "ro");
	return 0;
}
