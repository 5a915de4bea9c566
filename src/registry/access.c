/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/access.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/num.h"
#include "base/str.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <stdio.h>

#define BASIC           "Basic "
#define CREDENTIALS_MAX 2048
#define SCOPES_MAX      16
#define PATTERN_STARS   16 /* stars in a pattern, so that its work stays bounded */

static const struct {
	const char *name;
	enum action action;
} actions[] = {
	{"pull", ACTION_PULL},
	{"push", ACTION_PUSH},
	{"delete", ACTION_DELETE},
	{"catalog", ACTION_CATALOG},
};

const char *action_name(enum action action)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (actions[i].action == action)
			return actions[i].name;
	return "";
}

unsigned action_parse(const char *word)
{
	if (str_eq(word, "*"))
		return ACTION_ALL;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (str_eq(actions[i].name, word))
			return actions[i].action;
	return 0;
}

void access_done(struct access *a)
{
	users_free(a->users);
	for (size_t i = 0; i < a->token.keys.n; i++)
		jwt_key_free(a->token.keys.v[i]);
	arena_done(&a->arena);
}

static bool matches(const char *p, const char *s, unsigned stars)
{
	for (; *p; p++, s++) {
		bool any = p[0] == '*' && p[1] == '*';

		if (*p != '*') {
			if (*p != *s)
				return false;
			continue;
		}
		if (stars == 0)
			return false;
		for (p += any ? 2 : 1;; s++) {
			if (matches(p, s, stars - 1))
				return true;
			if (!*s || (!any && *s == '/'))
				return false;
		}
	}
	return !*s;
}

bool pattern_matches(const char *pattern, const char *text)
{
	return str_eq(pattern, "**") || matches(pattern, text, PATTERN_STARS);
}

static bool names_user(const struct access_rule *rule, const char *user)
{
	for (const char *const *u = rule->users; u && *u; u++)
		if (*user ? str_eq(*u, user) || str_eq(*u, "*") : str_eq(*u, "anonymous"))
			return true;
	return false;
}

unsigned access_actions(const struct access *a, const char *user, const char *repository)
{
	unsigned may = 0;

	if (a->n_rules == 0)
		return *user ? ACTION_ALL : 0;
	for (size_t i = 0; i < a->n_rules; i++) {
		const struct access_rule *rule = &a->rules[i];

		if (!names_user(rule, user))
			continue;
		if (!*repository)
			may |= rule->actions & ACTION_CATALOG;
		for (const char *const *p = rule->repositories; p && *p; p++)
			if (*repository && pattern_matches(*p, repository))
				may |= rule->actions;
	}
	return may;
}

/* Base64 of RFC 4648 4, as Basic has it, by way of the other alphabet. */
static int decode_basic(const char *s, char **ret, size_t *ret_n)
{
	char text[CREDENTIALS_MAX];
	size_t n = strlen(s);

	while (n > 0 && s[n - 1] == '=')
		n--;
	if (n >= sizeof(text))
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(s[i] == '+' ? '-' : s[i] == '/' ? '_' : s[i]);
	return base64url_decode(text, n, ret, ret_n);
}

/* Notes the user of a right password; false for a wrong one, and for what is no Basic. */
static bool login_basic(struct request *r, const char *credentials)
{
	struct access *a = r->registry->access;
	_cleanup_(freep) char *text = NULL;
	char *colon;
	size_t n;
	bool right;

	if (!a->users || strncasecmp(credentials, BASIC, strlen(BASIC)) != 0 ||
	    decode_basic(credentials + strlen(BASIC), &text, &n) < 0 || strlen(text) != n)
		return false;
	colon = strchr(text, ':');
	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(r->user))
		return false;
	*colon = '\0';
	right = !str_eq(text, "anonymous") && users_check(a->users, text, colon + 1);
	if (right)
		snprintf(r->user, sizeof(r->user), "%s", text);
	explicit_bzero(text, n);
	return right;
}

/* The actions that the token's "access" gives on REPOSITORY. */
static unsigned granted(const json_t *claims, const char *repository)
{
	const json_t *list = json_object_get(claims, "access"), *one, *word;
	unsigned may = 0;
	size_t i, k;

	json_array_foreach (list, i, one) {
		const char *type = json_string_value(json_object_get(one, "type"));
		const char *name = json_string_value(json_object_get(one, "name"));
		bool catalog = !*repository && type && name && str_eq(type, "registry") &&
			       str_eq(name, "catalog");

		if (!catalog && (!*repository || !type || !name || !str_eq(type, "repository") ||
				 !str_eq(name, repository)))
			continue;
		json_array_foreach (json_object_get(one, "actions"), k, word) {
			if (json_is_string(word))
				may |= catalog && str_eq(json_string_value(word), "*")
					       ? ACTION_CATALOG
					       : action_parse(json_string_value(word)) &
							 ~(unsigned)ACTION_CATALOG;
		}
	}
	return may;
}

/* The actions that a bearer token gives; *RET_RIGHT whether it is one. */
static unsigned login_bearer(struct request *r, const char *token, const char *repository,
			     bool *ret_right)
{
	const struct access_token *t = &r->registry->access->token;
	struct jwt_expect want = {.issuer = t->issuer, .audience = t->service, .now = clock_now()};
	_cleanup_(json_unref) json_t *claims = NULL;
	const char *sub;

	claims = t->realm ? jwt_verify(&t->keys, token, strlen(token), &want, NULL) : NULL;
	*ret_right = claims != NULL;
	if (!claims)
		return 0;
	sub = json_string_value(json_object_get(claims, "sub"));
	if (sub && strlen(sub) < sizeof(r->user))
		snprintf(r->user, sizeof(r->user), "%s", sub);
	return granted(claims, repository);
}

/* What the caller may do on REPOSITORY; *RET_RIGHT is false for credentials that are wrong. */
static unsigned permissions(struct request *r, const char *repository, bool *ret_right)
{
	const char *credentials = r->header(r, "Authorization");
	struct access *a = r->registry->access;

	*ret_right = true;
	if (!credentials)
		return access_actions(a, "", repository);
	if (strncasecmp(credentials, "Bearer ", 7) == 0)
		return login_bearer(r, credentials + 7, repository, ret_right);
	*ret_right = login_basic(r, credentials);
	return *ret_right ? access_actions(a, r->user, repository) : 0;
}

bool access_may(struct request *r, enum action action, const char *repository)
{
	bool right;

	return !r->registry->access || permissions(r, repository, &right) & action;
}

/* Tells the client how to identify itself. */
static void challenge(struct request *r, enum action action, const char *repository)
{
	const struct access_token *t = &r->registry->access->token;
	char scope[NAME_MAX_LENGTH + 64] = "";

	reply_error(r, 401, CODE_UNAUTHORIZED, "authentication is required");
	if (!t->realm) {
		reply_header(r, "WWW-Authenticate", "Basic realm=\"kogge-registry\"");
		return;
	}
	if (action == ACTION_CATALOG)
		snprintf(scope, sizeof(scope), ",scope=\"registry:catalog:*\"");
	else if (*repository)
		snprintf(scope, sizeof(scope), ",scope=\"repository:%s:%s\"", repository,
			 action == ACTION_PUSH ? "pull,push" : action_name(action));
	reply_header(r, "WWW-Authenticate", "Bearer realm=\"%s\",service=\"%s\"%s", t->realm,
		     t->service, scope);
}

bool access_allow(struct request *r, enum action action, const char *repository)
{
	bool right, base = !*repository && action == ACTION_PULL;
	unsigned may;

	if (!r->registry->access)
		return true;
	may = permissions(r, repository, &right);
	/* /v2/ tells whether credentials are right, and whether any are needed. */
	if (may & action || (base && right && r->header(r, "Authorization")))
		return true;
	if (base && right && r->registry->access->n_rules > 0 && !r->registry->access->users &&
	    !r->registry->access->token.realm)
		return true;
	if (right && *r->user && !r->registry->access->token.realm)
		reply_error(r, 403, CODE_DENIED, "'%s' may not %s '%s'", r->user,
			    action_name(action), repository);
	else
		challenge(r, action, repository);
	return false;
}

/* One "scope" of a request for a token, as what is granted of it. */
static json_t *grant_scope(struct request *r, char *scope)
{
	const struct access *a = r->registry->access;
	char *name = strchr(scope, ':'), *last = name ? strrchr(name + 1, ':') : NULL;
	bool catalog;
	json_t *list;
	unsigned may;

	if (!last)
		return NULL;
	*name++ = '\0';
	*last++ = '\0';
	catalog = str_eq(scope, "registry") && str_eq(name, "catalog");
	if (!catalog && (!str_eq(scope, "repository") || !name_is_repository(name)))
		return NULL;
	may = access_actions(a, r->user, catalog ? "" : name);
	list = json_array();
	for (char *word = last, *next; word; word = next) {
		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		if (catalog ? may & ACTION_CATALOG && str_eq(word, "*")
			    : (action_parse(word) & may) == action_parse(word) &&
				      action_parse(word))
			json_array_append_new(list, json_string(word));
	}
	return json_pack("{ss ss so}", "type", scope, "name", name, "actions", list);
}

static json_t *make_claims(struct request *r, int64_t now)
{
	const struct access_token *t = &r->registry->access->token;
	char scopes[3 * (NAME_MAX_LENGTH + 64)], id[ID_SIZE];
	json_t *list = json_array();

	for (unsigned i = 0; i < SCOPES_MAX; i++) {
		if (!query_get(r->query, "scope", i, scopes, sizeof(scopes)))
			break;
		for (char *one = scopes, *next; one; one = next) {
			json_t *g;

			next = strchr(one, ' ');
			if (next)
				*next++ = '\0';
			g = grant_scope(r, one);
			if (g)
				json_array_append_new(list, g);
		}
	}
	if (id_new(id) < 0)
		id[0] = '\0';
	return json_pack("{ss ss ss sI sI sI ss so}", "iss", t->issuer, "sub", r->user, "aud",
			 t->service, "exp", (json_int_t)(now + t->seconds), "nbf",
			 (json_int_t)now - 5, "iat", (json_int_t)now, "jti", id, "access", list);
}

static void reply_token(struct request *r)
{
	const struct access_token *t = &r->registry->access->token;
	int64_t now = clock_now();
	_cleanup_(json_unref) json_t *claims = make_claims(r, now / (int64_t)NUM_NS_PER_S);
	_cleanup_(json_unref) json_t *answer = NULL;
	_cleanup_(freep) char *token = NULL;
	char issued[CLOCK_TEXT_SIZE];
	struct err e = ERR_INIT;

	token = claims ? jwt_sign(t->signer, claims, &e) : NULL;
	answer = token ? json_pack("{ss ss si ss}", "token", token, "access_token", token,
				   "expires_in", (int)t->seconds, "issued_at",
				   clock_format(now, issued))
		       : NULL;
	if (!answer || json_write(answer, 0, &r->reply.body) < 0) {
		reply_error(r, 500, CODE_UNKNOWN, "no token could be made");
		return;
	}
	reply_status(r, 200);
	reply_header(r, "Content-Type", "application/json");
	reply_header(r, "Cache-Control", "no-store");
}

/* A password is asked for, or nothing at all: a token that were taken here could be exchanged for
 * one that lasts longer and gives more than it does itself. */
static void token_end(struct request *r)
{
	const char *credentials = r->header(r, "Authorization");
	const struct access *a = r->registry->access;
	char service[256] = "";
	bool right;

	if (!a || !a->token.signer) {
		reply_error(r, 404, CODE_UNSUPPORTED, "no tokens are issued here");
		return;
	}
	right = !credentials || login_basic(r, credentials);
	query_get(r->query, "service", 0, service, sizeof(service));
	if (!right) {
		reply_error(r, 401, CODE_UNAUTHORIZED, "wrong user or password");
		reply_header(r, "WWW-Authenticate", "Basic realm=\"kogge-registry\"");
	} else if (!str_eq(service, a->token.service)) {
		reply_error(r, 400, CODE_UNSUPPORTED, "tokens are issued for '%s' only",
			    a->token.service);
	} else {
		reply_token(r);
	}
}

const struct endpoint_ops endpoint_token = {.end = token_end};
