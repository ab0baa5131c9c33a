package facts

import "reflect"

// pool holds texts that many nodes have in common, such as names of files and authorities. Facts of 10,000 nodes repeat
// each of them as often.
type pool map[string]string

// The pool takes the texts that come first and are short: what later nodes have in common, the first has, too.
const (
	poolSize = 4096
	poolText = 256 // bytes
)

// share lets texts that are equal be one in memory, and lists take no more of it than they need. The value must be a
// pointer to data that nobody else has.
func (p pool) share(value any) { p.in(reflect.ValueOf(value)) }

func (p pool) in(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() && v.Len() > 0 {
			v.SetString(p.text(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			p.in(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				p.in(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		if n := v.Len(); v.CanSet() && v.Cap() > n { // a decoder doubles a list as it grows
			exact := reflect.MakeSlice(v.Type(), n, n)
			reflect.Copy(exact, v)
			v.Set(exact)
		}
		for i := range v.Len() {
			p.in(v.Index(i))
		}
	}
}

func (p pool) text(s string) string {
	known, ok := p[s]
	switch {
	case ok:
		return known
	case len(p) < poolSize && len(s) <= poolText:
		p[s] = s
	}
	return s
}
