package backup

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// endpointFiles are the arguments that say what endpoints are spoken to with.
var endpointFiles = []string{"endpoint_ca", "endpoint_cert", "endpoint_key"}

// decodeEndpoints reads where etcd takes clients.
func (s *Spec) decodeEndpoints(b config.Block) (diags hcl.Diagnostics) {
	urls := b.Strings("endpoints")
	if _, set := b.Ranges["endpoints"]; set && len(urls) == 0 {
		diags = append(diags, b.Diagnose("endpoints", "No endpoints", `endpoints names none. Write ["https://HOST:2379"], or remove the argument: then etcd is looked for on the nodes.`))
	}
	files, given := map[string]string{}, ""
	for _, name := range endpointFiles {
		path := b.String(name)
		if path == "" {
			continue
		}
		files[name], given = path, name
		if err := protocol.CheckCollect(path); err != nil {
			diags = append(diags, b.Diagnose(name, "Not a place of a control plane", capital(err.Error())+"."))
		}
	}
	switch {
	case len(files) > 0 && len(urls) == 0 && len(diags) == 0:
		diags = append(diags, b.Diagnose(given, "No endpoints", given+" is for endpoints, and the block has none. Name them, or remove the argument."))
	case len(files) > 0 && len(files) < len(endpointFiles):
		diags = append(diags, b.Diagnose(given, "Missing argument", "endpoint_ca, endpoint_cert and endpoint_key belong together. Give all of them, or none."))
	}
	seen := map[string]string{}
	for _, url := range urls {
		address, err := protocol.EndpointAddress(url)
		switch {
		case err != nil:
			diags = append(diags, b.Diagnose("endpoints", "Not where an etcd takes clients", capital(err.Error())+"."))
		case seen[address] != "":
			diags = append(diags, b.Diagnose("endpoints", "Named twice", fmt.Sprintf("%q and %q are one endpoint. Remove one.", seen[address], url)))
		default:
			seen[address] = url
			url = "https://" + address // as members advertise it
		}
		s.Endpoints = append(s.Endpoints, facts.EtcdEndpoint{URL: url, CA: files["endpoint_ca"], Certificate: files["endpoint_cert"], Key: files["endpoint_key"]})
	}
	return diags
}
