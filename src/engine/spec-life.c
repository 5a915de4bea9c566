/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spec-life.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

/* ---- restart ---- */

static const char *const policies[] = {"no", "always", "unless-stopped", "on-failure"};

const char *spec_restart_name(enum spec_restart_policy p)
{
	return policies[p];
}

static int policy_of(const char *s, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		if (strlen(policies[i]) == n && strncmp(policies[i], s, n) == 0)
			return (int)i;
	return -1;
}

int spec_restart_parse(const char *s, struct spec_restart *ret, struct err *e)
{
	const char *colon = strchr(s, ':');
	int policy = str_empty(s) ? SPEC_RESTART_NO
				  : policy_of(s, colon ? (size_t)(colon - s) : strlen(s));
	uint64_t n = 0;

	if (colon && num_u64(colon + 1, 0, INT32_MAX, &n) < 0)
		return err_set(e, ERR_USAGE, 0,
			       "invalid restart policy format: maximum retry count must be an "
			       "integer");
	if (policy < 0)
		return err_set(e, ERR_INVALID, 0,
			       "invalid restart policy: unknown policy '%s'; use one of 'no', "
			       "'always', 'on-failure', or 'unless-stopped'",
			       s);
	if (n && policy != SPEC_RESTART_ON_FAILURE)
		return err_set(e, ERR_INVALID, 0,
			       "invalid restart policy: maximum retry count can only be used with "
			       "'on-failure'");
	*ret = (struct spec_restart){.policy = (enum spec_restart_policy)policy, .retries = (int)n};
	return 0;
}

json_t *spec_restart_json(const struct spec_restart *s)
{
	return json_pack("{s:s, s:i}", "Name", policies[s->policy], "MaximumRetryCount",
			 s->retries);
}

int spec_restart_read(const struct json_reader *r, const char *key, struct spec_restart *ret,
		      struct err *e)
{
	struct json_reader o;
	const char *name = "no";
	int64_t n = 0;
	int got = json_read_obj(r, key, &o, e), policy;

	if (got <= 0)
		return got;
	if (json_read_str(&o, "Name", &name, e) < 0 ||
	    json_read_i64(&o, "MaximumRetryCount", 0, INT32_MAX, &n, e) < 0)
		return -1;
	policy = policy_of(name, strlen(name));
	*ret = (struct spec_restart){.policy = policy < 0 ? SPEC_RESTART_NO
							  : (enum spec_restart_policy)policy,
				     .retries = (int)n};
	return 1;
}

/* ---- log ---- */

static int bad_option(const struct spec_pair *o, const char *driver, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "unknown log opt '%s' for %s log driver", o->key, driver);
}

/* Docker reads these sizes in powers of 1000 (go-units' FromHumanSize). */
static int human_size(const char *s, uint64_t *ret)
{
	static const char units[] = "kmgtp";
	uint64_t n;
	const char *unit = strpbrk(s, "kKmMgGtTpP");
	int power = unit ? (int)(strchr(units, *unit | 0x20) - units) + 1 : 0;
	int r = num_size(s, &n);

	for (int i = 0; r == 0 && i < power; i++)
		n = (uint64_t)((double)n / 1.024 + 0.5);
	if (r == 0)
		*ret = n;
	return r;
}

static int log_option(const struct spec_pair *o, struct log_config *c, struct err *e)
{
	const char *driver = log_driver_name((enum log_driver)c->driver);
	bool files = c->driver == LOG_JSON_FILE || c->driver == LOG_LOCAL;
	uint64_t n;

	if (files && str_eq(o->key, "max-size")) {
		if (str_eq(o->value, "-1")) {
			c->max_size = -1;
		} else if (human_size(o->value, &n) < 0 || n == 0 || n > (uint64_t)INT64_MAX) {
			return err_set(e, ERR_INVALID, 0, "invalid value for max-size: '%s'",
				       o->value);
		} else {
			c->max_size = (int64_t)n;
		}
		return 0;
	}
	if (files && str_eq(o->key, "max-file")) {
		if (num_u64(o->value, 1, 1000, &n) < 0)
			return err_set(e, ERR_INVALID, 0,
				       "invalid value for max-file: '%s': a number from 1 to 1000",
				       o->value);
		c->max_file = (uint32_t)n;
		return 0;
	}
	/* They hold for every driver, and every log is both. */
	if (str_eq(o->key, "mode") || str_eq(o->key, "max-buffer-size"))
		return 0;
	if (files && str_eq(o->key, "compress") && !str_eq(o->value, "true"))
		return 0;
	if (c->driver == LOG_JOURNALD && str_eq(o->key, "tag")) {
		snprintf(c->tag, sizeof(c->tag), "%s", o->value);
		return 0;
	}
	return bad_option(o, driver, e);
}

int spec_log_config(const struct spec_log *s, struct log_config *ret, struct err *e)
{
	struct log_config c = {.max_size = LOG_SIZE_DEFAULT, .max_file = LOG_FILES_DEFAULT};
	int driver = str_empty(s->driver) ? LOG_JSON_FILE : log_driver_of(s->driver);

	if (driver < 0)
		return err_set(e, ERR_INVALID, 0,
			       "logger: no log driver named '%s' is registered (there are "
			       "json-file, local, journald and none)",
			       s->driver);
	c.driver = (uint32_t)driver;
	for (size_t i = 0; i < s->n_opts; i++)
		if (log_option(&s->opts[i], &c, e) < 0)
			return -1;
	*ret = c;
	return 0;
}

int spec_log_usable(const struct log_config *c, struct err *e)
{
	_cleanup_(fd_close) int fd = c->driver == LOG_JOURNALD ? log_journal_open() : -1;

	if (c->driver != LOG_JOURNALD || fd >= 0)
		return 0;
	return err_errno(e, fd,
			 "failed to initialize logging driver: journald is not there "
			 "(/run/systemd/journal/socket)");
}

json_t *spec_log_json(const struct spec_log *s)
{
	json_t *opts = json_object();

	for (size_t i = 0; i < s->n_opts; i++)
		json_put_text(opts, s->opts[i].key, s->opts[i].value);
	return json_pack("{s:s, s:o}", "Type", str_empty(s->driver) ? "json-file" : s->driver,
			 "Config", opts);
}

int spec_log_read(const struct json_reader *r, const char *key, struct spec_log *ret, struct err *e)
{
	struct json_reader o, opts;
	const char *name;
	struct spec_pair *p;
	json_t *value;
	int got = json_read_obj(r, key, &o, e);

	if (got <= 0)
		return got;
	if (json_read_str(&o, "Type", &ret->driver, e) < 0 ||
	    (got = json_read_obj(&o, "Config", &opts, e)) <= 0)
		return got;
	p = arena_array(r->arena, json_object_size(opts.obj) + 1, sizeof(*p));
	if (!p)
		return err_set(e, ERR_LIMIT, ENOMEM, "reading '%s'", key);
	ret->n_opts = 0;
	json_object_foreach ((json_t *)(uintptr_t)opts.obj, name, value) {
		if (!json_is_string(value))
			return json_read_fail(&opts, name, ERR_INVALID, e, "is not a string");
		p[ret->n_opts].key = arena_strdup(r->arena, name);
		p[ret->n_opts++].value = arena_strdup(r->arena, json_string_value(value));
	}
	ret->opts = p;
	return 1;
}

/* ---- health ---- */

bool spec_health_on(const struct spec_health *h)
{
	return h->test && h->test[0] && h->test[1] && !str_eq(h->test[0], "NONE");
}

static void put_duration(json_t *o, const char *key, int64_t n)
{
	if (n)
		json_object_set_new(o, key, json_integer(n));
}

json_t *spec_health_json(const struct spec_health *s)
{
	json_t *o, *test;

	if (!s->test)
		return NULL;
	o = json_object();
	test = json_array();
	for (size_t i = 0; s->test[i]; i++)
		json_array_append_new(test, json_text(s->test[i]));
	json_object_set_new(o, "Test", test);
	put_duration(o, "Interval", s->interval);
	put_duration(o, "Timeout", s->timeout);
	put_duration(o, "StartPeriod", s->start_period);
	put_duration(o, "StartInterval", s->start_interval);
	put_duration(o, "Retries", s->retries);
	return o;
}

int spec_health_read(const struct json_reader *r, const char *key, struct spec_health *ret,
		     struct err *e)
{
	struct json_reader o;
	const char **test = NULL;
	int got = json_read_obj(r, key, &o, e);

	if (got <= 0)
		return got;
	if (json_read_strv(&o, "Test", &test, NULL, e) < 0 ||
	    json_read_i64(&o, "Interval", 0, INT64_MAX, &ret->interval, e) < 0 ||
	    json_read_i64(&o, "Timeout", 0, INT64_MAX, &ret->timeout, e) < 0 ||
	    json_read_i64(&o, "StartPeriod", 0, INT64_MAX, &ret->start_period, e) < 0 ||
	    json_read_i64(&o, "StartInterval", 0, INT64_MAX, &ret->start_interval, e) < 0 ||
	    json_read_i64(&o, "Retries", 0, INT32_MAX, &ret->retries, e) < 0)
		return -1;
	ret->test = (const char *const *)test;
	return 1;
}
