# SPDX-License-Identifier: Apache-2.0
# Images of busybox, made in the guest. The store is on the disk that survives cuts.
mkdir -p /var/lib "$DATA/kogge"
[ -e /var/lib/kogge ] || ln -s "$DATA/kogge" /var/lib/kogge

# make_image NAME [FILE]: imports busybox, and FILE as /content.
make_image() {
	local root=/tmp/rootfs.$$
	mkdir -p $root/bin $root/tmp $root/proc $root/dev $root/sys $root/etc
	cp /bin/busybox $root/bin/
	for applet in sh cat echo dd mknod true sleep sha256sum ls; do ln -sf busybox $root/bin/$applet; done
	[ -z "$2" ] || cp "$2" $root/content
	tar -C $root -cf /tmp/image.tar .
	kogge import /tmp/image.tar "$1" >/dev/null
	local rc=$?
	rm -rf $root /tmp/image.tar
	return $rc
}
