/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the runtime configuration. */
#ifndef KOGGE_OCI_RUNTIME_CONFIG_INTERNAL_H
#define KOGGE_OCI_RUNTIME_CONFIG_INTERNAL_H

#include "base/json.h"
#include "oci/runtime-config.h"

/* The flags of `process.scheduler` by bit (linux/sched.h). */
enum { OCI_SCHED_FLAG_N = 7 };
extern const char *const oci_sched_flags[OCI_SCHED_FLAG_N];

/* Reads one element of a list. */
typedef int (*oci_elem_fn)(const struct json_reader *r, void *elem, struct err *e);

/* What a list holds: the size of an element of *P, and how to read it. */
struct oci_elem {
	size_t size;
	oci_elem_fn fn;
};
#define OCI_ELEM(p, f) (&(const struct oci_elem){sizeof(*(p)), f})

/* Reads the array KEY of objects. *RET is a pointer to the pointer, as void. */
int oci_read_list(const struct json_reader *r, const char *key, const struct oci_elem *elem,
		  void *ret, size_t *ret_n, struct err *e);

/* As json_read_i64, into a number that may be absent. 0, or -1 with E set. */
int oci_read_int(const struct json_reader *r, const char *key, int64_t min, int64_t max,
		 struct oci_int *ret, struct err *e);
int oci_read_flag(const struct json_reader *r, const char *key, struct oci_flag *ret,
		  struct err *e);
int oci_read_u32(const struct json_reader *r, const char *key, uint32_t *ret, struct err *e);

/* A number of 64 bits without sign: the reader's integers are signed, and numbers that are larger
 * were turned into their two's complement before (see runtime-config.c). */
int oci_read_u64(const struct json_reader *r, const char *key, uint64_t *ret, struct err *e);

/* Parses a document of at most RUNTIME_CONFIG_MAX bytes for readers that use oci_read_u64. */
json_t *oci_parse_json(const char *data, size_t n, const char *what, struct err *e);

/* An object whose values are strings. */
int oci_read_map(const struct json_reader *r, const char *key, struct oci_map *ret, struct err *e);

/* A field that must be there. 0, or -1 with E set. */
int oci_need_str(const struct json_reader *r, const char *key, const char **ret, struct err *e);

/* The parts. Each returns 0, or -1 with E set. */
int oci_read_process(const struct json_reader *r, struct oci_process *ret, struct err *e);
int oci_read_linux(const struct json_reader *r, struct oci_linux *ret, struct err *e);
int oci_read_id_maps(const struct json_reader *r, const char *key, struct oci_id_maps *ret,
		     struct err *e);
int oci_read_resources(const struct json_reader *r, struct oci_resources *ret, struct err *e);
int oci_read_seccomp(const struct json_reader *r, struct seccomp_profile *ret, struct err *e);

/* `linux.seccomp` without its rules, and one rule without its names. */
int oci_read_seccomp_head(const struct json_reader *r, struct seccomp_profile *ret, struct err *e);
int oci_read_seccomp_rule(const struct json_reader *r, struct seccomp_rule *ret, struct err *e);

/* Sets E to "config.json: " and the message, ERR_INVALID. Returns -1. */
int oci_bad(struct err *e, const char *fmt, ...) _printf_(2, 3);

static inline bool oci_is_absolute(const char *s)
{
	return s && *s == '/';
}

#define OCI_CPU_MAX 65535 /* the largest number in a list of CPUs or memory nodes */

/* The rules of `linux`, each 0 or -1 with E set. */
int oci_check_linux(const struct oci_linux *l, struct err *e);
int oci_check_sysctls(const struct runtime_config *c, struct err *e);

/* Writing: each gives a new reference, or NULL when out of memory. Absent values give NULL or are
 * left out: oci_put takes the reference of VALUE and ignores NULL. */
void oci_put(json_t *obj, const char *key, json_t *value);
void oci_put_int(json_t *obj, const char *key, const struct oci_int *i);
json_t *oci_str_json(const char *s);
json_t *oci_strv_json(const char *const *v);
json_t *oci_map_json(const struct oci_map *m);
json_t *oci_process_json(const struct oci_process *p);
json_t *oci_linux_json(const struct oci_linux *l);
json_t *oci_id_maps_json(const struct oci_id_maps *m);
json_t *oci_resources_json(const struct oci_resources *r);
json_t *oci_seccomp_json(const struct seccomp_profile *p);

#endif
