/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator under names of its own, beside the one that the test runs with. */
#include <stdlib.h>

#define malloc        own_malloc
#define calloc        own_calloc
#define realloc       own_realloc
#define free          own_free
#define aligned_alloc own_aligned_alloc

void *malloc(size_t n);
void *calloc(size_t n, size_t each);
void *realloc(void *p, size_t n);
void free(void *p);
void *aligned_alloc(size_t alignment, size_t n);

#include "base/musl-malloc.c"

#undef malloc
#undef calloc
#undef realloc
#undef free
#undef aligned_alloc

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 64, STEPS = 4000 };

static bool holds(const unsigned char *p, unsigned char value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

/* Sizes around each class's limit, taken, grown and freed in a changing order. */
static void test_blocks_keep_what_was_written(void **state)
{
	unsigned char *p[SLOTS] = {NULL};
	size_t n[SLOTS] = {0};
	uint32_t dice = 1;

	for (int i = 0; i < STEPS; i++) {
		size_t at, size;

		dice = dice * 1664525 + 1013904223;
		at = (dice >> 8) % SLOTS;
		size = ((size_t)1 << (dice >> 16) % 18) - 20 + (dice >> 24) % 40;
		size = MIN(size, (size_t)1 << 18);
		assert_true(holds(p[at], (unsigned char)at, n[at]));
		if (dice & 0x40) {
			own_free(p[at]);
			p[at] = own_malloc(size);
		} else {
			p[at] = own_realloc(p[at], size);
			assert_true(holds(p[at], (unsigned char)at, MIN(n[at], size)));
		}
		assert_non_null(p[at]);
		assert_int_equal((uintptr_t)p[at] % _Alignof(max_align_t), 0);
		memset(p[at], (int)at, size);
		n[at] = size;
	}
	for (size_t i = 0; i < SLOTS; i++)
		own_free(p[i]);
}

static void test_calloc_clears_what_was_used(void **state)
{
	static const size_t sizes[] = {1, 100, LARGEST - 16, LARGEST, 1000000};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned char *p = own_malloc(sizes[i]);

		memset(p, 0xff, sizes[i]);
		own_free(p);
		p = own_calloc(1, sizes[i]);
		assert_true(holds(p, 0, sizes[i]));
		own_free(p);
	}
}

static void test_too_much_is_refused(void **state)
{
	void *p = own_malloc(100000);

	assert_null(own_malloc(SIZE_MAX));
	assert_null(own_malloc(SIZE_MAX / 2));
	assert_null(own_calloc(SIZE_MAX / 2, 4));
	assert_null(own_realloc(p, SIZE_MAX - 8));
	assert_null(own_aligned_alloc(4096, 4096));
	own_free(p);
	own_free(NULL);
}

static void test_second_free_ends_the_program(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		void *p = own_malloc(10);

		own_free(p);
		own_free(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_keep_what_was_written),
		cmocka_unit_test(test_calloc_clears_what_was_used),
		cmocka_unit_test(test_too_much_is_refused),
		cmocka_unit_test(test_second_free_ends_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
