/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of the operations that a Dockerfile needs, as structs. In the graph they are JSON
 * objects with the fields' names as keys; what is empty, false or 0 is left out. The inputs' order
 * is told here with each. Strings are never NULL after reading ("" instead), vectors are
 * NULL-terminated and never NULL. Pure. */
#ifndef KOGGE_BUILD_PARAMS_H
#define KOGGE_BUILD_PARAMS_H

#include "base/arena.h"
#include "base/err.h"

/* "scratch": an empty tree. No inputs, no parameters. Result: data {}, digest any constant. */
#define OP_SCRATCH "scratch"

/* "image": the tree of an image that was resolved when the graph was made. No inputs. */
#define OP_IMAGE "image"
struct image_params {
	const char *ref;      /* as the Dockerfile has it, for messages; no part of what is done */
	const char *id;       /* "sha256:...", the image's ID in the store */
	const char *chain;    /* the chain ID of its layers; "" where it has none */
	const char *platform; /* "linux/amd64" */
};

/* "local": files of the client: a context. No inputs. Never cached. */
#define OP_LOCAL "local"
struct local_params {
	const char *name; /* "context", or a named context's name */
};

/* "http": one file from a URL, as a tree with that file in its root. No inputs. */
#define OP_HTTP "http"
struct http_params {
	const char *url;
	const char *filename; /* in the tree */
	const char *checksum; /* "sha256:..." or "" */
};

/* vertex.aside of "http". */
struct http_aside {
	const char *user_password; /* "user:password", or "": never in names, keys and the cache */
};

/* "git": a repository's tree. No inputs. */
#define OP_GIT "git"
struct git_params {
	const char *url, *ref, *subdir;
	const char *checksum; /* the commit, or its beginning, or "" */
	bool keep_git_dir;
};

/* "copy": COPY and ADD: a layer on input 0. */
#define OP_COPY "copy"
struct copy_source {
	uint64_t input; /* which input it comes from; 0: `data` is the file's content */
	const char
		*path; /* in that input, absolute, may have wildcards; of data: the file's name */
	const char *data;  /* a here-document */
	bool unpack;       /* a local archive (tar, plain or compressed) is unpacked at dest */
	bool no_wildcards; /* path means itself (the file of "http") */
};
struct copy_params {
	const struct copy_source *sources;
	size_t n_sources;
	const char *dest;  /* absolute; a slash at the end: a directory */
	const char *chown; /* user[:group], names as input 0 knows them; "" root */
	const char *chmod; /* octal or symbolic; "" as the source has it */
	const char *const *exclude;
	bool link;     /* dest's links in input 0 are not followed */
	bool parents;  /* the sources' folders are kept; "/./" in a path cuts them */
	bool add;      /* ADD, for messages */
	int64_t epoch; /* SOURCE_DATE_EPOCH in seconds; -1: not given */
};

/* "mkdir": WORKDIR: a layer on input 0 with the directory and what lacks above it. */
#define OP_MKDIR "mkdir"
struct mkdir_params {
	const char *path; /* absolute */
	const char *user; /* owner of what is made, as in USER; "" root */
	uint64_t mode;
	int64_t epoch;
};

/* "run": a process in input 0; its changes are a layer. */
#define OP_RUN "run"
struct run_mount {
	const char *type;    /* bind cache tmpfs secret ssh, and "file": here-document with data */
	const char *target;  /* absolute; of secret and ssh "" where only env is asked for */
	uint64_t input;      /* bind and cache: the input that it shows; 0: none (cache: empty) */
	const char *source;  /* bind, cache: the path in it */
	const char *id;      /* cache, secret, ssh */
	const char *sharing; /* cache: shared private locked */
	const char *data;    /* file: the content */
	const char *env;     /* secret: the variable that gets it; "" none */
	bool readonly;       /* bind: unless it has rw (whose changes are dropped); cache */
	bool required;       /* secret, ssh */
	bool has_mode;       /* mode was given */
	uint64_t mode;       /* cache 0755, secret 0400, ssh 0600, file 0755 */
	uint64_t uid, gid;
	uint64_t size; /* tmpfs: bytes; 0 no limit */
};
struct run_params {
	const char *const *args; /* the shell in front */
	const char *const *env;  /* NAME=value */
	const char *cwd, *user;
	const char *network;  /* default none host, or a network's name */
	const char *security; /* sandbox insecure */
	const char *const *devices;
	const struct run_mount *mounts;
	size_t n_mounts;
	const char *const *extra_hosts; /* host=ip */
	const char *hostname;           /* "" the usual */
	const char *const *ulimits;     /* as --ulimit */
	const char *cgroup_parent;
	uint64_t shm_size; /* 0: the usual */
	int64_t epoch;     /* -1: not given */
};

/* vertex.aside of "run": what is no part of the key. */
struct run_aside {
	const char *const *proxy; /* NAME=value, for the environment */
};

/* PARAMS (vertex.params) as a struct, in A. -1 with E set (ERR_INVALID). */
int image_params_read(const char *params, struct arena *a, struct image_params *ret, struct err *e);
int local_params_read(const char *params, struct arena *a, struct local_params *ret, struct err *e);
int http_params_read(const char *params, struct arena *a, struct http_params *ret, struct err *e);
int git_params_read(const char *params, struct arena *a, struct git_params *ret, struct err *e);
int copy_params_read(const char *params, struct arena *a, struct copy_params *ret, struct err *e);
int mkdir_params_read(const char *params, struct arena *a, struct mkdir_params *ret, struct err *e);
int run_params_read(const char *params, struct arena *a, struct run_params *ret, struct err *e);
/* ASIDE may be NULL. */
int http_aside_read(const char *aside, struct arena *a, struct http_aside *ret, struct err *e);
int run_aside_read(const char *aside, struct arena *a, struct run_aside *ret, struct err *e);

/* The other way round: text in A; NULL with E set. */
const char *image_params_write(const struct image_params *p, struct arena *a, struct err *e);
const char *local_params_write(const struct local_params *p, struct arena *a, struct err *e);
const char *http_params_write(const struct http_params *p, struct arena *a, struct err *e);
const char *http_aside_write(const struct http_aside *p, struct arena *a, struct err *e);
const char *git_params_write(const struct git_params *p, struct arena *a, struct err *e);
const char *copy_params_write(const struct copy_params *p, struct arena *a, struct err *e);
const char *mkdir_params_write(const struct mkdir_params *p, struct arena *a, struct err *e);
const char *run_params_write(const struct run_params *p, struct arena *a, struct err *e);
const char *run_aside_write(const struct run_aside *p, struct arena *a, struct err *e);

#endif
