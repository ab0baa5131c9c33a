#!/bin/sh
# Builds a repository of small packages in /srv/repo with the names, versions, dependencies and units of Ubuntu's and NVIDIA's
# own, and makes it the only source of apt. Arguments: the driver's branch, its versions, oldest first.
set -eu
branch=$1
shift
repo=/srv/repo
mkdir -p "$repo"

pack() { # NAME VERSION DEPENDS; further files of the package lie in $root already
	mkdir -p "$root/DEBIAN"
	{
		echo "Package: $1"
		echo "Version: $2"
		echo "Architecture: amd64"
		echo "Maintainer: lab <lab@example.net>"
		[ -z "$3" ] || echo "Depends: $3"
		echo "Description: made for the lab"
	} >"$root/DEBIAN/control"
	dpkg-deb --build --root-owner-group "$root" "$repo/${1}_${2}_amd64.deb" >/dev/null
	rm -rf "$root"
}

# afterwards gives the next package what dpkg runs once it is unpacked. A version whose files lie in /srv/VERSION brings them
# to where the driver has them.
afterwards() {
	mkdir -p "$root/DEBIAN"
	printf '#!/bin/sh\nset -e\n[ -d /srv/%s ] || exit 0\n%s\n' "$version" "$1" >"$root/DEBIAN/postinst"
	chmod 755 "$root/DEBIAN/postinst"
}

root=$(mktemp -d)
for version in "$@"; do
	full=$version-0ubuntu0.22.04.1
	afterwards "cd /usr/lib/x86_64-linux-gnu
for library in libnvidia-ml libcuda; do
	rm -f \$library.so.*
	cp /srv/$version/\$library.so \$library.so.$version
	ln -s \$library.so.$version \$library.so.1
done
ldconfig"
	pack "libnvidia-compute-$branch-server" "$full" ""
	afterwards "cp /srv/$version/nvidia.ko /usr/lib/modules/\$(uname -r)/updates/dkms/nvidia.ko"
	pack "nvidia-dkms-$branch-server-open" "$full" ""
	pack "nvidia-utils-$branch-server" "$full" "libnvidia-compute-$branch-server (= $full)"
	pack "nvidia-driver-$branch-server-open" "$full" \
		"libnvidia-compute-$branch-server (= $full), nvidia-dkms-$branch-server-open (= $full), nvidia-utils-$branch-server (= $full)"
	mkdir -p "$root/lib/systemd/system" "$root/usr/bin"
	# The real one refuses a driver of another version, in these words, and ends.
	cat >"$root/usr/bin/nv-fabricmanager" <<-END
		#!/bin/sh
		if [ "\${1:-}" = --version ]; then
			echo "Fabric Manager version is : $version"
			exit
		fi
		loaded=\$(sed -n 's/^NVRM version:.* \([0-9][0-9.]*\)  Release Build.*/\1/p' /proc/driver/nvidia/version)
		if [ "\$loaded" != "$version" ]; then
			echo "fabric manager NVIDIA GPU driver interface version $version don't match with driver version \$loaded." \
				"Please update with matching NVIDIA driver package."
			exit 1
		fi
		echo "Successfully configured all the available NVSwitches."
		exec sleep infinity
	END
	chmod 755 "$root/usr/bin/nv-fabricmanager"
	cat >"$root/lib/systemd/system/nvidia-fabricmanager.service" <<-END
		[Unit]
		Description=NVIDIA fabric manager service

		[Service]
		ExecStart=/usr/bin/nv-fabricmanager
		Restart=no

		[Install]
		WantedBy=multi-user.target
	END
	pack "nvidia-fabricmanager-$branch" "$version-0ubuntu0.22.04.1" ""
done
rmdir "$root" 2>/dev/null || true
cd "$repo"
apt-ftparchive packages . >Packages
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo "deb [trusted=yes] file:$repo ./" >/etc/apt/sources.list.d/lab.list
apt-get update -q >/dev/null
