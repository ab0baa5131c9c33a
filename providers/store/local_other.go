//go:build !linux

package store

// Local is false: what a directory is on is not asked here.
func (f *file) Local() bool { return false }
