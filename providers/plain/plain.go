// Package plain makes plain text of what others wrote: nodes, API servers, stores, bundles, charts.
//
// It decides nothing about what a text means, and it is no escaping for a shell, HTML or Markdown. It promises that what
// it returns holds no character that drives a terminal, hides other text or reorders it, and that cleaning twice is
// cleaning once.
package plain

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Longest is the most bytes that In leaves of one text.
const Longest = 64 << 10

// Safe reports whether a character may be shown unchanged: printable, or a space. Control characters, the marks that
// turn the direction of text (Unicode Standard Annex #9), invisible formatting and the replacement character are not.
func Safe(r rune) bool { return unicode.IsPrint(r) && r != utf8.RuneError }

// Escape returns the letters that stand for a character that is not Safe. They are those of JSON and HCL, so that a text
// in quotes still means the same.
func Escape(r rune) string {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// Line makes one line: line breaks and tabs become spaces, and every other character that is not Safe its Escape.
func Line(s string) string { return clean(s, "") }

// Text is Line for a text that may have several lines: line breaks and tabs stay.
func Text(s string) string { return clean(strings.ReplaceAll(s, "\r\n", "\n"), "\n\t") }

func clean(s, keep string) string {
	bad := func(r rune) bool { return !Safe(r) && !strings.ContainsRune(keep, r) }
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		switch {
		case !bad(r):
			out.WriteRune(r)
		case r == '\n' || r == '\t' || r == '\r':
			out.WriteByte(' ')
		default:
			out.WriteString(Escape(r))
		}
	}
	return out.String()
}

// Bound cuts a text to at most limit bytes and says so; it never cuts a character in two.
func Bound(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}

// off is the struct tag `plain:"-"` of a field that In leaves unchanged: data that is compared or hashed byte by byte.
// The one who shows it cleans it.
const off = "-"

// In cleans every text that a value holds, in place, with Line or Text, and cuts it to Longest bytes. The value is a
// pointer. Fields with the tag `plain:"-"` stay unchanged.
//
// What is clean already is not written to, so that it may be shared.
func In(value any, one func(string) string) {
	v := reflect.ValueOf(value)
	bounded := func(s string) string { return Bound(one(s), Longest) }
	if v.Kind() == reflect.Pointer && !v.IsNil() && dirty(v, bounded) {
		in(v.Elem(), bounded)
	}
}

// cleanable reports whether In looks at a field.
func cleanable(field reflect.StructField) bool {
	return field.IsExported() && field.Tag.Get("plain") != off
}

// dirty reports whether there is anything to clean.
func dirty(v reflect.Value, one func(string) string) bool {
	switch v.Kind() {
	case reflect.String:
		return one(v.String()) != v.String()
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && dirty(v.Elem(), one)
	case reflect.Struct:
		for i := range v.NumField() {
			if cleanable(v.Type().Field(i)) && dirty(v.Field(i), one) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if v.Type().Elem().Kind() != reflect.Uint8 && dirty(v.Index(i), one) {
				return true
			}
		}
	case reflect.Map:
		for key, element := range v.Seq2() {
			if dirty(key, one) || dirty(element, one) {
				return true
			}
		}
	}
	return false
}

func in(v reflect.Value, one func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(one(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			in(v.Elem(), one)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if cleanable(v.Type().Field(i)) {
				in(v.Field(i), one)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if v.Type().Elem().Kind() != reflect.Uint8 {
				in(v.Index(i), one)
			}
		}
	case reflect.Interface:
		if !v.IsNil() {
			v.Set(cleaned(v.Elem(), one))
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for key, element := range v.Seq2() {
			out.SetMapIndex(cleaned(key, one), cleaned(element, one))
		}
		v.Set(out)
	}
}

// cleaned returns a clean copy of what cannot be cleaned where it stands.
func cleaned(v reflect.Value, one func(string) string) reflect.Value {
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	in(copied, one)
	return copied
}
