/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: users with passwords, tokens, and rules per repository. Without an access
 * everybody may do everything. All of it can be asked by several threads at once. */
#ifndef KOGGE_REGISTRY_ACCESS_H
#define KOGGE_REGISTRY_ACCESS_H

#include "base/arena.h"
#include "base/err.h"
#include "registry/jwt.h"

enum action {
	ACTION_PULL = 1 << 0,
	ACTION_PUSH = 1 << 1,
	ACTION_DELETE = 1 << 2,
	ACTION_CATALOG = 1 << 3, /* list all repositories */
	ACTION_ALL = 15,
};

/* USERS: names, "*" for every user with a password, "anonymous" for who shows nothing.
 * REPOSITORIES: patterns, see pattern_matches. */
struct access_rule {
	const char **users, **repositories;
	unsigned actions;
};

/* How tokens are asked for, made and checked (docs.docker.com/registry/spec/auth/token). */
struct access_token {
	const char *realm;   /* where clients get them; NULL: no tokens */
	const char *service; /* the audience */
	const char *issuer;
	struct jwt_keys keys;   /* whose tokens are taken */
	struct jwt_key *signer; /* the own issuer's key, or NULL */
	uint32_t seconds;       /* how long own ones last */
};

struct users;

struct access {
	struct arena arena;
	struct users *users; /* NULL: there are none */
	struct access_rule *rules;
	size_t n_rules;
	struct access_token token;
};

/* Frees what A holds. */
void access_done(struct access *a);

/* The passwords of an htpasswd file; only bcrypt is taken. NULL with E set. */
struct users *users_load(const char *path, struct err *e);

/* Reads the file again; on an error what was known stays. */
int users_reload(struct users *u, struct err *e);

/* Frees U; NULL is allowed. */
void users_free(struct users *u);

/* Whether NAME has PASSWORD; takes as long for a name that does not exist. */
bool users_check(struct users *u, const char *name, const char *password);

/* Whether TEXT is of the form PATTERN: '*' stands for any text without a slash, "**" for any. */
bool pattern_matches(const char *pattern, const char *text);

/* The actions that the rules give USER ("" is anonymous) on a repository. */
unsigned access_actions(const struct access *a, const char *user, const char *repository);

struct request;

/* Whether who sends R may do ACTION on REPOSITORY ("" for none); notes the user. Answers 401 with
 * a challenge, or 403, where not. */
bool access_allow(struct request *r, enum action action, const char *repository);

/* The same without an answer. */
bool access_may(struct request *r, enum action action, const char *repository);

/* The word of the token protocol for one action. */
const char *action_name(enum action action);

/* The action of that word, "*" for all; 0 where it is none. */
unsigned action_parse(const char *word);

#endif
