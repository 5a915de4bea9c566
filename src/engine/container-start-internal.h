/* SPDX-License-Identifier: Apache-2.0 */
/* A start between its preparation (container-prepare.c) and the fork (container-start.c). */
#ifndef KOGGE_ENGINE_CONTAINER_START_INTERNAL_H
#define KOGGE_ENGINE_CONTAINER_START_INTERNAL_H

#include "base/buf.h"
#include "engine/engine-internal.h"
#include "engine/mount-internal.h"
#include "engine/network-internal.h"
#include "runtime/container.h"

enum { START_PATH_SIZE = 4096, START_FILTER_MAX = 1 << 20 };

struct client;

/* Everything between the preparation and the fork. */
struct start {
	struct engine *en;
	struct container *c;
	const struct attach_opts *attach;
	struct runtime_config config;
	struct start_facts facts;
	struct buf seccomp;
	char run_path[START_PATH_SIZE], init_path[START_PATH_SIZE];
	int run_dir, lock, rootfs, program, init;
	int pair[2];                   /* client, monitor */
	int in[2], out[2], err_out[2]; /* read, write */
	int client_in;
	struct endpoints endpoints; /* of its networks */
	struct client *client;
	bool restart; /* by its policy: this process becomes the monitor, without a client */
	bool fresh;   /* this process has just made the container: its row is what it has here */
};

#define START_INIT                                                                                 \
	((struct start){.config = RUNTIME_CONFIG_INIT,                                             \
			.seccomp = BUF_INIT(START_FILTER_MAX),                                     \
			.facts = {.shared_shm = -1},                                               \
			.run_dir = -1,                                                             \
			.lock = -1,                                                                \
			.rootfs = -1,                                                              \
			.program = -1,                                                             \
			.init = -1,                                                                \
			.pair = {-1, -1},                                                          \
			.in = {-1, -1},                                                            \
			.out = {-1, -1},                                                           \
			.err_out = {-1, -1},                                                       \
			.client_in = -1})

/* Closes what is left of it. */
void start_done(struct start *s);

/* Fills S, whose first members say what to start, up to where a process is needed: the lock, the
 * mounts, the configuration, pipes and sockets. -1 with E; what was made is S's. */
int start_prepare(struct start *s, struct err *e);

#endif
