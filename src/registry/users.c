/* SPDX-License-Identifier: Apache-2.0 */
/* Users with passwords. bcrypt takes tens of milliseconds by design, and a client sends its
 * password with each request: what was right is remembered for some minutes, as a digest under a
 * secret of this process. A name that does not exist is checked against a hash of nobody's, so that
 * the time tells nothing. */
#include "registry/access.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#define FILE_MAX     ((size_t)4 << 20)
#define REMEMBERED   256U
#define REMEMBER_NS  ((int64_t)300 * (int64_t)NUM_NS_PER_S)
#define PASSWORD_MAX 1024
/* Of a random password that is not kept anywhere. */
#define NOBODY "$2y$10$QvCkWM8KD8ZqCGB0EN1Ope1Bp9wX6z8gXk1o7v7nnWZ2R7pIF4/0K"

struct remembered {
	unsigned char digest[SHA256_SIZE];
	int64_t until;
};

struct users {
	char *path;
	pthread_mutex_t mutex;
	char *text; /* the file, its lines ended by NUL bytes */
	size_t n;
	unsigned char secret[SHA256_SIZE];
	struct remembered right[REMEMBERED];
};

static bool is_bcrypt(const char *hash)
{
	return strlen(hash) == 60 &&
	       (str_after(hash, "$2y$") || str_after(hash, "$2b$") || str_after(hash, "$2a$"));
}

/* Cuts the lines and checks each: name, colon, hash. */
static int check_lines(char *text, size_t n, struct err *e)
{
	unsigned number = 0;

	for (char *line = text; line < text + n;) {
		char *end = memchr(line, '\n', (size_t)(text + n - line));
		char *colon;

		end = end ? end : text + n;
		*end = '\0';
		number++;
		if (end > line && end[-1] == '\r')
			end[-1] = '\0';
		colon = strchr(line, ':');
		if (*line && *line != '#' && (!colon || colon == line || !is_bcrypt(colon + 1)))
			return err_set(e, ERR_INVALID, 0,
				       "line %u is no user with a bcrypt hash (htpasswd -B)",
				       number);
		line = end + 1;
	}
	return 0;
}

int users_reload(struct users *u, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(u->path, O_RDONLY | O_CLOEXEC, 0);
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_MAX + 1);
	int r = fd < 0 ? fd : fd_read_all(fd, &text, FILE_MAX);
	size_t n = text.len;
	char *new;

	if (r < 0)
		return err_errno(e, r, "reading '%s'", u->path);
	new = buf_take(&text);
	if (!new)
		return err_errno(e, ENOMEM, "reading '%s'", u->path);
	if (check_lines(new, n, e) < 0) {
		free(new);
		return err_wrap(e, "'%s'", u->path);
	}
	pthread_mutex_lock(&u->mutex);
	free(u->text);
	u->text = new;
	u->n = n;
	memset(u->right, 0, sizeof(u->right));
	pthread_mutex_unlock(&u->mutex);
	return 0;
}

struct users *users_load(const char *path, struct err *e)
{
	struct users *u = calloc(1, sizeof(*u));

	if (u)
		u->path = strdup(path);
	if (!u || !u->path || random_bytes(u->secret, sizeof(u->secret)) < 0) {
		err_errno(e, ENOMEM, "reading '%s'", path);
		free(u);
		return NULL;
	}
	pthread_mutex_init(&u->mutex, NULL);
	if (users_reload(u, e) < 0) {
		users_free(u);
		return NULL;
	}
	return u;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	pthread_mutex_destroy(&u->mutex);
	free(u->path);
	free(u->text);
	free(u);
}

/* The hash of NAME, or of nobody. Under the mutex. */
static bool find_hash(const struct users *u, const char *name, char ret[64])
{
	size_t n = strlen(name);

	for (const char *line = u->text; line < u->text + u->n; line += strlen(line) + 1)
		if (*line != '#' && strncmp(line, name, n) == 0 && line[n] == ':') {
			memcpy(ret, line + n + 1, 61);
			return true;
		}
	memcpy(ret, NOBODY, 61);
	return false;
}

/* Whether two strings of the same length are equal, in a time that does not tell where they
 * differ. */
static bool same(const char *a, const char *b, size_t n)
{
	unsigned char d = 0;

	for (size_t i = 0; i < n; i++)
		d |= (unsigned char)(a[i] ^ b[i]);
	return d == 0;
}

static bool password_fits(const char *hash, const char *password)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	char *got = data ? crypt_rn(password, hash, data, sizeof(*data)) : NULL;
	bool fits = got && strlen(got) == strlen(hash) && same(got, hash, strlen(hash));

	free(data);
	return fits;
}

static void digest_pair(const struct users *u, const char *name, const char *password,
			unsigned char ret[SHA256_SIZE])
{
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, u->secret, sizeof(u->secret));
	sha256_add(&h, name, strlen(name) + 1);
	sha256_add(&h, password, strlen(password));
	sha256_end(&h, ret);
}

bool users_check(struct users *u, const char *name, const char *password)
{
	unsigned char digest[SHA256_SIZE];
	struct remembered *slot;
	bool known, right;
	char hash[64];

	if (strchr(name, '\n') || strlen(password) > PASSWORD_MAX)
		return false;
	digest_pair(u, name, password, digest);
	slot = &u->right[digest[0] % REMEMBERED];
	pthread_mutex_lock(&u->mutex);
	right = slot->until > clock_monotonic() &&
		memcmp(slot->digest, digest, sizeof(digest)) == 0;
	known = find_hash(u, name, hash);
	pthread_mutex_unlock(&u->mutex);
	if (right)
		return true;
	if (!password_fits(hash, password) || !known)
		return false;
	pthread_mutex_lock(&u->mutex);
	memcpy(slot->digest, digest, sizeof(digest));
	slot->until = clock_monotonic() + REMEMBER_NS;
	pthread_mutex_unlock(&u->mutex);
	return true;
}
