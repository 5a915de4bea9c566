# SPDX-License-Identifier: Apache-2.0
# F02: what commit reported as done survives a power cut at any moment, and the store is whole after
# each. What was done is remembered by the host, so that remembering it syncs nothing.
. /guest/image.sh
cuts=5

# broken REASON: the verdict, and the end of the case.
broken() {
	fail "test_F02_what_commit_reported_survives_a_cut" "cut $((STAGE - 1)): $1"
	exit 0
}

if [ "$STAGE" = 1 ]; then
	make_image bb || broken "cannot prepare"
	sync
fi
out=$(kogge system check 2>&1) || broken "system check: $(echo "$out" | tail -n 3 | tr '\n\t' '  ')"
for name in $MEMORY; do
	out=$(kogge run --network none --rm "$name" cat /content 2>&1)
	[ "$out" = "$name" ] || broken "$name was done, and: $out"
done
if [ "$STAGE" -gt $cuts ]; then
	[ -n "$MEMORY" ] || broken "nothing was done before any of them"
	pass "test_F02_what_commit_reported_survives_a_cut"
	exit 0
fi
# A different moment each time.
cut_in $((STAGE * 433 % 2100 + 400))
i=0
while :; do
	i=$((i + 1))
	name=new:$STAGE-$i
	echo "$name" >/tmp/content
	id=$(kogge create --network none bb true) && kogge cp /tmp/content "$id:/content" &&
		kogge commit "$id" "$name" >/dev/null && remember "$name"
	kogge rm "$id" >/dev/null
done
