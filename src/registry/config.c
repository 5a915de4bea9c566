/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/config.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>

#define FILE_MAX      ((size_t)1 << 20)
#define ENTRIES_MAX   10000
#define TOKEN_SECONDS 300

#define TAG_SECONDS   300
#define EVENTS_QUEUED 1000
#define SINKS_MAX     32
#define WARNING_MAX   1000

/* What files the configuration names; read once all of it is understood. */
struct files {
	const char *users, *signer;
	const char **keys;
};

void config_done(struct config *c)
{
	access_done(&c->access);
	arena_done(&c->arena);
}

static int check_keys(const struct json_reader *r, const char *const *known, struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)r->obj, key, value) {
		const char *near;

		if (strv_has(known, key))
			continue;
		near = str_nearest(key, known);
		return json_read_fail(r, key, ERR_INVALID, e, "is not known%s%s",
				      near ? ", did you mean " : "", near ? near : "");
	}
	return 0;
}

static int read_tls(const struct json_reader *r, struct config *c, struct err *e)
{
	static const char *const known[] = {"certificate", "key", NULL};
	struct json_reader t;
	int k = json_read_obj(r, "tls", &t, e);

	if (k <= 0)
		return k;
	if (check_keys(&t, known, e) < 0 ||
	    json_read_str(&t, "certificate", &c->certificate, e) < 0 ||
	    json_read_str(&t, "key", &c->key, e) < 0)
		return -1;
	if (!c->certificate || !c->key)
		return json_read_fail(&t, NULL, ERR_INVALID, e,
				      "needs both a certificate and a key");
	return 0;
}

static int read_number(const struct json_reader *r, const char *key, uint32_t *ret, struct err *e)
{
	uint64_t v = *ret;

	if (json_read_u64(r, key, INT32_MAX, &v, e) < 0)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

/* What goes into a header between quotes. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (*s < 0x21 || *s > 0x7e || *s == '"' || *s == '\\')
			return false;
	return true;
}

static int read_token(const struct json_reader *r, struct config *c, struct files *f, struct err *e)
{
	static const char *const known[] = {"realm",      "service", "issuer", "keys",
					    "signingKey", "seconds", NULL};
	struct access_token *t = &c->access.token;
	struct json_reader j;
	int k = json_read_obj(r, "token", &j, e);

	if (k <= 0)
		return k;
	t->seconds = TOKEN_SECONDS;
	if (check_keys(&j, known, e) < 0 || json_read_str(&j, "realm", &t->realm, e) < 0 ||
	    json_read_str(&j, "service", &t->service, e) < 0 ||
	    json_read_str(&j, "issuer", &t->issuer, e) < 0 ||
	    json_read_str(&j, "signingKey", &f->signer, e) < 0 ||
	    json_read_strv(&j, "keys", &f->keys, NULL, e) < 0 ||
	    read_number(&j, "seconds", &t->seconds, e) < 0)
		return -1;
	if (!t->realm || !t->service || !t->issuer || (!f->signer && !f->keys))
		return json_read_fail(&j, NULL, ERR_INVALID, e,
				      "needs realm, service, issuer, and keys or signingKey");
	if (!is_plain(t->realm) || !is_plain(t->service))
		return json_read_fail(&j, NULL, ERR_INVALID, e,
				      "realm and service must be plain characters");
	c->has_access = true;
	return 0;
}

static int read_actions(const struct json_reader *r, unsigned *ret, struct err *e)
{
	const char **words = NULL;

	if (json_read_strv(r, "actions", &words, NULL, e) < 0)
		return -1;
	for (; words && *words; words++) {
		unsigned a = action_parse(*words);

		if (!a)
			return json_read_fail(r, "actions", ERR_INVALID, e,
					      "'%s' is none of pull, push, delete, catalog, *",
					      *words);
		*ret |= a;
	}
	return 0;
}

static int read_rules(const struct json_reader *r, struct config *c, struct err *e)
{
	static const char *const known[] = {"users", "repositories", "actions", NULL};
	struct access *a = &c->access;
	int k = json_read_array(r, "rules", ENTRIES_MAX, &a->n_rules, e);

	if (k < 0 || a->n_rules == 0)
		return k < 0 ? -1 : 0;
	a->rules = arena_array(&c->arena, a->n_rules, sizeof(*a->rules));
	if (!a->rules)
		return err_errno(e, ENOMEM, "reading the rules");
	c->has_access = true;
	for (size_t i = 0; i < a->n_rules; i++) {
		struct access_rule *rule = &a->rules[i];
		struct json_reader j;

		if (json_read_elem(r, "rules", i, &j, e) < 0 || check_keys(&j, known, e) < 0 ||
		    json_read_strv(&j, "users", &rule->users, NULL, e) < 0 ||
		    json_read_strv(&j, "repositories", &rule->repositories, NULL, e) < 0 ||
		    read_actions(&j, &rule->actions, e) < 0)
			return -1;
	}
	return 0;
}

static int read_quotas(const struct json_reader *r, struct config *c, struct err *e)
{
	static const char *const known[] = {"repositories", "bytes", NULL};
	struct policy *p = &c->policy;

	if (json_read_array(r, "quotas", ENTRIES_MAX, &p->n_quotas, e) < 0)
		return -1;
	p->quotas = arena_array(&c->arena, p->n_quotas + 1, sizeof(*p->quotas));
	if (!p->quotas)
		return err_errno(e, ENOMEM, "reading the quotas");
	for (size_t i = 0; i < p->n_quotas; i++) {
		const char *bytes = NULL;
		struct json_reader j;

		p->quotas[i].repositories = "**";
		if (json_read_elem(r, "quotas", i, &j, e) < 0 || check_keys(&j, known, e) < 0 ||
		    json_read_str(&j, "repositories", &p->quotas[i].repositories, e) < 0 ||
		    json_read_str(&j, "bytes", &bytes, e) < 0)
			return -1;
		if (!bytes || num_size(bytes, &p->quotas[i].bytes) < 0)
			return json_read_fail(&j, "bytes", ERR_INVALID, e,
					      "is no size such as \"10g\"");
	}
	return 0;
}

static int read_immutable(const struct json_reader *r, struct config *c, struct err *e)
{
	static const char *const known[] = {"repositories", "tags", NULL};
	struct policy *p = &c->policy;

	if (json_read_array(r, "immutableTags", ENTRIES_MAX, &p->n_immutable, e) < 0)
		return -1;
	p->immutable = arena_array(&c->arena, p->n_immutable + 1, sizeof(*p->immutable));
	if (!p->immutable)
		return err_errno(e, ENOMEM, "reading the immutable tags");
	for (size_t i = 0; i < p->n_immutable; i++) {
		struct policy_immutable *m = &p->immutable[i];
		struct json_reader j;

		m->repositories = m->tags = "**";
		if (json_read_elem(r, "immutableTags", i, &j, e) < 0 ||
		    check_keys(&j, known, e) < 0 ||
		    json_read_str(&j, "repositories", &m->repositories, e) < 0 ||
		    json_read_str(&j, "tags", &m->tags, e) < 0)
			return -1;
	}
	return 0;
}

static int read_lifecycle_rule(const struct json_reader *r, struct lifecycle_rule *l, struct err *e)
{
	static const char *const known[] = {"repositories", "tags",     "keep", "olderThan",
					    "notPulledFor", "untagged", NULL};
	const char *age = NULL, *idle = NULL;
	int kept;

	l->repositories = l->tags = "**";
	kept = check_keys(r, known, e) < 0 ? -1 : json_read_u64(r, "keep", INT32_MAX, &l->keep, e);
	if (kept < 0 || json_read_str(r, "repositories", &l->repositories, e) < 0 ||
	    json_read_str(r, "tags", &l->tags, e) < 0 ||
	    json_read_str(r, "olderThan", &age, e) < 0 ||
	    json_read_str(r, "notPulledFor", &idle, e) < 0 ||
	    json_read_bool(r, "untagged", &l->untagged, e) < 0)
		return -1;
	if (age && (num_duration(age, &l->older_than) < 0 || l->older_than < 0))
		return json_read_fail(r, "olderThan", ERR_INVALID, e,
				      "is no duration such as \"720h\"");
	if (idle && (num_duration(idle, &l->not_pulled) < 0 || l->not_pulled <= 0))
		return json_read_fail(r, "notPulledFor", ERR_INVALID, e,
				      "is no duration such as \"720h\"");
	l->removes_tags = kept > 0 || age || idle;
	if (!l->removes_tags && !l->untagged)
		return json_read_fail(r, NULL, ERR_INVALID, e,
				      "needs keep, olderThan, notPulledFor or untagged");
	return 0;
}

static int read_lifecycle(const struct json_reader *r, struct config *c, struct err *e)
{
	struct lifecycle *l = &c->lifecycle;

	if (json_read_array(r, "lifecycle", ENTRIES_MAX, &l->n, e) < 0)
		return -1;
	l->rules = arena_array(&c->arena, l->n + 1, sizeof(*l->rules));
	if (!l->rules)
		return err_errno(e, ENOMEM, "reading the rules of the life of tags");
	for (size_t i = 0; i < l->n; i++) {
		struct json_reader j;

		if (json_read_elem(r, "lifecycle", i, &j, e) < 0 ||
		    read_lifecycle_rule(&j, &l->rules[i], e) < 0)
			return -1;
	}
	return 0;
}

static int read_limits(const struct json_reader *r, struct config *c, struct err *e)
{
	static const char *const known[] = {"headSeconds", "connections", "requestsPerSecond",
					    "burst", NULL};
	struct json_reader j;
	int k = json_read_obj(r, "limits", &j, e);

	if (k <= 0)
		return k;
	if (check_keys(&j, known, e) < 0 ||
	    read_number(&j, "headSeconds", &c->head_seconds, e) < 0 ||
	    read_number(&j, "connections", &c->connections, e) < 0 ||
	    read_number(&j, "requestsPerSecond", &c->requests_per_second, e) < 0 ||
	    read_number(&j, "burst", &c->burst, e) < 0)
		return -1;
	if (!c->head_seconds)
		return json_read_fail(&j, "headSeconds", ERR_INVALID, e, "must not be 0");
	return 0;
}

static int read_collect(const struct json_reader *r, struct config *c, struct err *e)
{
	static const char *const known[] = {"everySeconds", "graceSeconds", NULL};
	struct json_reader j;
	int k = json_read_obj(r, "collect", &j, e);

	if (k <= 0)
		return k;
	if (check_keys(&j, known, e) < 0 ||
	    read_number(&j, "everySeconds", &c->collect_seconds, e) < 0 ||
	    read_number(&j, "graceSeconds", &c->grace_seconds, e) < 0)
		return -1;
	return 0;
}

static int read_upstream(const struct json_reader *r, struct cache_upstream *u, struct err *e)
{
	static const char *const known[] = {"prefix", "host",       "user", "passwordFile",
					    "ca",     "tagSeconds", NULL};

	*u = (struct cache_upstream){.prefix = "", .tag_seconds = TAG_SECONDS};
	if (check_keys(r, known, e) < 0 || json_read_str(r, "prefix", &u->prefix, e) < 0 ||
	    json_read_str(r, "host", &u->host, e) < 0 ||
	    json_read_str(r, "user", &u->user, e) < 0 ||
	    json_read_str(r, "passwordFile", &u->password, e) < 0 ||
	    json_read_str(r, "ca", &u->ca, e) < 0 ||
	    read_number(r, "tagSeconds", &u->tag_seconds, e) < 0)
		return -1;
	if (!u->host)
		return json_read_fail(r, NULL, ERR_INVALID, e, "needs a host");
	if (*u->prefix && !name_is_repository(u->prefix))
		return json_read_fail(r, "prefix", ERR_INVALID, e, "is no repository name");
	if (!u->user != !u->password)
		return json_read_fail(r, NULL, ERR_INVALID, e,
				      "needs both a user and a passwordFile");
	return 0;
}

static int read_cache(const struct json_reader *r, struct config *c, struct err *e)
{
	if (json_read_array(r, "cache", ENTRIES_MAX, &c->n_upstreams, e) < 0)
		return -1;
	c->upstreams = arena_array(&c->arena, c->n_upstreams + 1, sizeof(*c->upstreams));
	if (!c->upstreams)
		return err_errno(e, ENOMEM, "reading the cache");
	for (size_t i = 0; i < c->n_upstreams; i++) {
		struct json_reader j;

		if (json_read_elem(r, "cache", i, &j, e) < 0 ||
		    read_upstream(&j, &c->upstreams[i], e) < 0)
			return -1;
	}
	return 0;
}

static int read_event_actions(const struct json_reader *r, unsigned *ret, struct err *e)
{
	static const char *const names[] = {"push", "pull", "delete"};
	const char **words = NULL;

	if (json_read_strv(r, "actions", &words, NULL, e) < 0)
		return -1;
	for (; words && *words; words++) {
		unsigned k = 0;

		while (k < ARRAY_SIZE(names) && !str_eq(*words, names[k]))
			k++;
		if (k == ARRAY_SIZE(names))
			return json_read_fail(r, "actions", ERR_INVALID, e,
					      "'%s' is none of push, pull, delete", *words);
		*ret |= 1U << k;
	}
	return 0;
}

static int read_sink(const struct json_reader *r, struct event_sink *s, struct err *e)
{
	static const char *const known[] = {"url",     "repositories", "authorizationFile",
					    "actions", "queue",        NULL};
	const char *url = NULL;

	*s = (struct event_sink){.repositories = "**", .queue = EVENTS_QUEUED};
	if (check_keys(r, known, e) < 0 || json_read_str(r, "url", &url, e) < 0 ||
	    json_read_str(r, "repositories", &s->repositories, e) < 0 ||
	    json_read_str(r, "authorizationFile", &s->authorization, e) < 0 ||
	    read_number(r, "queue", &s->queue, e) < 0 || read_event_actions(r, &s->actions, e) < 0)
		return -1;
	if (s->actions == 0)
		s->actions = EVENT_PUSH | EVENT_DELETE;
	if (!url || s->queue == 0)
		return json_read_fail(r, NULL, ERR_INVALID, e, "needs a url, and a queue above 0");
	return webhook_parse(url, &s->url, e);
}

static int read_events(const struct json_reader *r, struct config *c, struct err *e)
{
	if (json_read_array(r, "events", SINKS_MAX, &c->n_sinks, e) < 0)
		return -1;
	c->sinks = arena_array(&c->arena, c->n_sinks + 1, sizeof(*c->sinks));
	if (!c->sinks)
		return err_errno(e, ENOMEM, "reading who is told of events");
	for (size_t i = 0; i < c->n_sinks; i++) {
		struct json_reader j;

		if (json_read_elem(r, "events", i, &j, e) < 0 || read_sink(&j, &c->sinks[i], e) < 0)
			return -1;
	}
	return 0;
}

static bool is_warning(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '"' || *p == '\\')
			return false;
	return *s && strlen(s) <= WARNING_MAX;
}

static int read_warnings(const struct json_reader *r, struct config *c, struct err *e)
{
	static const char *const known[] = {"repositories", "text", NULL};
	struct policy *p = &c->policy;

	if (json_read_array(r, "warnings", ENTRIES_MAX, &p->n_warnings, e) < 0)
		return -1;
	p->warnings = arena_array(&c->arena, p->n_warnings + 1, sizeof(*p->warnings));
	if (!p->warnings)
		return err_errno(e, ENOMEM, "reading the warnings");
	for (size_t i = 0; i < p->n_warnings; i++) {
		struct policy_warning *w = &p->warnings[i];
		struct json_reader j;

		w->repositories = "**";
		w->text = "";
		if (json_read_elem(r, "warnings", i, &j, e) < 0 || check_keys(&j, known, e) < 0 ||
		    json_read_str(&j, "repositories", &w->repositories, e) < 0 ||
		    json_read_str(&j, "text", &w->text, e) < 0)
			return -1;
		if (!is_warning(w->text))
			return json_read_fail(&j, "text", ERR_INVALID, e,
					      "has to be 1 to %d plain characters without quotes",
					      WARNING_MAX);
	}
	return 0;
}

static int read_root(const struct json_reader *r, struct config *c, struct files *f, struct err *e)
{
	static const char *const known[] = {
		"listen", "root",      "log",   "tls",    "readOnly",      "delete",
		"users",  "token",     "rules", "quotas", "immutableTags", "collect",
		"limits", "lifecycle", "cache", "events", "warnings",      NULL};
	bool deletes = true;

	if (check_keys(r, known, e) < 0 || json_read_str(r, "listen", &c->listen, e) < 0 ||
	    json_read_str(r, "root", &c->root, e) < 0 || json_read_str(r, "log", &c->log, e) < 0 ||
	    json_read_bool(r, "readOnly", &c->read_only, e) < 0 ||
	    json_read_bool(r, "delete", &deletes, e) < 0 ||
	    json_read_str(r, "users", &f->users, e) < 0)
		return -1;
	c->no_delete = !deletes;
	c->has_access |= f->users != NULL;
	if (read_tls(r, c, e) < 0 || read_token(r, c, f, e) < 0 || read_rules(r, c, e) < 0 ||
	    read_quotas(r, c, e) < 0 || read_immutable(r, c, e) < 0 || read_limits(r, c, e) < 0 ||
	    read_lifecycle(r, c, e) < 0 || read_cache(r, c, e) < 0 || read_events(r, c, e) < 0 ||
	    read_warnings(r, c, e) < 0)
		return -1;
	return read_collect(r, c, e);
}

/* Parses a document; F holds the names of files, in RET's arena. */
static int parse(const struct buf *text, const char *what, struct config *ret, struct files *f,
		 struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_parse(buf_str(text), text->len, what, e);
	struct json_reader r;

	if (!j || json_reader_init(&r, j, what, &ret->arena, e) < 0)
		return -1;
	return read_root(&r, ret, f, e);
}

int config_parse(const char *data, size_t n, const char *what, struct config *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_MAX);
	struct files f = {.users = NULL};

	if (buf_put(&text, data, n) < 0)
		return err_set(e, ERR_LIMIT, 0, "%s is larger than %zu bytes", what, FILE_MAX);
	return parse(&text, what, ret, &f, e);
}

static struct jwt_key *load_key(const char *path, bool secret, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(path, O_RDONLY | O_CLOEXEC, 0);
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_MAX + 1);
	int r = fd < 0 ? fd : fd_read_all(fd, &text, FILE_MAX);
	struct jwt_key *k;

	if (r < 0) {
		err_errno(e, r, "reading '%s'", path);
		return NULL;
	}
	k = jwt_key_import(buf_str(&text), text.len, secret, e);
	if (!k)
		err_wrap(e, "'%s'", path);
	explicit_bzero(text.data, text.len);
	return k;
}

static int add_key(struct access_token *t, const char *path, bool secret, struct err *e)
{
	struct jwt_key *k;

	if (t->keys.n == JWT_KEYS_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %d keys", JWT_KEYS_MAX);
	k = load_key(path, secret, e);
	if (!k)
		return -1;
	t->keys.v[t->keys.n++] = k;
	if (secret)
		t->signer = k;
	return 0;
}

/* Replaces the name of a file by what it holds; without the line's end where it is a LINE. */
static int load_text(struct config *c, const char **text, bool line, struct err *e)
{
	_cleanup_(fd_close) int fd = *text ? path_open_host(*text, O_RDONLY | O_CLOEXEC, 0) : -1;
	_cleanup_(buf_done) struct buf b = BUF_INIT(FILE_MAX + 1);
	int r;

	if (!*text)
		return 0;
	r = fd < 0 ? fd : fd_read_all(fd, &b, FILE_MAX);
	if (r < 0)
		return err_errno(e, r, "reading '%s'", *text);
	if (line && b.data)
		b.data[strcspn(buf_str(&b), "\r\n")] = '\0';
	*text = arena_strdup(&c->arena, buf_str(&b));
	if (b.data)
		explicit_bzero(b.data, b.len);
	return *text ? 0 : err_errno(e, ENOMEM, "reading the configuration");
}

static int load_files(struct config *c, const struct files *f, struct err *e)
{
	if (f->users && !(c->access.users = users_load(f->users, e)))
		return -1;
	if (f->signer && add_key(&c->access.token, f->signer, true, e) < 0)
		return -1;
	for (const char **key = f->keys; key && *key; key++)
		if (add_key(&c->access.token, *key, false, e) < 0)
			return -1;
	for (size_t i = 0; i < c->n_upstreams; i++)
		if (load_text(c, &c->upstreams[i].password, true, e) < 0 ||
		    load_text(c, &c->upstreams[i].ca, false, e) < 0)
			return -1;
	for (size_t i = 0; i < c->n_sinks; i++)
		if (load_text(c, &c->sinks[i].authorization, true, e) < 0)
			return -1;
	return 0;
}

int config_load(const char *path, struct config *ret, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(path, O_RDONLY | O_CLOEXEC, 0);
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_MAX + 1);
	int r = fd < 0 ? fd : fd_read_all(fd, &text, FILE_MAX);
	struct files f = {.users = NULL};

	if (r < 0)
		return err_errno(e, r, "reading '%s'", path);
	if (parse(&text, path, ret, &f, e) < 0)
		return -1;
	return load_files(ret, &f, e);
}
