package providers_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
)

// filled sets everything in a value: each list has one element, each flag is true.
func filled(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			filled(v.Field(i))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 4)) // with room, into which nobody must write
	}
}

// twice is a filled value with each list twice.
func twice(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			twice(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
	}
}

// What both need is everything that either needs, whatever Needs comes to hold, and no list is written into.
func TestAnd(t *testing.T) {
	var all, sum, zero providers.Needs
	filled(reflect.ValueOf(&all).Elem())
	filled(reflect.ValueOf(&sum).Elem())
	twice(reflect.ValueOf(&sum).Elem())
	for _, test := range []struct {
		name             string
		one, other, want providers.Needs
	}{
		{"nothing and everything", zero, all, all},
		{"everything and nothing", all, zero, all},
		{"everything twice", all, all, sum},
		{"nothing", zero, zero, zero},
	} {
		if diff := cmp.Diff(test.want, test.one.And(test.other)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	ports := make([]int, 1, 4)
	first := providers.Needs{Kubernetes: providers.KubernetesNeeds{HostPorts: ports}}
	first.And(providers.Needs{Kubernetes: providers.KubernetesNeeds{HostPorts: []int{443}}})
	if got := ports[:2][1]; got != 0 {
		t.Errorf("the list of one was written into: %d", got)
	}
}
