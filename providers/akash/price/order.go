package price

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"upkeep/providers/strictjson"
)

// Order is what the provider pipes to its script for one group of a deployment: a list of resources, in an object
// with the tenant's maximum or, before provider 0.4, alone. What JSON leaves out is kept apart from zero, since the
// scripts do.
type Order struct {
	// Bare: the list stands alone, and no price was asked for.
	Bare bool
	// Price says how the tenant's maximum is given.
	Price PriceForm
	// Denom and Amount are the maximum in a block, for the complete group, as words. Amount is what is in a text form,
	// too.
	Denom, Amount string
	// Text is the maximum of PriceText: "100uakt".
	Text string
	// Precision is how many decimals the answer has: 6 unless the order says otherwise.
	Precision int
	Resources []Entry
}

// PriceForm is how an order gives the tenant's maximum.
type PriceForm string

const (
	PriceAbsent PriceForm = ""
	PriceObject PriceForm = "object" // as providers do
	PriceText   PriceForm = "text"   // as provider 0.4.0 did
	PriceNull   PriceForm = "null"   // null or false
	PriceOther  PriceForm = "other"
)

// Entry is the resources of one service. A nil number was not given.
type Entry struct {
	Memory    *float64 // bytes
	CPU       *float64 // thousandths of a thread
	Count     *float64 // replicas
	Endpoints *float64
	IPs       *float64 // leased addresses
	GPU       GPU
	Storage   []Volume
	// NoStorage: there is no list of volumes at all.
	NoStorage bool
}

// GPU is what an entry asks for.
type GPU struct {
	Units  *float64
	NVIDIA *Model
	AMD    *Model
}

// Model names a GPU. RAM and Interface are empty where the tenant did not ask for them.
type Model struct {
	Model, RAM, Interface string
	Named                 bool // it has a model; a vendor may be asked for without one
}

// Volume is one volume of an entry.
type Volume struct {
	Class string
	Size  *float64 // bytes
}

// The limits keep a foreign file from costing much.
const (
	largestOrder   = 1 << 20
	mostPrecision  = 100
	usualPrecision = 6
)

// ErrOrder is wrapped by every error about JSON that is no order of a provider.
var ErrOrder = errors.New("this is not an order as a provider pipes it to its price script")

// ParseOrder reads an order. Numbers given as text, and other things that no provider sends, are errors.
func ParseOrder(data []byte) (Order, error) {
	if len(data) > largestOrder {
		return Order{}, fmt.Errorf("%w: it is larger than 1 MiB", ErrOrder)
	}
	var top any
	if err := strictjson.DecodeKnown(data, &top); err != nil {
		return Order{}, fmt.Errorf("%w: %w", ErrOrder, err)
	}
	o := Order{Precision: usualPrecision}
	var list any
	switch v := top.(type) {
	case []any:
		o.Bare, list = true, v
	case map[string]any:
		if err := o.terms(v); err != nil {
			return Order{}, err
		}
		list = v["resources"]
	default:
		return Order{}, fmt.Errorf("%w: it is neither an object nor a list", ErrOrder)
	}
	entries, ok := list.([]any)
	if !ok {
		return Order{}, fmt.Errorf("%w: it has no list of resources", ErrOrder)
	}
	for i, e := range entries {
		entry, err := readEntry(e)
		if err != nil {
			return Order{}, fmt.Errorf("%w: resources[%d]%w", ErrOrder, i, err)
		}
		o.Resources = append(o.Resources, entry)
	}
	return o, nil
}

// terms reads what stands next to the resources.
func (o *Order) terms(object map[string]any) error {
	switch p := object["price_precision"].(type) {
	case nil:
	case bool:
		if p {
			return fmt.Errorf("%w: price_precision is true", ErrOrder)
		}
	case float64:
		if p != math.Trunc(p) || p < 0 || p > mostPrecision {
			return fmt.Errorf("%w: price_precision is %s", ErrOrder, jqNumber(p))
		}
		o.Precision = int(p)
	default:
		return fmt.Errorf("%w: price_precision is not a number", ErrOrder)
	}
	price, given := object["price"]
	if !given {
		return nil
	}
	switch p := price.(type) {
	case map[string]any:
		o.Price = PriceObject
		var err error
		if o.Denom, err = jqWord(p["denom"]); err != nil {
			return fmt.Errorf("%w: price.denom%w", ErrOrder, err)
		}
		if o.Amount, err = jqWord(p["amount"]); err != nil {
			return fmt.Errorf("%w: price.amount%w", ErrOrder, err)
		}
	case string:
		if strings.ContainsAny(p, "\"\\'$`*?[ \t\n") {
			return fmt.Errorf("%w: price is %q", ErrOrder, p)
		}
		o.Price, o.Text = PriceText, p
		rest := strings.TrimLeft(p, "0123456789")
		rest = strings.TrimPrefix(rest, ".")
		o.Denom = strings.TrimLeft(rest, "0123456789")
	case nil:
		o.Price = PriceNull
	default:
		o.Price = PriceOther
		if p == false {
			o.Price = PriceNull
		}
	}
	return nil
}

// jqWord is what `jq -r` prints of a scalar.
func jqWord(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "null", nil
	case string:
		return v, nil
	case float64:
		return jqNumber(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", errors.New(" is no word")
}

func readEntry(v any) (Entry, error) {
	var e Entry
	object, ok := v.(map[string]any)
	if !ok {
		return e, errors.New(" is not an object")
	}
	for _, field := range []struct {
		name string
		to   **float64
	}{
		{"memory", &e.Memory}, {"cpu", &e.CPU}, {"count", &e.Count},
		{"endpoint_quantity", &e.Endpoints}, {"ip_lease_quantity", &e.IPs},
	} {
		var err error
		if *field.to, err = readNumber(object[field.name]); err != nil {
			return e, fmt.Errorf(".%s%w", field.name, err)
		}
	}
	if err := readGPU(object["gpu"], &e.GPU); err != nil {
		return e, err
	}
	switch volumes := object["storage"].(type) {
	case nil:
		e.NoStorage = true
	case []any:
		for i, v := range volumes {
			volume, ok := v.(map[string]any)
			if !ok {
				return e, fmt.Errorf(".storage[%d] is not an object", i)
			}
			size, err := readNumber(volume["size"])
			if err != nil {
				return e, fmt.Errorf(".storage[%d].size%w", i, err)
			}
			class, _ := volume["class"].(string) // another type is no class that anything looks for
			e.Storage = append(e.Storage, Volume{Class: class, Size: size})
		}
	default:
		return e, errors.New(".storage is not a list")
	}
	return e, nil
}

func readNumber(v any) (*float64, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case float64:
		return &v, nil
	}
	return nil, errors.New(" is not a number")
}

func readGPU(v any, gpu *GPU) error {
	if v == nil {
		return nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return errors.New(".gpu is not an object")
	}
	var err error
	if gpu.Units, err = readNumber(object["units"]); err != nil {
		return fmt.Errorf(".gpu.units%w", err)
	}
	if object["attributes"] == nil {
		return nil
	}
	attributes, ok := object["attributes"].(map[string]any)
	if !ok {
		return errors.New(".gpu.attributes is not an object")
	}
	if attributes["vendor"] == nil {
		return nil
	}
	vendors, ok := attributes["vendor"].(map[string]any)
	if !ok {
		return errors.New(".gpu.attributes.vendor is not an object")
	}
	if gpu.NVIDIA, err = readModel(vendors["nvidia"]); err != nil {
		return fmt.Errorf(".gpu.attributes.vendor.nvidia%w", err)
	}
	if gpu.AMD, err = readModel(vendors["amd"]); err != nil {
		return fmt.Errorf(".gpu.attributes.vendor.amd%w", err)
	}
	return nil
}

// nameCharacters are those of models, sizes and interfaces. Others mean something to the shell.
const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+:/-"

func readModel(v any) (*Model, error) {
	if v == nil {
		return nil, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New(" is not an object")
	}
	m := &Model{}
	for _, field := range []struct {
		name string
		to   *string
	}{{"model", &m.Model}, {"ram", &m.RAM}, {"interface", &m.Interface}} {
		switch s := object[field.name].(type) {
		case nil:
		case string:
			if s == "" || s != "*" && strings.Trim(s, nameCharacters) != "" {
				return nil, fmt.Errorf(".%s is %q", field.name, s)
			}
			*field.to = s
		default:
			return nil, fmt.Errorf(".%s is not a word", field.name)
		}
	}
	m.Named = m.Model != ""
	return m, nil
}
