/* SPDX-License-Identifier: Apache-2.0 */
/* container-exec.c and container-exec-io.c. */
#ifndef KOGGE_ENGINE_CONTAINER_EXEC_INTERNAL_H
#define KOGGE_ENGINE_CONTAINER_EXEC_INTERNAL_H

#include "engine/container-exec.h"

/* Makes what the process gets as descriptors 0 to 2 and what this side keeps of it. */
struct exec_io {
	int in[2], out[2], err_out[2]; /* read, write */
	int stdio[3];                  /* the process's; borrowed from the above, -1: none */
};

#define EXEC_IO_INIT                                                                               \
	((struct exec_io){                                                                         \
		.in = {-1, -1}, .out = {-1, -1}, .err_out = {-1, -1}, .stdio = {-1, -1, -1}})

/* Pipes for what ATTACH wants attached. */
int exec_io_init(struct exec_io *io, const struct attach_opts *attach, struct err *e);
void exec_io_done(struct exec_io *io);

/* Stays with the process X: moves bytes until it ended (RET->code) or the user left
 * (RET->detached). IO NULL: a terminal, X->proc.pty, which it takes. */
int exec_io_run(struct exec_io *io, struct container_exec *x, const struct attach_opts *attach,
		struct container_exit *ret, struct err *e);

#endif
