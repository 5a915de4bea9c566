/* SPDX-License-Identifier: Apache-2.0 */
/* RUN: a process in a snapshot, started by the same runtime and with the same isolation as a
 * container of `run`, but without a row in the database and without a monitor: it belongs to the
 * process that builds, and does not outlive it (build-watch.h). What it changed becomes a layer. */
#ifndef KOGGE_ENGINE_BUILD_RUN_H
#define KOGGE_ENGINE_BUILD_RUN_H

#include "engine/container-spec.h"
#include "store/build-layer.h"

struct build_run;
struct build_watch;
struct engine;

/* Something to be seen at TARGET (absolute) while the process runs. */
struct build_run_mount {
	const char *target;
	int source; /* a file or directory, mounted by descriptor; borrowed. -1: a tmpfs, or DATA */
	bool read_only;
	uint64_t size; /* tmpfs: bytes; 0: the kernel's default */
	/* Not NULL: a file of its own with these N bytes, kept in the run directory as long as the
	 * step runs (secrets). */
	const char *data;
	size_t n;
	unsigned mode;
	uint32_t uid, gid;
};

/* What to run; all is borrowed. Zeroed fields mean BuildKit's defaults. */
struct build_run_opts {
	const char *chain;       /* of the layers below; "" or NULL: none */
	const char *const *args; /* with the shell in front, where there is one */
	const char *const *env;
	const char *user, *workdir;
	const char *hostname;      /* NULL: buildkitsandbox */
	bool insecure;             /* --security=insecure; the caller has checked that it may */
	enum spec_ns_mode network; /* host, none, named, or default: the network bridge */
	const char *network_name;  /* where it is named */
	const struct build_run_mount *mounts;
	size_t n_mounts;
	const struct spec_pair *extra_hosts;
	size_t n_extra_hosts;
	const struct spec_resources *resources; /* NULL: none */
	uint64_t shm_size;
	struct build_watch *watch;
};

/* Starts the process. On failure nothing is left of it. */
int build_run_start(struct engine *en, const struct build_run_opts *o, struct build_run **ret,
		    struct err *e);

/* What it prints, stdout and stderr in the order in which they were written: a pipe that does not
 * block, borrowed. At its end the process has ended, or closed its output. */
int build_run_output(const struct build_run *r);

/* Becomes readable when the process ends; borrowed. */
int build_run_pidfd(const struct build_run *r);

/* Waits for its end: 0 to 255, 128 + n for a signal. Everything that it left running is killed. */
int build_run_wait(struct build_run *r, int *ret_status, struct err *e);

/* Makes a layer of what it changed, after build_run_wait. NEWEST as for build_layer_commit. */
int build_run_commit(struct build_run *r, int64_t newest, struct build_layer *ret, struct err *e);

/* Kills what runs, and drops what was not committed. Accepts NULL. */
void build_run_free(struct build_run *r);
DEFINE_FREEP(struct build_run, build_run_free)

#endif
