package bundle

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// VerifyStored reads a stored bundle to its end and compares size and SHA-256 with what they must be: those that the state
// remembers, or the label's. It needs no identity. A shorter one is ErrCut, any other difference ErrDamaged.
func VerifyStored(r io.Reader, size int64, sum string) error {
	d := &digest{w: io.Discard, hash: sha256.New()}
	if _, err := io.Copy(d, r); err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	return d.compare(size, sum)
}

func (d *digest) compare(size int64, sum string) error {
	if err := compareSize(d.size, size); err != nil {
		return err
	}
	if d.sum() != sum {
		return fmt.Errorf("%w: its SHA-256 is %s instead of %s", ErrDamaged, d.sum(), sum)
	}
	return nil
}

func compareSize(got, want int64) error {
	switch {
	case got < want:
		return fmt.Errorf("%w: %d of %d bytes are there", ErrCut, got, want)
	case got > want:
		return fmt.Errorf("%w: it has %d bytes instead of %d", ErrDamaged, got, want)
	}
	return nil
}

// Verify reads a bundle in one pass and checks all that can be checked: size and SHA-256 as stored, and, where it is not
// encrypted or an identity opens it, each part against the manifest inside and that against the label. use, which may be
// nil, is called with each part in order; what it is given is proved only when Verify returns nil. The manifest is that of
// the bundle where it could be opened, else the label's; opened says which.
func Verify(r io.Reader, l Label, ids Identities, use func(*PartReader) error) (m Manifest, opened bool, err error) {
	stored := &digest{w: io.Discard, hash: sha256.New()}
	tee := io.TeeReader(r, stored)
	if len(l.EncryptedTo) > 0 && ids.Empty() {
		if _, err := io.Copy(io.Discard, tee); err != nil {
			return Manifest{}, false, fmt.Errorf("read the bundle: %w", err)
		}
		return l.Manifest, false, stored.compare(l.StoredSize, l.StoredSHA256)
	}
	m, sum, insideErr, useErr := inside(tee, ids, use)
	if useErr != nil {
		return Manifest{}, false, useErr
	}
	// The rest is read whatever is wrong inside, since how the whole differs says more.
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return Manifest{}, false, fmt.Errorf("read the bundle: %w", err)
	}
	storedErr := stored.compare(l.StoredSize, l.StoredSHA256)
	switch {
	case errors.Is(storedErr, ErrCut), insideErr == nil && storedErr != nil,
		storedErr != nil && errors.Is(insideErr, ErrLocked): // a header that was changed opens with no key
		return Manifest{}, false, storedErr
	case insideErr != nil:
		return Manifest{}, false, insideErr
	}
	return m, true, l.describes(m, sum)
}

// inside reads a bundle to its manifest, whose SHA-256 it returns, too. The second error is the user's.
func inside(r io.Reader, ids Identities, use func(*PartReader) error) (m Manifest, sum string, broken, failed error) {
	b, err := Open(r, ids)
	if err != nil {
		return Manifest{}, "", err, nil
	}
	for {
		part, err := b.Next()
		if err == io.EOF {
			return b.Manifest(), b.sum, nil, nil
		}
		if err != nil {
			return Manifest{}, "", err, nil
		}
		if use == nil {
			continue
		}
		if err := use(part); err != nil {
			if b.err != nil && b.err != io.EOF {
				return Manifest{}, "", b.err, nil // the part broke, and use says so in its own words
			}
			return Manifest{}, "", nil, fmt.Errorf("part %s: %w", part.Name(), err)
		}
	}
}

// describes checks that a label is that of the bundle with this manifest, whose SHA-256 is sum.
func (l Label) describes(m Manifest, sum string) error {
	same := m.label(l.EncryptedTo, l.StoredSize, l.StoredSHA256)
	if same.Signature = l.Signature; l.ManifestSHA256 != "" {
		same.ManifestSHA256 = sum
	}
	want, err := json.Marshal(same)
	if err != nil {
		return err
	}
	got, err := json.Marshal(l)
	if err != nil {
		return err
	}
	switch {
	case string(want) == string(got):
		return nil
	case l.ID != m.ID:
		return fmt.Errorf("%w: the label belongs to bundle %s, this is bundle %s", ErrLabel, l.ID, m.ID)
	default:
		return fmt.Errorf("%w: they say different things of %s", ErrLabel, m.ID)
	}
}

// Inspect reads a bundle whose label is lost to its end, checks each part against the manifest inside, and returns the label
// that such a bundle has. It is unsigned: what signed the bundle is lost with the label.
func Inspect(r io.Reader, ids Identities) (Label, error) {
	stored := &digest{w: io.Discard, hash: sha256.New()}
	tee := io.TeeReader(r, stored)
	b, err := Open(tee, ids)
	for err == nil {
		_, err = b.Next()
	}
	if err != io.EOF {
		return Label{}, err
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return Label{}, fmt.Errorf("read the bundle: %w", err)
	}
	var to []string
	if b.Encrypted() {
		to = []string{lostRecipients}
	}
	l := b.manifest.label(to, stored.size, stored.sum())
	l.ManifestSHA256 = b.sum
	return l, nil
}

// lostRecipients stand for those of a bundle whose label is lost.
const lostRecipients = "recipients that the lost label named"
