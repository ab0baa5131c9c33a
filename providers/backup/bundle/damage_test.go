package bundle_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	"pgregory.net/rapid"

	"upkeep/providers/backup/bundle"
)

// entry is one file of the archive.
type entry struct {
	name string
	data []byte
}

func entries(t testing.TB, plain []byte) (all []entry) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(plain)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{h.Name, data})
	}
}

// archive makes an archive as somebody makes it who means to deceive, or made a mistake.
func archive(t testing.TB, all []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range all {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.data)), Mode: 0o600, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encrypt(t testing.TB, plain []byte, k key) []byte {
	t.Helper()
	recipient, err := age.ParseX25519Recipient(k.public)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// rearranged are bundles whose archive was changed: whoever knows the recipients can make these, encrypted as well.
func rearranged(t testing.TB) []struct {
	name  string
	plain []byte
	want  error
} {
	t.Helper()
	plain, _ := write(t, "daily-2", bundle.Recipients{}, small())
	older, _ := write(t, "daily-1", bundle.Recipients{}, []part{{"etcd/snapshot.db", random(9, 100_000)}, {"nodes/cp1.tar", random(2, 5000)}, {"nodes/cp2.tar", random(3, 5000)}})
	all, old := entries(t, plain), entries(t, older) // snapshot, cp1, cp2, manifest, digest
	renamed := func(i int, name string) entry { return entry{name, all[i].data} }
	future := bytes.Replace(all[3].data, []byte(`"format": 1`), []byte(`"format": 2`), 1)
	sum := sha256.Sum256(future)
	return []struct {
		name  string
		plain []byte
		want  error
	}{
		{"parts in another order", archive(t, []entry{all[1], all[0], all[2], all[3], all[4]}), bundle.ErrManifest},
		{"parts whose names were swapped", archive(t, []entry{all[0], renamed(2, all[1].name), renamed(1, all[2].name), all[3], all[4]}), bundle.ErrManifest},
		{"an older manifest", archive(t, []entry{all[0], all[1], all[2], old[3], old[4]}), bundle.ErrManifest},
		{"an older part", archive(t, []entry{old[0], all[1], all[2], all[3], all[4]}), bundle.ErrManifest},
		{"a part that is missing", archive(t, []entry{all[0], all[2], all[3], all[4]}), bundle.ErrManifest},
		{"a part more", archive(t, []entry{all[0], all[1], all[2], {"nodes/cp4.tar.000001", nil}, all[3], all[4]}), bundle.ErrManifest},
		{"a part twice", archive(t, []entry{all[0], all[1], all[2], all[1], all[3], all[4]}), bundle.ErrOrder},
		{"a part without its first piece", archive(t, []entry{all[0], renamed(1, "nodes/cp1.tar.000002"), all[2], all[3], all[4]}), bundle.ErrOrder},
		{"a piece more", archive(t, []entry{all[0], {"etcd/snapshot.db.000002", []byte("x")}, all[1], all[2], all[3], all[4]}), bundle.ErrOrder},
		{"no manifest", archive(t, all[:3]), bundle.ErrCut},
		{"no digest of the manifest", archive(t, all[:4]), bundle.ErrCut},
		{"another digest of the manifest", archive(t, []entry{all[0], all[1], all[2], all[3], old[4]}), bundle.ErrDamaged},
		{"a part behind the manifest", archive(t, []entry{all[0], all[1], all[3], all[4], all[2]}), bundle.ErrManifest},
		{"something behind the end", append(bytes.Clone(plain), make([]byte, 512)...), bundle.ErrDamaged},
		{"no end of the archive", plain[:len(plain)-1024], bundle.ErrCut},
		{"half an end of the archive", plain[:len(plain)-512], bundle.ErrCut},
		{"a format to come", archive(t, []entry{all[0], all[1], all[2], {"manifest.json", future}, {"manifest.json.sha256", []byte(hex.EncodeToString(sum[:]) + "  manifest.json\n")}}), bundle.ErrFormat},
		{"another archive", archive(t, []entry{{"etc/passwd", []byte("root")}}), bundle.ErrForeign},
	}
}

func TestRearrangedBundles(t *testing.T) {
	k := newKey(t)
	_, plainLabel := write(t, "daily-2", bundle.Recipients{}, small())
	for _, test := range rearranged(t) {
		t.Run(test.name, func(t *testing.T) {
			if _, _, err := read(test.plain, bundle.Identities{}); !errors.Is(err, test.want) {
				t.Errorf("plain: %v does not wrap %v", err, test.want)
			}
			encrypted := encrypt(t, test.plain, k)
			switch _, _, err := read(encrypted, identities(t, k)); {
			case test.want == bundle.ErrForeign && err != nil:
			case !errors.Is(err, test.want):
				t.Errorf("encrypted: %v does not wrap %v", err, test.want)
			}
			// Without any identity the digest tells as much.
			if err := bundle.VerifyStored(bytes.NewReader(test.plain), plainLabel.StoredSize, plainLabel.StoredSHA256); !errors.Is(err, bundle.ErrCut) && !errors.Is(err, bundle.ErrDamaged) {
				t.Errorf("by its digest: %v", err)
			}
		})
	}
}

// damage is one way in which a disk or a network spoils a file.
func damages(stored []byte) []struct {
	name   string
	stored []byte
	want   error
} {
	middle := len(stored) / 2
	flipped, zeroed := bytes.Clone(stored), bytes.Clone(stored)
	flipped[middle] ^= 0x10
	clear(zeroed[len(zeroed)-1024:])
	if bytes.Equal(zeroed, stored) { // the end of an archive is zeros
		zeroed[len(zeroed)-1] = 1
	}
	return []struct {
		name   string
		stored []byte
		want   error
	}{
		{"a flipped byte", flipped, bundle.ErrDamaged},
		{"the last 4 KiB cut", stored[:len(stored)-4096], bundle.ErrCut},
		{"the last byte cut", stored[:len(stored)-1], bundle.ErrCut},
		{"4 KiB cut from the middle", append(bytes.Clone(stored[:middle]), stored[middle+4096:]...), bundle.ErrCut},
		{"a trailer of zeros", zeroed, bundle.ErrDamaged},
		{"a byte more", append(bytes.Clone(stored), 0), bundle.ErrDamaged},
		{"nothing", nil, bundle.ErrCut},
	}
}

func TestDamagedBundles(t *testing.T) {
	k := newKey(t)
	for kind, to := range map[string][]key{"plain": nil, "encrypted": {k}} {
		stored, label := write(t, "daily-2", recipients(t, to...), small())
		for _, test := range damages(stored) {
			t.Run(kind+"/"+test.name, func(t *testing.T) {
				if err := bundle.VerifyStored(bytes.NewReader(test.stored), label.StoredSize, label.StoredSHA256); !errors.Is(err, test.want) {
					t.Errorf("by its digest: %v does not wrap %v", err, test.want)
				}
				for opening, ids := range map[string]bundle.Identities{"unopened": {}, "opened": identities(t, to...)} {
					used := 0
					_, opened, err := bundle.Verify(bytes.NewReader(test.stored), label, ids, func(p *bundle.PartReader) error {
						used++
						_, err := io.Copy(io.Discard, p)
						return err
					})
					if err == nil || opened || errors.Is(test.want, bundle.ErrCut) && !errors.Is(err, bundle.ErrCut) {
						t.Errorf("%s: %v, %v", opening, opened, err)
					}
				}
			})
		}
	}
}

// Any one bit that flips is found: by the digest always, and without it wherever the bundle is encrypted.
func TestAnyFlippedBitIsFound(t *testing.T) {
	k := newKey(t)
	ids := identities(t, k)
	plain, plainLabel := write(t, "daily-2", bundle.Recipients{}, small())
	encrypted, encryptedLabel := write(t, "daily-2", recipients(t, k), small())
	rapid.Check(t, func(t *rapid.T) {
		for _, b := range []struct {
			stored []byte
			label  bundle.Label
		}{{plain, plainLabel}, {encrypted, encryptedLabel}} {
			flipped := bytes.Clone(b.stored)
			at := rapid.IntRange(0, len(flipped)-1).Draw(t, "at")
			flipped[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			if _, _, err := bundle.Verify(bytes.NewReader(flipped), b.label, ids, nil); err == nil {
				t.Fatalf("bit at %d: nothing was found", at)
			}
			if len(b.label.EncryptedTo) > 0 {
				if _, _, err := read(flipped, ids); err == nil {
					t.Fatalf("bit at %d of an encrypted bundle: nothing was found without the label", at)
				}
			}
		}
	})
}

// A bundle that is cut anywhere is never taken for whole.
func TestAnyCutIsFound(t *testing.T) {
	k := newKey(t)
	ids := identities(t, k)
	plain, _ := write(t, "daily-2", bundle.Recipients{}, small())
	encrypted, _ := write(t, "daily-2", recipients(t, k), small())
	rapid.Check(t, func(t *rapid.T) {
		for _, stored := range [][]byte{plain, encrypted} {
			at := rapid.IntRange(0, len(stored)-1).Draw(t, "at")
			if _, _, err := read(stored[:at], ids); err == nil {
				t.Fatalf("%d of %d bytes were taken for the bundle", at, len(stored))
			}
		}
	})
}

// A store that fails while it is read is no damage.
func TestReadErrorsAreNotDamage(t *testing.T) {
	k := newKey(t)
	gone := errors.New("the store went away")
	for name, to := range map[string][]key{"plain": nil, "encrypted": {k}} {
		stored, label := write(t, "daily-2", recipients(t, to...), small())
		for _, at := range []int{0, 10, 300, len(stored) / 2, len(stored) - 1} {
			broken := func() io.Reader { return io.MultiReader(bytes.NewReader(stored[:at]), iotest.ErrReader(gone)) }
			r, err := bundle.Open(broken(), identities(t, to...))
			for err == nil {
				_, err = r.Next()
			}
			_, _, verifyErr := bundle.Verify(broken(), label, identities(t, to...), nil)
			for _, err := range []error{err, verifyErr, bundle.VerifyStored(broken(), label.StoredSize, label.StoredSHA256)} {
				if !errors.Is(err, gone) || errors.Is(err, bundle.ErrDamaged) || errors.Is(err, bundle.ErrCut) {
					t.Errorf("%s, after %d bytes: %v", name, at, err)
				}
			}
		}
	}
}

func TestKeys(t *testing.T) {
	mine, other := newKey(t), newKey(t)
	stored, label := write(t, "daily-2", recipients(t, mine, other), small())
	if _, _, err := read(stored, bundle.Identities{}); !errors.Is(err, bundle.ErrLocked) {
		t.Errorf("without an identity: %v", err)
	}
	_, _, err := read(stored, identities(t, newKey(t)))
	if want := "the bundle is encrypted, and no identity that was given opens it (1 identity tried)"; !errors.Is(err, bundle.ErrLocked) || err.Error() != want {
		t.Errorf("with another's: %v", err)
	}
	if _, opened, err := bundle.Verify(bytes.NewReader(stored), label, bundle.Identities{}, nil); err != nil || opened {
		t.Errorf("by its digest alone: %v, %v", opened, err)
	}
	if _, _, err := bundle.Verify(bytes.NewReader(stored), label, identities(t, newKey(t)), nil); !errors.Is(err, bundle.ErrLocked) {
		t.Errorf("verify with another's identity: %v", err)
	}
	ids := identities(t, mine)
	for _, shown := range []string{fmt.Sprint(ids), fmt.Sprintf("%+v %#v %s %x", ids, ids, ids, ids)} {
		if strings.Contains(shown, "AGE-SECRET") || !strings.Contains(shown, "(1 identity)") {
			t.Errorf("identities print as %s", shown)
		}
	}
	if _, err := ids.MarshalJSON(); err == nil {
		t.Error("identities can be written as JSON")
	}
}

func TestKeysThatAreNone(t *testing.T) {
	secret := newKey(t).secret
	for name, text := range map[string]string{
		"a mistyped one": "# mine\n" + secret[:len(secret)-1] + other(secret[len(secret)-1]) + "\n", "a short one": secret[:30], "a recipient": newKey(t).public, "an empty file": "", "only comments": "# " + secret, "one long line": strings.Repeat(secret, 2000),
	} {
		_, err := bundle.ParseIdentities([]byte(text))
		if err == nil || strings.Contains(strings.ToUpper(err.Error()), secret[15:25]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, names := range map[string][]string{"a secret key": {secret}, "a word": {"alice"}, "an SSH key": {"ssh-ed25519 AAAA"}, "two kinds": {newKey(t).public, hybrid.Recipient().String()}} {
		_, err := bundle.ParseRecipients(names)
		if err == nil || strings.Contains(err.Error(), secret[20:]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A hybrid key works as any other.
	stored, _ := write(t, "daily-2", recipients(t, key{public: hybrid.Recipient().String()}), small())
	got, _, err := read(stored, identities(t, key{secret: hybrid.String()}))
	if err != nil {
		t.Fatal(err)
	}
	wantParts(t, small(), got)
}

// other returns a letter of the alphabet of keys that is not the given one.
func other(letter byte) string {
	if letter == 'Q' {
		return "P"
	}
	return "Q"
}

// A label beside the wrong bundle is found, whatever it says of the bytes.
func TestLabelsOfOtherBundles(t *testing.T) {
	stored, label := write(t, "daily-2", bundle.Recipients{}, small())
	for name, change := range map[string]func(*bundle.Label){
		"another id":       func(l *bundle.Label) { l.ID = "daily-1" },
		"another revision": func(l *bundle.Label) { l.Revision++ },
		"another size":     func(l *bundle.Label) { l.Parts[0].Size++ },
		"another gap":      func(l *bundle.Label) { l.Gaps = nil },
	} {
		changed := label
		changed.Parts = append([]bundle.Part(nil), label.Parts...)
		change(&changed)
		if _, _, err := bundle.Verify(bytes.NewReader(stored), changed, bundle.Identities{}, nil); !errors.Is(err, bundle.ErrLabel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the user of a part says is what Verify returns.
func TestVerifyPassesOnTheUsersError(t *testing.T) {
	stored, label := write(t, "daily-2", bundle.Recipients{}, small())
	mine := errors.New("etcd does not start")
	_, _, err := bundle.Verify(bytes.NewReader(stored), label, bundle.Identities{}, func(p *bundle.PartReader) error { return mine })
	if !errors.Is(err, mine) || !strings.HasPrefix(err.Error(), "part etcd/snapshot.db: ") {
		t.Errorf("error %v", err)
	}
}
