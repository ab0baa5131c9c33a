package bundle

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"filippo.io/age"
)

// Writer writes one bundle in one pass. It is not safe for concurrent use. A bundle is complete only when Close returned
// nil; what was written before that must be thrown away by the caller when something fails, and Abandon then ends it.
type Writer struct {
	names  []string
	stored *digest
	crypt  io.WriteCloser // nil where the bundle is not encrypted
	tar    *tar.Writer
	piece  []byte     // of the part that is open; pieceSize at most
	spare  []byte     // the piece before it
	wrote  chan error // of the piece before it, while that is being written; else nil
	parts  []Part
	open   *partWriter
	at     time.Time
	err    error // why nothing more can be written
}

// NewWriter begins a bundle on w for the recipients; w is not closed.
func NewWriter(w io.Writer, to Recipients) (*Writer, error) {
	b := &Writer{names: to.names, stored: &digest{w: w, hash: sha256.New()}, at: time.Unix(0, 0)}
	into := io.Writer(b.stored)
	if len(to.keys) > 0 {
		crypt, err := age.Encrypt(b.stored, to.keys...)
		if err != nil {
			return nil, fmt.Errorf("begin the bundle: %w", err)
		}
		b.crypt, into = crypt, crypt
	}
	b.tar, b.piece, b.spare = tar.NewWriter(into), make([]byte, 0, pieceSize), make([]byte, 0, pieceSize)
	return b, nil
}

// Part begins the next part. The caller writes it and closes it before the next one; closing it is what makes it part of
// the bundle.
func (b *Writer) Part(name string) (io.WriteCloser, error) {
	sum := sha256.New()
	return b.part(name, sum, func() string { return hex.EncodeToString(sum.Sum(nil)) })
}

// SummedPart begins the next part, as Part does, for a caller who computes the SHA-256 of what it writes all the same: sum
// is asked for it, in hexadecimal, when the part is closed. The one who reads the bundle holds the part to it.
func (b *Writer) SummedPart(name string, sum func() string) (io.WriteCloser, error) {
	return b.part(name, io.Discard, sum)
}

// Abandon returns when nothing more is written. After Close it does nothing.
func (b *Writer) Abandon() { _ = b.settle() }

func (b *Writer) part(name string, hash io.Writer, sum func() string) (io.WriteCloser, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.open != nil {
		return nil, b.fail(fmt.Errorf("part %s: part %s is not closed", name, b.open.name))
	}
	if err := checkPart(name); err != nil {
		return nil, b.fail(err)
	}
	if _, again := (Manifest{Parts: b.parts}).Part(name); again {
		return nil, b.fail(fmt.Errorf("part %s is in the bundle already", name))
	}
	b.open = &partWriter{b: b, name: name, hash: hash, sum: sum}
	return b.open, nil
}

// Close writes the manifest and ends the bundle. The manifest's Format and Parts are filled in here; its ID and TakenAt
// must be set. It returns the label.
func (b *Writer) Close(m Manifest) (Label, error) {
	if b.err != nil {
		return Label{}, b.err
	}
	if b.open != nil {
		return Label{}, b.fail(fmt.Errorf("part %s is not closed", b.open.name))
	}
	m.Format, m.Parts = Format, b.parts
	m.TakenAt = m.TakenAt.UTC()
	if err := m.check(); err != nil {
		return Label{}, b.fail(fmt.Errorf("write the manifest: %w", err))
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil && len(text) >= LabelLimit {
		err = fmt.Errorf("it has %d bytes, at most %d are allowed", len(text), LabelLimit)
	}
	if err != nil {
		return Label{}, b.fail(fmt.Errorf("write the manifest: %w", err))
	}
	text = append(text, '\n')
	if err := b.settle(); err != nil {
		return Label{}, err
	}
	b.at = m.TakenAt
	sum := sha256.Sum256(text)
	for _, e := range []struct {
		name string
		data []byte
	}{{manifestEntry, text}, {digestEntry, digestLine(sum)}} {
		if err := b.entry(e.name, e.data); err != nil {
			return Label{}, b.fail(err)
		}
	}
	if err := b.tar.Close(); err != nil {
		return Label{}, b.fail(fmt.Errorf("end the bundle: %w", err))
	}
	if b.crypt != nil {
		if err := b.crypt.Close(); err != nil {
			return Label{}, b.fail(fmt.Errorf("end the bundle: %w", err))
		}
	}
	b.err = errors.New("the bundle is complete")
	label := m.label(b.names, b.stored.size, b.stored.sum())
	label.ManifestSHA256 = hex.EncodeToString(sum[:])
	return label, nil
}

// label returns the label of a bundle with this manifest.
func (m Manifest) label(to []string, size int64, sum string) Label {
	m.Parts = append([]Part(nil), m.Parts...)
	if len(to) > 0 {
		for i := range m.Parts {
			m.Parts[i].SHA256 = ""
		}
	}
	return Label{Manifest: m, EncryptedTo: to, StoredSize: size, StoredSHA256: sum}
}

// digestLine is what sha256sum(1) writes and checks.
func digestLine(sum [sha256.Size]byte) []byte {
	return []byte(hex.EncodeToString(sum[:]) + "  " + manifestEntry + "\n")
}

func (b *Writer) fail(err error) error {
	if b.err == nil {
		b.err = err
	}
	return err
}

func (b *Writer) entry(name string, data []byte) error {
	// ustar: what every tar there ever was can read. Times and owners say nothing, so they are the same in every bundle.
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600, ModTime: b.at.Truncate(time.Second), Format: tar.FormatUSTAR}
	err := b.tar.WriteHeader(h)
	if err == nil {
		_, err = b.tar.Write(data)
	}
	if err == nil {
		err = b.tar.Flush()
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// settle waits for the piece that is being written, if any.
func (b *Writer) settle() error {
	if b.wrote == nil {
		return nil
	}
	err := <-b.wrote
	b.wrote = nil
	if err != nil {
		return b.fail(err)
	}
	return nil
}

// partWriter collects a part's bytes into pieces.
type partWriter struct {
	b      *Writer
	name   string
	hash   io.Writer
	sum    func() string
	size   int64
	pieces int
	closed bool
}

func (p *partWriter) Write(data []byte) (int, error) {
	if p.b.err != nil {
		return 0, p.b.err
	}
	if p.closed {
		return 0, p.b.fail(fmt.Errorf("part %s is closed", p.name))
	}
	written := 0
	for len(data) > 0 {
		n := min(len(data), pieceSize-len(p.b.piece))
		p.b.piece = append(p.b.piece, data[:n]...)
		p.hash.Write(data[:n]) // never fails
		p.size += int64(n)
		written += n
		data = data[n:]
		if len(p.b.piece) == pieceSize {
			if err := p.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// Close ends the part.
func (p *partWriter) Close() error {
	if p.b.err != nil {
		return p.b.err
	}
	if p.closed {
		return nil
	}
	if len(p.b.piece) > 0 || p.pieces == 0 {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.closed, p.b.open = true, nil
	p.b.parts = append(p.b.parts, Part{Name: p.name, Size: p.size, SHA256: p.sum()})
	return nil
}

// flush has the piece encrypted, hashed and written while the next one is collected.
func (p *partWriter) flush() error {
	p.pieces++
	if err := p.b.settle(); err != nil {
		return err
	}
	name, piece, wrote := pieceName(p.name, p.pieces), p.b.piece, make(chan error, 1)
	p.b.piece, p.b.spare, p.b.wrote = p.b.spare[:0], piece, wrote
	go func() { wrote <- p.b.entry(name, piece) }()
	return nil
}

// digest hashes and counts what is written through it.
type digest struct {
	w    io.Writer
	hash hash.Hash
	size int64
}

func (d *digest) Write(data []byte) (int, error) {
	n, err := d.w.Write(data)
	d.hash.Write(data[:n])
	d.size += int64(n)
	return n, err
}

func (d *digest) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }
