/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/registries.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_MAX = 1 << 20, CERTIFICATES_MAX = 48 << 10, MIRRORS_MAX = 16 };

#define CONFIG_FILE "/etc/kogge/config.json"

/* At most MAX bytes of the file NAME below DIR, -1: a path of the host; NULL where it is not there.
 */
static const char *read_text(struct cli_context *c, int dir, const char *name, size_t max,
			     struct err *e)
{
	_cleanup_(fd_close) int fd = dir < 0 ? path_open_host(name, O_RDONLY, 0)
					     : path_open_own(dir, name, O_RDONLY | O_NONBLOCK, 0);
	char *text;
	ssize_t n;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return NULL;
	text = arena_array(&c->arena, max + 1, 1);
	n = fd < 0 ? fd : text ? fd_read_full(fd, text, max + 1) : -ENOMEM;
	if (n < 0)
		return err_errno(e, (int)n, "reading '%s'", name), NULL;
	if ((size_t)n > max)
		return err_set(e, ERR_LIMIT, 0, "'%s' is too large", name), NULL;
	text[n] = '\0';
	return text;
}

/* ---- the configuration file ---- */

/* "*" is any host, "*.example.com" any below it. The longest pattern that holds counts. */
static bool holds(const char *pattern, const char *host)
{
	size_t n = strlen(host), m = strlen(pattern);

	if (*pattern != '*')
		return str_eq(pattern, host);
	return n >= m - 1 && memcmp(host + n - (m - 1), pattern + 1, m - 1) == 0;
}

/* "host:port/prefix", with https:// before it or without; http:// makes nothing insecure. */
static int parse_mirror(struct cli_context *c, const char *text, struct registry_mirror *ret,
			struct err *e)
{
	const char *bare = text ? str_after(text, "https://") : NULL, *slash;
	char *host;
	size_t n;

	if (!bare)
		bare = text;
	n = bare ? strcspn(bare, "/") : 0;
	slash = bare ? bare + n + (bare[n] == '/') : "";
	if (n == 0 || strpbrk(bare, "?#@ ") || strstr(bare, "://"))
		return err_set(e, ERR_INVALID, 0, "'%s' is no mirror: want HOST[:PORT][/PREFIX]",
			       text ? text : "");
	host = arena_strdup(&c->arena, bare);
	ret->prefix = arena_strdup(&c->arena, slash);
	if (!host || !ret->prefix)
		return err_errno(e, ENOMEM, "reading the configuration");
	host[n] = '\0';
	ret->host = host;
	return 0;
}

static int take_mirrors(struct cli_context *c, const json_t *list, struct registry_settings *s,
			struct err *e)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > MIRRORS_MAX)
		return err_set(e, ERR_INVALID, 0, "'mirrors' has to be a list of at most %d",
			       MIRRORS_MAX);
	s->mirrors = arena_array(&c->arena, json_array_size(list) + 1, sizeof(*s->mirrors));
	if (!s->mirrors)
		return err_errno(e, ENOMEM, "reading the configuration");
	json_array_foreach (list, i, item)
		if (parse_mirror(c, json_string_value(item), &s->mirrors[s->n_mirrors++], e) < 0)
			return -1;
	return 0;
}

static int take_settings(struct cli_context *c, json_t *j, struct registry_settings *s,
			 struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach (j, key, value) {
		bool *flag = str_eq(key, "insecure")      ? &s->insecure
			     : str_eq(key, "blocked")     ? &s->blocked
			     : str_eq(key, "mirrorsOnly") ? &s->mirrors_only
							  : NULL;

		if (flag && json_is_boolean(value))
			*flag = json_is_true(value);
		else if (str_eq(key, "stallSeconds") && json_is_integer(value) &&
			 json_integer_value(value) > 0 && json_integer_value(value) < 86400)
			s->stall_seconds = (int)json_integer_value(value);
		else if (!str_eq(key, "mirrors"))
			return err_set(e, ERR_INVALID, 0, "'%s' is unknown or of a wrong kind",
				       key);
		else if (take_mirrors(c, value, s, e) < 0)
			return -1;
	}
	return 0;
}

static int find_settings(struct cli_context *c, const json_t *all, const char *host,
			 struct registry_settings *s, struct err *e)
{
	const char *pattern, *best = NULL;
	json_t *value, *found = NULL;

	if (all && !json_is_object(all))
		return err_set(e, ERR_INVALID, 0, "'registries' has to be an object");
	json_object_foreach ((json_t *)(uintptr_t)all, pattern, value)
		if (holds(pattern, host) && (!best || strlen(pattern) > strlen(best))) {
			best = pattern;
			found = value;
		}
	if (!found)
		return 0;
	if (!json_is_object(found))
		return err_set(e, ERR_INVALID, 0, "'%s' has to be an object", best);
	return take_settings(c, found, s, e) < 0 ? err_wrap(e, "registry '%s'", best) : 0;
}

/* ---- certs.d ---- */

/* Every *.crt is to be trusted; a *.cert with the *.key of the same name is what we show. */
static int take_file(struct cli_context *c, int dir, const char *name, struct registry_settings *s,
		     struct err *e)
{
	size_t n = strlen(name);
	const char *text;

	if (n > 4 && str_eq(name + n - 4, ".crt")) {
		text = read_text(c, dir, name, CERTIFICATES_MAX, e);
		if (text)
			s->ca = s->ca ? arena_printf(&c->arena, "%s\n%s", s->ca, text) : text;
		return e->class != ERR_NONE ? -1 : 0;
	}
	if (n <= 5 || !str_eq(name + n - 5, ".cert") || s->cert)
		return 0;
	s->cert = read_text(c, dir, name, CERTIFICATES_MAX / 2, e);
	s->key = read_text(c, dir, arena_printf(&c->arena, "%.*s.key", (int)(n - 5), name),
			   CERTIFICATES_MAX / 2, e);
	if (e->class == ERR_NONE && !s->key)
		err_set(e, ERR_NOT_FOUND, 0, "the key of '%s' is missing", name);
	return e->class != ERR_NONE ? -1 : 0;
}

static int take_folder(struct cli_context *c, const char *top, const char *host,
		       struct registry_settings *s, struct err *e)
{
	const char *path = arena_printf(&c->arena, "%s/%s", top, host);
	int fd = path ? path_open_host(path, O_RDONLY | O_DIRECTORY, 0) : -ENOMEM;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		fd_close(&fd);
		return 0;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = take_file(c, dirfd(dir), entry->d_name, s, e);
	closedir(dir);
	return r < 0 ? err_wrap(e, "certificates in '%s'", path) : 0;
}

static int take_certificates(struct cli_context *c, const json_t *config, const char *host,
			     struct registry_settings *s, struct err *e)
{
	static const char *const folders[] = {"/etc/kogge/certs.d", "/etc/docker/certs.d"};
	const char *own = json_string_value(json_object_get(config, "certificates"));

	if (strchr(host, '/') || *host == '.')
		return err_set(e, ERR_INVALID, 0, "'%s' is no registry", host);
	if (own)
		return take_folder(c, own, host, s, e);
	for (size_t i = 0; i < ARRAY_SIZE(folders) && !s->ca && !s->cert; i++)
		if (take_folder(c, folders[i], host, s, e) < 0)
			return -1;
	return 0;
}

int registry_settings_find(struct cli_context *c, const char *host, struct registry_settings *ret,
			   struct err *e)
{
	_cleanup_(json_unref) json_t *config = NULL;
	struct registry_settings s = {.insecure = false};
	const char *path = getenv("KOGGE_CONFIG"), *text;

	path = str_empty(path) ? CONFIG_FILE : path;
	text = read_text(c, -1, path, CONFIG_MAX, e);
	if (e->class != ERR_NONE)
		return -1;
	if (text) {
		config = json_parse(text, strlen(text), path, e);
		if (!config)
			return -1;
		if (!json_is_object(config))
			return err_set(e, ERR_INVALID, 0, "'%s': want an object", path);
		if (find_settings(c, json_object_get(config, "registries"), host, &s, e) < 0)
			return err_wrap(e, "'%s'", path);
	}
	if (take_certificates(c, config, host, &s, e) < 0)
		return -1;
	*ret = s;
	return 0;
}
