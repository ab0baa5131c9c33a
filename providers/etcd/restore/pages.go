package restore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file: pages with a header of id, flags, count and overflow, and elements of 16 bytes whose
// positions count from themselves. Source: bbolt v1.5 internal/common/{page,meta,inode,bucket}.go. Numbers are in the
// byte order of the machine that wrote them: little-endian on all that etcd supports but s390x.
const (
	headerSize    = 16
	elementSize   = 16
	bucketSize    = 16
	metaSize      = 64
	metaMagic     = 0xED0CDAED
	branchPage    = 0x01
	leafPage      = 0x02
	metaPage      = 0x04
	freelistPage  = 0x10
	bucketElement = 0x01
	noFreelist    = ^uint64(0)
	largestPage   = 64 << 10
)

// walker follows every reference of a database, from its first pages on, and checks that each leads to what it should.
// It reads the file as bytes: where bbolt, which maps it and follows pointers, would crash, this names the place.
type walker struct {
	file     io.ReaderAt
	size     int64
	pageSize int64
	pages    uint64 // as many as the database says it has
	seen     []bool
	buffer   []byte
}

// reference is a page that another refers to, and what its keys must be: from low on, and before high. nil is no bound.
type reference struct {
	page      uint64
	low, high []byte
}

// walk checks the structure of a database of size bytes, and the order of its keys. Once it has passed, bbolt's own
// check is safe to run: that panics in goroutines of its own where a key is out of order.
func walk(ctx context.Context, file io.ReaderAt, size int64) error {
	w := &walker{file: file, size: size}
	root, freelist, err := w.open()
	if err != nil {
		return err
	}
	w.seen = make([]bool, w.pages)
	if freelist != noFreelist {
		if err := w.freelist(freelist); err != nil {
			return err
		}
	}
	todo := []reference{{page: root}}
	for len(todo) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		page, err := w.page(next.page)
		if err != nil {
			return err
		}
		more, err := references(page, next.low, next.high)
		if err != nil {
			return w.at(next.page, err)
		}
		todo = append(todo, more...)
	}
	return nil
}

// open reads the meta pages and takes the newer sound one, as bbolt does.
func (w *walker) open() (root, freelist uint64, err error) {
	head := make([]byte, min(w.size, 2*largestPage))
	if _, err := w.file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	var best []byte
	for pageSize := int64(1 << 10); pageSize <= largestPage; pageSize *= 2 {
		for _, at := range []int64{0, pageSize} {
			m := soundMeta(head, at)
			if m == nil || int64(binary.LittleEndian.Uint32(m[8:])) != pageSize {
				continue
			}
			if best == nil || binary.LittleEndian.Uint64(m[48:]) > binary.LittleEndian.Uint64(best[48:]) {
				best, w.pageSize = m, pageSize
			}
		}
		if best != nil {
			break
		}
	}
	if best == nil {
		return 0, 0, damaged("at byte 0: its first two pages are both damaged; the file is not an etcd database, or its beginning is lost")
	}
	w.pages = binary.LittleEndian.Uint64(best[40:])
	if w.pages < 4 || w.pages > uint64(w.size/w.pageSize) {
		return 0, 0, damaged("at byte %d: it says that it has %d pages of %d bytes, and has %d bytes", headerSize+40, w.pages, w.pageSize, w.size)
	}
	return binary.LittleEndian.Uint64(best[16:]), binary.LittleEndian.Uint64(best[32:]), nil
}

// soundMeta returns the meta in the page that begins at a byte, if that is one and its own sum holds.
func soundMeta(head []byte, at int64) []byte {
	if at+headerSize+metaSize > int64(len(head)) {
		return nil
	}
	meta := head[at+headerSize : at+headerSize+metaSize]
	sum := fnv.New64a()
	sum.Write(meta[:56])
	if binary.LittleEndian.Uint16(head[at+8:]) != metaPage || binary.LittleEndian.Uint32(meta) != metaMagic ||
		binary.LittleEndian.Uint64(meta[56:]) != sum.Sum64() {
		return nil
	}
	return meta
}

// page reads a page with its overflow. It is valid until the next call.
func (w *walker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= w.pages {
		return nil, damaged("a page refers to page %d, and there are %d", id, w.pages)
	}
	var header [headerSize]byte
	if _, err := w.file.ReadAt(header[:], int64(id)*w.pageSize); err != nil {
		return nil, w.at(id, err)
	}
	overflow := uint64(binary.LittleEndian.Uint32(header[12:]))
	if own := binary.LittleEndian.Uint64(header[:]); own != id {
		return nil, w.at(id, fmt.Errorf("this should be page %d, and calls itself %d", id, own))
	}
	if id+overflow >= w.pages {
		return nil, w.at(id, fmt.Errorf("it should be %d pages long, and the database ends before", overflow+1))
	}
	for n := id; n <= id+overflow; n++ {
		if w.seen[n] {
			return nil, w.at(n, errors.New("it belongs to two places"))
		}
		w.seen[n] = true
	}
	if need := int(overflow+1) * int(w.pageSize); cap(w.buffer) < need {
		w.buffer = make([]byte, need)
	}
	page := w.buffer[:int64(overflow+1)*w.pageSize]
	if _, err := w.file.ReadAt(page, int64(id)*w.pageSize); err != nil {
		return nil, w.at(id, err)
	}
	return page, nil
}

// references checks the elements of a branch or leaf page, whose keys must lie between low and high, and returns what
// they lead to.
func references(page, low, high []byte) ([]reference, error) {
	flags, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	switch {
	case flags != branchPage && flags != leafPage:
		return nil, fmt.Errorf("it is neither a branch nor a leaf, but of type %#x", flags)
	case headerSize+count*elementSize > len(page):
		return nil, fmt.Errorf("it says that it has %d elements, more than it has room for", count)
	case count == 0 && flags == branchPage:
		return nil, errors.New("a branch without a single element")
	}
	var out []reference
	var before []byte
	for i := range count {
		e, err := elementOf(page, i, flags)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		if i > 0 && bytes.Compare(before, e.key) >= 0 || low != nil && bytes.Compare(e.key, low) < 0 || high != nil && bytes.Compare(e.key, high) >= 0 {
			return nil, fmt.Errorf("element %d: its key is out of order", i)
		}
		before = e.key
		switch {
		case flags == branchPage:
			// Keys outlive the page's buffer.
			key := bytes.Clone(e.key)
			if len(out) > 0 {
				out[len(out)-1].high = key
			}
			out = append(out, reference{page: e.page, low: key, high: high})
		case e.isBucket:
			more, err := bucket(e.value)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			out = append(out, more...)
		}
	}
	return out, nil
}

// element is one entry of a page: of a branch with a page, of a leaf with a value.
type element struct {
	key, value []byte
	page       uint64
	isBucket   bool
}

func elementOf(page []byte, i int, flags uint16) (element, error) {
	at := headerSize + i*elementSize
	var word [4]uint32
	for n := range word {
		word[n] = binary.LittleEndian.Uint32(page[at+4*n:])
	}
	if flags == branchPage { // position, size of the key, page
		key, _, err := span(page, at, word[0], word[1], 0)
		return element{key: key, page: binary.LittleEndian.Uint64(page[at+8:])}, err
	}
	key, value, err := span(page, at, word[1], word[2], word[3]) // flags, position, sizes of key and value
	return element{key: key, value: value, isBucket: word[0]&bucketElement != 0}, err
}

// bucket checks the value that stands for a bucket: the page of its root, or a small bucket's only page itself.
func bucket(value []byte) ([]reference, error) {
	if len(value) < bucketSize {
		return nil, fmt.Errorf("a bucket of %d bytes", len(value))
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return []reference{{page: root}}, nil
	}
	inline := value[bucketSize:]
	if len(inline) < headerSize || binary.LittleEndian.Uint16(inline[8:]) != leafPage {
		return nil, errors.New("a small bucket that is no leaf")
	}
	return references(inline, nil, nil)
}

// span returns an element's key and value, after checking that both lie within the page and behind its header.
func span(page []byte, at int, position, key, value uint32) (k, v []byte, err error) {
	start := int64(at) + int64(position)
	middle := start + int64(key)
	end := middle + int64(value)
	if position < elementSize || end > int64(len(page)) {
		return nil, nil, fmt.Errorf("%d bytes at %d leave the page", int64(key)+int64(value), start)
	}
	return page[start:middle], page[middle:end], nil
}

// freelist checks the page that lists free pages.
func (w *walker) freelist(id uint64) error {
	page, err := w.page(id)
	if err != nil {
		return err
	}
	count, ids := uint64(binary.LittleEndian.Uint16(page[10:])), page[headerSize:]
	if count == 0xFFFF { // more than fit into the header's number
		count, ids = binary.LittleEndian.Uint64(ids), ids[8:]
	}
	if binary.LittleEndian.Uint16(page[8:]) != freelistPage || count > uint64(len(ids)/8) {
		return w.at(id, errors.New("it should list the free pages, and does not"))
	}
	for i := range count {
		if free := binary.LittleEndian.Uint64(ids[8*i:]); free < 2 || free >= w.pages {
			return w.at(id, fmt.Errorf("it lists page %d as free, and there are %d", free, w.pages))
		}
	}
	return nil
}

// at names the place of a page's damage. Errors of reading the file stay what they are.
func (w *walker) at(id uint64, err error) error {
	return damaged("at byte %d (page %d): %w", int64(id)*w.pageSize, id, err)
}
