package providers

import "upkeep/providers/facts"

// Address names a resource, and optionally a node under it; see facts.Address.
type Address = facts.Address
