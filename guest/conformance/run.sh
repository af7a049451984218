#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the table expect.txt and reports each line that did not go as it says.
#
#   run.sh LAUNCHER GUESTS [NAME...]	under a launcher of ours
#   run.sh --genuine RUNNER GUESTS [NAME...]	under the hypervisor of 2007, by
#		way of RUNNER [-t S] [-n] KERNEL OPTIONS WORDS (console and
#		"LAUNCHER-STDERR:" lines between GENUINE-BEGIN and GENUINE-END)
#
# GUESTS is the folder with the built kernels.  On a terminal the run that is
# under way is shown; VERBOSE=1 lists all of them.

genuine=
[ "$1" = --genuine ] && { genuine=1; shift; }
launcher=$1 guests=$2
shift 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
good=0 bad=0
progress=
[ -t 2 ] && [ -z "$VERBOSE" ] && progress=1
total=$(grep -vc '^#\|^$' "$(dirname "$0")/expect.txt")

# A line that the next one replaces.
show() {
	[ -n "$progress" ] && printf '\r\033[K%s' "$1" >&2
	return 0
}

# Trims the blanks around a column and turns "-" into nothing.
column() {
	local s=$1
	s=${s#"${s%%[! ]*}"}
	s=${s%"${s##*[! ]}"}
	[ "$s" = - ] && s=
	printf '%s' "$s"
}

while IFS= read -r line; do
	case $line in '#'* | '') continue ;; esac
	c=() rest="$line | "
	while [ -n "$rest" ]; do
		c+=("$(column "${rest%% | *}")")
		rest=${rest#* | }
	done
	name=${c[0]} args=${c[1]} options=${c[2]} stdin=${c[3]} status=${c[4]} reason=${c[5]}
	[ $# -gt 0 ] && [[ " $* " != *" $name "* ]] && continue
	# It speaks one generation, and overwrites a full console buffer.
	if [ -n "$genuine" ]; then
		case " $name $args " in *' gen2007 '* | *' pci '* | *' small '* | ' bus-'*) continue ;; esac
	fi

	show "$((good + bad + 1))/$total $name $args"
	memory=64m n=0 opts=()
	for o in $options; do
		case $o in
		--memory=*) memory=${o#*=} ;;
		--*=SCRATCH:*)
			n=$((n + 1))
			truncate -s "${o##*:}" "$work/scratch$n"
			opts+=("${o%%=*}=$work/scratch$n") ;;
		--sharenet=SCRATCH) opts+=("--sharenet=$work/lan") ;;
		*) opts+=("$o") ;;
		esac
	done
	printf '%b' "$stdin" >"$work/in"
	if [ -n "$genuine" ]; then
		# Raw input lines; the runner types them when the guest is up.
		[ -n "$stdin" ] && export INPUT=$work/in INPUT_DELAY=2 || unset INPUT
		GUEST_MEM=${memory%m} "$launcher" -t 120 -n "$guests/$name" "${opts[@]}" $args genuine \
			>"$work/all" 2>&1 </dev/null
		grep '^LAUNCHER-STDERR: ' "$work/all" | sed 's/^LAUNCHER-STDERR: //' >"$work/err"
		grep -v '^LAUNCHER-STDERR: \|^GENUINE-' "$work/all" >"$work/out"
		got=$(sed -n 's/^GENUINE-END status=//p' "$work/all")
		[ "$status" = 0 ] && [ -z "$reason" ] && reason='lguest: CRASH: Power down'
		want=1
	else
		timeout 120 "$launcher" "${opts[@]}" "$memory" "$guests/$name" $args \
			>"$work/out" 2>"$work/err" <"$work/in"
		got=$? want=$status
	fi
	why=
	last=$(grep -v '^ *$' "$work/err" | tail -n 1)
	summary=$(grep ' passed, ' "$work/out" | tail -n 1)
	[ "$got" = "$want" ] || why="status $got, want $want ($last)"
	if [ -z "$why" ] && [ -n "$reason" ] && ! printf '%s' "$last" | grep -Eqx -- "$reason" &&
		! { [ -n "$genuine" ] && printf '%s' "$last" | grep -Eq -- "$reason"; }; then
		why="reason '$last', want '$reason'"
	fi
	if [ -z "$why" ] && [ "$status" = 0 ]; then
		case $summary in *' passed, 0 failed') ;;
		*) why="summary '$summary'" ;;
		esac
	fi
	if [ -z "$why" ]; then
		good=$((good + 1))
		[ -n "$VERBOSE" ] && echo "ok: $name $args $options: ${summary:-$last}"
	else
		bad=$((bad + 1))
		show
		echo "FAIL: $name $args $options: $why"
		grep ': FAIL ' "$work/out" | sed 's/^/    /'
	fi
done <"$(dirname "$0")/expect.txt"
show
echo "$good runs as expected, $bad not"
[ $bad = 0 ]
