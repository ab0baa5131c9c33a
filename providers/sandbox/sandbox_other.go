//go:build !linux

package sandbox

import (
	"context"
	"runtime"
)

// Child does nothing: there is no sandbox here.
func Child() {}

func run(context.Context, Job) (Result, error) {
	return Result{}, unavailable("this is %s, which has no namespaces; measure on Linux", runtime.GOOS)
}
