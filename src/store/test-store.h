/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests of this folder share: a store in a directory of its own. */
#ifndef KOGGE_STORE_TEST_STORE_H
#define KOGGE_STORE_TEST_STORE_H

#include "base/fd.h"
#include "base/path.h"
#include "store/store-internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A root below the build directory (the file system of the build, not tmpfs). */
struct test_store {
	char root[256];
	char run[264];
	struct store *s;
	struct err e;
};

/* Opens the store of T with DRIVER; fails the test where that does not work. */
static inline void test_open(struct test_store *t, const char *driver)
{
	struct store_opts o = {.root = t->root, .run_root = t->run, .driver = driver};

	if (store_open(&o, &t->s, &t->e) < 0)
		fail_msg("store_open: %s", t->e.msg);
}

/* A new directory and an open store in it. */
static inline void test_new(struct test_store *t, const char *driver)
{
	char base[128];

	*t = (struct test_store){.e = ERR_INIT};
	assert_non_null(getcwd(base, sizeof(base)));
	snprintf(t->root, sizeof(t->root), "%s/test-store-XXXXXX", base);
	assert_non_null(mkdtemp(t->root));
	snprintf(t->run, sizeof(t->run), "%s/run", t->root);
	test_open(t, driver);
}

static inline void test_close(struct test_store *t)
{
	store_free(t->s);
	t->s = NULL;
}

static inline void test_done(struct test_store *t)
{
	char *name = strrchr(t->root, '/');
	int dir;

	test_close(t);
	*name = '\0';
	dir = path_open_host(t->root, O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(path_remove_tree(dir, name + 1), 0);
	fd_close(&dir);
}

/* Fails with the message of E unless R is 0 or more. */
#define test_ok(t, r)                                                                              \
	do {                                                                                       \
		if ((r) < 0)                                                                       \
			fail_msg("%s: %s", #r, (t)->e.msg);                                        \
	} while (0)

#endif
