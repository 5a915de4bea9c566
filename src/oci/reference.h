/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images, in the grammar of github.com/distribution/reference and normalised as Docker
 * does: "debian" is docker.io/library/debian. Plain memory without pointers: copy it freely.
 *
 *	reference := [ domain "/" ] path [ ":" tag ] [ "@" digest ]
 *
 * The path has at most 255 characters and the tag 128, as there. We also limit the domain to 255
 * characters, which no name that can be resolved passes. */
#ifndef KOGGE_OCI_REFERENCE_H
#define KOGGE_OCI_REFERENCE_H

#include "oci/digest.h"

#define REFERENCE_DOMAIN_MAX 255
#define REFERENCE_PATH_MAX   255
#define REFERENCE_TAG_MAX    128
/* Any text form with its NUL. */
#define REFERENCE_TEXT_SIZE 768

struct reference {
	char domain[REFERENCE_DOMAIN_MAX + 1]; /* "docker.io"; "" in rare names, see the .c */
	char path[REFERENCE_PATH_MAX + 1];     /* "library/debian" */
	char tag[REFERENCE_TAG_MAX + 1];       /* "" where there is none */
	struct digest digest;                  /* none where there is none */
};

/* Parses and normalises S; adds no tag. ERR_INVALID with Docker's message. */
int reference_parse(const char *s, struct reference *ret, struct err *e);

/* As reference_parse; a name with neither tag nor digest gets the tag "latest". */
int reference_parse_tagged(const char *s, struct reference *ret, struct err *e);

/* Whether S is a valid tag. */
bool reference_is_tag(const char *s);

/* The whole name: "docker.io/library/debian:latest". Returns OUT. */
const char *reference_text(const struct reference *r, char out[REFERENCE_TEXT_SIZE]);

/* As users see it: "debian:latest". Returns OUT. */
const char *reference_familiar(const struct reference *r, char out[REFERENCE_TEXT_SIZE]);

/* The repository alone: "docker.io/library/debian"; "debian" where FAMILIAR. Returns OUT. */
const char *reference_repository(const struct reference *r, bool familiar,
				 char out[REFERENCE_TEXT_SIZE]);

/* Whether all four parts are equal. */
bool reference_eq(const struct reference *a, const struct reference *b);

/* Whether S may mean an image by its ID: 1 to 64 lower-case hexadecimal digits, with or without
 * "sha256:" before them. Stores the digits (borrowed from S) where it may. Names go first: the
 * caller looks for an image of that name and then by ID, as Docker does. */
bool reference_maybe_id(const char *s, const char **ret_hex);

#endif
