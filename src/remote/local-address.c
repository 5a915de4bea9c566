/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/local-address.h"

#include "base/num.h"
#include "base/str.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static bool is_local(const struct sockaddr *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
	uint32_t ip;

	if (a->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		memcpy(&ip, &v6->sin6_addr.s6_addr[12], sizeof(ip));
		ip = ntohl(ip);
	} else if (a->sa_family == AF_INET) {
		ip = ntohl(v4->sin_addr.s_addr);
	} else {
		return a->sa_family == AF_INET6 && (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
						    IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) ||
						    IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr));
	}
	return ip >> 24 == 127 || ip >> 24 == 0 ||
	       ip >> 16 == 0xA9FE; /* 169.254.0.0/16: metadata services */
}

static uint16_t port_of(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
	return a->sa_family == AF_INET6
		       ? ntohs(((const struct sockaddr_in6 *)(const void *)a)->sin6_port)
		       : 0;
}

bool local_address(const struct sockaddr *a, uint16_t proxy)
{
	return is_local(a) && (proxy == 0 || port_of(a) != proxy);
}

uint16_t proxy_port(bool plain)
{
	const char *const names[] = {plain ? "http_proxy" : "https_proxy",
				     plain ? "" : "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	const char *proxy = NULL;
	char *text = NULL;
	uint64_t port = 0;
	CURLU *u;

	for (size_t i = 0; i < ARRAY_SIZE(names) && str_empty(proxy); i++)
		proxy = getenv(names[i]);
	if (str_empty(proxy))
		return 0;
	u = curl_url();
	if (u && curl_url_set(u, CURLUPART_URL, proxy,
			      CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		port = 1080;
	if (port && curl_url_get(u, CURLUPART_PORT, &text, 0) == CURLUE_OK &&
	    num_u64(text, 1, UINT16_MAX, &port) < 0)
		port = 0;
	curl_free(text);
	curl_url_cleanup(u);
	return (uint16_t)port;
}
