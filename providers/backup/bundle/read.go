package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"

	"upkeep/providers/strictjson"
)

// ageIntro begins every age file (C2SP age.md, "age-encryption.org/v1").
const ageIntro = "age-encryption.org/v1"

// Reader reads one bundle in one pass.
//
//	for {
//		part, err := r.Next()
//		if err == io.EOF { break } // everything was checked; Manifest says what it was
//		…read part…
//	}
//
// What a part holds is proved only when Next has returned io.EOF: until then the digests are not known. Callers that act
// on a part earlier must be able to take that back.
type Reader struct {
	tar       *tar.Reader
	plain     *counted // what tar reads
	encrypted bool
	parts     []Part
	open      *PartReader
	next      *tar.Header // the first piece of the next part, or manifest.json
	manifest  Manifest
	sum       string // the SHA-256 of the manifest
	err       error
}

// Open begins to read a bundle. An encrypted one needs an identity; else the error wraps ErrLocked. Bytes that are no
// bundle are ErrForeign.
func Open(r io.Reader, ids Identities) (*Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	begin, err := buffered.Peek(len(ageIntro))
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	b := &Reader{plain: &counted{r: buffered}}
	if string(begin) == ageIntro {
		if ids.Empty() {
			return nil, ErrLocked
		}
		plain, err := age.Decrypt(&ageSource{r: buffered}, ids.keys...)
		if err != nil {
			return nil, explainHeader(err)
		}
		b.encrypted, b.plain.r = true, &payload{plain}
	}
	b.tar = tar.NewReader(b.plain)
	if b.next, err = b.tar.Next(); err != nil {
		switch err := explain(err); {
		case b.encrypted, errors.Is(err, errSource):
			return nil, err
		default:
			return nil, ErrForeign
		}
	}
	if _, n, ok := parsePiece(b.next.Name); (!ok || n != 1) && b.next.Name != manifestEntry {
		return nil, ErrForeign
	}
	return b, nil
}

// Encrypted reports whether the bundle is encrypted.
func (b *Reader) Encrypted() bool { return b.encrypted }

// Manifest returns the bundle's manifest. It is valid after Next returned io.EOF.
func (b *Reader) Manifest() Manifest { return b.manifest }

// Next ends the part before, reading what is left of it, and returns the next one. After the last part it checks the
// manifest and the end, and returns io.EOF; any other error says what is wrong, and wraps one of the package's errors or
// that of the reader below.
func (b *Reader) Next() (*PartReader, error) {
	if b.err != nil {
		return nil, b.err
	}
	part, err := b.advance()
	if err != nil {
		b.err = err
	}
	return part, err
}

func (b *Reader) advance() (*PartReader, error) {
	if b.open != nil {
		if _, err := io.Copy(io.Discard, b.open); err != nil {
			return nil, err
		}
		p := b.open
		b.parts = append(b.parts, Part{Name: p.name, Size: p.size, SHA256: hex.EncodeToString(p.hash.Sum(nil))})
		b.open = nil
	}
	if b.next.Name == manifestEntry {
		if err := b.finish(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	name, n, ok := parsePiece(b.next.Name)
	if !ok || n != 1 {
		return nil, fmt.Errorf("%w: %.120q stands where a part should begin", ErrOrder, b.next.Name)
	}
	if _, again := (Manifest{Parts: b.parts}).Part(name); again {
		return nil, fmt.Errorf("%w: part %s begins again", ErrOrder, name)
	}
	if err := checkEntry(b.next, pieceSize); err != nil {
		return nil, err
	}
	b.open = &PartReader{b: b, name: name, hash: sha256.New(), left: b.next.Size, piece: 1, pieceSize: b.next.Size}
	return b.open, nil
}

// header reads the next entry's header; there must be one.
func (b *Reader) header() (*tar.Header, error) {
	h, err := b.tar.Next()
	if err == io.EOF {
		return nil, fmt.Errorf("%w: its manifest is missing", ErrCut)
	}
	if err != nil {
		return nil, explain(err)
	}
	return h, nil
}

// checkEntry refuses entries that the Writer does not write: links, sparse files, extended headers, large ones.
func checkEntry(h *tar.Header, limit int64) error {
	if h.Typeflag != tar.TypeReg || h.Size < 0 || h.Size > limit || len(h.PAXRecords) > 0 || h.Format&(tar.FormatGNU|tar.FormatPAX) != 0 && h.Format&tar.FormatUSTAR == 0 {
		return fmt.Errorf("%w: %.120q is not an entry of a bundle", ErrDamaged, h.Name)
	}
	return nil
}

// finish reads the manifest and its digest, compares them with what was read, and looks for the end.
func (b *Reader) finish() error {
	if err := checkEntry(b.next, LabelLimit); err != nil {
		return err
	}
	text, err := io.ReadAll(b.tar)
	if err != nil {
		return explain(err)
	}
	h, err := b.header()
	if err != nil {
		return err
	}
	if h.Name != digestEntry {
		return fmt.Errorf("%w: %.120q follows the manifest", ErrOrder, h.Name)
	}
	if err := checkEntry(h, 1024); err != nil {
		return err
	}
	line, err := io.ReadAll(b.tar)
	if err != nil {
		return explain(err)
	}
	sum := sha256.Sum256(text)
	if !bytes.Equal(line, digestLine(sum)) {
		return fmt.Errorf("%w: the manifest differs from its digest", ErrDamaged)
	}
	var m Manifest
	if err := strictjson.Decode(text, &m); err != nil {
		return fmt.Errorf("%w: the manifest cannot be read: %w", ErrDamaged, err)
	}
	if err := m.check(); err != nil {
		return err
	}
	if err := compareParts(m.Parts, b.parts); err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	b.manifest, b.sum = m, hex.EncodeToString(sum[:])
	return nil
}

// compareParts says how what was read differs from what the manifest has.
func compareParts(want, got []Part) error {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			return fmt.Errorf("%w: part %s is not in the manifest", ErrManifest, got[i].Name)
		case i >= len(got):
			return fmt.Errorf("%w: part %s is missing", ErrManifest, want[i].Name)
		case want[i].Name != got[i].Name:
			return fmt.Errorf("%w: part %s stands where the manifest has %s", ErrManifest, got[i].Name, want[i].Name)
		case want[i].Size != got[i].Size:
			return fmt.Errorf("%w: part %s has %d bytes, %d in the manifest", ErrManifest, got[i].Name, got[i].Size, want[i].Size)
		case want[i].SHA256 != got[i].SHA256:
			return fmt.Errorf("%w: part %s has SHA-256 %s, %s in the manifest", ErrManifest, got[i].Name, got[i].SHA256, want[i].SHA256)
		}
	}
	return nil
}

// end checks that the archive ends here, with the two blocks of zeros that end one, and the stream with it. (archive/tar
// takes the end of the stream for the end of the archive.)
func (b *Reader) end() error {
	const block = 512
	want := (b.plain.size+block-1)/block*block + 2*block
	switch h, err := b.tar.Next(); {
	case err == nil:
		return fmt.Errorf("%w: %.120q follows the manifest", ErrOrder, h.Name)
	case err != io.EOF:
		return explain(err)
	case b.plain.size != want:
		return fmt.Errorf("%w: the end of the archive is missing", ErrCut)
	}
	switch n, err := io.CopyN(io.Discard, b.plain, 1); {
	case n > 0:
		return fmt.Errorf("%w: something follows its end", ErrDamaged)
	case err != io.EOF:
		return explain(err)
	}
	return nil
}

// counted counts what is read.
type counted struct {
	r    io.Reader
	size int64
}

func (c *counted) Read(data []byte) (int, error) {
	n, err := c.r.Read(data)
	c.size += int64(n)
	return n, err
}

// PartReader reads one part. It ends with io.EOF where the part ends.
type PartReader struct {
	b         *Reader
	name      string
	hash      hash.Hash
	size      int64
	left      int64 // of the piece
	piece     int
	pieceSize int64
	done      bool
}

// Name returns the part's name.
func (p *PartReader) Name() string { return p.name }

func (p *PartReader) Read(data []byte) (int, error) {
	if p.b.open != p {
		return 0, io.EOF // the reader has gone on
	}
	if p.b.err != nil {
		return 0, p.b.err
	}
	for p.left == 0 && !p.done {
		if err := p.nextPiece(); err != nil {
			p.b.err = err
			return 0, err
		}
	}
	if p.done {
		return 0, io.EOF
	}
	n, err := p.b.tar.Read(data[:min(int64(len(data)), p.left)])
	p.hash.Write(data[:n])
	p.size += int64(n)
	p.left -= int64(n)
	if err == io.EOF {
		err = nil
		if n == 0 && len(data) > 0 && p.left > 0 {
			err = ErrCut
		}
	}
	if err != nil {
		p.b.err = explain(err)
		return n, p.b.err
	}
	return n, nil
}

// nextPiece finds the part's next piece, or its end.
func (p *PartReader) nextPiece() error {
	h, err := p.b.header()
	if err != nil {
		return err
	}
	p.b.next = h
	name, n, ok := parsePiece(h.Name)
	switch {
	case h.Name == manifestEntry, ok && n == 1 && name != p.name:
		p.done = true
		return nil
	case !ok, name != p.name, n != p.piece+1:
		return fmt.Errorf("%w: %.120q follows %s", ErrOrder, h.Name, pieceName(p.name, p.piece))
	case p.pieceSize != pieceSize:
		return fmt.Errorf("%w: %s has %d bytes and is not the last of its part", ErrOrder, pieceName(p.name, p.piece), p.pieceSize)
	}
	if err := checkEntry(h, pieceSize); err != nil {
		return err
	}
	p.left, p.piece, p.pieceSize = h.Size, n, h.Size
	return nil
}

// ageSource keeps errors of the reader below apart from age's.
type ageSource struct{ r io.Reader }

var errSource = errors.New("the bundle cannot be read")

func (s *ageSource) Read(data []byte) (int, error) {
	n, err := s.r.Read(data)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errSource, err)
	}
	return n, err
}

// payload turns age's errors about the content into the package's own.
type payload struct{ r io.Reader }

func (p *payload) Read(data []byte) (int, error) {
	n, err := p.r.Read(data)
	switch {
	case err == nil, err == io.EOF, errors.Is(err, errSource):
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%w: its encryption does not come to an end", ErrCut)
	default: // age tells a flipped bit and a cut inside its last 64 KiB apart as little as anybody could
		err = fmt.Errorf("%w: what is encrypted is not what was written, or it is cut off: %w", ErrDamaged, err)
	}
	return n, err
}

// explainHeader says why age could not begin.
func explainHeader(err error) error {
	var none *age.NoIdentityMatchError
	switch {
	case errors.Is(err, errSource):
		return err
	case errors.As(err, &none):
		return fmt.Errorf("%w (%s tried)", ErrLocked, count(len(none.Errors), "identity", "identities"))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: its encryption's header does not come to an end", ErrCut)
	default:
		return fmt.Errorf("%w: its encryption's header cannot be read: %w", ErrDamaged, err)
	}
}

// explain gives an error of archive/tar its name.
func explain(err error) error {
	for _, known := range []error{ErrForeign, ErrFormat, ErrLocked, ErrCut, ErrDamaged, ErrOrder, ErrManifest, errSource} {
		if errors.Is(err, known) {
			return err
		}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends inside an entry", ErrCut)
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("%w: an entry's header is not in order", ErrDamaged)
	default:
		return fmt.Errorf("%w: %w", errSource, err)
	}
}
