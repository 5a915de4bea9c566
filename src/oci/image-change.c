/* SPDX-License-Identifier: Apache-2.0 */
/* After BuildKit's frontend/dockerfile/instructions/parse.go and the classic builder's
 * dispatchers.go, which `docker import --change` runs. All memory is the configuration's arena. */
#include "oci/image-change.h"

#include "base/buf.h"
#include "base/num.h"
#include "base/str.h"
#include "oci/words-internal.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/* The state of one list of changes. */
struct change {
	struct image_config *c;
	const char *verb; /* upper case */
	const char *rest; /* the line after the verb */
	bool cmd_set;     /* CMD came before: ENTRYPOINT then keeps it */
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

static const char *expand(struct change *x, const char *word, struct err *e)
{
	return words_expand(&x->c->arena, word, x->c->run.env, e);
}

/* The exec form, ["a", "b"], as a vector; NULL where REST is anything else. */
static const char **exec_form(struct change *x)
{
	_cleanup_(json_unref) json_t *j = NULL;
	const char **v = NULL;
	size_t n = 0;

	if (x->rest[0] != '[')
		return NULL;
	j = json_parse(x->rest, strlen(x->rest), "arguments", NULL);
	if (!json_is_array(j))
		return NULL;
	if (!json_array_size(j))
		return arena_array(&x->c->arena, 1, sizeof(*v));
	for (size_t i = 0; i < json_array_size(j); i++) {
		const char *s = json_string_value(json_array_get(j, i));
		char *copy = s ? arena_strdup(&x->c->arena, s) : NULL;

		if (!copy || arena_strv_push(&x->c->arena, &v, &n, copy) < 0)
			return NULL;
	}
	return v;
}

/* Either form of a command: exec form as it is, shell form after the image's shell. */
static const char **command(struct change *x, struct err *e)
{
	static const char *const sh[] = {"/bin/sh", "-c", NULL};
	const char *const *shell = x->c->run.shell ? x->c->run.shell : sh;
	const char **v = exec_form(x), *line = arena_strdup(&x->c->arena, x->rest);
	size_t n = 0;
	int r = line ? 0 : -1;

	if (v)
		return v;
	for (; *shell && r == 0; shell++)
		r = arena_strv_push(&x->c->arena, &v, &n, *shell);
	if (r < 0 || arena_strv_push(&x->c->arena, &v, &n, line) < 0) {
		no_memory(e);
		return NULL;
	}
	return v;
}

static int change_cmd(struct change *x, struct err *e)
{
	const char **v = command(x, e);

	if (!v)
		return -1;
	x->c->run.cmd = v;
	x->c->run.args_escaped = false;
	x->cmd_set = true;
	return 0;
}

static int change_entrypoint(struct change *x, struct err *e)
{
	const char **v = command(x, e);

	if (!v)
		return -1;
	x->c->run.entrypoint = *v ? v : NULL;
	if (!x->cmd_set)
		x->c->run.cmd = NULL;
	return 0;
}

typedef int pair_fn(struct image_config *c, const char *key, const char *value, struct err *e);

/* The old form, "KEY all the rest". */
static int change_one_pair(struct change *x, pair_fn *set, struct err *e)
{
	size_t n = strcspn(x->rest, " \t");
	const char *key = arena_strndup(&x->c->arena, x->rest, n), *value = x->rest + n;

	while (isspace((unsigned char)*value))
		value++;
	if (!key)
		return no_memory(e);
	if (!*value)
		return err_set(e, ERR_INVALID, 0, "%s must have two arguments", x->verb);
	key = expand(x, key, e);
	value = key ? expand(x, value, e) : NULL;
	return value ? set(x->c, key, value, e) : -1;
}

/* "KEY=value ..." or "KEY value". The values of one line see the environment before it. */
static int change_pairs(struct change *x, pair_fn *set, struct err *e)
{
	const char **words = words_split(&x->c->arena, x->rest, e), *key, *value, **done;
	size_t n = 0;

	if (!words)
		return -1;
	if (!strchr(words[0], '='))
		return change_one_pair(x, set, e);
	done = arena_array(&x->c->arena, 2 * strv_len(words) + 1, sizeof(*done));
	if (!done)
		return no_memory(e);
	for (; *words; words++) {
		key = str_cut(&x->c->arena, *words, '=', &value);
		if (!key || !value)
			return err_set(e, ERR_INVALID, 0,
				       "%s: '%.60s' must be of the form name=value", x->verb,
				       *words);
		done[n] = expand(x, key, e);
		done[n + 1] = done[n] ? expand(x, value, e) : NULL;
		if (!done[n + 1])
			return -1;
		if (!*done[n])
			return err_set(e, ERR_INVALID, 0, "%s names can not be blank", x->verb);
		n += 2;
	}
	for (size_t i = 0; i < n; i += 2) {
		if (set(x->c, done[i], done[i + 1], e) < 0)
			return -1;
	}
	return 0;
}

static int change_env(struct change *x, struct err *e)
{
	return change_pairs(x, image_run_set_env, e);
}

static int change_label(struct change *x, struct err *e)
{
	return change_pairs(x, image_run_set_label, e);
}

static int bad_port(const char *spec, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "invalid containerPort: %.60s", spec);
}

static int expose_range(struct change *x, uint64_t from, uint64_t to, const char *proto,
			struct err *e)
{
	_cleanup_(freep) const char **v = calloc(to - from + 1, sizeof(*v));

	for (uint64_t p = from; v && p <= to; p++) {
		v[p - from] = arena_printf(&x->c->arena, "%llu/%s", (unsigned long long)p, proto);
		if (!v[p - from])
			return no_memory(e);
	}
	if (!v)
		return no_memory(e);
	return image_config_set_add(x->c, &x->c->run.exposed_ports, v, to - from + 1, e);
}

/* "80", "80/udp", "8000-8010/tcp". */
static int expose(struct change *x, const char *spec, struct err *e)
{
	const char *proto, *last;
	char *ports = str_cut(&x->c->arena, spec, '/', &proto), *first, lower[8];
	uint64_t from, to;

	first = ports ? str_cut(&x->c->arena, ports, '-', &last) : NULL;
	if (!first)
		return no_memory(e);
	snprintf(lower, sizeof(lower), "%.7s", proto ? proto : "tcp");
	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if ((proto && strlen(proto) > 4) ||
	    (!str_eq(lower, "tcp") && !str_eq(lower, "udp") && !str_eq(lower, "sctp")))
		return err_set(e, ERR_INVALID, 0, "invalid proto: %.60s", proto);
	if (num_u64(first, 0, 65535, &from) < 0 ||
	    num_u64(last ? last : first, 0, 65535, &to) < 0 || to < from)
		return bad_port(spec, e);
	return expose_range(x, from, to, lower, e);
}

static int change_expose(struct change *x, struct err *e)
{
	const char **words = words_split(&x->c->arena, x->rest, e), *spec;

	for (; words && *words; words++) {
		spec = expand(x, *words, e);
		if (!spec || expose(x, spec, e) < 0)
			return -1;
	}
	return words ? 0 : -1;
}

static int change_volume(struct change *x, struct err *e)
{
	const char **words = exec_form(x), *path;

	if (!words)
		words = words_split(&x->c->arena, x->rest, e);
	for (; words && *words; words++) {
		path = expand(x, *words, e);
		if (!path)
			return -1;
		if (strspn(path, " \t") == strlen(path))
			return err_set(e, ERR_INVALID, 0,
				       "VOLUME specified can not be an empty string");
		if (image_config_set_add(x->c, &x->c->run.volumes, &path, 1, e) < 0)
			return -1;
	}
	return words ? 0 : -1;
}

/* Takes "." and ".." out of an absolute path, as Go's path.Clean. */
static const char *clean_path(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2);
	size_t n = 0;

	while (out && *path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			while (n && out[--n] != '/')
				;
		} else if (len && !(len == 1 && path[0] == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len + (path[len] == '/');
	}
	if (out && !n)
		out[n++] = '/';
	if (out)
		out[n] = '\0';
	return out;
}

static int change_workdir(struct change *x, struct err *e)
{
	const char *dir = expand(x, x->rest, e), *base = x->c->run.working_dir;

	if (!dir)
		return -1;
	if (!*dir)
		return err_set(e, ERR_INVALID, 0, "cannot normalize nothing");
	if (*dir != '/')
		dir = arena_printf(&x->c->arena, "%s/%s", base ? base : "", dir);
	dir = dir ? clean_path(&x->c->arena, dir) : NULL;
	if (!dir)
		return no_memory(e);
	x->c->run.working_dir = dir;
	return 0;
}

/* The one word that USER and STOPSIGNAL take. */
static int one_word(struct change *x, const char **ret, struct err *e)
{
	const char **words = words_split(&x->c->arena, x->rest, e), *word;

	if (!words)
		return -1;
	if (strv_len(words) != 1)
		return err_set(e, ERR_INVALID, 0, "%s requires exactly one argument", x->verb);
	word = expand(x, words[0], e);
	if (!word)
		return -1;
	*ret = word;
	return 0;
}

static int change_user(struct change *x, struct err *e)
{
	return one_word(x, &x->c->run.user, e);
}

static int change_stopsignal(struct change *x, struct err *e)
{
	const char *word = NULL, *name;
	uint64_t number;

	if (one_word(x, &word, e) < 0)
		return -1;
	name = strncasecmp(word, "SIG", 3) == 0 ? word + 3 : word;
	if (isdigit((unsigned char)*word) ? num_u64(word, 1, 64, &number) < 0
					  : !isalpha((unsigned char)*name) || strlen(name) > 10)
		return err_set(e, ERR_INVALID, 0, "invalid signal: %.60s", word);
	x->c->run.stop_signal = word;
	return 0;
}

static int change_onbuild(struct change *x, struct err *e)
{
	size_t len = strcspn(x->rest, " \t");

	if (len == 7 && strncasecmp(x->rest, "ONBUILD", 7) == 0)
		return err_set(e, ERR_INVALID, 0,
			       "chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if ((len == 4 && strncasecmp(x->rest, "FROM", 4) == 0) ||
	    (len == 10 && strncasecmp(x->rest, "MAINTAINER", 10) == 0))
		return err_set(e, ERR_INVALID, 0, "%.*s isn't allowed as an ONBUILD trigger",
			       (int)len, x->rest);
	return image_config_push(x->c, &x->c->run.on_build, x->rest, e);
}

/* One --name=value of HEALTHCHECK at the start of REST, which is advanced. */
static int health_flag(struct change *x, struct image_health *h, struct err *e)
{
	struct {
		const char *name;
		int64_t *at;
	} flags[] = {{"--interval=", &h->interval},
		     {"--timeout=", &h->timeout},
		     {"--start-period=", &h->start_period},
		     {"--start-interval=", &h->start_interval},
		     {"--retries=", &h->retries}};
	size_t n = strcspn(x->rest, " \t");
	const char *flag = arena_strndup(&x->c->arena, x->rest, n), *value = NULL;
	int r = -1;

	if (!flag)
		return no_memory(e);
	for (size_t i = 0; i < ARRAY_SIZE(flags) && !value; i++) {
		value = str_after(flag, flags[i].name);
		if (value && flags[i].at == &h->retries)
			r = num_i64(value, 0, INT32_MAX, flags[i].at);
		else if (value)
			r = num_duration(value, flags[i].at);
		/* Docker: a duration is 0 or at least 1 ms. */
		if (value && flags[i].at != &h->retries && *flags[i].at &&
		    *flags[i].at < (int64_t)NUM_NS_PER_S / 1000)
			r = -1;
	}
	if (r < 0)
		return err_set(e, ERR_INVALID, 0, "HEALTHCHECK: invalid flag '%.60s'", flag);
	for (x->rest += n; isspace((unsigned char)*x->rest);)
		x->rest++;
	return 0;
}

static int health_cmd(struct change *x, struct image_health *h, struct err *e)
{
	const char **exec, **v = NULL, *line;
	size_t n = 0;
	int r;

	for (x->rest += 3; isspace((unsigned char)*x->rest);)
		x->rest++;
	exec = exec_form(x);
	line = arena_strdup(&x->c->arena, x->rest);
	if (!*x->rest || (exec && !*exec))
		return err_set(e, ERR_INVALID, 0, "missing command after HEALTHCHECK CMD");
	r = line ? arena_strv_push(&x->c->arena, &v, &n, exec ? "CMD" : "CMD-SHELL") : -1;
	if (r == 0 && !exec)
		r = arena_strv_push(&x->c->arena, &v, &n, line);
	for (; r == 0 && exec && *exec; exec++)
		r = arena_strv_push(&x->c->arena, &v, &n, *exec);
	if (r < 0)
		return no_memory(e);
	h->test = v;
	return 0;
}

static int change_healthcheck(struct change *x, struct err *e)
{
	struct image_health h = {.test = NULL};
	size_t n = 0;

	while (str_after(x->rest, "--")) {
		if (health_flag(x, &h, e) < 0)
			return -1;
	}
	if (strcasecmp(x->rest, "NONE") == 0) {
		if (arena_strv_push(&x->c->arena, &h.test, &n, "NONE") < 0)
			return no_memory(e);
	} else if (strncasecmp(x->rest, "CMD", 3) == 0 &&
		   (!x->rest[3] || isspace((unsigned char)x->rest[3]))) {
		if (health_cmd(x, &h, e) < 0)
			return -1;
	} else {
		return err_set(e, ERR_INVALID, 0,
			       "unknown type in HEALTHCHECK (try CMD or NONE): '%.60s'", x->rest);
	}
	x->c->run.has_health = true;
	x->c->run.health = h;
	return 0;
}

static const struct {
	const char *verb;
	int (*apply)(struct change *x, struct err *e);
} verbs[] = {
	{"CMD", change_cmd},         {"ENTRYPOINT", change_entrypoint},   {"ENV", change_env},
	{"EXPOSE", change_expose},   {"HEALTHCHECK", change_healthcheck}, {"LABEL", change_label},
	{"ONBUILD", change_onbuild}, {"STOPSIGNAL", change_stopsignal},   {"USER", change_user},
	{"VOLUME", change_volume},   {"WORKDIR", change_workdir},
};

static int apply_line(struct change *x, const char *line, struct err *e)
{
	size_t n = strcspn(line, " \t");

	x->rest = line + n + strspn(line + n, " \t");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strlen(verbs[i].verb) != n || strncasecmp(verbs[i].verb, line, n) != 0)
			continue;
		x->verb = verbs[i].verb;
		if (!*x->rest)
			return err_set(e, ERR_INVALID, 0, "%s requires at least one argument",
				       x->verb);
		return verbs[i].apply(x, e);
	}
	return err_set(e, ERR_INVALID, 0, "%.*s is not a valid change command",
		       (int)MIN(n, (size_t)60), line);
}

/* Cuts the next logical line of *REST into LINE: comments left out, backslash joins. False at the
 * end. */
static int next_line(const char **rest, struct buf *line, struct err *e)
{
	bool more = true;

	buf_clear(line);
	while (**rest && more) {
		const char *s = *rest + strspn(*rest, " \t\r");
		size_t n = strcspn(s, "\n");

		*rest = s + n + (s[n] == '\n');
		if (*s == '#')
			continue;
		while (n && isspace((unsigned char)s[n - 1]))
			n--;
		more = n && s[n - 1] == '\\';
		/* Blanks at the start of a continued line belong to it; which ones is all one. */
		if (buf_put(line, s, n - more) < 0)
			return err_set(e, ERR_LIMIT, 0, "a line is longer than %zu bytes",
				       IMAGE_CHANGE_SIZE_MAX);
		more = more || (n == 0 && line->len);
	}
	return line->len || **rest;
}

int image_change_apply(struct image_config *c, const char *const *changes, struct err *e)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(IMAGE_CHANGE_SIZE_MAX);
	_cleanup_(buf_done) struct buf all = BUF_INIT(IMAGE_CHANGE_SIZE_MAX);
	struct change x = {.c = c};
	const char *rest;
	int r;

	for (; changes && *changes; changes++) {
		if (buf_printf(&all, "%s\n", *changes) < 0)
			return err_set(e, ERR_LIMIT, 0, "the changes are larger than %zu bytes",
				       IMAGE_CHANGE_SIZE_MAX);
	}
	rest = buf_str(&all);
	while ((r = next_line(&rest, &line, e)) > 0) {
		if (line.len && apply_line(&x, buf_str(&line), e) < 0)
			return err_wrap(e, "change '%.60s'", buf_str(&line));
	}
	return r;
}
