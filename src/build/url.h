/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of sources: what is fetched, the name of the file that it becomes, and what people see. */
#ifndef KOGGE_BUILD_URL_H
#define KOGGE_BUILD_URL_H

struct arena;

/* TEXT as it is shown and kept: without user and password of the URLs in it. In A; "" where memory
 * lacks. */
const char *url_shown(struct arena *a, const char *text);

/* A URL without user and password, and these as "user:password", decoded, or "". In A. -1 where
 * memory lacks. */
int url_split(struct arena *a, const char *text, const char **ret_url, const char **ret_user);

/* The name of the file that ADD makes of a URL: the last part of its path, decoded. In A. -1 where
 * memory lacks. */
int url_filename(struct arena *a, const char *url, const char **ret);

#endif
