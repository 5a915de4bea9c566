/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithm of a token must be the one of the key that it is checked with: a public RSA key
 * never serves as the secret of an HMAC, and "none" is no algorithm (RFC 8725 3.1). */
#include "registry/jwt.h"

#include "base/buf.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>

#define LEEWAY_S ((int64_t)30)
#define RS_SIZE  32 /* r and s of P-256 */
#define RSA_BITS 2048U

struct jwt_key {
	const char *name; /* "RS256" */
	gnutls_sign_algorithm_t algorithm;
	gnutls_pubkey_t public;
	gnutls_privkey_t secret; /* NULL for a public key alone */
};

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_decode(const char *s, size_t n, char **ret, size_t *ret_n)
{
	_cleanup_(freep) unsigned char *out = NULL;
	uint32_t bits = 0;
	size_t m = 0;

	if (n % 4 == 1)
		return -EINVAL;
	out = malloc(n / 4 * 3 + 4);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int v = sextet(s[i]);

		if (v < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4)
			out[m++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	/* Two or three characters at the end leave four or two bits over, which must be 0. */
	if (n % 4 && bits & (n % 4 == 2 ? 15U : 3U))
		return -EINVAL;
	out[m] = '\0';
	*ret = (char *)TAKE_PTR(out);
	*ret_n = m;
	return 0;
}

static int base64url_put(struct buf *out, const void *data, size_t n)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *p = data;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);
		size_t digits = MIN(n - i, 3) + 1;

		for (size_t k = 0; k < digits && r == 0; k++)
			r = buf_putc(out, letters[v >> (18 - 6 * k) & 63]);
	}
	return r;
}

void jwt_key_free(struct jwt_key *k)
{
	if (!k)
		return;
	gnutls_pubkey_deinit(k->public);
	gnutls_privkey_deinit(k->secret);
	free(k);
}

/* Chooses the one algorithm that the key is for. */
static int choose(struct jwt_key *k, struct err *e)
{
	unsigned bits = 0;
	int type = gnutls_pubkey_get_pk_algorithm(k->public, &bits);
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;

	if (type == GNUTLS_PK_RSA && bits >= RSA_BITS) {
		k->name = "RS256";
		k->algorithm = GNUTLS_SIGN_RSA_SHA256;
	} else if (type == GNUTLS_PK_ECDSA &&
		   gnutls_pubkey_export_ecc_raw(k->public, &curve, NULL, NULL) == 0 &&
		   curve == GNUTLS_ECC_CURVE_SECP256R1) {
		k->name = "ES256";
		k->algorithm = GNUTLS_SIGN_ECDSA_SHA256;
	} else if (type == GNUTLS_PK_EDDSA_ED25519) {
		k->name = "EdDSA";
		k->algorithm = GNUTLS_SIGN_EDDSA_ED25519;
	} else {
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "the key is none of RSA (2048 bits or more), P-256, Ed25519");
	}
	return 0;
}

static int import_certificate(gnutls_pubkey_t key, const gnutls_datum_t *pem)
{
	gnutls_x509_crt_t certificate;
	int r = gnutls_x509_crt_init(&certificate);

	if (r < 0)
		return r;
	r = gnutls_x509_crt_import(certificate, pem, GNUTLS_X509_FMT_PEM);
	if (r == 0)
		r = gnutls_pubkey_import_x509(key, certificate, 0);
	gnutls_x509_crt_deinit(certificate);
	return r;
}

static int import(struct jwt_key *k, const gnutls_datum_t *pem, bool secret)
{
	int r = gnutls_pubkey_init(&k->public);

	if (r < 0)
		return r;
	if (!secret) {
		r = gnutls_pubkey_import(k->public, pem, GNUTLS_X509_FMT_PEM);
		return r == 0 ? 0 : import_certificate(k->public, pem);
	}
	r = gnutls_privkey_init(&k->secret);
	if (r == 0)
		r = gnutls_privkey_import_x509_raw(k->secret, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	return r < 0 ? r : gnutls_pubkey_import_privkey(k->public, k->secret, 0, 0);
}

struct jwt_key *jwt_key_import(const char *pem, size_t n, bool secret, struct err *e)
{
	const gnutls_datum_t d = {.data = (unsigned char *)(uintptr_t)pem, .size = (unsigned)n};
	struct jwt_key *k = calloc(1, sizeof(*k));
	int r;

	if (!k) {
		err_errno(e, ENOMEM, "reading a key");
		return NULL;
	}
	r = import(k, &d, secret);
	if (r < 0)
		err_set(e, ERR_INVALID, 0, "reading a key: %s", gnutls_strerror(r));
	if (r < 0 || choose(k, e) < 0) {
		jwt_key_free(k);
		return NULL;
	}
	return k;
}

/* Signatures of ES256 are r and s one behind the other (RFC 7518 3.4); GnuTLS takes them in DER. */
static bool verify_one(const struct jwt_key *k, const gnutls_datum_t *data,
		       const gnutls_datum_t *signature)
{
	gnutls_datum_t der = *signature, r = *signature, s = *signature;
	int ok;

	if (k->algorithm != GNUTLS_SIGN_ECDSA_SHA256)
		return gnutls_pubkey_verify_data2(k->public, k->algorithm, 0, data, signature) >= 0;
	if (signature->size != (unsigned)(2 * RS_SIZE))
		return false;
	r.size = s.size = RS_SIZE;
	s.data += RS_SIZE;
	if (gnutls_encode_rs_value(&der, &r, &s) < 0)
		return false;
	ok = gnutls_pubkey_verify_data2(k->public, k->algorithm, 0, data, &der);
	gnutls_free(der.data);
	return ok >= 0;
}

static json_t *decode_part(const char *s, size_t n, const char *what, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	json_t *j;
	size_t m;

	if (base64url_decode(s, n, &text, &m) < 0) {
		err_set(e, ERR_INVALID, 0, "the %s is not base64", what);
		return NULL;
	}
	j = json_parse(text, m, what, e);
	if (j && !json_is_object(j)) {
		json_decref(j);
		err_set(e, ERR_INVALID, 0, "the %s is no object", what);
		return NULL;
	}
	return j;
}

/* The parts of a token: header, claims and signature between dots. */
struct parts {
	size_t header, claims, signature; /* their lengths */
};

static int split(const char *token, size_t n, struct parts *p, struct err *e)
{
	const char *first, *second;

	if (n > JWT_SIZE_MAX)
		return err_set(e, ERR_LIMIT, 0, "the token is longer than %zu bytes", JWT_SIZE_MAX);
	first = memchr(token, '.', n);
	second = first ? memchr(first + 1, '.', n - (size_t)(first + 1 - token)) : NULL;
	if (!second || memchr(second + 1, '.', n - (size_t)(second + 1 - token)))
		return err_set(e, ERR_INVALID, 0, "the token has not three parts");
	p->header = (size_t)(first - token);
	p->claims = (size_t)(second - first - 1);
	p->signature = n - (size_t)(second + 1 - token);
	return 0;
}

static int check_signature(const struct jwt_keys *keys, const char *token, const struct parts *p,
			   struct err *e)
{
	_cleanup_(json_unref) json_t *header = decode_part(token, p->header, "token's header", e);
	_cleanup_(freep) char *raw = NULL;
	gnutls_datum_t data = {.data = (unsigned char *)(uintptr_t)token}, signature = {NULL, 0};
	const char *algorithm;
	size_t n;

	if (!header)
		return -1;
	if (json_object_get(header, "crit"))
		return err_set(e, ERR_DENIED, 0, "the token has extensions that are not known");
	algorithm = json_string_value(json_object_get(header, "alg"));
	data.size = (unsigned)(p->header + 1 + p->claims);
	if (base64url_decode(token + data.size + 1, p->signature, &raw, &n) < 0)
		return err_set(e, ERR_INVALID, 0, "the token's signature is not base64");
	signature.data = (unsigned char *)raw;
	signature.size = (unsigned)n;
	for (size_t i = 0; algorithm && i < keys->n; i++)
		if (str_eq(keys->v[i]->name, algorithm) &&
		    verify_one(keys->v[i], &data, &signature))
			return 0;
	return err_set(e, ERR_DENIED, 0, "no known key has signed the token");
}

static bool audience_has(const json_t *aud, const char *want)
{
	const json_t *one;
	size_t i;

	if (json_is_string(aud))
		return str_eq(json_string_value(aud), want);
	json_array_foreach (aud, i, one) {
		if (json_is_string(one) && str_eq(json_string_value(one), want))
			return true;
	}
	return false;
}

static int check_claims(const json_t *claims, const struct jwt_expect *want, struct err *e)
{
	const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
	const char *iss = json_string_value(json_object_get(claims, "iss"));
	int64_t now = want->now / (int64_t)NUM_NS_PER_S;

	if (!iss || !str_eq(iss, want->issuer))
		return err_set(e, ERR_DENIED, 0, "the token is of another issuer");
	if (!audience_has(json_object_get(claims, "aud"), want->audience))
		return err_set(e, ERR_DENIED, 0, "the token is for another service");
	if (!json_is_integer(exp) || json_integer_value(exp) < now - LEEWAY_S)
		return err_set(e, ERR_DENIED, 0, "the token has expired");
	if (nbf && (!json_is_integer(nbf) || json_integer_value(nbf) > now + LEEWAY_S))
		return err_set(e, ERR_DENIED, 0, "the token does not hold yet");
	return 0;
}

json_t *jwt_verify(const struct jwt_keys *keys, const char *token, size_t n,
		   const struct jwt_expect *want, struct err *e)
{
	struct parts p = {0};
	json_t *claims;

	if (split(token, n, &p, e) < 0 || check_signature(keys, token, &p, e) < 0)
		return NULL;
	claims = decode_part(token + p.header + 1, p.claims, "token", e);
	if (claims && check_claims(claims, want, e) < 0) {
		json_decref(claims);
		return NULL;
	}
	return claims;
}

/* The signature of what is in OUT, appended to it. */
static int put_signature(const struct jwt_key *k, struct buf *out)
{
	gnutls_datum_t data = {.data = (unsigned char *)out->data, .size = (unsigned)out->len};
	gnutls_datum_t signature = {NULL, 0}, part[2] = {{NULL, 0}, {NULL, 0}};
	unsigned char raw[2 * RS_SIZE] = {0};
	int r = gnutls_privkey_sign_data2(k->secret, k->algorithm, 0, &data, &signature);

	if (r < 0)
		return -EIO;
	if (k->algorithm != GNUTLS_SIGN_ECDSA_SHA256) {
		r = buf_putc(out, '.');
		if (r == 0)
			r = base64url_put(out, signature.data, signature.size);
		gnutls_free(signature.data);
		return r;
	}
	r = gnutls_decode_rs_value(&signature, &part[0], &part[1]);
	gnutls_free(signature.data);
	for (size_t i = 0; i < 2 && r >= 0; i++) {
		/* Numbers in DER may be shorter, or have a zero before them. */
		size_t cut = part[i].size > RS_SIZE ? part[i].size - RS_SIZE : 0;
		size_t n = part[i].size - cut;

		memcpy(raw + (i + 1) * RS_SIZE - n, part[i].data + cut, n);
		gnutls_free(part[i].data);
	}
	if (r < 0 || buf_putc(out, '.') < 0)
		return -EIO;
	return base64url_put(out, raw, sizeof(raw));
}

char *jwt_sign(const struct jwt_key *k, const json_t *claims, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(JWT_SIZE_MAX), text = BUF_INIT(JWT_SIZE_MAX);
	char header[64];
	int n = snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"}", k->name);

	if (json_write(claims, 0, &text) < 0 || base64url_put(&out, header, (size_t)n) < 0 ||
	    buf_putc(&out, '.') < 0 || base64url_put(&out, buf_str(&text), text.len) < 0 ||
	    put_signature(k, &out) < 0) {
		err_set(e, ERR_IO, 0, "signing a token");
		return NULL;
	}
	return buf_take(&out);
}
