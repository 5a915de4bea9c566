# SPDX-License-Identifier: Apache-2.0
# F11: the clock jumps, forwards and backwards, while containers run: health checks, restarts and
# waits go by the monotonic clock, and nobody is ended for it.
. /guest/image.sh
make_image bb
YEAR=31536000

kogge run --network none -d --name healthy --health-cmd "echo x >>/checks" --health-interval 1s bb sh -c "trap 'exit 5' TERM; while :; do sleep 0.1; done" >/dev/null
kogge run --network none -d --name again --restart always bb sh -c "sleep 0.2; exit 3" >/dev/null

jump() { date -s "@$(($(date +%s) + $1))" >/dev/null; }
count() { kogge exec healthy sh -c 'n=0; while read -r l; do n=$((n + 1)); done </checks; echo $n'; }
restarts() { kogge inspect -f '{{.RestartCount}}' again; }
# grows COMMAND: what it prints is more in at most 70 seconds, by the clock that does not jump.
grows() {
	local was now tries=0
	was=$("$1")
	while now=$("$1") && [ "${now:-0}" -le "${was:-0}" ]; do
		tries=$((tries + 1))
		[ $tries -lt 140 ] || { echo "still $now after $was"; return 1; }
		sleep 0.5
	done
}
running() { [ "$(kogge inspect -f '{{.State.Status}}' "$1")" = running ]; }
# in_time SECONDS COMMAND...: it ends before that, by the time since the boot.
in_time() {
	local limit=$1 began ended rest
	shift
	read -r began rest </proc/uptime
	"$@" || return 1
	read -r ended rest </proc/uptime
	began=${began%.*} ended=${ended%.*}
	[ $((ended - began)) -le "$limit" ] || { echo "took $((ended - began)) seconds"; return 1; }
}

grows count >/dev/null
for by in $YEAR -$((2 * YEAR)) $((YEAR - 1)); do
	jump $by
	check "after a jump of $by s the health check goes on test_F11" grows count
	check "after a jump of $by s restarts go on test_F11" grows restarts
	check "after a jump of $by s the container runs test_F11" running healthy
	check "after a jump of $by s a container starts and ends test_F11" in_time 20 kogge run --network none --rm bb true
	check "after a jump of $by s its age is no nonsense test_F11" sh -c 'kogge ps --format "{{.Status}}" | grep -qv -- -'
done
jump $YEAR
check "stop does not wait for the clock test_F11" in_time 20 kogge stop -t 10 healthy
check "its exit code is its own test_F11" sh -c '[ "$(kogge wait healthy)" = 5 ]'
jump -$YEAR
check "a log that goes backwards is read whole test_F11" sh -c 'kogge logs healthy'
check "a container that comes again is removed test_F11" in_time 20 kogge rm -f again healthy
check "the store is sound test_F11" kogge system check
