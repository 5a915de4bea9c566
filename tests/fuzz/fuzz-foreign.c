/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders of xz and bzip2. */
#include "codec/foreign.h"
#include "fuzz-decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum compression c = n > 0 && data[0] == 'B' ? COMPRESSION_BZIP2 : COMPRESSION_XZ;
	const struct stream_limits limits = FUZZ_LIMITS;
	_cleanup_(stream_freep) struct stream *in = stream_from_mem(data, n, NULL);
	_cleanup_(stream_freep) struct stream *out = stream_foreign(in, c, &limits, NULL);

	fuzz_decoder(out);
	return 0;
}
