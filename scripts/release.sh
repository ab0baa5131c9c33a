#!/usr/bin/env bash
# Builds what is released, into dist/: scripts/release.sh VERSION
#
#   upkeep_VERSION_OS_ARCH.tar.gz      upkeep and upkeep-etcd for that platform, and the helpers for nodes of every architecture
#   upkeep_VERSION_linux_ARCH.deb      the same as a Debian package: upkeep in /usr/bin, the others in /usr/lib/upkeep, timers
#   sha256sums                         the sums of all of them
#
# The helpers are built once, so that each package holds the same bytes: nodes with restricted access name their digest. The
# same sources give the same files: names, owners and times in the archives depend on the commit alone.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: scripts/release.sh VERSION}
umask 022
export CGO_ENABLED=0 LC_ALL=C
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
host=$(go env GOARCH)
ldflags="-s -w -X main.version=$version"
dist=$PWD/dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$dist"
mkdir -p "$dist" "$work/helpers"

build() { # OS ARCH OUTPUT PACKAGE [FLAGS]
	GOOS=$1 GOARCH=$2 go build -trimpath -ldflags "$ldflags" "${@:5}" -o "$3" "$4"
}

archive() { # NAME: packs $work/NAME
	tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$1" | gzip -n -9 >"$dist/$1.tar.gz"
}

# A Debian version begins with a digit and sorts "~dev" before the release (deb-version(7)).
deb() { # ARCH
	local tree=$work/deb_$1 depends=openssh-client
	install -d "$tree/DEBIAN" "$tree/usr/bin" "$tree/usr/lib/upkeep" "$tree/usr/share/doc/upkeep"
	install -m 0755 "$work/upkeep_${version}_linux_$1/upkeep" "$tree/usr/bin/upkeep"
	install -m 0755 "$work/upkeep_${version}_linux_$1/upkeep-etcd" "$tree/usr/lib/upkeep/"
	install -m 0755 "$work"/helpers/upkeep-node-linux-* "$tree/usr/lib/upkeep/"
	# Where sudoers of a node with restricted access names the helper.
	ln "$tree/usr/lib/upkeep/upkeep-node-linux-$1" "$tree/usr/lib/upkeep/upkeep-node"
	if [ "$1" = "$host" ]; then install -m 0755 "$work/helpers/upkeep-nvml" "$tree/usr/lib/upkeep/"; fi
	# The timers are off until a person switches them on.
	install -d "$tree/usr/lib/systemd/system"
	install -m 0644 packaging/systemd/*.service packaging/systemd/*.timer "$tree/usr/lib/systemd/system/"
	install -m 0644 README.md CHANGELOG.md "$tree/usr/share/doc/upkeep/"
	install -m 0644 LICENSE "$tree/usr/share/doc/upkeep/copyright"
	cat >"$tree/DEBIAN/control" <<-EOF
		Package: upkeep
		Version: ${version/-/\~}
		Architecture: $1
		Maintainer: The upkeep authors <upkeep@localhost>
		Depends: $depends
		Section: admin
		Priority: optional
		Installed-Size: $(du -sk "$tree/usr" | cut -f1)
		Description: keep a Kubernetes GPU provider in the state you declared
		 Declare what must hold in *.upkeep.hcl, read the plan, apply the plan you
		 read: certificates of kubeadm control planes, proved backups of etcd, prices
		 and charts of an Akash provider, Helm releases. Each step is proved.
	EOF
	find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group --build "$tree" "$dist/upkeep_${version}_linux_$1.deb" >/dev/null
}

# It links go-nvml, and so needs cgo and a compiler for its architecture; see the Makefile about the flag.
CGO_ENABLED=1 CGO_CFLAGS="-O2 -g -Wno-deprecated-declarations" go build -trimpath -ldflags '-extldflags=-Wl,-z,lazy' -o "$work/helpers/upkeep-nvml" ./cmd/upkeep-nvml
# The helper runs as root and runs upkeep-nvml only where that is this file; it carries the file for nodes that have none.
packed=cmd/upkeep-node/upkeep-nvml.gz
gzip -n -9 -c "$work/helpers/upkeep-nvml" >"$packed"
plain=$ldflags
for arch in amd64 arm64; do
	tags=grpcnotrace
	if [ "$arch" = "$host" ]; then
		tags=$tags,nvml ldflags="$plain -X main.nvmlDigest=$(sha256sum "$work/helpers/upkeep-nvml" | cut -d' ' -f1)"
	fi
	build linux "$arch" "$work/helpers/upkeep-node-linux-$arch" ./cmd/upkeep-node -tags="$tags"
	ldflags=$plain
done

for platform in linux/amd64 linux/arm64 darwin/arm64; do
	os=${platform%/*} arch=${platform#*/}
	name=upkeep_${version}_${os}_$arch
	mkdir "$work/$name"
	build "$os" "$arch" "$work/$name/upkeep" ./cmd/upkeep
	build "$os" "$arch" "$work/$name/upkeep-etcd" ./cmd/upkeep-etcd
	cp "$work"/helpers/upkeep-node-linux-* README.md CHANGELOG.md LICENSE "$work/$name/"
	if [ "$platform" = "linux/$host" ]; then cp "$work/helpers/upkeep-nvml" "$work/$name/"; fi
	archive "$name"
	echo "dist/$name.tar.gz"
done
if command -v dpkg-deb >/dev/null; then
	for arch in amd64 arm64; do
		deb "$arch"
		echo "dist/upkeep_${version}_linux_$arch.deb"
	done
else
	echo "dpkg-deb is missing: no Debian packages" >&2
fi
(cd "$dist" && sha256sum -- upkeep_* >sha256sums)
echo "dist/sha256sums"
