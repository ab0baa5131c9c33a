//go:build nvml

package main

import _ "embed"

// nvmlPacked is upkeep-nvml, compressed by gzip. A helper that a session brings to a node brings it along: it is written
// beside the helper on a node with NVIDIA hardware.
//
//go:embed upkeep-nvml.gz
var nvmlPacked []byte
