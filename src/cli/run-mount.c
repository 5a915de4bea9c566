/* SPDX-License-Identifier: Apache-2.0 */
/* -v and --mount as Docker's client reads them (docker/cli: opts/mount.go and the volume parser of
 * its compose loader). What the engine checks is left to it (engine/mount-parse.c). */
#include "cli/run-options.h"

#include "base/num.h"
#include "base/str.h"
#include "engine/container-spec.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "out of memory");
}

/* PATH as seen from the working directory. */
static const char *absolute(struct arena *a, const char *path, struct err *e)
{
	char here[PATH_MAX];
	const char *joined;

	if (path[0] == '/')
		return path;
	if (!getcwd(here, sizeof(here))) {
		err_errno(e, errno, "asking for the working directory");
		return NULL;
	}
	joined = arena_printf(a, "%s/%s", here, path);
	joined = joined ? str_path_clean(a, joined) : NULL;
	if (!joined)
		fail_oom(e);
	return joined;
}

/* -- -v -----------------------------------------------------------------------------------------
 */

/* Sections that a mode could be are not looked at here. */
static int check_sections(const char *s, struct err *e)
{
	size_t n = 1;

	if (!*s)
		return err_set(e, ERR_INVALID, 0, "invalid empty volume spec");
	if (strlen(s) <= 2)
		return 0;
	for (const char *p = s; *p; p++) {
		if (*p != ':')
			continue;
		n++;
		if (p == s || p[1] == ':' || !p[1])
			return err_set(e, ERR_INVALID, 0,
				       "invalid spec: %s: empty section between colons", s);
	}
	return n > 3 ? err_set(e, ERR_INVALID, 0, "invalid spec: %s: too many colons", s) : 0;
}

int run_parse_volume(struct arena *a, const char *s, bool *ret_bind, const char **ret,
		     struct err *e)
{
	const char *rest, *host;

	if (check_sections(s, e) < 0)
		return -1;
	host = str_cut(a, s, ':', &rest);
	if (!host)
		return fail_oom(e);
	*ret_bind = rest != NULL && strlen(s) > 2;
	*ret = s;
	if (!*ret_bind || host[0] != '.')
		return 0;
	host = absolute(a, host, e);
	*ret = host ? arena_printf(a, "%s:%s", host, rest) : NULL;
	return !host ? -1 : *ret ? 0 : fail_oom(e);
}

int run_check_volume(const char *value, struct err *e)
{
	return check_sections(value, e);
}

/* -- --mount ------------------------------------------------------------------------------------
 */

enum part { PART_BIND = 1 << 0, PART_VOLUME = 1 << 1, PART_TMPFS = 1 << 2, PART_IMAGE = 1 << 3 };

struct parsed {
	struct arena *a;
	struct spec_mount m;
	unsigned parts; /* which kinds of options were given */
	const char *type;
};

/* One field of a line of CSV from *S on, unquoted; *S is behind its comma then, or NULL. */
static const char *csv_field(struct arena *a, const char **s, struct err *e)
{
	const char *p = *s;
	size_t n = strcspn(p, ",");
	char *out, *to;

	if (*p != '"') {
		if (memchr(p, '"', n)) {
			err_set(e, ERR_INVALID, 0,
				"parse error on line 1: bare \" in non-quoted-field");
			return NULL;
		}
		*s = p[n] ? p + n + 1 : NULL;
		out = arena_strndup(a, p, n);
		return out ? out : (fail_oom(e), NULL);
	}
	out = to = arena_alloc(a, strlen(p) + 1);
	for (p++; out && *p && !(p[0] == '"' && p[1] != '"'); p++) {
		p += *p == '"';
		*to++ = *p;
	}
	if (!out || *p != '"' || (p[1] && p[1] != ',')) {
		err_set(e, ERR_INVALID, 0,
			"parse error on line 1: extraneous or missing \" in quoted-field");
		return NULL;
	}
	*s = p[1] ? p + 2 : NULL;
	return out;
}

static int bad_value(const char *key, const char *value, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "invalid value for %s: %s", key, value);
}

static int take_bool(const char *key, const char *value, bool *ret, struct err *e)
{
	return num_bool(value, ret) < 0 ? bad_value(key, value, e) : 0;
}

static const char *lower(struct arena *a, const char *s)
{
	char *copy = arena_strdup(a, s);

	for (char *p = copy; p && *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return copy ? copy : "";
}

/* Appends "key=value" to a list of pairs; the same key again replaces it. */
static int put_pair(struct arena *a, const char *text, const struct spec_pair **v, size_t *n,
		    struct err *e)
{
	struct spec_pair *more = arena_array(a, *n + 1, sizeof(*more));
	const char *value = NULL;
	const char *key = str_cut(a, text, '=', &value);
	size_t k = 0;

	if (!more || !key)
		return fail_oom(e);
	for (size_t i = 0; i < *n; i++)
		if (!str_eq((*v)[i].key, key))
			more[k++] = (*v)[i];
	more[k++] = (struct spec_pair){key, value ? value : ""};
	*v = more;
	*n = k;
	return 0;
}

static int take_recursive(struct parsed *p, const char *value, struct err *e)
{
	static const char *const words[] = {"enabled", "disabled", "writable", "readonly"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (str_eq(value, words[i])) {
			p->m.recursive = (enum spec_recursive)i;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, 0,
		       "invalid value for bind-recursive: %s (must be \"enabled\", \"disabled\", "
		       "\"writable\", or \"readonly\")",
		       value);
}

static int take_bind(struct parsed *p, const char *key, const char *value, struct err *e)
{
	bool none = false;

	p->parts |= PART_BIND;
	if (str_eq(key, "bind-propagation")) {
		p->m.propagation = lower(p->a, value);
		return 0;
	}
	if (str_eq(key, "bind-recursive"))
		return take_recursive(p, value, e);
	if (take_bool(key, value, &none, e) < 0)
		return -1;
	p->m.recursive = none ? SPEC_RECURSIVE_DISABLED : p->m.recursive;
	return 0;
}

static int take_volume(struct parsed *p, const char *key, const char *value, struct err *e)
{
	struct spec_mount *m = &p->m;

	p->parts |= PART_VOLUME;
	if (str_eq(key, "volume-nocopy"))
		return take_bool(key, value, &m->no_copy, e);
	if (str_eq(key, "volume-label"))
		return put_pair(p->a, value, &m->labels, &m->n_labels, e);
	if (str_eq(key, "volume-opt"))
		return put_pair(p->a, value, &m->driver_opts, &m->n_driver_opts, e);
	if (str_eq(key, "volume-driver"))
		m->driver = value;
	else
		m->subpath = *value ? value : NULL;
	return 0;
}

static int take_tmpfs(struct parsed *p, const char *key, const char *value, struct err *e)
{
	p->parts |= PART_TMPFS;
	if (str_eq(key, "tmpfs-size"))
		return num_size(value, &p->m.tmpfs_size) < 0 ? bad_value(key, value, e) : 0;
	return num_mode(value, &p->m.tmpfs_mode) < 0 ? bad_value(key, value, e) : 0;
}

static int take_source(struct parsed *p, const char *value, struct err *e)
{
	p->m.source = value;
	if (value[0] == '.')
		p->m.source = absolute(p->a, value, e);
	return p->m.source ? 0 : -1;
}

static int take_field(struct parsed *p, const char *key, const char *value, const char *field,
		      struct err *e)
{
	static const char *const bind[] = {"bind-propagation", "bind-nonrecursive",
					   "bind-recursive", NULL};
	static const char *const volume[] = {"volume-nocopy", "volume-label",   "volume-driver",
					     "volume-opt",    "volume-subpath", NULL};
	static const char *const target[] = {"target", "dst", "destination", NULL};
	static const char *const tmpfs[] = {"tmpfs-size", "tmpfs-mode", NULL};

	if (str_eq(key, "type"))
		p->type = lower(p->a, value);
	else if (str_eq(key, "source") || str_eq(key, "src"))
		return take_source(p, value, e);
	else if (strv_has(target, key))
		p->m.target = value;
	else if (str_eq(key, "readonly") || str_eq(key, "ro"))
		return take_bool(key, value, &p->m.read_only, e);
	else if (str_eq(key, "consistency"))
		p->m.consistency = lower(p->a, value);
	else if (strv_has(bind, key))
		return take_bind(p, key, value, e);
	else if (strv_has(volume, key))
		return take_volume(p, key, value, e);
	else if (strv_has(tmpfs, key))
		return take_tmpfs(p, key, value, e);
	else if (str_eq(key, "image-subpath")) {
		p->parts |= PART_IMAGE;
		p->m.subpath = *value ? value : NULL;
	} else
		return err_set(e, ERR_INVALID, 0, "unexpected key '%s' in '%s'", key, field);
	return 0;
}

static int take_one(struct parsed *p, const char *field, struct err *e)
{
	static const char *const flags[] = {"readonly", "ro", "volume-nocopy", "bind-nonrecursive",
					    NULL};
	const char *value = NULL;
	const char *key = str_cut(p->a, field, '=', &value);

	if (!key)
		return fail_oom(e);
	key = lower(p->a, key);
	if (!value && !strv_has(flags, key))
		return err_set(e, ERR_INVALID, 0, "invalid field '%s' must be a key=value pair",
			       field);
	return take_field(p, key, value ? value : "true", field, e);
}

static int check_parts(struct parsed *p, struct err *e)
{
	static const struct {
		const char *name, *type;
		unsigned part;
		enum spec_mount_type mount;
	} kinds[] = {{"bind", "bind", PART_BIND, SPEC_MOUNT_BIND},
		     {"volume", "volume", PART_VOLUME, SPEC_MOUNT_VOLUME},
		     {"tmpfs", "tmpfs", PART_TMPFS, SPEC_MOUNT_TMPFS},
		     {"image", "image", PART_IMAGE, SPEC_MOUNT_IMAGE}};
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (str_eq(p->type, kinds[i].type)) {
			p->m.type = kinds[i].mount;
			known = true;
		} else if (p->parts & kinds[i].part) {
			return err_set(e, ERR_INVALID, 0,
				       "cannot mix '%s-*' options with mount type '%s'",
				       kinds[i].name, p->type);
		}
	}
	return known ? 0
		     : err_set(e, ERR_INVALID, 0,
			       "invalid mount config for type \"%s\": mount type unknown", p->type);
}

static int check_whole(struct parsed *p, struct err *e)
{
	const char *what = p->m.recursive == SPEC_RECURSIVE_WRITABLE   ? "writable"
			   : p->m.recursive == SPEC_RECURSIVE_READONLY ? "readonly"
								       : NULL;

	if (!*p->type)
		return err_set(e, ERR_INVALID, 0, "type is required");
	if (str_empty(p->m.target))
		return err_set(e, ERR_INVALID, 0, "target is required");
	if (check_parts(p, e) < 0)
		return -1;
	if (what && !p->m.read_only)
		return err_set(e, ERR_INVALID, 0,
			       "option 'bind-recursive=%s' requires 'readonly' to be specified in "
			       "conjunction",
			       what);
	if (p->m.recursive == SPEC_RECURSIVE_READONLY && !str_eq0(p->m.propagation, "rprivate"))
		return err_set(e, ERR_INVALID, 0,
			       "option 'bind-recursive=readonly' requires "
			       "'bind-propagation=rprivate' to be specified in conjunction");
	return 0;
}

int run_parse_mount(struct arena *a, const char *s, struct spec_mount *ret, struct err *e)
{
	struct parsed p = {.a = a, .type = "volume"};

	if (!*s)
		return err_set(e, ERR_INVALID, 0, "value is empty");
	for (const char *at = s; at;) {
		const char *field = csv_field(a, &at, e);

		if (!field || take_one(&p, field, e) < 0)
			return -1;
	}
	if (check_whole(&p, e) < 0)
		return -1;
	if (str_empty(p.m.source))
		p.m.source = NULL;
	*ret = p.m;
	return 0;
}
