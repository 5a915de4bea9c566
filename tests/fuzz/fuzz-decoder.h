/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets of decoders share: any bytes, read in pieces of odd sizes; limits hold, and the
 * end stays the end. */
#ifndef KOGGE_TESTS_FUZZ_FUZZ_DECODER_H
#define KOGGE_TESTS_FUZZ_FUZZ_DECODER_H

#include "codec/stream.h"

#define FUZZ_LIMITS                                                                                \
	((struct stream_limits){.max_out = 4 << 20, .max_ratio = 1000, .ratio_slack = 1 << 20})

/* Reads OUT, which was opened with FUZZ_LIMITS, to its end. */
static inline void fuzz_decoder(struct stream *out)
{
	static const size_t sizes[] = {1, 512, 65536, 7};
	static char block[65536];
	uint64_t total = 0;
	struct err e = ERR_INIT;
	ssize_t r;

	for (size_t i = 0; (r = stream_read(out, block, sizes[i % ARRAY_SIZE(sizes)], &e)) > 0; i++)
		total += (uint64_t)r;
	if (total > FUZZ_LIMITS.max_out || (r < 0) != (e.class != ERR_NONE) ||
	    stream_read(out, block, 1, &e) != r)
		__builtin_trap();
}

#endif
