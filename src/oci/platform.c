/* SPDX-License-Identifier: Apache-2.0 */
/* After github.com/containerd/platforms: database.go (normalisation) and compare.go (order). */
#include "oci/platform.h"

#include "base/json.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/utsname.h>

/* Copies S where it fits and consists of characters that names of platforms have. */
static bool take_name(char *out, size_t size, const char *s, size_t n)
{
	if (n >= size || (n && !isalnum((unsigned char)s[0])))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
			return false;
	}
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

static void set(char out[32], const char *s)
{
	snprintf(out, 32, "%s", s);
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static void normalize_arm(struct platform *p)
{
	if (str_eq(p->architecture, "armhf")) {
		set(p->architecture, "arm");
		set(p->variant, "v7");
	} else if (str_eq(p->architecture, "armel")) {
		set(p->architecture, "arm");
		set(p->variant, "v6");
	}
	if (!p->variant[0] || str_eq(p->variant, "7"))
		set(p->variant, "v7");
	else if (strlen(p->variant) == 1 && isdigit((unsigned char)p->variant[0]))
		set(p->variant, (char[]){'v', p->variant[0], '\0'});
}

void platform_normalize(struct platform *p)
{
	lower(p->os);
	lower(p->architecture);
	lower(p->variant);
	if (str_eq(p->os, "macos"))
		set(p->os, "darwin");
	if (str_eq(p->architecture, "i386")) {
		set(p->architecture, "386");
		p->variant[0] = '\0';
	} else if (str_eq(p->architecture, "x86_64") || str_eq(p->architecture, "x86-64")) {
		set(p->architecture, "amd64");
	} else if (str_eq(p->architecture, "aarch64")) {
		set(p->architecture, "arm64");
	}
	if (str_eq(p->architecture, "amd64") && str_eq(p->variant, "v1"))
		p->variant[0] = '\0';
	if (str_eq(p->architecture, "arm64") &&
	    (!p->variant[0] || str_eq(p->variant, "8") || str_eq(p->variant, "v8.0")))
		set(p->variant, "v8");
	if (str_after(p->architecture, "arm") && !str_eq(p->architecture, "arm64"))
		normalize_arm(p);
}

void platform_host(struct platform *ret)
{
	struct platform p = {.os = "linux", .architecture = "amd64"};
	struct utsname u;
	char machine[32];

	if (uname(&u) == 0) {
		snprintf(machine, sizeof(machine), "%.31s", u.machine);
		set(p.architecture, machine);
		if (str_after(machine, "armv") && isdigit((unsigned char)machine[4])) {
			set(p.architecture, "arm");
			set(p.variant, (char[]){'v', machine[4], '\0'});
		} else if (machine[0] == 'i' && str_eq(machine + 2, "86")) {
			set(p.architecture, "386");
		}
	}
	platform_normalize(&p);
	*ret = p;
}

static bool is_known_os(const char *s)
{
	static const char *const known[] = {"aix",    "android", "darwin",  "dragonfly", "freebsd",
					    "linux",  "netbsd",  "openbsd", "plan9",     "solaris",
					    "wasip1", "windows", "macos",   "illumos",   NULL};

	return strv_has(known, s);
}

static bool is_known_architecture(const char *s)
{
	static const char *const known[] = {"386",     "amd64",   "amd64p32", "arm",      "arm64",
					    "armbe",   "arm64be", "ppc64",    "ppc64le",  "loong64",
					    "mips",    "mipsle",  "mips64",   "mips64le", "ppc",
					    "riscv",   "riscv64", "s390",     "s390x",    "sparc",
					    "sparc64", "wasm",    "i386",     "x86_64",   "x86-64",
					    "aarch64", "armhf",   "armel",    NULL};

	return strv_has(known, s);
}

static int bad_platform(const char *s, const char *why, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "invalid platform '%.100s': %s", s, why);
}

/* One word: an operating system or an architecture. */
static int parse_one(const char *s, struct platform *p, struct err *e)
{
	struct platform host, as = *p;

	platform_host(&host);
	lower(as.os);
	if (is_known_os(as.os)) {
		set(p->architecture, host.architecture);
		set(p->variant, host.variant);
		return 0;
	}
	if (!is_known_architecture(as.os))
		return bad_platform(s, "unknown operating system or architecture", e);
	set(p->architecture, as.os);
	set(p->os, host.os);
	return 0;
}

int platform_parse(const char *s, struct platform *ret, struct err *e)
{
	struct platform p = {.os = ""};
	char *const fields[] = {p.os, p.architecture, p.variant};
	const char *at = s;
	size_t n = 0;

	for (;; at++) {
		size_t len = strcspn(at, "/");

		if (n == ARRAY_SIZE(fields))
			return bad_platform(s, "it has more than os/architecture/variant", e);
		if (!len || !take_name(fields[n++], 32, at, len))
			return bad_platform(s, "each part is 1 to 31 letters, digits, _ . -", e);
		at += len;
		if (!*at)
			break;
	}
	if (n == 1 && parse_one(s, &p, e) < 0)
		return -1;
	platform_normalize(&p);
	*ret = p;
	return 0;
}

const char *platform_text(const struct platform *p, char out[PLATFORM_TEXT_SIZE])
{
	bool show =
		p->variant[0] && !(str_eq(p->architecture, "arm64") && str_eq(p->variant, "v8"));

	snprintf(out, PLATFORM_TEXT_SIZE, "%s/%s%s%s", p->os[0] ? p->os : "unknown",
		 p->architecture[0] ? p->architecture : "unknown", show ? "/" : "",
		 show ? p->variant : "");
	return out;
}

/* "v7" is 7, "v8.1" is 8, "" is DEFAULT; -1 for anything else. */
static int level(const char *variant, int otherwise)
{
	if (!variant[0])
		return otherwise;
	if (variant[0] != 'v' || !isdigit((unsigned char)variant[1]))
		return -1;
	return variant[1] - '0';
}

/* Variants of one architecture: the wanted one best, then downwards. */
static unsigned match_levels(const struct platform *want, const struct platform *have,
			     int otherwise, unsigned best)
{
	int w = level(want->variant, otherwise), h = level(have->variant, otherwise);

	if (str_eq(want->variant, have->variant))
		return best;
	if (w < 0 || h < 0 || h > w)
		return 0;
	return best - 1 - (unsigned)(w - h);
}

unsigned platform_match(const struct platform *want, const struct platform *have)
{
	const char *w = want->architecture, *h = have->architecture;

	if (!str_eq(want->os, have->os))
		return 0;
	if (str_eq(w, h)) {
		if (str_eq(w, "amd64"))
			return match_levels(want, have, 1, 100);
		if (str_eq(w, "arm"))
			return match_levels(want, have, 7, 100);
		if (str_eq(w, "arm64"))
			return match_levels(want, have, 8, 100);
		return str_eq(want->variant, have->variant) ? 100 : !have->variant[0] ? 99 : 0;
	}
	if (str_eq(w, "amd64") && str_eq(h, "386"))
		return 50;
	if (str_eq(w, "arm64") && str_eq(h, "arm")) {
		struct platform arm = {.variant = "v8"};

		return match_levels(&arm, have, 7, 50);
	}
	return 0;
}

static int read_name(const struct json_reader *r, const char *key, char *out, size_t size,
		     struct err *e)
{
	const char *s = NULL;
	int n = json_read_str(r, key, &s, e);

	if (n > 0 && !take_name(out, size, s, strlen(s)))
		return json_read_fail(r, key, ERR_INVALID, e, "'%.60s' is no name of a platform",
				      s);
	return n;
}

int platform_read(const struct json_reader *r, struct platform *ret, struct err *e)
{
	struct platform p = {.os = ""};

	if (read_name(r, "os", p.os, sizeof(p.os), e) < 0 ||
	    read_name(r, "architecture", p.architecture, sizeof(p.architecture), e) < 0 ||
	    read_name(r, "variant", p.variant, sizeof(p.variant), e) < 0 ||
	    read_name(r, "os.version", p.os_version, sizeof(p.os_version), e) < 0)
		return -1;
	*ret = p;
	return 0;
}
