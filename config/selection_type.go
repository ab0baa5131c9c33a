package config

import (
	"reflect"

	"github.com/zclconf/go-cty/cty"
)

// SelectionType is the cty type of a set of nodes. Its values encapsulate a *Selection.
var SelectionType = cty.CapsuleWithOps("set of nodes", reflect.TypeOf(Selection{}), &cty.CapsuleOps{})
