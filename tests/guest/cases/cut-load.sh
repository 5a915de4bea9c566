# SPDX-License-Identifier: Apache-2.0
# F02: what load, tag and rmi reported as done survives a power cut at any moment, and the store is
# whole after each. What was done is remembered by the host, so that remembering it syncs nothing.
. /guest/image.sh
images="1 2 3 4 5"
cuts=8

if [ "$STAGE" = 1 ]; then
	for i in $images; do
		dd if=/dev/urandom of=/tmp/content bs=64k count=$((i * 8)) 2>/dev/null
		make_image "img:$i" /tmp/content && kogge save -o "$DATA/$i.tar" "img:$i" &&
			kogge rmi "img:$i" >/dev/null || { fail "test_F02_load" "cannot prepare"; exit 0; }
		sha256sum </tmp/content >"$DATA/$i.sum"
	done
	sync
fi

# broken REASON: the verdict, and the end of the case.
broken() {
	fail "test_F02_what_load_reported_survives_a_cut" "cut $((STAGE - 1)): $1"
	exit 0
}

# What the host remembers: +NAME is there, -NAME is not, ?NAME is being changed, so that either may
# hold (the cut can fall between the change and its report); the last word about a name counts.
verify() {
	local out word name
	out=$(kogge system check 2>&1) || broken "system check: $(echo "$out" | tail -n 3 | tr '\n\t' '  ')"
	for name in $(for word in $MEMORY; do echo "${word#?}"; done | sort -u); do
		for word in $MEMORY; do [ "${word#?}" != "$name" ] || last=$word; done
		case $last in
		+*)
			out=$(kogge run --network none --rm "$name" sha256sum /content 2>&1) || broken "$name was done, and: $out"
			i=${name#*:}
			[ "${out%% *}" = "$(cut_word "$DATA/${i%-again}.sum")" ] || broken "$name has other content"
			;;
		-*) kogge image inspect "$name" >/dev/null 2>&1 && broken "$name was removed and is back" ;;
		esac
	done
}
cut_word() { read -r word _ <"$1" && echo "$word"; }

echo "remembered: $MEMORY"
verify
if [ "$STAGE" -gt $cuts ]; then
	[ -n "$MEMORY" ] || broken "nothing was done before any of them"
	pass "test_F02_what_load_reported_survives_a_cut"
	pass "test_F02_the_store_is_whole_after_each_of_$cuts""_cuts"
	check "test_F02_nothing_is_lost_after_the_last_load" sh -c \
		"for i in $images; do kogge load -i $DATA/\$i.tar >/dev/null || exit 1; done; kogge system check"
	exit 0
fi
# A different moment each time; the whole loop takes some seconds here.
cut_in $((STAGE * 379 % 2900 + 150))
while :; do
	for i in $images; do
		remember "?img:$i"
		kogge load -i "$DATA/$i.tar" >/dev/null && remember "+img:$i"
		remember "?img:$i-again"
		kogge tag "img:$i" "img:$i-again" && remember "+img:$i-again"
		remember "?img:$i"
		kogge rmi "img:$i" >/dev/null && remember "-img:$i"
	done
	for i in $images; do
		remember "?img:$i-again"
		kogge rmi "img:$i-again" >/dev/null && remember "-img:$i-again"
	done
done
