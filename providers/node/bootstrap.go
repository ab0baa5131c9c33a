package node

import (
	"strings"

	"upkeep/providers/node/protocol"
)

// bootstrap runs on the node under /bin/sh, as root where the connection says so. It execs the helper if the helper of
// the wanted SHA-256 is there, and else asks for it on the session's own stream, verifies it, and execs it.
//
// Arguments: nonce, directory, SHA-256 of the helper for x86_64, for aarch64 ("-": there is none), and the helper's own.
//
// The login shell of the operator's account reads it first, inside single quotes, and that may be csh or fish: so it is
// one line without single quotes, backslashes and exclamation marks. It uses POSIX sh, and of the tools only what both
// GNU coreutils and busybox have. What makes it safe: the directory belongs to the user it runs as (root) and nobody
// else can write to it, so that nothing can come between the check of a file and its start; mktemp creates with O_EXCL.
//
// To hash the helper costs more than all the rest of a session. So it is done when it arrives and in the session after
// that, which writes beside it what file it has hashed: owner, inode, size, time of the last change of any of these or of
// the content. As long as the file is that one, it is not hashed again. A directory that was open to others has all of
// these notes removed.
//
// Each program that it starts costs milliseconds on every node in every session. With the helper in place that is two:
// uname and one stat.
func bootstrap() string {
	return strings.Join([]string{
		`PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; umask 077;`,
		`n=$1 d=$2 x=$3 a=$4; shift 4;`,
		`say() { echo; echo "upkeep-session $n $*"; };`,
		`fail() { say fail "$*"; exit 1; };`,
		`m=$(uname -m);`,
		`case $m in x86_64|amd64) s=$x;; aarch64|arm64) s=$a;; *) fail "there is no helper for machines of type $m";; esac;`,
		`if test "$s" = -; then fail "the helper for $m is not next to upkeep"; fi;`,
		`p=${d%/*} f=$d/upkeep-node-$s c=$d/.checked-$s y=;`,
		`test -d "$d" || mkdir -p "$d" 2>/dev/null || fail "user $(id -un) cannot create $d";`,
		// look sets b and k, the modes of the two directories, and v, what file the helper is. A directory is looked at only
		// after the one that it is in: as long as others may write to that one, they may put another directory here.
		`look() { w=$(stat -c "%a;%u %i %s %z;" "$p" "$d" "$f" 2>/dev/null);`,
		`b=${w%%;*} w=${w#*;*;}; w=${w#?}; k=${w%%;*} w=${w#*;*;}; w=${w#?}; v=${w#*;}; v=${v%;};`,
		`test -n "$k" || fail "cannot look at $d";`,
		`for q in "$p" "$d"; do`,
		`if test -h "$q"; then fail "$q is a symbolic link"; fi;`,
		`test -O "$q" || fail "$q belongs to uid $(stat -c %u "$q") and not to uid $(id -u)";`,
		`done; };`,
		`look;`,
		`case $b in *[2367]?|*[2367]) chmod go-w "$p" || fail "cannot change the mode of $p"; look;; esac;`,
		`if test "$k" = 700; then :; else chmod 700 "$d" && rm -f "$d"/.checked-* || fail "cannot change the mode of $d"; look; fi;`,
		`ok() { test -f "$1" && test -O "$1" && test "$(sha256sum <"$1")" = "$s  -"; };`,
		`for q in "$f" "$c"; do if test -h "$q"; then rm -f "$q"; fi; done;`,
		`test -f "$f" || v=;`,
		`if test -f "$c" && test -O "$c"; then read -r y <"$c"; fi;`,
		`if test -n "$v" && test "$v" = "$y"; then :;`,
		`elif ok "$f"; then echo "$v" >"$c.$$" && mv -f "$c.$$" "$c" || rm -f "$c.$$";`,
		`else`,
		`say want "$m"; read -r z; test "$z" -gt 0 2>/dev/null || fail "no helper was sent";`,
		`find "$d" -type f -name ".new-*" -mtime +0 -exec rm -f {} +;`,
		`find "$d" -type f -name "upkeep-n*-*" -mtime +30 -exec rm -f {} +;`,
		`find "$d" -type f -name ".checked-*" -mtime +30 -exec rm -f {} +;`,
		`t=$(mktemp "$d/.new-XXXXXXXX") || fail "cannot create a file in $d";`,
		`head -c "$z" >"$t" || { rm -f "$t"; fail "cannot write the helper to $d; is the disk full"; };`,
		`ok "$t" || { rm -f "$t"; fail "the helper arrived damaged"; };`,
		`chmod 700 "$t" && { sync "$t" 2>/dev/null || sync; } && mv -f "$t" "$f" && { sync "$d" 2>/dev/null || sync; }`,
		`|| { rm -f "$t"; fail "cannot install the helper in $d"; };`,
		`fi;`,
		`exec "$f" -nonce "$n" "$@"`,
	}, " ")
}

// command returns the program and arguments that start a session on a target: the helper itself for the local transport,
// else ssh. Words are the helper's own arguments after the nonce. With restricted access the class comes first: sudoers has
// a line for each.
func (c *Client) command(t Target, class protocol.Class, nonce string, words []string) ([]string, error) {
	helper := append([]string{"-nonce", nonce}, words...)
	if t.Access == AccessRestricted {
		helper = append([]string{"-class", string(class)}, helper...)
	}
	sudo := []string{"sudo", "-n", "--"}
	if t.Transport == TransportLocal {
		if t.Access == AccessRestricted {
			return append(append(sudo, c.options.Installed), helper...), nil
		}
		path, err := c.helpers.local()
		if err != nil {
			return nil, err
		}
		if t.Become && !isRoot() {
			return append(append(sudo, path), helper...), nil
		}
		return append([]string{path}, helper...), nil
	}

	var remote []string
	if t.Become || t.Access == AccessRestricted {
		// sudo's own messages are told apart by their English text.
		remote = append([]string{"env", "LC_ALL=C"}, sudo...)
	}
	if t.Access == AccessRestricted {
		remote = append(append(remote, c.options.Installed), helper...)
	} else {
		remote = append(remote, "/bin/sh", "-c", bootstrap(), "upkeep", nonce, c.options.Directory)
		for _, architecture := range []string{"amd64", "arm64"} {
			digest, err := c.helpers.digest(architecture)
			if err != nil {
				return nil, err
			}
			remote = append(remote, digest)
		}
		remote = append(remote, words...)
	}
	return append([]string{c.options.SSH}, sshArguments(c.options.SSH, t, "exec "+quoteAll(remote))...), nil
}
