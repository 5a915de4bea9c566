/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of foreign origin, on top of jansson: bounded in size and depth, duplicate keys refused,
 * nothing after the document. A json_reader walks a document and remembers the path of the field
 * ("linux.resources.memory.limit"), so that a wrong type is reported by its name. */
#ifndef KOGGE_BASE_JSON_H
#define KOGGE_BASE_JSON_H

#include "base/err.h"

#include <jansson.h>

struct arena;
struct buf;

#define JSON_DEPTH_MAX 64

/* Draws the number that the order of a table's keys depends on, by one system call. Without it the
 * first object does so, by three. For the start of a program. */
void json_seed(void);

/* Parses N bytes. WHAT names the document in messages. Returns a reference owned by the caller
 * or NULL with E set (ERR_INVALID; ERR_LIMIT for depth). */
json_t *json_parse(const char *data, size_t n, const char *what, struct err *e);

/* For _cleanup_(json_unref). */
static inline void json_unref(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}

/* Appends J to OUT as compact JSON in insertion order, without escaping '/'. FLAGS are jansson's
 * (JSON_INDENT(4), JSON_SORT_KEYS, ...). Returns 0 or a negative errno. */
int json_write(const json_t *j, size_t flags, struct buf *out);

/* S as a JSON string. As Go's encoder does it, each byte that is no UTF-8 becomes U+FFFD, so that a
 * text of unknown origin is never lost as a whole. NULL where memory lacks. */
json_t *json_text(const char *s);

/* Sets KEY of O to VALUE, both made as json_text does. 0, or -1 where memory lacks. */
int json_put_text(json_t *o, const char *key, const char *value);

/* The object O with its keys in order, as Go writes a map; O itself, which is taken, where it is no
 * object or memory lacks. The values are not looked into. */
json_t *json_sorted(json_t *o);

/* One object of a document while it is read. Fields that are absent or null leave *RET as it
 * is and return 0; present ones return 1; a wrong type or range returns -1 with E set, naming the
 * path of the field. Strings are copied into the arena. */
struct json_reader {
	const json_t *obj;
	const struct json_reader *parent;
	const char *key; /* within the parent; NULL for the root */
	int index;       /* within an array below key; -1 otherwise */
	struct arena *arena;
	const char *what; /* the document's name, for messages */
};

/* Starts at the root. -1 with E where it is no object. */
int json_reader_init(struct json_reader *r, const json_t *root, const char *what,
		     struct arena *arena, struct err *e);

/* A field of the given type; numbers also have to lie in the given range, ends included. */
int json_read_str(const struct json_reader *r, const char *key, const char **ret, struct err *e);
int json_read_bool(const struct json_reader *r, const char *key, bool *ret, struct err *e);
int json_read_i64(const struct json_reader *r, const char *key, int64_t min, int64_t max,
		  int64_t *ret, struct err *e);
int json_read_u64(const struct json_reader *r, const char *key, uint64_t max, uint64_t *ret,
		  struct err *e);

/* A NULL-terminated vector of strings in the arena. RET_N may be NULL. */
int json_read_strv(const struct json_reader *r, const char *key, const char ***ret, size_t *ret_n,
		   struct err *e);

/* Enters the object KEY: 1 and *RET set, 0 where absent. */
int json_read_obj(const struct json_reader *r, const char *key, struct json_reader *ret,
		  struct err *e);

/* The number of elements of the array KEY; 0 where absent. */
int json_read_array(const struct json_reader *r, const char *key, size_t max, size_t *ret_n,
		    struct err *e);

/* Enters element I, an object, of the array KEY. */
int json_read_elem(const struct json_reader *r, const char *key, size_t i, struct json_reader *ret,
		   struct err *e);

/* Sets E to "WHAT: PATH.KEY: <formatted>" with the class. KEY may be NULL. Returns -1. */
int json_read_fail(const struct json_reader *r, const char *key, enum err_class class,
		   struct err *e, const char *fmt, ...) _printf_(5, 6);

#endif
