/* SPDX-License-Identifier: Apache-2.0 */
/* An archive that may be compressed with xz or bzip2, which only kogge-unpack decompresses. What is
 * plain, gzip or zstd passes as it is. */
#ifndef KOGGE_STORE_PLAIN_INPUT_H
#define KOGGE_STORE_PLAIN_INPUT_H

#include "unpack/unpack-client.h"

struct plain_input {
	int fd; /* to read from; borrowed where it is the caller's own */
	bool filtered;
	struct unpack_job job;
};

#define PLAIN_INPUT_INIT ((struct plain_input){.fd = -1, .job = UNPACK_JOB_INIT})

/* Looks at what FD (a file, pipe or socket, at its start) holds without reading it, and starts
 * kogge-unpack where it is needed. */
int plain_input_open(struct plain_input *p, int fd, struct err *e);

/* When all was read, or reading failed (RESULT -1 with E set): -1 also where the decompressor says
 * that its input was damaged, with its error, which is nearer to the cause. */
int plain_input_close(struct plain_input *p, int result, struct err *e);

/* Accepts what was never opened; ends what still runs. */
void plain_input_done(struct plain_input *p);

#endif
