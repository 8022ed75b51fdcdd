#!/bin/sh
# Installs the packages that are its arguments. Services that come with them are not started, and not enabled for the next
# start of the machine. A policy that the machine has already is left alone.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
before=$(mktemp)
ours=
finish() {
	rm -f "$before"
	[ -z "$ours" ] || rm -f "$policy"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
enabled() {
	find /etc/systemd/system -path '*.wants/*' -type l 2>/dev/null | sort
}
enabled >"$before"
if ! [ -e "$policy" ]; then
	ours=1
	printf '#!/bin/sh\n# cargo xtask setup is installing packages; it removes this file.\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
apt-get -q -y --no-install-recommends --allow-downgrades install "$@"
enabled | comm -13 "$before" - | while read -r link; do
	rm -f "$link"
done
