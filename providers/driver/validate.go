package driver

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers/facts"
)

// validation refuses `validate = "none"` without a reason, and a reason for nothing.
func (s Spec) validation(b config.Block) hcl.Diagnostics {
	switch why := strings.TrimSpace(s.Unvalidated); {
	case s.Validate == None && why == "":
		return hcl.Diagnostics{b.Diagnose("validate", "Missing reason",
			"Without a computation, a GPU that computes wrong results gets tenants. Say why that is right here, in "+
				"`validate_reason`, or write `validate = \"host\"`.")}
	case s.Validate != None && why != "":
		return hcl.Diagnostics{b.Diagnose("validate_reason", "Unexpected reason",
			"`validate_reason` says why no GPU computes anything, and `validate` says that they do. Remove one of them.")}
	}
	return nil
}

// validated is what the proof says of computations.
func (s Spec) validated() string {
	if s.Validate == None {
		return fmt.Sprintf("no GPU computes anything: %q", s.Unvalidated)
	}
	return "each GPU multiplies two matrices without an error, in a program on the node and not in a pod"
}

// productsNotProved is about what each device of CUDA computes.
func productsNotProved(a args, d facts.NVIDIA) string {
	if !a.Products {
		return ""
	}
	for _, p := range d.Products {
		if !p.Right {
			return fmt.Sprintf("GPU %s does not compute: %s", orElse(p.PCI, fmt.Sprintf("%d of CUDA", p.Device)),
				orElse(p.Failed, "no result"))
		}
	}
	if got := len(d.Products); got < d.CUDA.Devices || got == 0 && a.GPUs > 0 {
		return fmt.Sprintf("%d of %d GPUs computed something", got, max(a.GPUs, d.CUDA.Devices))
	}
	return ""
}

// computed are the right products of some devices.
func computed(devices int) (out []facts.Product) {
	for i := range devices {
		out = append(out, facts.Product{Device: i, Right: true})
	}
	return out
}
