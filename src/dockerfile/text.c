/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/text.h"

size_t text_char(const char *p, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *s = (const uint8_t *)p;
	size_t n = s[0] < 0xc2 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t c = s[0] & (n > 1 ? 0x7fU >> n : 0xffU);

	*ret = s[0];
	if (n == 1 || s[0] > 0xf4)
		return s[0] != 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 1;
	*ret = c;
	return n;
}

size_t text_put(char out[TEXT_CHAR_MAX], uint32_t c)
{
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(lead[n] | c);
	return n;
}

size_t text_space(const char *p)
{
	uint32_t c;
	size_t n = text_char(p, &c);

	if ((c >= '\t' && c <= '\r') || c == ' ')
		return n;
	if (n < 2)
		return 0;
	return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
			       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
			       c == 0x3000
		       ? n
		       : 0;
}

const char *text_skip_space(const char *p)
{
	for (size_t n; (n = text_space(p)) > 0;)
		p += n;
	return p;
}

bool text_is_letter(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} others[] = {
		{0x80, 0xa9},     {0xab, 0xb4},       {0xb6, 0xb9},     {0xbb, 0xbf},
		{0xd7, 0xd7},     {0xf7, 0xf7},       {0x2000, 0x206f}, {0x20a0, 0x20ff},
		{0x2190, 0x2bff}, {0x2e00, 0x2e7f},   {0x3000, 0x3004}, {0x3008, 0x3030},
		{0xfe00, 0xfe6f}, {0xff00, 0xff20},   {0xff3b, 0xff40}, {0xff5b, 0xff65},
		{0xfff0, 0xffff}, {0x1f000, 0x1faff},
	};

	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (c >= others[i].first && c <= others[i].last)
			return false;
	return true;
}
