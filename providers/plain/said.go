package plain

import (
	"reflect"
	"regexp"
	"strings"
)

// Said quotes what somebody else said, as one line, so that it cannot be read as a sentence of upkeep's own: a node or
// an API server may write advice. An empty text stays empty, and quoting twice is quoting once.
func Said(s string) string {
	s = Line(s)
	if s == "" || quoted(s) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, "'") + `"`
}

func quoted(s string) bool {
	return len(s) >= 2 && s[0] == '"' && strings.IndexByte(s[1:], '"') == len(s)-2
}

// sentence are the signs of advice, or of the end of a sentence.
var sentence = regexp.MustCompile("[;`$<>|&\\n!]|(?i:\\brun\\b)|[.?] ")

// Told is Said for a text that may be read as advice, or as more than one phrase. Any other text is returned unchanged.
func Told(s string) string {
	if sentence.MatchString(s) {
		return Said(s)
	}
	return s
}

// The struct tags of fields with the words of somebody else: reasons (`plain:"said"`), and how things and runs are
// called (`plain:"told"`).
const (
	said = "said"
	told = "told"
)

// Quote quotes all words of somebody else in a value that such a one wrote: Said for reasons, Told for the rest. The
// value is a pointer, and nothing else may hold parts of what it points to.
func Quote(value any) { quote(reflect.ValueOf(value), "", Said) }

// QuoteRecorded is Quote for what a file holds that somebody says upkeep recorded. Some reasons in it are
// upkeep's own, so those that read as advice are quoted, and no others.
func QuoteRecorded(value any) { quote(reflect.ValueOf(value), "", Told) }

func quote(v reflect.Value, tag string, reason func(string) string) {
	switch v.Kind() {
	case reflect.String:
		switch tag {
		case said:
			v.SetString(reason(v.String()))
		case told:
			v.SetString(Told(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			quote(v.Elem(), tag, reason)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				quote(v.Field(i), field.Tag.Get("plain"), reason)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			quote(v.Index(i), tag, reason)
		}
	case reflect.Map:
		switch v.Type().Elem().Kind() {
		case reflect.Struct, reflect.Pointer, reflect.Slice:
		default:
			return // no field with words lies in it
		}
		for key, element := range v.Seq2() {
			copied := reflect.New(element.Type()).Elem()
			copied.Set(element)
			quote(copied, tag, reason)
			v.SetMapIndex(key, copied)
		}
	}
}
