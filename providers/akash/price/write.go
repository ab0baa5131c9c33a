package price

import "encoding/json"

// JSON returns an order as the provider writes it: an object, on one line. What the order does not have is left out.
func (o Order) JSON() string {
	type attributes map[string]any
	entries := make([]map[string]any, 0, len(o.Resources))
	set := func(in map[string]any, name string, value *float64) {
		if value != nil {
			in[name] = *value
		}
	}
	for _, e := range o.Resources {
		entry := map[string]any{}
		set(entry, "memory", e.Memory)
		set(entry, "cpu", e.CPU)
		set(entry, "count", e.Count)
		set(entry, "endpoint_quantity", e.Endpoints)
		set(entry, "ip_lease_quantity", e.IPs)
		gpu := map[string]any{"units": 0}
		set(gpu, "units", e.GPU.Units)
		vendors := map[string]any{}
		for name, model := range map[string]*Model{"nvidia": e.GPU.NVIDIA, "amd": e.GPU.AMD} {
			if model != nil {
				vendors[name] = model.attributes()
			}
		}
		if len(vendors) > 0 {
			gpu["attributes"] = attributes{"vendor": vendors}
		}
		entry["gpu"] = gpu
		volumes := []map[string]any{}
		for _, v := range e.Storage {
			volume := map[string]any{"class": v.Class}
			set(volume, "size", v.Size)
			volumes = append(volumes, volume)
		}
		if !e.NoStorage {
			entry["storage"] = volumes
		}
		entries = append(entries, entry)
	}
	data, err := json.Marshal(map[string]any{
		"resources": entries, "price": map[string]string{"denom": o.Denom,
			"amount": o.Amount}, "price_precision": o.Precision,
	})
	if err != nil {
		panic(err) // an order holds finite numbers and texts alone
	}
	return string(data)
}

func (m Model) attributes() map[string]string {
	out := map[string]string{}
	for name, value := range map[string]string{"model": m.Model, "ram": m.RAM, "interface": m.Interface} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}
