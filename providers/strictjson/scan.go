package strictjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// deepest is how far values nest: encoding/json reads no deeper ones.
const deepest = 10000

// few is up to how many keys of an object are compared one by one.
const few = 16

// scan walks over one text and stops at the first key that stands twice, or where the text is no JSON.
type scan struct {
	text  []byte
	at    int
	keys  [][]byte // those of the objects that are open, the innermost one's last
	twice *TwiceError
	// fields are the types of the fields of each struct, by their names in JSON.
	fields map[reflect.Type]map[string]reflect.Type
}

var word = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,64}$`)

// next returns the byte that comes after white space; 0 at the end.
func (s *scan) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// value walks over one value that becomes one of a type; nil stands for any type. It returns false where to stop.
func (s *scan) value(of reflect.Type, depth int) bool {
	if depth > deepest {
		return false
	}
	switch s.next() {
	case '{':
		return s.object(of, depth)
	case '[':
		return s.array(of, depth)
	case '"':
		_, ok := s.quoted()
		return ok
	}
	return s.bare()
}

// bare walks over a number, true, false or null.
func (s *scan) bare() bool {
	for begin := s.at; ; s.at++ {
		if s.at == len(s.text) {
			return s.at > begin
		}
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r', ',', ']', '}':
			return s.at > begin
		}
	}
}

func (s *scan) array(of reflect.Type, depth int) bool {
	element := elementOf(of)
	for s.at++; ; s.at++ {
		if s.next() == ']' { // also behind a comma: not judged here
			s.at++
			return true
		}
		if !s.value(element, depth+1) {
			return false
		}
		switch s.next() {
		case ',':
		case ']':
			s.at++
			return true
		default:
			return false
		}
	}
}

func (s *scan) object(of reflect.Type, depth int) bool {
	fields, folds := s.fieldsOf(of)
	element := elementOf(of)
	open := len(s.keys)
	defer func() { s.keys = s.keys[:open] }()
	var many map[string]bool // of an object with more than a few keys
	for s.at++; ; s.at++ {
		if s.next() == '}' {
			s.at++
			return true
		}
		at := s.at
		quoted, ok := s.quoted()
		if !ok || s.next() != ':' {
			return false
		}
		s.at++
		key, ok := said(quoted)
		if !ok {
			return false
		}
		if many = s.known(key, folds, open, many); s.twice != nil {
			s.twice.At = at
			return false
		}
		of := element
		if folds {
			of = fieldNamed(fields, key)
		}
		if !s.value(of, depth+1) {
			return false
		}
		switch s.next() {
		case ',':
		case '}':
			s.at++
			return true
		default:
			return false
		}
	}
}

// known notes a key of the object whose keys begin at open, and whether it stood there before.
func (s *scan) known(key []byte, folds bool, open int, many map[string]bool) map[string]bool {
	again := false
	if many == nil {
		for _, before := range s.keys[open:] {
			if bytes.Equal(before, key) || folds && bytes.EqualFold(before, key) {
				again = true
			}
		}
		s.keys = append(s.keys, key)
		if len(s.keys)-open > few {
			many = map[string]bool{}
			for _, before := range s.keys[open:] {
				many[same(before, folds)] = true
			}
		}
	} else {
		again = many[same(key, folds)]
		many[same(key, folds)] = true
	}
	if again {
		s.twice = Again(string(key), 0)
	}
	return many
}

// same returns one text for all keys that are the same one.
func same(key []byte, folds bool) string {
	if !folds {
		return string(key)
	}
	return strings.Map(func(r rune) rune { // as encoding/json: the smallest of those that differ in case
		for {
			other := unicode.SimpleFold(r)
			if other <= r {
				return other
			}
			r = other
		}
	}, string(key))
}

// quoted walks over a text in quotes.
func (s *scan) quoted() ([]byte, bool) {
	if s.next() != '"' {
		return nil, false
	}
	begin := s.at
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return s.text[begin:s.at], true
		}
	}
	return nil, false
}

// said returns what a text in quotes says. Two that differ in escapes, or in bytes that are no UTF-8, may say the same.
func said(quoted []byte) ([]byte, bool) {
	plain := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return plain, true
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return []byte(text), err == nil
}
