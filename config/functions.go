package config

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"go.yaml.in/yaml/v3"

	"upkeep/providers/strictjson"
)

// hoursPerMonth turns a price an hour into a price a month. It is the month that the provider's price script reckons
// with: 429,909 blocks of 6.117 seconds are 30.437 days (akash-network/helm-charts, provider 6.0.5,
// price_script_generic.sh: blocks_per_month).
const hoursPerMonth = "730.488"

// priceDecimals is how exact per_hour is.
const priceDecimals = 12

// largestFile bounds what file() reads into a value.
const largestFile = 4 << 20

// functions returns the functions of the language. Terraform's names have Terraform's meaning. There is none whose
// result changes from one run to the next on the same input.
func functions(r reach) map[string]function.Function {
	all := standardFunctions()
	maps.Copy(all, map[string]function.Function{
		"duration":   durationFunction(),
		"env":        envFunction(r),
		"file":       fileFunction(r),
		"per_hour":   perHourFunction(),
		"role":       roleFunction(),
		"sensitive":  sensitiveFunction(),
		"yamldecode": yamlFunction(),
	})
	return all
}

func standardFunctions() map[string]function.Function {
	return map[string]function.Function{
		"abs":             stdlib.AbsoluteFunc,
		"alltrue":         truthFunction("Returns whether every element of a list is true.", true),
		"anytrue":         truthFunction("Returns whether any element of a list is true.", false),
		"can":             described(tryfunc.CanFunc, "Returns whether an expression can be evaluated without an error.", "expression"),
		"ceil":            stdlib.CeilFunc,
		"chomp":           stdlib.ChompFunc,
		"chunklist":       stdlib.ChunklistFunc,
		"coalesce":        stdlib.CoalesceFunc,
		"coalescelist":    stdlib.CoalesceListFunc,
		"compact":         stdlib.CompactFunc,
		"concat":          stdlib.ConcatFunc,
		"contains":        stdlib.ContainsFunc,
		"csvdecode":       reading(stdlib.CSVDecodeFunc, namesOnce),
		"distinct":        stdlib.DistinctFunc,
		"element":         stdlib.ElementFunc,
		"endswith":        stringTest("Returns whether a string ends with a suffix.", "suffix", strings.HasSuffix),
		"flatten":         stdlib.FlattenFunc,
		"floor":           stdlib.FloorFunc,
		"format":          stdlib.FormatFunc,
		"formatlist":      stdlib.FormatListFunc,
		"indent":          stdlib.IndentFunc,
		"join":            stdlib.JoinFunc,
		"jsondecode":      reading(stdlib.JSONDecodeFunc, keysOnce),
		"jsonencode":      stdlib.JSONEncodeFunc,
		"keys":            stdlib.KeysFunc,
		"length":          lengthFunction(),
		"log":             stdlib.LogFunc,
		"lookup":          stdlib.LookupFunc,
		"lower":           stdlib.LowerFunc,
		"max":             stdlib.MaxFunc,
		"merge":           stdlib.MergeFunc,
		"min":             stdlib.MinFunc,
		"parseint":        stdlib.ParseIntFunc,
		"pow":             stdlib.PowFunc,
		"range":           stdlib.RangeFunc,
		"regex":           stdlib.RegexFunc,
		"regexall":        stdlib.RegexAllFunc,
		"replace":         replaceFunction(),
		"reverse":         stdlib.ReverseListFunc,
		"setintersection": stdlib.SetIntersectionFunc,
		"setproduct":      stdlib.SetProductFunc,
		"setsubtract":     stdlib.SetSubtractFunc,
		"setunion":        stdlib.SetUnionFunc,
		"signum":          stdlib.SignumFunc,
		"slice":           stdlib.SliceFunc,
		"sort":            stdlib.SortFunc,
		"split":           stdlib.SplitFunc,
		"startswith":      stringTest("Returns whether a string begins with a prefix.", "prefix", strings.HasPrefix),
		"strcontains":     stringTest("Returns whether a string contains another.", "substring", strings.Contains),
		"strrev":          stdlib.ReverseFunc,
		"substr":          stdlib.SubstrFunc,
		"title":           stdlib.TitleFunc,
		"tobool":          described(stdlib.MakeToFunc(cty.Bool), "Converts a value to a bool; one that cannot be is an error.", "value"),
		"tolist":          described(stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), "Converts a value to a list; one that cannot be is an error.", "value"),
		"tomap":           described(stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "Converts a value to a map; one that cannot be is an error.", "value"),
		"tonumber":        described(stdlib.MakeToFunc(cty.Number), "Converts a value to a number; one that cannot be is an error.", "value"),
		"toset":           described(stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "Converts a value to a set; one that cannot be is an error.", "value"),
		"tostring":        described(stdlib.MakeToFunc(cty.String), "Converts a value to a string; one that cannot be is an error.", "value"),
		"trim":            stdlib.TrimFunc,
		"trimprefix":      stdlib.TrimPrefixFunc,
		"trimspace":       stdlib.TrimSpaceFunc,
		"trimsuffix":      stdlib.TrimSuffixFunc,
		"try":             described(tryfunc.TryFunc, "Returns the first of its arguments that can be evaluated without an error.", "expressions"),
		"upper":           stdlib.UpperFunc,
		"values":          stdlib.ValuesFunc,
		"zipmap":          stdlib.ZipmapFunc,
	}
}

// reading is a function of one text that is checked first.
func reading(f function.Function, check func(text string) error) function.Function {
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      f.Params(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if args[0].IsKnown() {
				if err := check(args[0].AsString()); err != nil {
					return cty.NilType, function.NewArgError(0, err)
				}
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

// keysOnce refuses JSON in which a key stands twice: cty takes the last one. The key is not named, since the text may
// be a secret.
func keysOnce(text string) error {
	twice := new(strictjson.TwiceError)
	if errors.As(strictjson.Twice([]byte(text), nil), &twice) {
		return fmt.Errorf("a key stands twice in one object of the JSON (byte %d); remove one of the two", twice.At)
	}
	return nil
}

// namesOnce refuses CSV with two columns of one name: cty takes the last one.
func namesOnce(text string) error {
	head, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil // the function says what is wrong
	}
	for i, name := range head {
		if slices.Contains(head[:i], name) {
			return fmt.Errorf("column %d of the CSV has the name of an earlier one; name each column once", i+1)
		}
	}
	return nil
}

// described gives a function our words.
func described(f function.Function, what string, parameters ...string) function.Function {
	return f.WithNewDescriptions(what, parameters)
}

// truthFunction looks through a list of bools for one that is not as wanted (all), or that is true (any).
func truthFunction(what string, all bool) function.Function {
	return function.New(&function.Spec{
		Description: what,
		Params:      []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:        function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				switch {
				case !v.IsKnown():
					return cty.UnknownVal(cty.Bool), nil
				case (!v.IsNull() && v.True()) != all:
					return cty.BoolVal(!all), nil
				}
			}
			return cty.BoolVal(all), nil
		},
	})
}

// stringTest is a function of two strings that answers true or false.
func stringTest(what, second string, test func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Description: what,
		Params:      []function.Parameter{{Name: "string", Type: cty.String}, {Name: second, Type: cty.String}},
		Type:        function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// lengthFunction counts the elements of a collection, or the characters of a string.
func lengthFunction() function.Function {
	return function.New(&function.Spec{
		Description: "Returns the number of elements of a list, set or map, or the number of characters of a string.",
		Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			if t == cty.String || t.IsCollectionType() || t.IsTupleType() || t.IsObjectType() {
				return cty.Number, nil
			}
			return cty.NilType, function.NewArgErrorf(0, "a list, set, map or string is needed")
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].Type() == cty.String {
				return stdlib.Strlen(args[0])
			}
			return cty.NumberIntVal(int64(args[0].LengthInt())), nil
		},
	})
}

// replaceFunction replaces text, or what a regular expression between slashes matches.
func replaceFunction() function.Function {
	return function.New(&function.Spec{
		Description: "Replaces every occurrence of a substring; a substring between slashes is a regular expression.",
		Params: []function.Parameter{
			{Name: "string", Type: cty.String}, {Name: "substring", Type: cty.String}, {Name: "replacement", Type: cty.String},
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if s := args[1].AsString(); len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' {
				return stdlib.RegexReplace(args[0], cty.StringVal(s[1:len(s)-1]), args[2])
			}
			return stdlib.Replace(args[0], args[1], args[2])
		},
	})
}

func durationFunction() function.Function {
	return function.New(&function.Spec{
		Description: "Returns a duration such as \"36h\" or \"30d\" in seconds.",
		Params:      []function.Parameter{{Name: "duration", Type: cty.String}},
		Type:        function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			d, err := ParseDuration(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.NumberFloatVal(d.Seconds()), nil
		},
	})
}

func envFunction(r reach) function.Function {
	return function.New(&function.Spec{
		Description: "Returns an environment variable of the machine upkeep runs on. One that is not set is an error; try(env(\"NAME\"), \"\") gives another value instead.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String, AllowMarked: true}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name, marks := args[0].Unmark()
			value, read, err := r.naming(marks).env(name.AsString())
			switch {
			case err != nil:
				return cty.NilVal, function.NewArgError(0, err)
			case !read:
				return cty.UnknownVal(cty.String).WithMarks(marks), nil
			}
			return cty.StringVal(value).WithMarks(marks), nil
		},
	})
}

func fileFunction(r reach) function.Function {
	return function.New(&function.Spec{
		Description: "Returns the text of a file. Its path is relative to the configuration directory.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String, AllowMarked: true}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			named, marks := args[0].Unmark()
			path, r := named.AsString(), r.naming(marks)
			data, err := r.read(path, largestFile)
			switch {
			case errors.Is(err, errOutside) && r.trust == Unread:
				r.left(fmt.Sprintf("file(%q)", path))
				return cty.UnknownVal(cty.String).WithMarks(marks), nil
			case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOENT) || errors.Is(err, errNotRegular):
				return cty.NilVal, function.NewArgErrorf(0, "there is no file %s", filepath.ToSlash(r.shown(path)))
			case err != nil:
				return cty.NilVal, function.NewArgErrorf(0, "%s: %w", filepath.ToSlash(r.shown(path)), reason(err))
			case !utf8.Valid(data):
				return cty.NilVal, function.NewArgErrorf(0, "%s is not UTF-8 text", filepath.ToSlash(r.shown(path)))
			}
			return cty.StringVal(string(data)).WithMarks(marks), nil
		},
	})
}

// naming is the reach for a name with these marks: of one that is sensitive nobody is told.
func (r reach) naming(marks cty.ValueMarks) reach {
	if len(marks) > 0 {
		left := r.left
		r.left = func(what string) {
			function, _, _ := strings.Cut(what, "(")
			left(function + "() of a sensitive name")
		}
	}
	return r
}

// keyTwice is how go.yaml.in/yaml/v3 says that a key stands twice. It quotes the key, which may be a secret.
var keyTwice = regexp.MustCompile(`line (\d+): mapping key .* already defined`)

// quotedInYAML is what the library quotes of a text that may be a secret: an anchor, a value of another type.
var quotedInYAML = regexp.MustCompile("(?s)[`'\"].*[`'\"]")

// yamlFunction decodes YAML by way of JSON, so that both have the same types.
func yamlFunction() function.Function {
	toJSON := func(text string) ([]cty.Value, error) {
		var document any
		err := yaml.Unmarshal([]byte(text), &document)
		if found := keyTwice.FindStringSubmatch(fmt.Sprint(err)); err != nil && found != nil {
			return nil, function.NewArgErrorf(0,
				"a key stands twice in one mapping of the YAML (line %s); remove one of the two", found[1])
		}
		if err != nil {
			said := quotedInYAML.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "a text")
			return nil, function.NewArgErrorf(0, "the YAML cannot be parsed: %s", said)
		}
		data, err := json.Marshal(document)
		if err != nil {
			return nil, function.NewArgErrorf(0, "the YAML holds what JSON has not: %w", err)
		}
		return []cty.Value{cty.StringVal(string(data))}, nil
	}
	return function.New(&function.Spec{
		Description: "Decodes a text in YAML, one document, such as file(\"hosts.yaml\").",
		Params:      []function.Parameter{{Name: "src", Type: cty.String}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			value, err := toJSON(args[0].AsString())
			if err != nil {
				return cty.NilType, err
			}
			return stdlib.JSONDecodeFunc.ReturnTypeForValues(value)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			value, err := toJSON(args[0].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			return stdlib.JSONDecodeFunc.Call(value)
		},
	})
}

func perHourFunction() function.Function {
	return function.New(&function.Spec{
		Description: "Turns a price in USD an hour into USD a month. A month has 730.488 hours, as in the provider's price script.",
		Params:      []function.Parameter{{Name: "usd", Type: cty.Number}},
		Type:        function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			month := args[0].Multiply(cty.MustParseNumberVal(hoursPerMonth)).AsBigFloat()
			return cty.ParseNumberVal(month.Text('f', priceDecimals)) // 730.488 has no exact binary form
		},
	})
}

func roleFunction() function.Function {
	return function.New(&function.Spec{
		Description: "Returns the set of nodes that have a role; with several roles, the nodes that have any of them.",
		VarParam:    &function.Parameter{Name: "role", Type: cty.String},
		Type:        function.StaticReturnType(SelectionType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) == 0 {
				return cty.NilVal, fmt.Errorf("name at least one role")
			}
			var s Selection
			for _, arg := range args {
				s.Roles = append(s.Roles, arg.AsString())
			}
			s = unite(s)
			return cty.CapsuleVal(SelectionType, &s), nil
		},
	})
}

func sensitiveFunction() function.Function {
	return function.New(&function.Spec{
		Description: "Marks a value as sensitive: it is never shown, and only arguments that take secrets accept it.",
		Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true}},
		Type:        func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return args[0].Mark(sensitiveMark{}), nil
		},
	})
}
