# SPDX-License-Identifier: Apache-2.0
# R14: what the registry acknowledged survives a power cut at any moment, and scrub finds nothing
# after each. The client is nc, because nothing else in the guest can PUT.
cuts=5
root=$DATA/registry

# broken REASON: the verdict, and the end of the case.
broken() {
	fail "test_R14_what_the_registry_acknowledged_survives_a_cut" "cut $((STAGE - 1)): $1"
	exit 0
}

command -v kogge-registry >/dev/null || { skip "test_R14" "kogge-registry is not built"; exit 0; }
if ! out=$(kogge-registry scrub --root "$root" 2>&1); then
	broken "scrub: $(echo "$out" | tail -n 3 | tr '\n\t' '  ')"
fi
kogge-registry serve --root "$root" --log none 2>/tmp/registry.log &
server=$!
until grep -q listening /tmp/registry.log; do
	kill -0 $server 2>/dev/null || broken "serve: $(cat /tmp/registry.log)"
done

# ask METHOD PATH [FILE [TYPE]]: the answer, head and body.
ask() {
	local size=0
	[ -z "$3" ] || size=$(stat -c %s "$3")
	{
		printf '%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %s\r\n\r\n' \
			"$1" "$2" "${4:-application/octet-stream}" "$size"
		[ -z "$3" ] || cat "$3"
	} | nc 127.0.0.1 5000
}
digest() { sha256sum <"$1" | { read -r word _ && echo "$word"; }; }

# push_blob FILE
push_blob() { ask POST "/v2/a/blobs/uploads/?digest=sha256:$(digest "$1")" "$1" | head -n 1 | grep -q ' 201'; }

# push TAG LAYER: an image of one layer.
push() {
	echo '{"architecture":"amd64","os":"linux"}' >/tmp/config
	push_blob /tmp/config && push_blob "$2" || return 1
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%s}]}' \
		"$(digest /tmp/config)" "$(stat -c %s /tmp/config)" "$(digest "$2")" "$(stat -c %s "$2")" >/tmp/manifest
	ask PUT "/v2/a/manifests/$1" /tmp/manifest application/vnd.oci.image.manifest.v1+json | head -n 1 | grep -q ' 201'
}

# make_layer TAG: writes a layer that nobody else has.
make_layer() { yes "layer $1" | head -c $((${1#*-} * 16384)) >/tmp/layer; }

# What the host remembers: tags that were acknowledged.
for tag in $MEMORY; do
	tag=${tag#+}
	make_layer "$tag"
	layer=$(digest /tmp/layer)
	ask GET "/v2/a/manifests/$tag" | grep -q "sha256:$layer" || broken "tag '$tag' does not lead to its layer"
	ask GET "/v2/a/blobs/sha256:$layer" >/tmp/answer
	head -n 1 /tmp/answer | grep -q ' 200' || broken "the layer of '$tag' is not there"
	[ "$(digest "$root/blobs/sha256/${layer%"${layer#??}"}/$layer")" = "$layer" ] || broken "the layer of '$tag' is another"
done

if [ "$STAGE" -gt $cuts ]; then
	[ -n "$MEMORY" ] || broken "nothing was acknowledged before any of them"
	pass "test_R14_what_the_registry_acknowledged_survives_a_cut"
	pass "test_R14_scrub_finds_nothing_after_each_of_${cuts}_cuts"
	kill $server
	wait $server
	exit 0
fi
cut_in $((STAGE * 379 % 1900 + 4000))
i=0
while :; do
	i=$((i + 1))
	make_layer "$STAGE-$i"
	# The command line of the kernel, by which the host tells them again, is short.
	push "$STAGE-$i" /tmp/layer && [ $i -le 30 ] && remember "+$STAGE-$i"
done
