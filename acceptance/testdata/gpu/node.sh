#!/bin/sh
# Makes this host look like an HGX of 8 H100: lays made trees over what the kernel says of devices and drivers, at every
# boot before the kubelet. Arguments: the version of the driver.
set -eu
driver=$1
made=/srv/hgx
pci=$made/pci
rm -rf "$made/pci" "$made/driver"
mkdir -p "$pci" "$made/driver/nvidia"

device() { # ADDRESS VENDOR DEVICE CLASS
	mkdir -p "$pci/$1"
	echo "0x$2" >"$pci/$1/vendor"
	echo "0x$3" >"$pci/$1/device"
	echo "0x$4" >"$pci/$1/class"
	echo "0x$2" >"$pci/$1/subsystem_vendor"
	echo "0x16c1" >"$pci/$1/subsystem_device"
}
device 0000:00:1f.0 8086 1533 020000
bus=21 # 0x15, and five further for each: what the made libnvidia-ml says
for gpu in 0 1 2 3 4 5 6 7; do
	address=$(printf '0000:%02x:00.0' $((bus + 5 * gpu)))
	device "$address" 10de 2330 030200
	ln -s ../../../bus/pci/drivers/nvidia "$pci/$address/driver"
done
for switch in 7 8 9 a; do
	device "0000:0$switch:00.0" 10de 22a3 068000
	mkdir -p "$made/driver/nvidia-nvswitch/devices/0000:0$switch:00.0"
done

cat >/usr/local/sbin/lab-hgx <<'END'
#!/bin/sh
# What loads the driver at boot: the module on disk becomes the loaded one, unless the file stale is there.
set -eu
module=/usr/lib/modules/$(uname -r)/updates/dkms/nvidia.ko
version=$(tr '\0' '\n' <"$module" | sed -n 's/^version=//p')
if ! [ -e /srv/hgx/stale ]; then
	echo "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  $version  Release Build  (dvs-builder@U22)  Wed Feb 26 09:13:40 UTC 2025" \
		>/srv/hgx/driver/nvidia/version
fi
# /dev is empty at each boot. The lab may make no device of the kernel's, so a file stands for it.
[ -e /dev/nvidia0 ] || : >/dev/nvidia0
mountpoint -q /sys/bus/pci/devices || mount --bind /srv/hgx/pci /sys/bus/pci/devices
mountpoint -q /proc/driver || mount --bind /srv/hgx/driver /proc/driver
END
chmod 755 /usr/local/sbin/lab-hgx
cat >/etc/systemd/system/lab-hgx.service <<END
[Unit]
Description=Made NVIDIA devices
Before=kubelet.service nvidia-fabricmanager.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-hgx

[Install]
WantedBy=multi-user.target
END
cat >/etc/systemd/system/lab-deviceplugin.service <<END
[Unit]
Description=Offers the made devices to the kubelet
After=kubelet.service

[Service]
ExecStart=/usr/local/sbin/deviceplugin
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
END
cat >/etc/os-release.lab <<END
PRETTY_NAME="Ubuntu 22.04.5 LTS"
NAME="Ubuntu"
VERSION_ID="22.04"
VERSION="22.04.5 LTS (Jammy Jellyfish)"
VERSION_CODENAME=jammy
ID=ubuntu
ID_LIKE=debian
END
rm -f /etc/os-release && mv /etc/os-release.lab /etc/os-release

# The module of the running kernel, as dkms and depmod leave it.
modules=/usr/lib/modules/$(uname -r)
mkdir -p "$modules/updates/dkms"
mv /srv/nvidia.ko "$modules/updates/dkms/nvidia.ko"
echo "updates/dkms/nvidia.ko:" >"$modules/modules.dep"

# The libraries, as the driver's packages lay them.
libraries=/usr/lib/x86_64-linux-gnu
for library in libnvidia-ml libcuda; do
	cp "/srv/$library.so" "$libraries/$library.so.$driver"
	ln -sfn "$library.so.$driver" "$libraries/$library.so.1"
done
ldconfig

# The runtime that containers with GPUs ask for, and the CDI file.
mkdir -p /etc/cdi
cat >/etc/cdi/nvidia.yaml <<END
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
containerEdits:
  mounts:
  - hostPath: $libraries/libcuda.so.$driver
    containerPath: $libraries/libcuda.so.$driver
    options: [ro, nosuid, nodev, bind]
  - hostPath: $libraries/libnvidia-ml.so.$driver
    containerPath: $libraries/libnvidia-ml.so.$driver
    options: [ro, nosuid, nodev, bind]
END
if ! grep -q 'runtimes.nvidia' /etc/containerd/config.toml; then
	cat >>/etc/containerd/config.toml <<END

# A table of runtimes takes the place of the default one.
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
  runtime_type = "io.containerd.runc.v2"
END
	systemctl restart containerd
fi
systemctl daemon-reload
systemctl enable -q lab-hgx lab-deviceplugin
systemctl restart lab-hgx
