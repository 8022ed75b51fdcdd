#!/bin/sh
# What a lab does with the service, from within the container. Prints what it sees; `sh -e` ends it at what fails.
say() { printf '%s: %s\n' "$1" "$2"; }
shown() { systemctl show --property="$1" --value convoke-coordinator; }
ask() {
	printf '%08X%s' "${#1}" "$1" | python3 -c '
import socket, sys
to = socket.create_connection(("127.0.0.1", 3079))
to.sendall(sys.stdin.buffer.read())
print(to.recv(4096).decode())'
}
# Runs the rest of its arguments, and returns when the service's log has said the first one since.
until_logged() {
	words=$1
	shift
	cursor=$(journalctl --unit=convoke-coordinator --output=cat --lines=1 --show-cursor | sed -n 's/^-- cursor: //p')
	"$@"
	mkfifo /log
	journalctl --unit=convoke-coordinator --output=cat --after-cursor="$cursor" --follow >/log &
	follower=$!
	timeout 60 grep -q -m1 -e "$words" /log
	kill "$follower" || :
	wait "$follower" || :
	rm /log
}

systemctl start convoke-coordinator
say started "$(systemctl is-active convoke-coordinator)"
say user "$(stat -c '%U %a' "$(readlink -f /var/lib/convoke-coordinator)")"
say member "$(ask '{"hostname": "w", "client_name": "one", "group_name": "g", "role": "r", "group_size": 2, "request": "group_data"}')"

until_logged 'INFO 1 group was kept' systemctl kill --signal=KILL convoke-coordinator
systemctl start convoke-coordinator
say 'killed, restarts' "$(shown NRestarts)"
convoke coordinator status | grep '^group'

systemctl reload convoke-coordinator
say reloaded "$(systemctl is-active convoke-coordinator)"

until_logged 'INFO 1 group was kept' systemctl kill --signal=STOP convoke-coordinator
systemctl start convoke-coordinator
say 'stuck, restarts' "$(shown NRestarts)"

echo 'OPTIONS=--lisen :3079' >/etc/default/convoke-coordinator
systemctl restart convoke-coordinator || say 'mistaken, status' "$(shown ExecMainStatus) $(shown ActiveState) $(shown SubState)"
rm /etc/default/convoke-coordinator
systemctl start convoke-coordinator

systemctl start lava-coordinator
say 'LAVA, ours' "$(systemctl is-active lava-coordinator convoke-coordinator | paste -s -d ' ')"
systemctl start convoke-coordinator
say 'LAVA, ours' "$(systemctl is-active lava-coordinator convoke-coordinator | paste -s -d ' ')"
convoke coordinator status | grep '^group'
systemctl stop convoke-coordinator
say stopped "$(shown Result)"
