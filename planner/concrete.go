package planner

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"upkeep/providers/facts"
)

// concrete gives the new values of an update a value that no fact has: upper-case hexadecimal, as serials are. What the
// update shares with the world, it took from there as it is, and nothing in it is new; so a step that changes one lease
// among thousands of nodes costs what the lease costs. The rest is the update's own, and is written in place.
func concrete(world facts.World, update *facts.Update, seed string) {
	sum := sha256.Sum256([]byte(seed))
	r := renewed{value: strings.ToUpper(hex.EncodeToString(sum[:8]))}
	for i := range update.Nodes {
		var old any = facts.Node{}
		if n := world.Nodes[update.Nodes[i].Name]; n != nil {
			old = *n
		}
		r.replace(reflect.ValueOf(&update.Nodes[i]).Elem(), reflect.ValueOf(old))
	}
	if update.Kubernetes != nil {
		r.replace(reflect.ValueOf(update.Kubernetes).Elem(), reflect.ValueOf(world.Kubernetes))
	}
	if update.Etcd != nil {
		r.replace(reflect.ValueOf(update.Etcd).Elem(), reflect.ValueOf(world.Etcd))
	}
	for i := range update.Releases {
		var old any = facts.Release{}
		if release := world.Releases[facts.ReleaseKey(update.Releases[i].Namespace, update.Releases[i].Name)]; release != nil {
			old = *release
		}
		r.replace(reflect.ValueOf(&update.Releases[i]).Elem(), reflect.ValueOf(old))
	}
	for i := range update.Definitions {
		r.replace(reflect.ValueOf(&update.Definitions[i]).Elem(), reflect.ValueOf(world.Definitions[update.Definitions[i].Name]))
	}
	r.replace(reflect.ValueOf(&update.Backups).Elem(), reflect.ValueOf(world.Backups))
	r.replace(reflect.ValueOf(&update.Archives).Elem(), reflect.ValueOf(world.Archives))
	r.replace(reflect.ValueOf(&update.Tenancies).Elem(), reflect.ValueOf(world.Tenancies))
	r.replace(reflect.ValueOf(&update.Sections).Elem(), reflect.Value{})
}

// renewed replaces facts.New by a value.
type renewed struct{ value string }

// replace replaces what is new in a settable value and reports whether anything was. old is what stands in the same
// place of the world; the zero Value where nothing does.
func (r renewed) replace(v, old reflect.Value) (changed bool) {
	if old.IsValid() && old.Type() != v.Type() {
		old = reflect.Value{}
	}
	switch v.Kind() {
	case reflect.String:
		if changed = v.String() == facts.New; changed {
			v.SetString(r.value)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return false
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				changed = r.replace(v.Field(i), at(old, func() reflect.Value { return old.Field(i) })) || changed
			}
		}
	case reflect.Pointer:
		changed = !v.IsNil() && !shared(v, old) && r.replace(v.Elem(), at(old, old.Elem))
	case reflect.Interface:
		if v.IsNil() {
			return false
		}
		inner := reflect.New(v.Elem().Type()).Elem()
		inner.Set(v.Elem())
		if changed = r.replace(inner, at(old, old.Elem)); changed {
			v.Set(inner)
		}
	case reflect.Slice:
		changed = r.replaceList(v, old)
	case reflect.Map:
		changed = r.replaceMap(v, old)
	}
	return changed
}

func (r renewed) replaceMap(v, old reflect.Value) (changed bool) {
	if v.Len() == 0 || shared(v, old) {
		return false
	}
	for _, key := range v.MapKeys() {
		element := reflect.New(v.Type().Elem()).Elem()
		element.Set(v.MapIndex(key))
		if r.replace(element, at(old, func() reflect.Value { return old.MapIndex(key) })) {
			v.SetMapIndex(key, element)
			changed = true
		}
	}
	return changed
}

func (r renewed) replaceList(v, old reflect.Value) (changed bool) {
	if v.Len() == 0 || shared(v, old) && v.Len() == old.Len() {
		return false
	}
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		data, mark := v.Bytes(), []byte(`"`+facts.New+`"`)
		if changed = bytes.Contains(data, mark); changed {
			v.SetBytes(bytes.ReplaceAll(data, mark, []byte(`"`+r.value+`"`)))
		}
		return changed
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return false
	}
	for i := range v.Len() {
		changed = r.replace(v.Index(i), at(old, func() reflect.Value {
			if i < old.Len() {
				return old.Index(i)
			}
			return reflect.Value{}
		})) || changed
	}
	return changed
}

// at returns a part of an old value; the zero Value where there is no old value, or it has no such part.
func at(old reflect.Value, part func() reflect.Value) reflect.Value {
	if !old.IsValid() {
		return old
	}
	switch old.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map:
		if old.IsNil() {
			return reflect.Value{}
		}
	}
	return part()
}

// shared reports whether a pointer, slice or map is the one of the world.
func shared(v, old reflect.Value) bool { return old.IsValid() && old.Pointer() == v.Pointer() }
