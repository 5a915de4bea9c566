/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"
#include "engine/engine-internal.h"

#include <stdio.h>

static const char *const adjectives[] = {
	"able",    "airy",   "amber",  "bold",  "brave",  "brisk",  "calm",   "candid",
	"clear",   "clever", "cosy",   "crisp", "daring", "deft",   "eager",  "early",
	"fair",    "fleet",  "frank",  "free",  "gentle", "glad",   "grand",  "hardy",
	"honest",  "humble", "jolly",  "keen",  "kind",   "light",  "lively", "loyal",
	"lucid",   "mellow", "merry",  "mild",  "modest", "neat",   "nimble", "noble",
	"patient", "plain",  "proud",  "quick", "quiet",  "ready",  "robust", "round",
	"serene",  "sharp",  "silent", "smart", "solid",  "steady", "sunny",  "swift",
	"tidy",    "tough",  "vivid",  "warm",  "wise",   "witty",  "young",  "zesty",
};

static const char *const people[] = {
	"abbe",    "agnesi",   "ampere",   "babbage",  "bardeen", "bell",   "bessel",   "bohr",
	"boole",   "cantor",   "celsius",  "cerf",     "church",  "curie",  "dijkstra", "dirac",
	"doppler", "ericsson", "euclid",   "euler",    "faraday", "fermi",  "floyd",    "fourier",
	"galois",  "gauss",    "goedel",   "hamilton", "hamming", "hertz",  "hilbert",  "hoare",
	"hopper",  "huffman",  "huygens",  "joule",    "kelvin",  "kepler", "kilby",    "lamarr",
	"laplace", "leibniz",  "lovelace", "maxwell",  "meitner", "mendel", "morse",    "napier",
	"neumann", "newton",   "noether",  "ohm",      "pascal",  "planck", "ritchie",  "shannon",
	"siemens", "stallman", "tesla",    "thompson", "turing",  "volta",  "watt",     "zuse",
};

const char *container_name_new(int try, char out[64])
{
	unsigned char r[3] = {0};
	int n;

	(void)!random_bytes(r, sizeof(r));
	n = snprintf(out, 64, "%s_%s", adjectives[r[0] % ARRAY_SIZE(adjectives)],
		     people[r[1] % ARRAY_SIZE(people)]);
	if (try > 0)
		snprintf(out + n, 64 - (size_t)n, "%d", r[2] % 10);
	return out;
}
