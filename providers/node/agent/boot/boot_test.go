package boot_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/boot"
	"upkeep/providers/node/agent/disk"
)

var written = time.Date(2026, 11, 20, 6, 12, 0, 0, time.UTC)

// collect makes files with a fixed time and looks at them.
func collect(t *testing.T, files map[string]string) facts.Boot {
	t.Helper()
	tree := &gpunode.Tree{Root: t.TempDir()}
	for p, text := range files {
		tree.Write(p, text)
		if tree.Err == nil {
			tree.Err = os.Chtimes(filepath.Join(tree.Root, p), written, written)
		}
	}
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	d, err := disk.Open(tree.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return boot.Collect(d)
}

// grub is Ubuntu 24.04's, shortened: the newest kernel first, all of them in a submenu.
const grub = `set default="${next_entry}"
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
else
   set default="DEFAULT"
fi
function gfxmode {
	set gfxpayload="${1}"
}
menuentry 'Ubuntu' --class ubuntu $menuentry_id_option 'gnulinux-simple-1' {
	linux	/boot/vmlinuz-6.8.0-100-generic root=UUID=1 ro  quiet
	initrd	/boot/initrd.img-6.8.0-100-generic
}
submenu 'Advanced options for Ubuntu' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'Ubuntu, with Linux 6.8.0-100-generic' --class ubuntu $menuentry_id_option 'gnulinux-6.8.0-100-generic-advanced-1' {
		linux	/vmlinuz-6.8.0-100-generic root=UUID=1 ro
	}
	menuentry 'Ubuntu, with Linux 6.8.0-45-generic' --class ubuntu $menuentry_id_option 'gnulinux-6.8.0-45-generic-advanced-1' {
		linux	/vmlinuz-6.8.0-45-generic root=UUID=1 ro
	}
}
menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {
	fwsetup
}
`

func with(standard string) string { return strings.Replace(grub, "DEFAULT", standard, 1) }

func TestKernels(t *testing.T) {
	got := collect(t, map[string]string{
		"boot/vmlinuz-6.8.0-45-generic": "x", "boot/vmlinuz-6.8.0-100-generic": "x", "boot/initrd.img-6.8.0-45-generic": "x",
		"boot/grub/grub.cfg": with("0"),
	})
	want := facts.Boot{
		Kernels:    []facts.InstalledKernel{{Release: "6.8.0-100-generic", Since: written}, {Release: "6.8.0-45-generic", Since: written}},
		Next:       "6.8.0-100-generic",
		SecureBoot: facts.SecureBootUnsupported,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNext(t *testing.T) {
	const env = "# GRUB Environment Block\n"
	for _, c := range []struct {
		name          string
		files         map[string]string
		want, unknown string
	}{
		{"the first entry", map[string]string{"boot/grub/grub.cfg": with("0")}, "6.8.0-100-generic", ""},
		{"an older one of the submenu, by number", map[string]string{"boot/grub/grub.cfg": with("1>1")}, "6.8.0-45-generic", ""},
		{"by title", map[string]string{"boot/grub/grub.cfg": with("Advanced options for Ubuntu>Ubuntu, with Linux 6.8.0-45-generic")}, "6.8.0-45-generic", ""},
		{"by id", map[string]string{"boot/grub/grub.cfg": with("gnulinux-advanced-1>gnulinux-6.8.0-45-generic-advanced-1")}, "6.8.0-45-generic", ""},
		{"saved", map[string]string{"boot/grub/grub.cfg": with("${saved_entry}"), "boot/grub/grubenv": env + "saved_entry=1>1\n"}, "6.8.0-45-generic", ""},
		{"nothing saved", map[string]string{"boot/grub/grub.cfg": with("${saved_entry}"), "boot/grub/grubenv": env}, "6.8.0-100-generic", ""},
		{"another one for one boot", map[string]string{"boot/grub/grub.cfg": with("0"), "boot/grub/grubenv": env + "next_entry=1>1\n"}, "6.8.0-45-generic", ""},
		{"an entry that is not there", map[string]string{"boot/grub/grub.cfg": with("7")}, "", `/boot/grub/grub.cfg has no entry "7"`},
		{"an entry without a kernel", map[string]string{"boot/grub/grub.cfg": with("2")}, "", `/boot/grub/grub.cfg: the entry "2" names no kernel`},
		{"no boot loader", nil, "", "there is no configuration of GRUB in /boot"},
		{"empty", map[string]string{"boot/grub/grub.cfg": ""}, "", `/boot/grub/grub.cfg has no entry "0"`},
		{"files of the Boot Loader Specification", map[string]string{
			"boot/grub2/grub.cfg": "set default=\"${saved_entry}\"\nblscfg\n", "boot/grub2/grubenv": "saved_entry=abc-5.14.0-503.el9.x86_64\n",
			"boot/loader/entries/abc-5.14.0-503.el9.x86_64.conf": "title Rocky\nlinux /vmlinuz-5.14.0-503.el9.x86_64\n",
		}, "5.14.0-503.el9.x86_64", ""},
		{"and none of them is named", map[string]string{"boot/grub2/grub.cfg": "set default=\"0\"\nblscfg\n"}, "",
			"/boot/grub2/grub.cfg names no file of /boot/loader/entries as its default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := collect(t, c.files)
			if got.Next != c.want || got.NextUnknown != c.unknown {
				t.Errorf("%q, %q; want %q, %q", got.Next, got.NextUnknown, c.want, c.unknown)
			}
		})
	}
}

func TestReboot(t *testing.T) {
	got := collect(t, map[string]string{
		"run/reboot-required":      "*** System restart required ***\n",
		"run/reboot-required.pkgs": "linux-image-6.8.0-100-generic\nlinux-base\nlinux-base\n",
	})
	want := facts.Reboot{Required: true, Since: written, Packages: []string{"linux-base", "linux-image-6.8.0-100-generic"}}
	if diff := cmp.Diff(want, got.Reboot); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := collect(t, map[string]string{"run/reboot-required/x": ""}); got.Reboot.Unknown != "/run/reboot-required is not a regular file" {
		t.Errorf("%+v", got.Reboot)
	}
}

func TestSecureBoot(t *testing.T) {
	const at = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	for _, c := range []struct {
		name          string
		files         map[string]string
		want, unknown string
	}{
		{"enabled", map[string]string{at: "\x06\x00\x00\x00\x01"}, facts.SecureBootEnabled, ""},
		{"disabled", map[string]string{at: "\x06\x00\x00\x00\x00"}, facts.SecureBootDisabled, ""},
		{"BIOS", nil, facts.SecureBootUnsupported, ""},
		{"UEFI that has no Secure Boot", map[string]string{"sys/firmware/efi/efivars/Boot0000-x": "x"}, facts.SecureBootUnsupported, ""},
		{"not mounted", map[string]string{"sys/firmware/efi/runtime": "x"}, "", "the variables of the UEFI are not mounted"},
		{"damaged", map[string]string{at: "\x01"}, "", "/" + at + " holds no value of the variable SecureBoot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := collect(t, c.files)
			if got.SecureBoot != c.want || got.SecureBootUnknown != c.unknown {
				t.Errorf("%q, %q", got.SecureBoot, got.SecureBootUnknown)
			}
		})
	}
}

// FuzzGrub: whatever a configuration says, the answer is a release or a reason, and no panic.
func FuzzGrub(f *testing.F) {
	f.Add(with("0"), "next_entry=1>1\n")
	f.Add("}\n}\nmenuentry {", "saved_entry=>")
	f.Fuzz(func(t *testing.T, config, environment string) {
		got := collect(t, map[string]string{"boot/grub/grub.cfg": config, "boot/grub/grubenv": environment})
		if (got.Next == "") == (got.NextUnknown == "") {
			t.Errorf("%+v", got)
		}
	})
}
