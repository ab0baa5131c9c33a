package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
)

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// plain returns a type without its pointers; nil for one that decides itself what it reads.
func plain(of reflect.Type) reflect.Type {
	for of != nil && of.Kind() == reflect.Pointer {
		if of.Implements(unmarshaler) {
			return nil
		}
		of = of.Elem()
	}
	if of == nil || reflect.PointerTo(of).Implements(unmarshaler) {
		return nil
	}
	return of
}

// elementOf returns the type of the elements of a list or a map; nil where there are none, or any.
func elementOf(of reflect.Type) reflect.Type {
	if of = plain(of); of == nil {
		return nil
	}
	switch of.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return of.Elem()
	}
	return nil
}

// fieldsOf returns the fields of a struct by their names in JSON; false for what is no struct.
func (s *scan) fieldsOf(of reflect.Type) (map[string]reflect.Type, bool) {
	if of = plain(of); of == nil || of.Kind() != reflect.Struct {
		return nil, false
	}
	found, known := s.fields[of]
	if !known {
		found = map[string]reflect.Type{}
		named(of, found)
		s.fields[of] = found
	}
	return found, true
}

// named adds the fields of a struct, those that stand less deep first: they hide the others.
func named(of reflect.Type, into map[string]reflect.Type) {
	var embedded []reflect.Type
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		at := field.Type
		if at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		switch {
		case name == "-":
		case name == "" && field.Anonymous && at.Kind() == reflect.Struct:
			embedded = append(embedded, at)
		case !field.IsExported():
		default:
			if name == "" {
				name = field.Name
			}
			if _, hidden := into[name]; !hidden {
				into[name] = field.Type
			}
		}
	}
	for _, e := range embedded {
		named(e, into)
	}
}

// fieldNamed returns the type of the field that a key names, as encoding/json finds it: exactly, else in any case.
func fieldNamed(fields map[string]reflect.Type, key []byte) reflect.Type {
	if of, exact := fields[string(key)]; exact {
		return of
	}
	for name, of := range fields {
		if strings.EqualFold(name, string(key)) {
			return of
		}
	}
	return nil
}
