//go:build !nvml

package main

// nvmlPacked is empty in a helper that was built without upkeep-nvml, as for another architecture.
var nvmlPacked []byte
