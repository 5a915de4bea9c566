/* SPDX-License-Identifier: Apache-2.0 */
/* The zstd decoder. */
#include "fuzz-decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct stream_limits limits = FUZZ_LIMITS;
	_cleanup_(stream_freep) struct stream *in = stream_from_mem(data, n, NULL);
	_cleanup_(stream_freep) struct stream *out = stream_unzstd(in, &limits, NULL);

	fuzz_decoder(out);
	return 0;
}
