#!/usr/bin/env bash
# Sets up taut on Debian, Raspberry Pi OS, Armbian or Ubuntu, from this checkout. Safe to run again.
set -eu

readonly NODE_NEEDED=20.19
readonly LIBBPF_NEEDED=1.0
readonly BUILD_PACKAGES=(clang gcc libc6-dev libbpf-dev)
# Services to measure, namespaces to put them in, a terminal to look at.
readonly TEST_PACKAGES=(memcached redis-server nginx iproute2 tmux)
# Of those, what starts a service of the same name when it is installed.
readonly SERVICE_PACKAGES=' memcached redis-server nginx '
readonly MARK="written by taut's install.sh"
readonly POLICY=/usr/sbin/policy-rc.d

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
prefix=/usr/local
mode=install
with_demo=false
policy_written=false

usage() {
	cat <<-END
		install.sh [--prefix DIR] [--demo]   set up taut
		install.sh --for-tests               only what building and testing needs
		install.sh --uninstall [--prefix DIR]

		  --prefix DIR   where bin/taut goes (/usr/local)
		  --demo         afterwards run: taut demo
		  --for-tests    system packages and npm packages; fast when all are there
		  --uninstall    remove bin/taut again
		  --help

		It installs system packages with apt-get where they are missing, runs npm ci and
		npm run build in this folder, and puts a small command "taut", which runs from this
		folder, into DIR/bin. The packages:
		  nodejs ${BUILD_PACKAGES[*]}
		  for tests also ${TEST_PACKAGES[*]}
		A service that comes with one of them is neither started nor enabled.

		Exit: 0 done, 1 failed, 2 wrong usage, 3 this system can't, 4 not permitted.
	END
}

say() {
	printf 'taut: %s\n' "$*" >&2
}

# fail CODE MESSAGE...
fail() {
	local code=$1
	shift
	say "$@"
	exit "$code"
}

parse_arguments() {
	while [ $# -gt 0 ]; do
		case $1 in
		--prefix)
			[ $# -ge 2 ] || fail 2 '--prefix needs a folder; see --help'
			prefix=$2
			shift
			;;
		--prefix=*) prefix=${1#--prefix=} ;;
		--demo) with_demo=true ;;
		--for-tests) mode=for_tests ;;
		--uninstall) mode=uninstall ;;
		-h | --help)
			usage
			exit 0
			;;
		*) fail 2 "unknown argument: $1; see --help" ;;
		esac
		shift
	done
	[ -n "$prefix" ] || fail 2 '--prefix needs a folder; see --help'
	if $with_demo && [ $mode != install ]; then fail 2 '--demo goes with an installation only; see --help'; fi
	prefix=$(realpath -ms -- "$prefix")
}

check_system() {
	local ID='' ID_LIKE='' PRETTY_NAME='' word
	# shellcheck source=/dev/null
	if [ -r /etc/os-release ]; then . /etc/os-release; fi
	for word in $ID $ID_LIKE; do
		case $word in
		debian | ubuntu | raspbian | armbian)
			# A derivative may call itself so and have no apt.
			if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then return; fi
			;;
		esac
	done
	say "this is ${PRETTY_NAME:-an unknown system}; this script knows Debian, Raspberry Pi OS, Armbian and Ubuntu."
	say "taut may run here: install Node.js $NODE_NEEDED or newer with npm, clang, gcc and the development files of"
	fail 3 "libbpf $LIBBPF_NEEDED or newer, then: npm ci && npm run build && node dist/src/cli/main.js"
}

# Prints those of the packages named that are not installed.
list_missing() {
	local installed package
	installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)"
	for package in "$@"; do
		case $installed in
		*" installed:$package "*) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

have_node() {
	local version
	command -v npm >/dev/null && version=$(node -p process.versions.node 2>/dev/null) &&
		dpkg --compare-versions "$version" ge "$NODE_NEEDED"
}

apt() {
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -o DPkg::Lock::Timeout=120 -y -q "$@" >&2
}

# Debian starts a service as soon as it is installed. This is its way to say no; it asks for each service by name.
forbid_service_starts() {
	if [ -e $POLICY ] && ! grep -q "$MARK" $POLICY; then return; fi
	policy_written=true
	cat >$POLICY <<-END
		#!/bin/sh
		# $MARK while it installs packages; remove it if you find it
		case " $* " in
		*" \$1 "*) exit 101 ;;
		esac
		exit 0
	END
	chmod 755 $POLICY
}

allow_service_starts() {
	if $policy_written; then rm -f $POLICY; fi
	policy_written=false
}

# Services that came with this run stay off after the next boot too.
disable_service() {
	local now=
	# A policy of the machine's own may have let it start.
	if [ -d /run/systemd/system ]; then now=--now; fi
	if command -v systemctl >/dev/null; then
		systemctl --quiet disable $now "$1" >&2 || say "could not disable $1; look with: systemctl status $1"
	else
		update-rc.d "$1" disable >&2 || say "could not disable $1; look in /etc/rc2.d"
	fi
}

install_packages() {
	local package candidate services=''
	local -a missing
	read -ra missing <<<"$(list_missing "$@")"
	if [ ${#missing[@]} -eq 0 ] && have_node; then return; fi
	if [ "$(id -u)" != 0 ]; then
		have_node || missing+=("nodejs ($NODE_NEEDED or newer)" npm)
		say "system packages are missing: ${missing[*]}"
		fail 4 "installing them needs root; run: sudo $0 ${arguments[*]}"
	fi

	apt update || say 'the package lists could not be renewed; trying with the ones that are here'
	if ! have_node; then
		candidate=$(LC_ALL=C apt-cache policy nodejs | sed -n 's/^ *Candidate: *//p')
		if ! dpkg --compare-versions "${candidate:-(none)}" ge "$NODE_NEEDED" 2>/dev/null; then
			say "taut needs Node.js $NODE_NEEDED or newer with npm; found: $(node --version 2>/dev/null || echo none)," \
				"and this system's own is ${candidate:-none}."
			say 'Get it from https://nodejs.org/en/download (unpack it into /usr/local) or from'
			fail 3 'https://github.com/nodesource/distributions, then run this again.'
		fi
		# Debian has npm apart, NodeSource has it inside.
		missing+=(nodejs)
		apt-cache depends nodejs | grep -q 'Conflicts: npm$' || missing+=(npm)
	fi

	say "installing system packages: ${missing[*]}"
	for package in "${missing[@]}"; do
		case $SERVICE_PACKAGES in
		*" $package "*) services="$services $package" ;;
		esac
	done
	# shellcheck disable=SC2086 # a list of words
	if [ -n "$services" ]; then forbid_service_starts $services; fi
	apt install --no-install-recommends "${missing[@]}" ||
		fail 1 "apt-get could not install: ${missing[*]}; see its messages above"
	allow_service_starts
	for package in $services; do disable_service "$package"; done
	have_node || fail 1 "Node.js $NODE_NEEDED with npm is still not found; is another node earlier in PATH?"
}

check_libbpf() {
	local version
	version=$(dpkg-query -W -f '${Version}' libbpf-dev)
	dpkg --compare-versions "${version#*:}" ge "$LIBBPF_NEEDED" ||
		fail 3 "libbpf here is $version, taut needs $LIBBPF_NEEDED: take Debian 12, Ubuntu 24.04 or newer"
}

# Under sudo, what is made in the checkout belongs to whom the checkout belongs.
run_as_owner() {
	local owner
	owner=$(stat -c %U -- "$here")
	if [ "$(id -u)" != 0 ] || [ "$owner" = root ] || ! id "$owner" >/dev/null 2>&1; then
		"$@"
	else
		runuser -u "$owner" -- env HOME="$(getent passwd "$owner" | cut -d: -f6)" "$@"
	fi
}

install_node_packages() {
	# npm leaves this file as the record of what it installed.
	if [ node_modules/.package-lock.json -nt package-lock.json ]; then return; fi
	say 'installing npm packages'
	run_as_owner npm ci --include=dev --no-audit --no-fund --loglevel=error >&2 || fail 1 'npm ci failed; see its messages above'
}

build() {
	say 'building'
	run_as_owner npm run --silent build >&2 || fail 1 'the build failed; see its messages above'
}

is_ours() {
	grep -qs "^# $MARK" "$prefix/bin/taut"
}

# Before the long work, so that it is not in vain.
check_prefix() {
	local folder=$prefix/bin
	if [ -e "$folder/taut" ] && ! is_ours; then
		fail 1 "$folder/taut is there already and not from this script; move it away or choose another --prefix"
	fi
	while [ ! -e "$folder" ]; do folder=$(dirname -- "$folder"); done
	[ -d "$folder" ] || fail 1 "$folder is not a folder; choose another --prefix"
	[ -w "$folder" ] || fail 4 "$folder is not yours to write; run: sudo $0 ${arguments[*]}, or choose another --prefix"
}

# A word that sh reads back as it was.
quote() {
	printf "'%s'" "${1//\'/\'\\\'\'}"
}

install_command() {
	local folder folders=''
	# The folders that were made for it go with it; those of an earlier run are on record.
	if is_ours; then folders=$(sed -n '/^# folder: /p' "$prefix/bin/taut"); fi
	folder=$prefix/bin
	while [ ! -e "$folder" ]; do
		folders+="${folders:+$'\n'}# folder: $folder"
		folder=$(dirname -- "$folder")
	done
	mkdir -p -- "$prefix/bin"
	cat >"$prefix/bin/.taut.new" <<-END
		#!/bin/sh
		# $MARK
		$folders
		exec $(quote "$(command -v node)") $(quote "$here/dist/src/cli/main.js") "\$@"
	END
	chmod 755 "$prefix/bin/.taut.new"
	mv -f -- "$prefix/bin/.taut.new" "$prefix/bin/taut"
	say "installed $prefix/bin/taut, which runs from $here"
	case :$PATH: in
	*":$prefix/bin:"*) ;;
	*) say "$prefix/bin is not in PATH; call it as $prefix/bin/taut" ;;
	esac
}

uninstall() {
	local folders folder
	if [ ! -e "$prefix/bin/taut" ]; then
		say "there is no $prefix/bin/taut"
		return
	fi
	is_ours || fail 1 "$prefix/bin/taut is not from this script; left alone"
	[ -w "$prefix/bin" ] || fail 4 "$prefix/bin is not yours to write; run: sudo $0 ${arguments[*]}"
	folders=$(sed -n 's/^# folder: //p' "$prefix/bin/taut")
	rm -f -- "$prefix/bin/taut"
	while IFS= read -r folder; do
		# Others may have put something there since.
		if [ -n "$folder" ]; then rmdir -- "$folder" 2>/dev/null || true; fi
	done <<<"$folders"
	say "removed $prefix/bin/taut; this folder and the system packages stay, others may use them"
}

main() {
	parse_arguments "$@"
	if [ $mode = uninstall ]; then
		uninstall
		return
	fi

	check_system
	cd -- "$here"
	trap allow_service_starts EXIT
	trap 'exit 130' INT TERM HUP
	if [ $mode = for_tests ]; then
		install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
		check_libbpf
		install_node_packages
		return
	fi

	check_prefix
	install_packages "${BUILD_PACKAGES[@]}"
	check_libbpf
	install_node_packages
	build
	install_command
	if $with_demo; then exec "$prefix/bin/taut" demo; fi
	say 'next: taut demo, or taut with a service running'
}

arguments=("$@")
main "$@"
