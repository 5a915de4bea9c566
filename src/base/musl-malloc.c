/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator of kogge and kogge-runtime with musl, whose own one maps and unmaps a page for each
 * size that a short program uses for a moment: 70 system calls and 40 page faults of a start.
 *
 * Blocks of 32 << class bytes are cut from regions one after the other; freed ones are kept in a
 * list of their class, and never returned to the kernel. What is larger is a mapping of its own.
 * Each block begins with a head that says what it is: a pointer that was not given out here, a
 * second free and a head that was written over end the program. The head and the links are mixed
 * with a number that the kernel drew for this process, so that who writes over one cannot know what
 * to write. For programs without threads. */
#include "base/macro.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

enum { CLASSES = 11, SMALLEST = 32, LARGEST = SMALLEST << (CLASSES - 1), REGION = 64 * 1024 };
enum { LIVE = 0x6b6f6767, FREE = 0x65667265 };

struct head {
	uint32_t state; /* sealed: depends on the place, too */
	uint32_t class; /* CLASSES: a mapping of its own */
	size_t size;    /* with the head */
};

struct block {
	struct head head;
	uintptr_t next; /* of a freed one: the block, mixed with the secret */
};

_Static_assert(sizeof(struct head) % _Alignof(max_align_t) == 0, "what follows is aligned");
_Static_assert(sizeof(struct block) <= SMALLEST, "the smallest block has room for its link");

/* The process's heap; an exception to "no globals", because malloc has no argument for it. */
static struct {
	char *at;
	size_t room;
	uintptr_t secret; /* 0: not read yet */
	struct block *freed[CLASSES];
} heap;

/* The second half of getauxval(3)'s AT_RANDOM; the first is the stack protector's. */
static uintptr_t secret(void)
{
	const char *random;

	if (heap.secret)
		return heap.secret;
	random = (const char *)getauxval(AT_RANDOM);
	if (random)
		memcpy(&heap.secret, random + 8, sizeof(heap.secret));
	heap.secret |= 1;
	return heap.secret;
}

static uint32_t sealed(const struct block *b, uint32_t state, uint32_t class)
{
	uintptr_t mix = secret() ^ ((uintptr_t)b >> 4);

	return state ^ class ^ (uint32_t)mix ^ (uint32_t)(mix >> 32);
}

static void check(const struct block *b, uint32_t state)
{
	if (b->head.class > CLASSES || b->head.state != sealed(b, state, b->head.class))
		abort();
	if (b->head.class < CLASSES && b->head.size != (size_t)SMALLEST << b->head.class)
		abort();
}

static void *give(struct block *b, uint32_t class, size_t size)
{
	b->head = (struct head){.state = sealed(b, LIVE, class), .class = class, .size = size};
	return (char *)b + sizeof(struct head);
}

static struct block *block_of(void *p)
{
	struct block *b = (struct block *)(void *)((char *)p - sizeof(struct head));

	check(b, LIVE);
	return b;
}

static void *map(size_t size, int flags)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

static void keep(struct block *b, uint32_t class)
{
	b->head = (struct head){
		.state = sealed(b, FREE, class), .class = class, .size = (size_t)SMALLEST << class};
	b->next = (uintptr_t)heap.freed[class] ^ secret();
	heap.freed[class] = b;
}

/* What is left of a region, too small for what is wanted, becomes free blocks. */
static void keep_rest(void)
{
	for (uint32_t class = CLASSES; class -- > 0;)
		while (heap.room >= (size_t)SMALLEST << class) {
			keep((struct block *)(void *)heap.at, class);
			heap.at += (size_t)SMALLEST << class;
			heap.room -= (size_t)SMALLEST << class;
		}
}

/* A block that was freed, or the next part of a region. */
static struct block *cut(uint32_t class, size_t size)
{
	struct block *b = heap.freed[class];

	if (b) {
		check(b, FREE);
		heap.freed[class] = (struct block *)(b->next ^ secret());
		return b;
	}
	if (heap.room < size) {
		/* Its pages at once: one by one they cost a fault each. */
		char *region = map(REGION, MAP_POPULATE);

		if (!region)
			return NULL;
		keep_rest();
		heap.at = region;
		heap.room = REGION;
	}
	b = (struct block *)(void *)heap.at;
	heap.at += size;
	heap.room -= size;
	return b;
}

static void *take(size_t n)
{
	size_t size = SMALLEST, need = n + sizeof(struct head);
	struct block *b;
	uint32_t class = 0;

	if (n > PTRDIFF_MAX - REGION) {
		errno = ENOMEM;
		return NULL;
	}
	while (class < CLASSES && size < need) {
		size *= 2;
		class ++;
	}
	if (class == CLASSES)
		size = need;
	b = class == CLASSES ? map(size, 0) : cut(class, size);
	return b ? give(b, class, size) : NULL;
}

void *malloc(size_t n)
{
	return take(n);
}

void *calloc(size_t n, size_t each)
{
	size_t all;
	void *p;

	if (__builtin_mul_overflow(n, each, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	p = take(all);
	if (p && block_of(p)->head.class < CLASSES)
		memset(p, 0, all);
	return p;
}

void free(void *p)
{
	struct block *b = p ? block_of(p) : NULL;
	int before = errno;

	if (!b)
		return;
	if (b->head.class == CLASSES) {
		munmap(b, b->head.size);
		errno = before;
		return;
	}
	keep(b, b->head.class);
}

static void *remap(struct block *b, size_t n)
{
	size_t size = n + sizeof(struct head);

	b = n > PTRDIFF_MAX - REGION ? MAP_FAILED : mremap(b, b->head.size, size, MREMAP_MAYMOVE);
	if (b == MAP_FAILED) {
		errno = ENOMEM;
		return NULL;
	}
	return give(b, CLASSES, size);
}

void *realloc(void *p, size_t n)
{
	struct block *b = p ? block_of(p) : NULL;
	size_t had = b ? b->head.size - sizeof(struct head) : 0;
	void *more;

	if (b && n <= had)
		return p;
	if (b && b->head.class == CLASSES)
		return remap(b, n);
	more = take(n);
	if (more && b) {
		memcpy(more, p, had);
		free(p);
	}
	return more;
}

void *aligned_alloc(size_t alignment, size_t n)
{
	if (alignment <= _Alignof(max_align_t))
		return take(n);
	errno = ENOMEM;
	return NULL;
}
