// Package boot says which kernels a node has, which of them boots next, whether packages ask for a reboot, and
// whether the firmware demands signed modules.
//
// It reads files and starts no program. It understands GRUB's configuration; what another boot loader does next is
// unknown, and never guessed from the newest kernel.
package boot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

const (
	directory = "/boot"
	image     = "vmlinuz-"
	// maxConfig is far above the configuration of a boot loader with a hundred kernels.
	maxConfig = 4 << 20
	maxNames  = 64 << 10
)

// Collect looks at a node.
func Collect(d *disk.Disk) facts.Boot {
	var b facts.Boot
	var err error
	if b.Kernels, err = kernels(d); err != nil {
		b.KernelsUnknown = err.Error()
	}
	if b.Next, err = next(d); err != nil {
		b.NextUnknown = err.Error()
	}
	b.Reboot = reboot(d)
	if b.SecureBoot, err = secure(d.Files()); err != nil {
		b.SecureBootUnknown = err.Error()
	}
	return b
}

// kernels lists the images in /boot, the newest first.
func kernels(d *disk.Disk) ([]facts.InstalledKernel, error) {
	dir, err := d.Dir(directory)
	if err != nil {
		return nil, err
	}
	entries, err := dir.List()
	if err != nil {
		return nil, err
	}
	var out []facts.InstalledKernel
	for _, e := range entries {
		if release, ok := strings.CutPrefix(e.Name, image); ok && release != "" && e.Info.Mode.IsRegular() {
			out = append(out, facts.InstalledKernel{Release: release, Since: e.Info.Modified})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no kernel in " + directory)
	}
	slices.SortFunc(out, func(a, b facts.InstalledKernel) int { return facts.CompareKernels(b.Release, a.Release) })
	return out, nil
}

// reboot reads what update-notifier's hooks leave for needrestart, kured and people.
func reboot(d *disk.Disk) facts.Reboot {
	const file = "/run/reboot-required"
	info, err := d.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.Reboot{}
	}
	if err != nil {
		return facts.Reboot{Unknown: err.Error()}
	}
	r := facts.Reboot{Required: true, Since: info.Modified}
	names, _, err := d.Read(file+".pkgs", maxNames)
	if errors.Is(err, fs.ErrNotExist) {
		return r
	}
	if err != nil {
		r.Unknown = err.Error()
		return r
	}
	r.Packages = strings.Fields(string(bytes.ToValidUTF8(names, []byte("?"))))
	slices.Sort(r.Packages)
	r.Packages = slices.Compact(r.Packages)
	return r
}

// secure reads the variable SecureBoot of the UEFI (section 3.3 of its specification): four bytes of
// attributes, then one.
func secure(files fs.FS) (string, error) {
	const efi = "sys/firmware/efi"
	if _, err := fs.Stat(files, efi); errors.Is(err, fs.ErrNotExist) {
		return facts.SecureBootUnsupported, nil
	}
	const variable = efi + "/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	data, err := fs.ReadFile(files, variable)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// A firmware without Secure Boot has no such variable; one whose variables are not mounted has none, either.
		if entries, err := fs.ReadDir(files, efi+"/efivars"); err != nil || len(entries) == 0 {
			return "", errors.New("the variables of the UEFI are not mounted")
		}
		return facts.SecureBootUnsupported, nil
	case err != nil:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return "", fmt.Errorf("/%s: %w", variable, err)
	case len(data) != 5 || data[4] > 1:
		return "", fmt.Errorf("/%s holds no value of the variable SecureBoot", variable)
	case data[4] == 1:
		return facts.SecureBootEnabled, nil
	}
	return facts.SecureBootDisabled, nil
}
