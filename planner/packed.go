package planner

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// small is the size up to which a plan file stays text: the plans of most clusters can be read with any tool. 1,000
// nodes are 16 MB of text and 2 MB packed.
const small = 512 << 10

// Pack returns the text of a plan file as kept: gzip where it is large. Origin and digest are those of the text, so
// they do not depend on who compressed it, and with which library.
func Pack(text []byte) ([]byte, error) {
	var file packer
	if _, err := file.Write(text); err != nil {
		return nil, err
	}
	return file.close()
}

// packer packs what is written to it as Pack does.
type packer struct {
	out    bytes.Buffer
	packed *gzip.Writer // nil while the text is small
}

func (k *packer) Write(text []byte) (int, error) {
	if k.packed == nil && k.out.Len()+len(text) <= small {
		return k.out.Write(text)
	}
	if k.packed == nil {
		before := bytes.Clone(k.out.Bytes())
		k.out.Reset()
		packed, err := gzip.NewWriterLevel(&k.out, gzip.BestSpeed)
		if err != nil {
			return 0, err
		}
		if _, err := packed.Write(before); err != nil {
			return 0, err
		}
		k.packed = packed
	}
	return k.packed.Write(text)
}

// close returns the file.
func (k *packer) close() ([]byte, error) {
	if k.packed == nil {
		return k.out.Bytes(), nil
	}
	if err := k.packed.Close(); err != nil {
		return nil, err
	}
	return k.out.Bytes(), nil
}

// A packed plan is not refused before it holds packedLeast bytes of text, nor before the text is packedRatio times as
// long as the file: what upkeep packs is 8 times shorter.
const (
	packedLeast = 16 << 20
	packedRatio = 100
)

// Unpack returns the text of a plan file, which may be packed. The file may come from elsewhere: no more than most
// bytes of text are unpacked, nor much more than what such a file may hold: a small file that grows without end takes
// neither memory nor time. The checksum must be right, and nothing may follow. What the text says, CheckOrigin and
// Decode judge.
func Unpack(file []byte, most int) (text []byte, err error) {
	if !bytes.HasPrefix(file, []byte{0x1f, 0x8b}) { // gzip: RFC 1952, 2.3.1
		return file, nil
	}
	damaged := func(err error) error {
		return fmt.Errorf("the plan file is damaged: %w; make the plan again with `upkeep plan -out=FILE`", err)
	}
	rest := bytes.NewReader(file) // a bytes.Reader, of which gzip reads no byte too many
	in, err := gzip.NewReader(rest)
	if err != nil {
		return nil, damaged(err)
	}
	in.Multistream(false)
	limit := min(most, max(packedLeast, packedRatio*len(file)))
	text, err = io.ReadAll(io.LimitReader(in, int64(limit)+1))
	switch {
	case err == nil && len(text) > limit && limit < most:
		return nil, fmt.Errorf("the plan file holds more than %d times as much text as it has bytes, and no plan does; "+
			"make the plan again with `upkeep plan -out=FILE`", packedRatio)
	case err == nil && len(text) > limit:
		return nil, fmt.Errorf("the plan file holds more than %d MiB of text", most>>20)
	case err != nil:
		return nil, damaged(err)
	case rest.Len() > 0:
		return nil, damaged(errors.New("something follows the plan"))
	}
	return text, nil
}
